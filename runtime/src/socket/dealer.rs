//! The DEALER of a client.

use std::task::{Context, Poll};

use super::before::Before;
use super::monitor::{Event, Monitor};
use super::{
    COPY, Delivered, Sent, SocketError, Tuning, Watched, context, endpoint, into_bytes, is_inproc,
    largest_received, receive_mark, tune,
};
use crate::wire::Message;

/// A client's socket, connected to one endpoint.
pub(crate) struct Dealer {
    /// `None` for `inproc`, which has no connections to speak of.
    monitor: Option<Monitor>,
    socket: Watched,
    /// The frames of the message that is coming in.
    before: Before,
}

/// How soon a lost connection is tried again, and how slowly in the end, in milliseconds. It is never tried sooner.
pub(crate) const RECONNECT: u64 = 50;
const RECONNECT_MAX: i32 = 2_000;
/// How long TCP may try to reach a peer before it starts over, in milliseconds.
const CONNECT: i32 = 5_000;

impl Dealer {
    /// A socket that will be connected as soon as its peer is there. Must be called within a tokio runtime.
    pub(crate) fn connect(endpoint: &str, tuning: Tuning) -> Result<Self, SocketError> {
        let socket = Watched::new(Self::socket(endpoint, tuning)?)?;
        let before = Before::new(largest_received(tuning.max_body));
        let mut this = Self { monitor: None, socket, before };
        if !is_inproc(endpoint) {
            this.monitor = Some(Monitor::new(&mut this.socket.socket)?);
        }
        endpoint::connect(&mut this.socket.socket, endpoint)?;
        Ok(this)
    }

    fn socket(endpoint: &str, tuning: Tuning) -> zmq::Result<zmq::Socket> {
        let socket = context().socket(zmq::DEALER)?;
        tune(&socket, tuning)?;
        // What a server sends is bounded all the same, as long as it keeps to what it is granted: an answer to each call in
        // flight, and the windows of their streams.
        socket.set_rcvhwm(receive_mark(std::iter::once(endpoint)))?;
        // Or libzmq does not take the address.
        socket.set_ipv6(endpoint.starts_with("tcp://["))?;
        // Or messages queue up for a peer that is not there, and a call does not know that it was not sent.
        socket.set_immediate(true)?;
        socket.set_reconnect_ivl(i32::try_from(RECONNECT).unwrap_or(i32::MAX))?;
        socket.set_reconnect_ivl_max(RECONNECT_MAX)?;
        socket.set_connect_timeout(CONNECT)?;
        Ok(socket)
    }

    /// There are no events to wait for: it counts as connected from the start.
    pub(crate) fn is_unmonitored(&self) -> bool {
        self.monitor.is_none()
    }

    /// The next thing that happened to the connection.
    pub(crate) fn event(&self) -> Result<Option<Event>, SocketError> {
        self.monitor.as_ref().map_or(Ok(None), Monitor::next)
    }

    /// The next batch, with what is attached to it; other frames before it are passed over: some devices leave an empty one.
    pub(crate) fn receive(&mut self) -> Result<Option<Delivered>, SocketError> {
        while let Some(frame) = self.socket.receive()? {
            if !frame.get_more() {
                let (message, _others) = self.before.deliver(into_bytes(frame));
                return Ok(Some(message));
            }
            self.before.push(frame);
        }
        Ok(None)
    }

    /// Sends, if the queue has room.
    pub(crate) fn send(&mut self, message: Message) -> Result<Sent, SocketError> {
        if message.len() <= COPY { self.send_copy(message) } else { self.send_whole(message) }
    }

    /// What libzmq refuses is still here: it had a copy.
    fn send_copy(&self, message: Message) -> Result<Sent, SocketError> {
        match self.socket.send_copy(message.batch(), zmq::DONTWAIT) {
            Ok(()) => {
                message.recycle();
                Ok(Sent::Yes)
            }
            Err(zmq::Error::EAGAIN) => Ok(Sent::Full(message)),
            Err(error) => Err(error.into()),
        }
    }

    /// What libzmq refuses is lost, since it is its own by then: it is asked first whether it has room.
    fn send_whole(&mut self, message: Message) -> Result<Sent, SocketError> {
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

    /// Whether there is anything to receive, or room to send.
    pub(crate) fn has_changed(&self) -> Result<bool, SocketError> {
        Ok(self.socket.events()?.intersects(zmq::POLLIN | zmq::POLLOUT))
    }

    /// Ready when something may have happened to the connection, of which [`Dealer::event`] tells.
    pub(crate) fn poll_happened(&self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        self.monitor.as_ref().map_or(Poll::Pending, |monitor| monitor.poll_changed(context))
    }

    /// Ready when there may be something to receive, or room to send. See the head of [`super`].
    pub(crate) fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        self.socket.poll_changed(context)
    }
}

impl Drop for Dealer {
    fn drop(&mut self) {
        if self.monitor.is_some() {
            Monitor::stop(&mut self.socket.socket);
        }
    }
}
