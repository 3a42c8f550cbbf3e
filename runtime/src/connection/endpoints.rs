//! [`Endpoints`]: the connections of a channel, and which of them a call goes by.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Instant;

use tokio::sync::watch;

use super::config::Config;
use super::connection::{Connection, Link, Watcher};
use super::counters::ChannelCounters;
use super::overlap::Overlaps;
use super::retry::Budget;
use crate::session::client::HealthState;

/// The connections of a channel, and what its clones share.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// One for each endpoint that was given, and at least one. If the endpoint has a name, there is no transport behind it: calls
    /// wait there for one of its addresses.
    given: Vec<Arc<Connection>>,
    /// Connections to the addresses of names.
    resolved: RwLock<Vec<Arc<Connection>>>,
    pub(crate) config: Config,
    pub(crate) counters: Arc<ChannelCounters>,
    pub(crate) budget: Budget,
    pub(crate) overlaps: Overlaps,
    changes: watch::Sender<()>,
}

impl Endpoints {
    /// Creates the endpoints of a channel from connections, at least one, that were made with the same configuration and counters.
    pub(crate) fn new(
        given: Vec<Arc<Connection>>,
        config: Config,
        counters: Arc<ChannelCounters>,
    ) -> Arc<Self> {
        let budget = Budget::new(&config.retry);
        let this = Arc::new(Self {
            given,
            resolved: RwLock::default(),
            config,
            counters,
            budget,
            overlaps: Overlaps::default(),
            changes: watch::Sender::new(()),
        });
        this.given.iter().for_each(|connection| this.adopt(connection));
        this
    }

    fn resolved(&self) -> RwLockReadGuard<'_, Vec<Arc<Connection>>> {
        // Nothing panics while the lock is held; its content is whole in any case.
        self.resolved.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a function for every connection.
    pub(crate) fn each(&self, mut run: impl FnMut(&Arc<Connection>)) {
        self.given.iter().for_each(&mut run);
        if self.has_names() {
            self.resolved().iter().for_each(run);
        }
    }

    /// Returns all connections, in the order in which their endpoints were given.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        let mut all = Vec::with_capacity(self.given.len());
        self.each(|connection| all.push(Arc::clone(connection)));
        all
    }

    /// Returns the connections of the endpoints that were given.
    pub(crate) fn given(&self) -> &[Arc<Connection>] {
        &self.given
    }

    fn has_names(&self) -> bool {
        self.given.iter().any(|connection| connection.link() == Link::None)
    }

    /// Adds connections to the addresses of a name. Retired ones stay until they have ended.
    pub(crate) fn resolved_to(&self, new: Vec<Arc<Connection>>) {
        let mut resolved = self.resolved.write().unwrap_or_else(PoisonError::into_inner);
        resolved.retain(|connection| !connection.is_closed());
        resolved.extend(new);
    }

    /// Returns the connection for a call: the best that is up, or else the first, to wait there; `None` for the first if it is
    /// the only one.
    #[inline]
    pub(crate) fn pick(&self, now: Instant) -> Option<Arc<Connection>> {
        match &self.given[..] {
            [only] if only.link() != Link::None => None,
            _ => Some(self.pick_live(now).unwrap_or_else(|| Arc::clone(self.first()))),
        }
    }

    /// Returns where a call waits while nothing is up.
    #[inline]
    pub(crate) fn first(&self) -> &Arc<Connection> {
        &self.given[0]
    }

    /// Returns the connection that has the fewest calls in flight, of those that are up. One that keeps failing calls is chosen
    /// only if there is no other.
    pub(crate) fn pick_live(&self, now: Instant) -> Option<Arc<Connection>> {
        let mut best = None;
        self.each(|connection| {
            if let Some(rank) = connection.rank(now)
                && best.as_ref().is_none_or(|(least, _)| rank < *least)
            {
                best = Some((rank, Arc::clone(connection)));
            }
        });
        let ((health, _), connection) = best?;
        if health == HealthState::Trial {
            connection.chosen(now);
        }
        Some(connection)
    }

    /// Says that something about the connections is different.
    pub(crate) fn changed(&self) {
        self.changes.send_replace(());
    }

    /// Reports changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

impl Endpoints {
    /// Has a connection tell these endpoints what happens.
    pub(crate) fn adopt(self: &Arc<Self>, connection: &Connection) {
        let this: Weak<Self> = Arc::downgrade(self);
        connection.tell(this);
    }
}

impl Watcher for Endpoints {
    /// Wakes the callers that wait for another connection that is down.
    fn connected(&self, connection: &Connection) {
        self.each(|other| {
            if !std::ptr::eq(&raw const **other, connection) {
                other.wake_waiting(other.link() == Link::None);
            }
        });
    }

    fn changed(&self) {
        Self::changed(self);
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.each(|connection| connection.close_when_sent());
        // The tasks that look names up find the channel gone.
        self.changed();
    }
}
