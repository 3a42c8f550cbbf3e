//! [`Wake`]: how the task of a connection is told that there is something to send over it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use atomic_waker::AtomicWaker;

/// Wakes a task, unless it has not looked since it was last told.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    is_told: AtomicBool,
    waker: AtomicWaker,
}

impl Wake {
    /// Tells the task. What it is to find must be stored before.
    pub(crate) fn tell(&self) {
        if !self.is_told.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Begins a look: what is stored from here on is told anew. Returns whether the task was told since the look before.
    pub(crate) fn look(&self) -> bool {
        self.is_told.swap(false, Ordering::AcqRel)
    }

    /// Keeps the waker of the task. Returns `false` if the task was told since its last look, and must look again.
    pub(crate) fn sleep(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        !self.is_told.load(Ordering::Acquire)
    }
}
