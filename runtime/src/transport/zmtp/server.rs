//! [`ZmtpPeer`]: one connection of a server, as a transport of its own.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::dialler::Registering;
use super::handshakes::Handshake;
use super::link::Link;
use super::outgoing::route_frames;
use super::role::Role;
use super::stream::Stream;
use crate::identity::Identity;
use crate::transport::route::{extend_route, extend_route_by, frames_of_route};
use crate::transport::{
    Arrival, LinkConfig, Proof, Refusal, Routed, SendReceipt, ServerTransport, TransportError,
};
use crate::wire::Message;

/// One connection of a server. The route of a message is the number of the connection, and one frame for each device on the way.
#[derive(Debug)]
pub(crate) struct ZmtpPeer {
    link: Box<Link>,
    /// Route of the message that arrived last.
    route: Vec<u8>,
    /// Length of its first frame, which is the connection's.
    own_bytes: usize,
    address: Option<SocketAddr>,
    identity: Option<Identity>,
    /// What is left of the registration, of a connection that this server has made to a router.
    registering: Option<Box<Registering>>,
}

/// Time after which a message that found no room is tried again: the socket signals room, so this is about clients that do not read.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

impl ZmtpPeer {
    /// Begins a connection. No other of the process may have its number. Its handshake is one of those that are bounded, if it is given.
    ///
    /// # Errors
    /// As for [`Link::new`].
    pub(super) fn new(
        stream: Stream,
        number: u64,
        role: Role,
        config: LinkConfig,
        handshake: Option<Handshake>,
    ) -> io::Result<Self> {
        let mut route = Vec::with_capacity(12);
        extend_route(&mut route, &number.to_be_bytes());
        let own_bytes = route.len();
        let (address, identity) = (stream.peer_address(), stream.peer_identity());
        let link = Box::new(Link::new(stream, role, config, handshake)?);
        Ok(Self { link, route, own_bytes, address, identity, registering: None })
    }

    /// Has the connection register at the router at its other end, once it is up, and says who that is.
    pub(super) fn registering(self, registering: Registering, router: Option<Identity>) -> Self {
        Self { registering: Some(Box::new(registering)), identity: router, ..self }
    }
}

impl ZmtpPeer {
    /// Returns the length of the part of each route that is the connection's own. What is behind it are the devices on the way.
    pub(crate) fn own_route_bytes(&self) -> usize {
        self.own_bytes
    }
}

/// What a publisher needs of a connection, besides what every server does.
impl ZmtpPeer {
    /// Returns the next subscription that has arrived, or `None` if there is none right now: its bytes, and whether they are wanted.
    pub(crate) fn receive_subscription(&mut self) -> Option<(Bytes, bool)> {
        self.link.receive_subscription()
    }

    /// Reports whether the connection is over, and nothing more arrives.
    pub(crate) fn is_closed(&self) -> bool {
        self.link.closed().is_some()
    }

    /// Sends a message behind whole frames of others, or returns it if there is no room.
    pub(crate) fn publish(&mut self, before: &Bytes, message: Message) -> Result<(), Message> {
        if self.link.closed().is_some() {
            return Ok(());
        }
        self.link.send(|| before.clone(), message, None)
    }
}

impl ServerTransport for ZmtpPeer {
    fn receive(&mut self) -> Result<Option<Arrival<'_>>, TransportError> {
        self.route.truncate(self.own_bytes);
        if let Some(proof) = self.take_proof() {
            return Ok(Some(Arrival::Proved(proof)));
        }
        let is_closed = self.link.closed().is_some();
        let (message, others) = loop {
            let Some((message, others)) = self.link.receive() else {
                return Ok(is_closed.then_some(Arrival::Closed));
            };
            let about = match (&self.registering, &message.batch) {
                (Some(registering), Ok(batch)) => registering.take(batch),
                _ => None,
            };
            match about {
                None => break (message, others),
                Some(true) => {}
                Some(false) => return Ok(Some(Arrival::Closed)),
            }
        };
        let is_whole = extend_route_by(&mut self.route, others);
        Ok(Some(if is_whole {
            Arrival::Message { route: &self.route, message }
        } else {
            Arrival::RouteTooLong
        }))
    }

    fn take_proof(&mut self) -> Option<Proof> {
        self.link.take_proof()
    }

    fn send(
        &mut self,
        route: &[u8],
        message: Message,
        receipt: Option<SendReceipt>,
    ) -> Result<Routed, TransportError> {
        if self.link.closed().is_some() {
            return Ok(Routed::Unreachable(Some(message)));
        }
        let others = route.get(self.own_bytes..).unwrap_or_default();
        let frames = || if others.is_empty() { Bytes::new() } else { route_frames(frames_of_route(others)) };
        Ok(match self.link.send(frames, message, receipt) {
            Ok(()) => Routed::Yes,
            Err(message) => Routed::Full(message),
        })
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let polled = self.link.poll_io(context);
        self.link.take_room_again();
        polled.map(Ok)
    }

    fn poll_up(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Option<Box<Refusal>>>> {
        let _ = self.link.poll_io(context);
        if self.link.was_ready() {
            // There is room: nothing was sent yet. Where the connection is closed already, that is received next.
            if let Some(message) =
                self.registering.as_mut().and_then(|registering| registering.take_message())
            {
                let _ = self.link.send(Bytes::new, message, None);
            }
            return Poll::Ready(Ok(()));
        }
        match self.link.closed() {
            Some(_) => Poll::Ready(Err(self.link.refused(self.address))),
            None => Poll::Pending,
        }
    }

    fn peer_identity(&self) -> Option<Identity> {
        self.identity.clone()
    }

    fn peer_address(&self) -> Option<SocketAddr> {
        self.address
    }

    fn retry_interval(&self) -> Duration {
        RETRY_INTERVAL
    }

    fn parts(&self) -> u64 {
        self.link.parts()
    }
}
