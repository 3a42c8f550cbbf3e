//! [`Endpoints`]: the connections of a channel, and which of them a call goes by.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::{Connection, Link};
use super::counters::ChannelCounters;
use super::eject::Standing;
use super::limits::Limits;
use super::overlap::Overlaps;
use super::retry::Budget;

/// The connections of a channel, and what else its clones share.
#[derive(Debug)]
pub(super) struct Endpoints {
    /// One for each endpoint that was given, and at least one. Where a name was given, there is no socket behind it: calls
    /// wait there for one of its addresses.
    given: Vec<Arc<Connection>>,
    /// Those to the addresses of names.
    resolved: RwLock<Vec<Arc<Connection>>>,
    pub(super) limits: Limits,
    pub(super) counters: Arc<ChannelCounters>,
    pub(super) budget: Budget,
    pub(super) overlaps: Overlaps,
    changes: watch::Sender<()>,
}

impl Endpoints {
    /// Of connections that were made with the same limits and counters; there is at least one.
    pub(super) fn new(
        given: Vec<Arc<Connection>>,
        limits: Limits,
        counters: Arc<ChannelCounters>,
    ) -> Arc<Self> {
        let budget = Budget::new(&limits.retry);
        let this = Arc::new(Self {
            given,
            resolved: RwLock::default(),
            limits,
            counters,
            budget,
            overlaps: Overlaps::default(),
            changes: watch::Sender::new(()),
        });
        this.given.iter().for_each(|connection| connection.belong_to(&this));
        this
    }

    fn resolved(&self) -> RwLockReadGuard<'_, Vec<Arc<Connection>>> {
        // Nothing panics while it holds the lock; what is in it is whole in any case.
        self.resolved.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs it for every connection.
    pub(super) fn each(&self, mut run: impl FnMut(&Arc<Connection>)) {
        self.given.iter().for_each(&mut run);
        if self.has_names() {
            self.resolved().iter().for_each(run);
        }
    }

    /// All connections that there are now, in the order in which their endpoints were given.
    pub(super) fn all(&self) -> Vec<Arc<Connection>> {
        let mut all = Vec::with_capacity(self.given.len());
        self.each(|connection| all.push(Arc::clone(connection)));
        all
    }

    /// What was given.
    pub(super) fn given(&self) -> &[Arc<Connection>] {
        &self.given
    }

    fn has_names(&self) -> bool {
        self.given.iter().any(|connection| connection.link() == Link::None)
    }

    /// Adds connections to the addresses of a name. Those that were retired stay until they have ended.
    pub(super) fn resolved_to(&self, new: Vec<Arc<Connection>>) {
        let mut resolved = self.resolved.write().unwrap_or_else(PoisonError::into_inner);
        resolved.retain(|connection| !connection.is_closed());
        resolved.extend(new);
    }

    /// The connection for a call: the best that is up, or else the first, to wait there. `None`: the first, which is the only
    /// one.
    #[inline]
    pub(super) fn pick(&self, now: Instant) -> Option<Arc<Connection>> {
        match &self.given[..] {
            [only] if only.link() != Link::None => None,
            _ => Some(self.pick_live(now).unwrap_or_else(|| Arc::clone(self.first()))),
        }
    }

    /// Where a call waits while nothing is up.
    #[inline]
    pub(super) fn first(&self) -> &Arc<Connection> {
        &self.given[0]
    }

    /// Of the connections that are up, the one that has the fewest calls in flight. One that keeps failing calls is chosen
    /// only where there is no other.
    pub(super) fn pick_live(&self, now: Instant) -> Option<Arc<Connection>> {
        let mut best = None;
        self.each(|connection| {
            if let Some(offer) = connection.offer(now)
                && best.as_ref().is_none_or(|(least, _)| offer < *least)
            {
                best = Some((offer, Arc::clone(connection)));
            }
        });
        let ((standing, _), connection) = best?;
        if standing == Standing::Trial {
            connection.chosen(now);
        }
        Some(connection)
    }

    /// Something about the connections is different.
    pub(super) fn changed(&self) {
        self.changes.send_replace(());
    }

    /// Tells of changes from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.each(|connection| connection.close_when_sent());
        // Their tasks find it gone.
        self.changed();
    }
}
