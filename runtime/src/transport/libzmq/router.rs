//! [`Router`]: the ROUTER socket of a server.

use std::task::{Context, Poll};
use std::time::Duration;

use super::endpoint::{self, Bound};
use super::monitor::Closing;
use super::zap::Zap;
use super::{Watched, configure, context, into_bytes, receive_high_water_mark, router_socket, uninterrupted};
use crate::curve::CurveServer;
use crate::telemetry;
use crate::transport::frame_assembler::{FrameAssembler, MAX_ROUTE_BYTES};
use crate::transport::listen::{Reach, Terms};
use crate::transport::route::{extend_route, extend_route_by, frames_of_route};
use crate::transport::{
    Arrival, COPIED_BELOW_BYTES, LinkConfig, Routed, SendReceipt, ServerTransport, TransportError,
    max_received,
};
use crate::wire::{Buffer, Malformed, Message};

/// A server's socket. The route of a message is the frames before its batch: that of the client's connection, and one more for
/// each device on the way.
///
/// A peer that announces a routing id is not heard, and told so. Its id is free once its connection has gone: the next peer that
/// announces it would have the same route, and go on with the calls of the one before. libzmq tells neither that a connection has ended
/// nor which one a message came by; and what it knows of a connection, it knows by what the peer says, which may be of any size.
pub(crate) struct Router {
    socket: Watched,
    /// What waits for the end of the listeners. Dropped after the socket, whose end ends them, and before its context.
    closing: Option<Closing>,
    /// Route of the message that arrived last: each frame after its length in four bytes.
    route: Vec<u8>,
    /// The other frames of the message that is arriving.
    assembler: FrameAssembler,
    bound: Vec<Bound>,
    /// Whether there are endpoints within the process. Their messages are not copied but shared, and libzmq is done with one when
    /// the client is done with what is in it.
    has_inproc: bool,
    /// What lets clients in, and knows them, of a server with keys. Dropped after the socket: libzmq lets everything in where this is
    /// not there.
    zap: Option<Zap>,
}

impl Router {
    /// Binds a socket to every endpoint. Returns it, and the endpoints with what was chosen for them, such as ports. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// The endpoint that can't be bound, and why; an empty one if the socket itself can't be made.
    pub(crate) fn bind(
        endpoints: &[String],
        reach: Reach,
        config: LinkConfig,
        curve: Option<CurveServer>,
    ) -> Result<(Self, Vec<String>), (String, TransportError)> {
        let nowhere = |error: TransportError| (String::new(), error);
        let zap = curve.map(Zap::new).transpose().map_err(nowhere)?;
        let socket = Self::socket(endpoints, config, zap.as_ref()).map_err(|error| nowhere(error.into()))?;
        let socket = Watched::new(socket).map_err(nowhere)?;
        let assembler = FrameAssembler::new(max_received(config.max_body));
        let (route, bound) = (Vec::new(), Vec::new());
        let mut this = Self { socket, closing: None, route, assembler, bound, has_inproc: false, zap };
        let mut bound = Vec::with_capacity(endpoints.len());
        let terms = Terms::new(reach);
        for endpoint in endpoints {
            let one = endpoint::bind(&mut this.socket.socket, endpoint, terms);
            let one = one.map_err(|error| (endpoint.clone(), error))?;
            bound.push(one.endpoint.clone());
            this.has_inproc |= !one.has_listener;
            this.bound.push(one);
        }
        Ok((this, bound))
    }

    fn socket(endpoints: &[String], config: LinkConfig, zap: Option<&Zap>) -> zmq::Result<zmq::Socket> {
        let socket = router_socket(context_of(zap))?;
        configure(&socket, config)?;
        if let Some(zap) = zap {
            zap.configure(&socket)?;
        }
        socket.set_rcvhwm(receive_high_water_mark(endpoints.iter().map(String::as_str)))?;
        // Otherwise a message to a client that is gone, or whose queue is full, is dropped silently.
        socket.set_router_mandatory(true)?;
        Ok(socket)
    }

    /// Completes the message whose last frame has arrived. `is_named`: its peer, or the nearest device, has announced a routing id.
    fn deliver(&mut self, mut batch: zmq::Message, is_named: bool) -> Arrival<'_> {
        let sender = self.zap.as_mut().map(|zap| zap.sender(&mut batch));
        let batch = into_bytes(batch);
        let (mut message, others) = self.assembler.complete(batch);
        if !extend_route_by(&mut self.route, others) {
            return Arrival::RouteTooLong;
        }
        if is_named {
            telemetry::client_not_heard(frames_of_route(&self.route).next().unwrap_or_default());
            message.batch = Err(Malformed::RoutingId);
        }
        // libzmq says of every message of a client that was let in who it is.
        if let Some(None) = sender {
            return Arrival::PeerLost { route: &self.route };
        }
        message.identity = sender.flatten();
        Arrival::Message { route: &self.route, message }
    }
}

