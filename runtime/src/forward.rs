//! Connections as a router has them: messages in and out, without sessions. For the crate `zsvc-router` alone; not part of the API.
//!
//! [`Front`] accepts the connections of callers, each a [`CallerLink`]; a [`WorkerLink`] connects to a worker. All are of the engine
//! `zmtp`. What messages mean is the router's.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::watch;
use zsvc_proto::wire::{Batch, Malformed, Message};

use crate::curve::{CurveClient, CurveServer};
use crate::discovery::{self, AnyDiscover, Discover, FoundServer, Known};
use crate::identity::Identity;
use crate::server::ServeError;
use crate::status::Status;
use crate::telemetry;
use crate::transport::listen::{Reach, is_exposed};
use crate::transport::zmtp::{Role, ZmtpClient, ZmtpListener, ZmtpPeer};
use crate::transport::{
    Accepted, Arrival, ClientTransport, HandshakeLimits, LinkConfig, LinkEvent, Listener, Proof, Routed,
    ServerTransport, TransportError,
};

pub use crate::publish::{Check, Demand, Relayed};
pub use crate::telemetry::Rate;

/// Bounds and times of connections.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Maximum size of a body in bytes. A message of four times that and 256 KiB is not kept.
    pub max_message_size: usize,
    /// Time between two heartbeats to a peer that sends nothing.
    pub heartbeat: Duration,
    /// Time that a peer has to answer one before its connection counts as dead.
    pub silence: Duration,
    /// Maximum number of connections in their handshake, of one address and of all.
    pub handshakes: (usize, usize),
}

impl Settings {
    fn link(&self) -> LinkConfig {
        LinkConfig { max_body: self.max_message_size, heartbeat: self.heartbeat, silence: self.silence }
    }
}

/// Returns a random number that siblings of this process do not draw.
#[must_use]
pub fn random() -> u64 {
    crate::fork::random()
}

/// The endpoints at which callers connect.
pub struct Front(ZmtpListener);

impl Front {
    /// Binds every endpoint. Returns also the endpoints with what was chosen for them. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The endpoint that can't be bound, and why.
    pub fn bind(
        endpoints: &[String],
        settings: &Settings,
        curve: Option<CurveServer>,
        deny_plaintext: bool,
    ) -> Result<(Self, Vec<String>), ServeError> {
        let is_encrypted = curve.is_some();
        let reach = if deny_plaintext && !is_encrypted { Reach::Machine } else { Reach::Network };
        let limits = HandshakeLimits { per_address: settings.handshakes.0, all: settings.handshakes.1 };
        let bound = ZmtpListener::bind(endpoints, reach, settings.link(), limits, Role::Server(curve));
        let (listener, endpoints) = bound.map_err(|(endpoint, error)| match error {
            TransportError::Exposed(address) => ServeError::Plaintext { endpoint, address },
            error => ServeError::Bind { endpoint, reason: error.to_string() },
        })?;
        if !is_encrypted && let Some(endpoint) = endpoints.iter().find(|endpoint| is_exposed(endpoint)) {
            telemetry::in_the_clear(endpoint);
        }
        Ok((Self(listener), endpoints))
    }

    /// Is ready with the next connection, which may not be up yet.
    ///
    /// # Errors
    /// The listener has failed.
    pub fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Result<CallerLink, ServeError>> {
        loop {
            match ready!(self.0.poll_accept(context)) {
                Ok(Accepted::Connection(peer)) => return Poll::Ready(Ok(CallerLink::new(peer))),
                Ok(Accepted::Refused(refusal)) => {
                    refusal.log();
                }
                Err(error) => return Poll::Ready(Err(ServeError::Socket { reason: error.to_string() })),
            }
        }
    }
}

/// The connection of a caller, or of the callers behind a device.
#[derive(Debug)]
pub struct CallerLink {
    peer: ZmtpPeer,
    /// Who the caller is, if that is known.
    identity: Option<Identity>,
}

/// Something that has arrived over a [`CallerLink`].
pub enum Received<'a> {
    /// A message of the caller behind this route.
    Message {
        /// What tells callers apart that share the connection.
        route: &'a [u8],
        /// The batch, or what is wrong with its frames.
        batch: Result<Batch, Malformed>,
    },
    /// A message that can't be answered, since its route is too long.
    Unanswerable,
    /// Who the caller is, before its first message and when that has changed.
    Is(Identity),
    /// The caller is not let in any more, or not as it was.
    Revoked(Status),
    /// The connection is closed. Nothing else arrives.
    Closed,
}

