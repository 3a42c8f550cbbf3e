//! How a channel's connections are, for whoever wants to know.

use std::sync::{Arc, Weak};

use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{Connection, Link};
use super::eject::Standing;
use super::endpoints::Endpoints;
use super::state::Phase;

/// One connection of a channel. See [`Channel::states`](crate::Channel::states).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointState {
    /// Where it goes: the endpoint that was given, or, where that has a name, one of its addresses. The name itself stands
    /// here while it has none.
    pub endpoint: String,
    /// How it is.
    pub state: ConnectionState,
    /// Calls in flight.
    pub calls: usize,
    /// What keeps it from coming up, if that is known.
    pub trouble: Option<String>,
}

/// How a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not there, or not there yet; it is being tried.
    Connecting,
    /// It is there. `inproc` always counts as that.
    Ready,
    /// It is there, but has failed too many calls in a row: it is called only where there is no other, or to find out how it
    /// is now.
    Ejected,
    /// Its server takes no new calls, or its address is none of the channel's any more; those in flight may end.
    GoingAway,
    /// It is closed.
    Closed,
}

impl EndpointState {
    fn of(connection: &Connection) -> Option<Self> {
        let state = connection.lock();
        let trouble = state.trouble.clone();
        if connection.link() == Link::None && trouble.is_none() {
            return None;
        }
        let connection_state = match state.phase {
            Phase::Connecting => ConnectionState::Connecting,
            Phase::Ready if state.health.standing(Instant::now()) == Standing::In => ConnectionState::Ready,
            Phase::Ready => ConnectionState::Ejected,
            Phase::GoingAway { .. } | Phase::Retiring => ConnectionState::GoingAway,
            Phase::Closed => ConnectionState::Closed,
        };
        let endpoint = connection.endpoint().to_owned();
        Some(Self { endpoint, state: connection_state, calls: state.calls.len(), trouble })
    }

    pub(super) fn all(endpoints: &Endpoints) -> Vec<Self> {
        endpoints.all().iter().filter_map(|connection| Self::of(connection)).collect()
    }
}

/// Tells when a channel's connections change. See [`Channel::watch`](crate::Channel::watch).
#[derive(Debug, Clone)]
pub struct StateWatch {
    endpoints: Weak<Endpoints>,
    changes: watch::Receiver<()>,
}

impl StateWatch {
    pub(super) fn new(endpoints: &Arc<Endpoints>) -> Self {
        Self { endpoints: Arc::downgrade(endpoints), changes: endpoints.changes() }
    }

    /// Waits for a change, and returns how the connections are then; `None` once the channel is gone. Of several changes
    /// between two calls, only the last is seen.
    ///
    /// # Cancel safety
    /// Dropped before it is done, no change is missed.
    pub async fn changed(&mut self) -> Option<Vec<EndpointState>> {
        self.changes.changed().await.ok()?;
        self.endpoints.upgrade().map(|endpoints| EndpointState::all(&endpoints))
    }
}
