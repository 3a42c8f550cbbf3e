//! [`ReadyList`]: the peers with something to send, and the driver that sends it. Handlers add peers, the driver takes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flush::DriverNotify;

/// Peers with something to send, until their driver takes them. Each peer records whether it is on the list.
#[derive(Debug)]
pub(crate) struct ReadyList<P> {
    peers: Mutex<Vec<Arc<P>>>,
    notify: Arc<DriverNotify>,
    serves: Serves,
}

/// The peers that a driver sends for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// All peers of a server.
    Server,
    /// The peers behind one connection: one, or several behind a device.
    Connection,
}

impl<P> ReadyList<P> {
    pub(super) fn new(notify: Arc<DriverNotify>, serves: Serves) -> Arc<Self> {
        Arc::new(Self { peers: Mutex::new(Vec::new()), notify, serves })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<P>>> {
        // Nothing panics while the lock is held but for lack of memory; the list is whole in any case.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, peer: Arc<P>) {
        self.lock().push(peer);
    }

    /// Moves all peers to `to`.
    pub(crate) fn take(&self, to: &mut Vec<Arc<P>>) {
        to.append(&mut self.lock());
    }

    /// Returns what notifies the driver.
    pub(crate) fn notify(&self) -> &Arc<DriverNotify> {
        &self.notify
    }

    /// Returns which peers the driver sends for.
    #[inline]
    pub(super) fn serves(&self) -> Serves {
        self.serves
    }
}
