//! [`Endpoints`]: the connections of a channel, and which of them a call goes by.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::task::Waker;
use std::time::Instant;

use tokio::sync::watch;

use super::config::Config;
use super::connection::{Connection, Link};
use super::counters::ChannelCounters;
use super::events::Watcher;
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
    /// Creates the endpoints of a channel from connections, at least one, that were made with the same configuration
    /// and counters.
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

    /// Runs a function for every connection, under a lock: it must not run user code, and so wake no task. See
    /// [`Endpoints::all`].
    fn each(&self, mut run: impl FnMut(&Arc<Connection>)) {
        self.given.iter().for_each(&mut run);
        if self.has_names() {
            self.resolved().iter().for_each(run);
        }
    }

    /// Returns all connections as they are now, in the order in which their endpoints were given. No lock is held after that.
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
        let ended: Vec<_> = resolved.extract_if(.., |connection| connection.is_closed()).collect();
        resolved.extend(new);
        drop(resolved);
        // A connection may hold what is a user's.
        drop(ended);
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
            connection.mark_chosen(now);
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
        connection.set_watcher(this);
    }
}

impl Watcher for Endpoints {
    /// Collects the callers that wait for another connection that is down.
    fn connected(&self, connection: &Connection, wakers: &mut Vec<Waker>) {
        for other in self.all() {
            if !std::ptr::eq(Arc::as_ptr(&other), connection) {
                other.collect_waiting(other.link() == Link::None, wakers);
            }
        }
    }

    fn changed(&self) {
        Self::changed(self);
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.all().iter().for_each(|connection| connection.close_when_sent());
        // The tasks that look names up find the channel gone.
        self.changed();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use super::*;
    use crate::clock;
    use crate::flow::wake;
    use crate::session::client::Wait;

    /// A task that reads and changes its channel's connections as it is woken, as user code may.
    #[derive(Default)]
    struct Meddling {
        endpoints: OnceLock<Arc<Endpoints>>,
        woken: AtomicUsize,
    }

    impl Wake for Meddling {
        fn wake(self: Arc<Self>) {
            let endpoints = self.endpoints.get().unwrap();
            assert!(endpoints.resolved.try_write().is_ok(), "woken under the lock");
            endpoints.resolved_to(Vec::new());
            assert_eq!(endpoints.all().len(), 3);
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn callers_that_wait_for_another_connection_are_woken_without_a_lock() {
        let config = Config::default();
        let connect = |link| Connection::new("tcp://a:1".to_owned(), config.clone(), Arc::default(), link);
        let (first, second) = (connect(Link::Monitored), connect(Link::Monitored));
        let endpoints = Endpoints::new(vec![connect(Link::None)], config.clone(), Arc::default());
        let meddling = Arc::new(Meddling::default());
        meddling.endpoints.set(Arc::clone(&endpoints)).unwrap();
        let resolved = [Arc::clone(&first), Arc::clone(&second)];
        for connection in &resolved {
            endpoints.adopt(connection);
        }
        endpoints.resolved_to(resolved.to_vec());

        let waker = Waker::from(Arc::clone(&meddling));
        let (wait, mut ticket) = (Wait { deadline: None, for_ready: true }, None);
        let room =
            first.poll_ready(&mut Context::from_waker(&waker), &mut ticket, wait, clock::now()).is_pending();
        assert!(room, "it is not up");
        let mut wakers = Vec::new();
        second.handle_connected(&mut wakers);
        wake(wakers);
        assert_eq!(meddling.woken.load(Ordering::Relaxed), 1);
    }
}
