//! [`Orphans`]: handlers of one-way calls that outlive the driver that started them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use crate::sweep::SweepPace;

/// The handlers of one-way calls whose drivers have ended. Once they have been aborted, others are aborted as they come.
pub(super) struct Orphans(Mutex<OrphanList>);

struct OrphanList {
    handlers: Vec<JoinSet<()>>,
    /// When those that are done are looked for.
    pace: SweepPace,
    is_over: bool,
}

impl Orphans {
    pub(super) fn new() -> Arc<Self> {
        let list = OrphanList { handlers: Vec::new(), pace: SweepPace::new(), is_over: false };
        Arc::new(Self(Mutex::new(list)))
    }

    fn lock(&self) -> MutexGuard<'_, OrphanList> {
        // Nothing panics while the lock is held but for lack of memory; the list is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the handlers of a driver that has ended. Returns them if they are to be dropped, which aborts them.
    pub(super) fn adopt(&self, one_way: JoinSet<()>) -> Option<JoinSet<()>> {
        let mut orphans = self.lock();
        if orphans.is_over {
            return Some(one_way);
        }
        if orphans.pace.is_due(orphans.handlers.len()) {
            orphans.handlers.retain_mut(|handlers| {
                while handlers.try_join_next().is_some() {}
                !handlers.is_empty()
            });
            let left = orphans.handlers.len();
            orphans.pace.swept(left);
        }
        orphans.handlers.push(one_way);
        None
    }

    /// Aborts all handlers, and those that come later.
    pub(super) fn abort(&self) {
        let mut orphans = self.lock();
        orphans.is_over = true;
        let handlers = std::mem::take(&mut orphans.handlers);
        drop(orphans);
        drop(handlers);
    }
}
