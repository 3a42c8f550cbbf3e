//! [`ReadyList`]: the peers with something to send. Handlers add peers, the driver takes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Peers with something to send, until the driver takes them. Each peer records whether it is on the list.
#[derive(Debug)]
pub(crate) struct ReadyList<P>(Mutex<Vec<Arc<P>>>);

impl<P> ReadyList<P> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Vec::new())))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<P>>> {
        // Nothing panics while the lock is held but for lack of memory; the list is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, peer: Arc<P>) {
        self.lock().push(peer);
    }

    /// Moves all peers to `to`.
    pub(crate) fn take(&self, to: &mut Vec<Arc<P>>) {
        to.append(&mut self.lock());
    }
}