impl ServerTransport for Router {
    fn receive(&mut self) -> Result<Option<Arrival<'_>>, TransportError> {
        if let Some(refusal) = self.zap.as_mut().and_then(Zap::take_refused) {
            return Ok(Some(Arrival::Refused(refusal)));
        }
        self.route.clear();
        let mut is_named = false;
        while let Some(frame) = self.socket.receive()? {
            if !frame.get_more() {
                return Ok(Some(self.deliver(frame, is_named)));
            }
            // The first is that of the client's connection, or of the nearest device.
            if self.route.is_empty() {
                is_named = !is_number(&frame);
                // libzmq takes ids of any length; the rest of one that is too long is not copied.
                extend_route(&mut self.route, frame.get(..=MAX_ROUTE_BYTES).unwrap_or(&frame));
            } else {
                self.assembler.push(into_bytes(frame));
            }
        }
        Ok(None)
    }

    fn send(
        &mut self,
        route: &[u8],
        message: Message,
        receipt: Option<SendReceipt>,
    ) -> Result<Routed, TransportError> {
        for (index, frame) in frames_of_route(route).enumerate() {
            match self.socket.send_copy(frame, zmq::DONTWAIT | zmq::SNDMORE) {
                Ok(()) => {}
                // Decided by the first frame; the others follow it.
                Err(zmq::Error::EAGAIN) if index == 0 => {
                    receipt.into_iter().for_each(SendReceipt::void);
                    return Ok(Routed::Full(message));
                }
                Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => {
                    return Ok(Routed::Unreachable(Some(message)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        // A client within the process may keep what it has read for as long as it likes, so nothing is counted there.
        let receipt = receipt.filter(|_| !self.has_inproc);
        let (batch, attachments) = message.into_parts();
        match self.socket.send_message(attachments, |socket| send_batch(socket, batch, receipt)) {
            Ok(()) => Ok(Routed::Yes),
            Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => Ok(Routed::Unreachable(None)),
            Err(error) => Err(error.into()),
        }
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if let Some(zap) = &mut self.zap
            && zap.poll_changed(context)?.is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_changed(context)
    }

    /// libzmq does not always signal that a queue has room.
    fn retry_interval(&self) -> Duration {
        Duration::from_millis(10)
    }
}

impl Drop for Router {
    /// Lets go of the endpoints. libzmq's own thread closes sockets in its own time: a client that connects before that would be
    /// connected to a socket that is closing, and would not be told; a server that binds the endpoint would be refused.
    ///
    /// What has a listener is not unbound, since its connections would be ended before the socket's own half of them is. Then
    /// nothing more is sent of what waits, linger or not, and a connection that is reset meanwhile in the middle of a message ends
    /// the whole process: `Resource temporarily unavailable (session_base.cpp:260)`,
    /// <https://github.com/zeromq/libzmq/issues/3442>.
    fn drop(&mut self) {
        let mut listeners = 0;
        for Bound { endpoint, has_listener, file } in self.bound.drain(..) {
            // Before its socket is closed: see there.
            drop(file);
            if has_listener {
                listeners += 1;
            } else {
                // It fails only if the name is not there any more.
                let _ = uninterrupted(|| self.socket.socket.unbind(&endpoint));
            }
        }
        if listeners > 0 {
            let context = context_of(self.zap.as_ref());
            // Without it, all goes as well, but for the wait.
            self.closing = Closing::of(&mut self.socket.socket, context, listeners).ok();
        }
    }
}

/// Returns the context of a server's sockets.
fn context_of(zap: Option<&Zap>) -> &zmq::Context {
    match zap {
        Some(zap) => zap.context(),
        None => context(),
    }
}

/// Reports whether a routing id is a number that libzmq has given to a connection whose peer announces none. No number comes twice, and
/// they begin at random, so a peer that announces one can't know whose it is. Source: libzmq 4.3.4, `router_t::identify_peer`.
fn is_number(routing_id: &[u8]) -> bool {
    matches!(routing_id, [0, _, _, _, _])
}

fn send_batch(socket: &mut Watched, batch: Buffer, receipt: Option<SendReceipt>) -> zmq::Result<()> {
    if batch.len() > COPIED_BELOW_BYTES || receipt.is_some() {
        return socket.send_whole(batch, receipt, zmq::DONTWAIT);
    }
    let sent = socket.send_copy(&batch, zmq::DONTWAIT);
    batch.recycle();
    sent
}
