//! The ROUTER of a server.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::{COPY, Sent, SocketError, Tuning, Watched, context, endpoint, into_bytes, tune};
use crate::wire;

/// A server's socket. It names each message's sender by a route, which is the frames that came before the batch: that
/// of the client's connection, and one more for each device on the way.
pub(crate) struct Router {
    router: Watched,
    /// The route of the message that came in last, in the form of [`Router::receive`].
    route: Vec<u8>,
}

/// Connections that may wait to be accepted. With libzmq's 100, ten thousand clients that connect at once wait for a
/// minute, through retries of TCP.
const BACKLOG: i32 = 4_096;

/// The longest route, in bytes. ZMTP's routing ids have up to 255 bytes, and a chain of devices is short.
const MAX_ROUTE: usize = 2_048;

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
        let mut socket = Self::socket(tuning).map_err(|error| nowhere(error.into()))?;
        let mut bound = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let address = endpoint::bind(&mut socket, endpoint).map_err(|error| (endpoint.clone(), error))?;
            bound.push(address);
        }
        let router = Watched::new(socket).map_err(nowhere)?;
        Ok((Self { router, route: Vec::new() }, bound))
    }

    fn socket(tuning: Tuning) -> zmq::Result<zmq::Socket> {
        let socket = context().socket(zmq::ROUTER)?;
        tune(&socket, tuning)?;
        socket.set_backlog(BACKLOG)?;
        // Or a message to a client that is gone, or whose queue is full, is dropped without a word.
        socket.set_router_mandatory(true)?;
        Ok(socket)
    }

    /// The next message: its route, each frame after its length in four bytes, and its batch.
    #[expect(clippy::type_complexity, reason = "three nested outcomes, each with its own meaning")]
    pub(crate) fn receive(&mut self) -> Result<Option<Result<(&[u8], Bytes), RouteTooLong>>, SocketError> {
        self.route.clear();
        let mut too_long = false;
        while let Some(frame) = self.router.receive()? {
            if !frame.get_more() {
                return Ok(Some(if too_long {
                    Err(RouteTooLong)
                } else {
                    Ok((&self.route, into_bytes(frame)))
                }));
            }
            too_long |= self.route.len() + 4 + frame.len() > MAX_ROUTE;
            if !too_long {
                // Below `MAX_ROUTE`, so it fits.
                let length = u32::try_from(frame.len()).unwrap_or_default();
                self.route.extend_from_slice(&length.to_be_bytes());
                self.route.extend_from_slice(&frame);
            }
        }
        Ok(None)
    }

    /// Sends to where a message came from.
    pub(crate) fn send(&mut self, route: &[u8], message: Vec<u8>) -> Result<Sent, SocketError> {
        for (index, frame) in frames(route).enumerate() {
            match self.router.send_copy(frame, zmq::DONTWAIT | zmq::SNDMORE) {
                Ok(()) => {}
                // Decided by the first frame; the others follow it.
                Err(zmq::Error::EAGAIN) if index == 0 => return Ok(Sent::Full(message)),
                Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => return Ok(Sent::Unreachable),
                Err(error) => return Err(error.into()),
            }
        }
        match self.send_batch(message) {
            Ok(()) => Ok(Sent::Yes),
            Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => Ok(Sent::Unreachable),
            Err(error) => Err(error.into()),
        }
    }

    fn send_batch(&mut self, message: Vec<u8>) -> zmq::Result<()> {
        if message.len() > COPY {
            return self.router.send_whole(message, zmq::DONTWAIT);
        }
        let sent = self.router.send_copy(&message, zmq::DONTWAIT);
        wire::recycle(message);
        sent
    }

    /// Ready when something may have changed. See the head of [`super`].
    pub(crate) fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        self.router.poll_changed(context)
    }
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