/// What became of a message that was to be sent.
#[derive(Debug)]
pub enum Sending {
    /// The message was taken.
    Taken,
    /// There is no room. It comes back.
    Full(Message),
    /// The connection is gone. The message comes back, unless a part of it was sent.
    Gone(Option<Message>),
}

impl CallerLink {
    fn new(peer: ZmtpPeer) -> Self {
        let identity = peer.peer_identity();
        Self { peer, identity }
    }

    /// Is ready when the connection is up, or when it never will be.
    pub fn poll_up(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(match ready!(self.peer.poll_up(context)) {
            Ok(()) => true,
            Err(refusal) => {
                if let Some(refusal) = refusal {
                    refusal.log();
                }
                false
            }
        })
    }

    /// Returns the address that the connection comes from.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.peer.peer_address()
    }

    /// Returns the length of the part of each route that is the connection's. A route that is longer leads through a device.
    #[must_use]
    pub fn own_route_bytes(&self) -> usize {
        self.peer.own_route_bytes()
    }

    /// Returns who the caller is, of one in the same process.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.identity.clone()
    }

    /// Returns what has arrived next, or `None` if there is nothing right now.
    pub fn receive(&mut self) -> Option<Received<'_>> {
        let address = self.peer.peer_address();
        match self.peer.receive() {
            Ok(arrival) => Some(match arrival? {
                Arrival::Message { route, message } => Received::Message { route, batch: message.batch },
                Arrival::RouteTooLong => Received::Unanswerable,
                Arrival::Proved(Proof::Is(identity)) => {
                    telemetry::let_in(&identity, address);
                    self.identity = Some(identity.clone());
                    Received::Is(identity)
                }
                Arrival::Proved(Proof::Revoked(why)) => {
                    telemetry::revoked(self.identity.as_ref(), why.message(), address);
                    Received::Revoked(*why)
                }
                Arrival::Refused(_) | Arrival::PeerLost { .. } | Arrival::Closed => Received::Closed,
            }),
            Err(_) => Some(Received::Closed),
        }
    }

    /// Sends a message along a route.
    pub fn send(&mut self, route: &[u8], message: Message) -> Sending {
        match self.peer.send(route, message, None) {
            Ok(Routed::Yes) => Sending::Taken,
            Ok(Routed::Full(message)) => Sending::Full(message),
            Ok(Routed::Unreachable(message)) => Sending::Gone(message),
            Err(_) => Sending::Gone(None),
        }
    }

    /// Returns a number that is another one once a further part of a long message has come or gone: a sign of life.
    #[must_use]
    pub fn parts(&self) -> u64 {
        self.peer.parts()
    }

    /// Is ready when something may have changed since all was received.
    pub fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.peer.poll_changed(context).map(drop)
    }
}

/// The connection to a worker, which is made again when it is lost.
pub struct WorkerLink(ZmtpClient);

/// What has happened to a [`WorkerLink`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEvent {
    /// The connection is up.
    Up,
    /// The connection is lost. What had arrived is still to be received.
    Down,
    /// There is no connection yet, for this reason.
    Unreachable(String),
}

impl WorkerLink {
    /// Begins to connect. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The endpoint can't be read: what is wrong, and what to write instead.
    pub fn connect(endpoint: &str, settings: &Settings, curve: Option<CurveClient>) -> Result<Self, String> {
        let client = ZmtpClient::connect(endpoint, settings.link(), curve, None);
        client.map(Self).map_err(|error| error.to_string())
    }

