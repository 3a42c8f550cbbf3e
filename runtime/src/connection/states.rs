//! [`EndpointState`]: how a channel's connections are, for users.

use std::sync::{Arc, Weak};

use super::connection::{Connection, Link};
use super::endpoints::Endpoints;
use crate::clock;
use crate::session::client::{HealthState, Phase};
use tokio::sync::watch;

/// One connection of a channel. See [`Channel::states`](crate::Channel::states).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointState {
    /// Where it goes: the endpoint that was given, or one of its addresses if it has a name. The endpoint itself, while the name
    /// has no address.
    pub endpoint: String,
    /// The state of the connection.
    pub state: ConnectionState,
    /// Number of calls in flight.
    pub calls: usize,
    /// What keeps the connection from coming up, if that is known.
    pub trouble: Option<String>,
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not up, or not yet; it is being tried.
    Connecting,
    /// Up. On [`Engine::Libzmq`](crate::Engine::Libzmq), `inproc` always counts as up.
    Ready,
    /// Up, but it has failed too many calls in a row: it is called only if there is no other, or to find out how it is now.
    Ejected,
    /// Its server takes no new calls, or its address is no longer the channel's; calls in flight may end.
    GoingAway,
    /// Closed.
    Closed,
}

impl EndpointState {
    fn of(connection: &Connection) -> Option<Self> {
        let now = clock::now();
        connection.read(|session| {
            let trouble = session.trouble().map(str::to_owned);
            if connection.link() == Link::None && trouble.is_none() {
                return None;
            }
            let state = match session.phase() {
                Phase::Connecting => ConnectionState::Connecting,
                Phase::Ready if session.health(now) == HealthState::In => ConnectionState::Ready,
                Phase::Ready => ConnectionState::Ejected,
                Phase::GoingAway { .. } | Phase::Retiring => ConnectionState::GoingAway,
                Phase::Closed => ConnectionState::Closed,
            };
            let endpoint = connection.endpoint().to_owned();
            Some(Self { endpoint, state, calls: session.calls(), trouble })
        })
    }

    pub(crate) fn all(endpoints: &Endpoints) -> Vec<Self> {
        endpoints.all().iter().filter_map(|connection| Self::of(connection)).collect()
    }
}

/// Reports changes of a channel's connections. See [`Channel::watch`](crate::Channel::watch).
#[derive(Debug, Clone)]
pub struct StateWatch {
    endpoints: Weak<Endpoints>,
    changes: watch::Receiver<()>,
}

impl StateWatch {
    pub(crate) fn new(endpoints: &Arc<Endpoints>) -> Self {
        Self { endpoints: Arc::downgrade(endpoints), changes: endpoints.changes() }
    }

    /// Waits for a change. Returns how the connections are then, or `None` once the channel is gone. Of several changes between
    /// two calls, only the last is seen.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no change is missed.
    pub async fn changed(&mut self) -> Option<Vec<EndpointState>> {
        self.changes.changed().await.ok()?;
        self.endpoints.upgrade().map(|endpoints| EndpointState::all(&endpoints))
    }
}
