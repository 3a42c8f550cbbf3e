//! The ROUTER of a server.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::before::{Before, Others};
use super::{
    COPY, Delivered, Receipt, SocketError, Tuning, Watched, context, endpoint, into_bytes, is_inproc,
    largest_received, receive_mark, tune, uninterrupted,
};
use crate::wire::{Buffer, Message};

/// A server's socket. It names each message's sender by a route, which is the frames that came before the batch: that
/// of the client's connection, and one more for each device on the way.
pub(crate) struct Router {
    socket: Watched,
    /// The route of the message that came in last, in the form of [`Router::receive`].
    route: Vec<u8>,
    /// The other frames of the message that is coming in.
    before: Before,
    /// Its endpoints within the process. There, messages are not copied but shared, and are done with when the client is done
    /// with what is in them.
    inproc: Vec<String>,
}

/// Connections that may wait to be accepted. With libzmq's 100, ten thousand clients that connect at once wait for a
/// minute, through retries of TCP.
const BACKLOG: i32 = 4_096;

/// The longest route, in bytes. ZMTP's routing ids have up to 255 bytes, and a chain of devices is short.
pub(super) const MAX_ROUTE: usize = 2_048;

/// What became of a message on its way to a client.
#[derive(Debug)]
pub(crate) enum Routed {
    /// libzmq has it.
    Yes,
    /// The client's queue is full. The message comes back.
    Full(Message),
    /// The client is gone. The message comes back, unless libzmq has taken it already.
    Unreachable(Option<Message>),
}

/// A message that can't be taken, or answered: its route is too long.
#[derive(Debug)]
pub(crate) struct RouteTooLong;

impl Router {
    /// A socket that is bound to every endpoint, and the endpoints as they came out. Must be called within a tokio
    /// runtime.
    pub(crate) fn bind(
        endpoints: &[String],
        tuning: Tuning,
    ) -> Result<(Self, Vec<String>), (String, SocketError)> {
        let nowhere = |error: SocketError| (String::new(), error);
        let socket = Self::socket(endpoints, tuning).map_err(|error| nowhere(error.into()))?;
        let socket = Watched::new(socket).map_err(nowhere)?;
        let before = Before::new(largest_received(tuning.max_body));
        let mut this = Self { socket, route: Vec::new(), before, inproc: Vec::new() };
        let mut bound = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let address = endpoint::bind(&mut this.socket.socket, endpoint);
            bound.push(address.map_err(|error| (endpoint.clone(), error))?);
            this.inproc.extend(is_inproc(endpoint).then(|| endpoint.clone()));
        }
        Ok((this, bound))
    }

    fn socket(endpoints: &[String], tuning: Tuning) -> zmq::Result<zmq::Socket> {
        let socket = context().socket(zmq::ROUTER)?;
        tune(&socket, tuning)?;
        socket.set_rcvhwm(receive_mark(endpoints.iter().map(String::as_str)))?;
        socket.set_backlog(BACKLOG)?;
        // Or a message to a client that is gone, or whose queue is full, is dropped without a word.
        socket.set_router_mandatory(true)?;
        Ok(socket)
    }

    /// The next message, after its route: each frame of that after its length in four bytes.
    #[expect(clippy::type_complexity, reason = "nested outcomes, each with its own meaning")]
    pub(crate) fn receive(
        &mut self,
    ) -> Result<Option<Result<(&[u8], Delivered), RouteTooLong>>, SocketError> {
        self.route.clear();
        while let Some(frame) = self.socket.receive()? {
            if !frame.get_more() {
                return Ok(Some(self.deliver(into_bytes(frame))));
            }
            // The first is that of the client's connection, or of the device that is nearest.
            if self.route.is_empty() {
                extend(&mut self.route, &frame);
            } else {
                self.before.push(frame);
            }
        }
        Ok(None)
    }

    fn deliver(&mut self, batch: Bytes) -> Result<(&[u8], Delivered), RouteTooLong> {
        let (message, others) = self.before.deliver(batch);
        let Others::All(others) = others else { return Err(RouteTooLong) };
        for frame in others {
            if self.route.len() + 4 + frame.len() > MAX_ROUTE {
                return Err(RouteTooLong);
            }
            extend(&mut self.route, &frame);
        }
        if self.route.len() > MAX_ROUTE { Err(RouteTooLong) } else { Ok((&self.route, message)) }
    }

    /// Sends to where a message came from. A message with a receipt is handed over, so that libzmq says when it is done.
    pub(crate) fn send(
        &mut self,
        route: &[u8],
        message: Message,
        receipt: Option<Receipt>,
    ) -> Result<Routed, SocketError> {
        for (index, frame) in frames(route).enumerate() {
            match self.socket.send_copy(frame, zmq::DONTWAIT | zmq::SNDMORE) {
                Ok(()) => {}
                // Decided by the first frame; the others follow it.
                Err(zmq::Error::EAGAIN) if index == 0 => {
                    receipt.into_iter().for_each(Receipt::void);
                    return Ok(Routed::Full(message));
                }
                Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => {
                    return Ok(Routed::Unreachable(Some(message)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Nobody waits for a client to be done with what it has read: where it might keep that, nothing is counted.
        let receipt = receipt.filter(|_| self.inproc.is_empty());
        let (batch, attachments) = message.into_parts();
        let sent = self.socket.send_message(attachments, |socket| send_batch(socket, batch, receipt));
        match sent {
            Ok(()) => Ok(Routed::Yes),
            Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => Ok(Routed::Unreachable(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Ready when something may have changed. See the head of [`super`].
    pub(crate) fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        self.socket.poll_changed(context)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // libzmq's own thread closes sockets in its own time. Whoever connects before that to a name of this process would be
        // connected to a socket that is closing, and nothing would tell him; whoever binds would be refused.
        for endpoint in &self.inproc {
            // What else can go wrong is that the name is not there any more.
            let _ = uninterrupted(|| self.socket.socket.unbind(endpoint));
        }
    }
}

fn send_batch(socket: &mut Watched, batch: Buffer, receipt: Option<Receipt>) -> zmq::Result<()> {
    if batch.len() > COPY || receipt.is_some() {
        return socket.send_whole(batch, receipt, zmq::DONTWAIT);
    }
    let sent = socket.send_copy(&batch, zmq::DONTWAIT);
    batch.recycle();
    sent
}

/// Adds a frame to a route.
fn extend(route: &mut Vec<u8>, frame: &[u8]) {
    // A frame whose length does not fit is longer than a route may be.
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    route.extend_from_slice(&length.to_be_bytes());
    route.extend_from_slice(frame);
}

/// The frames of a route as [`Router::receive`] lays them out.
fn frames(mut route: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = route.split_first_chunk::<4>()?;
        let (frame, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        route = rest;
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn a_route_falls_into_its_frames() {
        let route = [&[0, 0, 0, 2], &b"ab"[..], &[0, 0, 0, 0], &[0, 0, 0, 1], b"c"].concat();
        assert_eq!(frames(&route).collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
        assert_eq!(frames(&route[..5]).count(), 0, "a broken one is not read past its end");
    }
}