    /// Goes on as far as that goes without waiting. Is ready when there are events, or something was received, or there is room again.
    pub fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let has_happened = self.0.poll_happened(context).is_ready();
        let has_changed = self.0.poll_changed(context).is_ready();
        if has_happened || has_changed { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Returns a number that is another one once a further part of a long message has come or gone: a sign of life.
    #[must_use]
    pub fn parts(&self) -> u64 {
        self.0.parts()
    }

    /// Returns the next event, or `None` if there is none right now.
    pub fn event(&mut self) -> Option<WorkerEvent> {
        loop {
            match self.0.event().ok().flatten()? {
                LinkEvent::Connected => return Some(WorkerEvent::Up),
                LinkEvent::Disconnected => return Some(WorkerEvent::Down),
                LinkEvent::Unreachable(why) => return Some(WorkerEvent::Unreachable(why)),
                LinkEvent::Underway(_) => {}
            }
        }
    }

    /// Returns the next message, or `None` if there is none right now.
    pub fn receive(&mut self) -> Option<Result<Batch, Malformed>> {
        self.0.receive().ok().flatten().map(|delivered| delivered.batch)
    }

    /// Sends a message.
    pub fn send(&mut self, message: Message) -> Sending {
        match self.0.send(message) {
            Ok(crate::transport::Sent::Yes) => Sending::Taken,
            Ok(crate::transport::Sent::Full(message)) => Sending::Full(message),
            Ok(crate::transport::Sent::Unreachable) | Err(_) => Sending::Gone(None),
        }
    }
}

/// Where workers are found.
#[derive(Clone)]
pub struct Registry(Arc<dyn AnyDiscover>);

impl Registry {
    /// Wraps what finds servers.
    pub fn new(registry: impl Discover) -> Self {
        Self(Arc::new(registry))
    }

    /// Reports whether another one is a clone of this one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Begins to follow the servers of a service. Must be called within a tokio runtime.
    #[must_use]
    pub fn follow(&self, service: &str) -> Following {
        Following(discovery::follow(Arc::clone(&self.0), service.to_owned()))
    }
}

/// The servers of a service, as they come and go.
#[derive(Debug)]
pub struct Following(watch::Receiver<Known>);

/// What a registry has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// These are the servers, each with the endpoints of its that can be connected to; never none.
    Servers(Vec<FoundServer>),
    /// There are none, or the registry can't be asked, for this reason. What was told before holds.
    Nothing(String),
}

impl Following {
    /// Waits for what is told next. `None` once the runtime ends.
    ///
    /// # Cancel safety
    /// May be dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            self.0.changed().await.ok()?;
            match self.0.borrow_and_update().clone() {
                Known { trouble: Some(why), .. } => return Some(Told::Nothing(why)),
                Known { servers: Some(servers), .. } if servers.is_empty() => {
                    return Some(Told::Nothing("there are none".to_owned()));
                }
                Known { servers: Some(servers), .. } => return Some(told(servers)),
                Known { servers: None, .. } => {}
            }
        }
    }
}

/// Tells of servers, of which there are some.
fn told(servers: Vec<FoundServer>) -> Told {
    match usable(servers) {
        usable if usable.is_empty() => {
            Told::Nothing("none of their endpoints can be connected to".to_owned())
        }
        usable => Told::Servers(usable),
    }
}

fn usable(servers: Vec<FoundServer>) -> Vec<FoundServer> {
    let servers = servers.into_iter().map(|mut server| {
        server.endpoints.retain(|endpoint| check_worker_endpoint(endpoint).is_ok());
        server
    });
    servers.filter(|server| !server.endpoints.is_empty()).collect()
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// Reports whether an endpoint to connect to may be on another machine, as far as its text says: a name may be, but for `localhost`.
#[must_use]
pub fn may_be_elsewhere(endpoint: &str) -> bool {
    crate::transport::listen::may_be_elsewhere(endpoint)
}

/// Returns an endpoint as all endpoints that mean the same are written: `tcp://LOCALHOST:7100` as `tcp://localhost:7100`. One that can't be
/// read stays as it is.
#[must_use]
pub fn normalized(endpoint: &str) -> String {
    crate::transport::address::Address::normalized(endpoint)
}

/// Checks an endpoint of a worker without connecting.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn check_worker_endpoint(endpoint: &str) -> Result<(), String> {
    crate::transport::address::Address::to_connect(endpoint).map(drop).map_err(|error| error.to_string())
}

/// Checks an endpoint for callers without binding it.
///
/// # Errors
/// As above.
pub fn check_front_endpoint(endpoint: &str) -> Result<(), String> {
    crate::transport::address::Address::to_bind(endpoint).map(drop).map_err(|error| error.to_string())
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl fmt::Debug for WorkerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerLink").finish_non_exhaustive()
    }
}
