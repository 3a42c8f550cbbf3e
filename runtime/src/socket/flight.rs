//! How much of what was handed over for one peer libzmq still holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::flush::DriverNotify;

/// What was handed to libzmq for one peer, counted in bytes from the first on. libzmq sends in order, and says when it is
/// done with a buffer that it was given, so it is done with all that came before, too.
///
/// Small messages are copied into libzmq's own, of which it says nothing; now and then one is given as a buffer, to know.
#[derive(Debug)]
pub(crate) struct Flight {
    /// libzmq is done with all bytes up to here.
    done: AtomicU64,
    /// The sender waits until this many are done; 0 when it does not wait.
    wanted: AtomicU64,
    notify: Arc<DriverNotify>,
}

/// Goes with a buffer. Dropped, libzmq is done with the buffer and with everything before it.
#[derive(Debug)]
pub(crate) struct Receipt {
    flight: Arc<Flight>,
    /// The bytes up to the end of the buffer.
    through: u64,
}

impl Flight {
    /// Rings when what was waited for is done.
    pub(crate) fn new(notify: Arc<DriverNotify>) -> Arc<Self> {
        Arc::new(Self { done: AtomicU64::new(0), wanted: AtomicU64::new(0), notify })
    }

    /// How many bytes libzmq is done with.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// For the buffer that ends the first so many bytes.
    pub(crate) fn receipt(self: &Arc<Self>, through: u64) -> Receipt {
        Receipt { flight: Arc::clone(self), through }
    }

    /// Asks to be rung for once so many bytes are done; `false` if they are.
    pub(crate) fn wait_for(&self, wanted: u64) -> bool {
        self.wanted.store(wanted, Ordering::SeqCst);
        // Whoever is done after the store sees it.
        if self.done.load(Ordering::SeqCst) < wanted {
            return true;
        }
        self.wanted.store(0, Ordering::SeqCst);
        false
    }
}

impl Receipt {
    /// The buffer was not handed over.
    pub(crate) fn void(mut self) {
        self.through = 0;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let done = self.flight.done.fetch_max(self.through, Ordering::SeqCst).max(self.through);
        let wanted = self.flight.wanted.load(Ordering::SeqCst);
        if wanted != 0 && done >= wanted && self.flight.wanted.swap(0, Ordering::SeqCst) != 0 {
            self.flight.notify.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_done_up_to_there() {
        let flight = Flight::new(Arc::new(DriverNotify::new()));
        let (first, second) = (flight.receipt(100), flight.receipt(250));
        assert!(flight.wait_for(100));
        drop(second);
        assert_eq!(flight.done(), 250);
        assert!(!flight.wait_for(250));
        drop(first);
        assert_eq!(flight.done(), 250);
        flight.receipt(1_000).void();
        assert_eq!(flight.done(), 250);
    }
}
