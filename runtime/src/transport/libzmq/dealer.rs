//! [`Dealer`]: the DEALER socket of a client.

use std::task::{Context, Poll};
use std::time::Duration;

use super::monitor::Monitor;
use super::{Watched, configure, context, endpoint, into_bytes, is_inproc, receive_high_water_mark};
use crate::curve::CurveClient;
use crate::transport::frame_assembler::FrameAssembler;
use crate::transport::{
    COPIED_BELOW_BYTES, ClientTransport, Delivered, LinkConfig, LinkEvent, Sent, TransportError, max_received,
};
use crate::wire::Message;

/// A client's socket, connected to one endpoint.
pub(crate) struct Dealer {
    endpoint: String,
    config: LinkConfig,
    curve: Option<CurveClient>,
    /// `None` for `inproc`, whose connections libzmq does not report.
    monitor: Option<Monitor>,
    socket: Watched,
    /// The frames of the message that is arriving.
    assembler: FrameAssembler,
    /// Why another socket could not take the place of this one, if that was not told yet.
    failure: Option<TransportError>,
}

/// Minimum time between the loss of a connection and the next try, in milliseconds.
const RECONNECT_MS: u16 = 50;
/// Maximum time between two tries, in milliseconds.
const MAX_RECONNECT_MS: i32 = 2_000;
/// Time that TCP has to reach a peer before it starts over, in milliseconds.
pub(super) const CONNECT_MS: i32 = 5_000;

impl Dealer {
    /// Creates a socket, which is connected as soon as its peer listens. Must be called within a tokio runtime.
    pub(crate) fn connect(
        endpoint: &str,
        config: LinkConfig,
        curve: Option<CurveClient>,
    ) -> Result<Self, TransportError> {
        let socket = Watched::new(Self::socket(endpoint, config, curve.as_ref())?)?;
        let assembler = FrameAssembler::new(max_received(config.max_body));
        let endpoint_text = endpoint.to_owned();
        let mut this =
            Self { endpoint: endpoint_text, config, curve, monitor: None, socket, assembler, failure: None };
        if !is_inproc(endpoint) {
            this.monitor = Some(Monitor::new(&mut this.socket.socket)?);
        }
        endpoint::connect(&mut this.socket.socket, endpoint)?;
        Ok(this)
    }

    fn socket(endpoint: &str, config: LinkConfig, curve: Option<&CurveClient>) -> zmq::Result<zmq::Socket> {
        let socket = context().socket(zmq::DEALER)?;
        configure(&socket, config)?;
        // Within the process, libzmq encrypts nothing.
        if let Some(curve) = curve {
            socket.set_curve_serverkey(curve.server().as_bytes())?;
            socket.set_curve_publickey(curve.public_key().as_bytes())?;
            socket.set_curve_secretkey(curve.key().to_z85().as_bytes())?;
        }
        // What a server sends is bounded all the same, as long as it keeps to what it is granted: an answer to each call in
        // flight, and the windows of their streams.
        socket.set_rcvhwm(receive_high_water_mark(std::iter::once(endpoint)))?;
        // Otherwise libzmq does not take the address.
        socket.set_ipv6(endpoint.starts_with("tcp://["))?;
        // Otherwise messages queue up for a peer that is not there, and a call does not know that it was not sent.
        socket.set_immediate(true)?;
        socket.set_reconnect_ivl(RECONNECT_MS.into())?;
        socket.set_reconnect_ivl_max(MAX_RECONNECT_MS)?;
        socket.set_connect_timeout(CONNECT_MS)?;
        Ok(socket)
    }

    /// Reports whether there are no events to wait for: the connection counts as up from the start.
    pub(crate) fn is_unmonitored(&self) -> bool {
        self.monitor.is_none()
    }

    /// Sends a copy of the message, which comes back if libzmq refuses it.
    fn send_copy(&self, message: Message) -> Result<Sent, TransportError> {
        match self.socket.send_copy(message.batch(), zmq::DONTWAIT) {
            Ok(()) => {
                message.recycle();
                Ok(Sent::Yes)
            }
            Err(zmq::Error::EAGAIN) => Ok(Sent::Full(message)),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands the message over. libzmq then owns it, even if it refuses it; so it is asked first whether it has room.
    fn send_whole(&mut self, message: Message) -> Result<Sent, TransportError> {
        if !self.socket.events()?.contains(zmq::POLLOUT) {
            return Ok(Sent::Full(message));
        }
        let (batch, attachments) = message.into_parts();
        match self.socket.send_message(attachments, |socket| socket.send_whole(batch, None, zmq::DONTWAIT)) {
            Ok(()) => Ok(Sent::Yes),
            Err(zmq::Error::EAGAIN) => Ok(Sent::Unreachable),
            Err(error) => Err(error.into()),
        }
    }
}

impl ClientTransport for Dealer {
    fn event(&mut self) -> Result<Option<LinkEvent>, TransportError> {
        if let Some(failure) = self.failure.take() {
            return Ok(Some(LinkEvent::Unreachable(failure.to_string())));
        }
        self.monitor.as_mut().map_or(Ok(None), Monitor::next)
    }

    /// Receives a message. Frames that do not belong to its batch are skipped: some devices leave an empty one.
    fn receive(&mut self) -> Result<Option<Delivered>, TransportError> {
        while let Some(frame) = self.socket.receive()? {
            if !frame.get_more() {
                let (message, _others) = self.assembler.complete(into_bytes(frame));
                return Ok(Some(message));
            }
            self.assembler.push(into_bytes(frame));
        }
        Ok(None)
    }

    fn send(&mut self, message: Message) -> Result<Sent, TransportError> {
        if message.len() <= COPIED_BELOW_BYTES { self.send_copy(message) } else { self.send_whole(message) }
    }

    fn has_changed(&mut self) -> Result<bool, TransportError> {
        Ok(self.socket.events()?.intersects(zmq::POLLIN | zmq::POLLOUT))
    }

    fn poll_happened(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let Some(monitor) = &mut self.monitor else { return Poll::Pending };
        if monitor.poll_changed(context)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if monitor.poll_stalled(context).is_pending() {
            return Poll::Pending;
        }
        // What it had received was taken when it told that the connection had ended.
        Poll::Ready(self.renew())
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.socket.poll_changed(context)
    }

    /// Where no socket can be made, as without descriptors, this one stays until the next time: the channel outlives that.
    fn renew(&mut self) -> Result<(), TransportError> {
        match Self::connect(&self.endpoint, self.config, self.curve.clone()) {
            Ok(other) => *self = other,
            Err(error) => {
                self.failure = Some(error);
                self.monitor.as_mut().into_iter().for_each(Monitor::try_again);
            }
        }
        Ok(())
    }

    fn min_reconnect(&self) -> Duration {
        Duration::from_millis(RECONNECT_MS.into())
    }
}

impl Drop for Dealer {
    fn drop(&mut self) {
        if self.monitor.is_some() {
            Monitor::stop(&mut self.socket.socket);
        }
    }
}
