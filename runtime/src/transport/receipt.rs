//! [`BytesInFlight`]: the number of bytes sent to one peer that the transport still holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::flush::DriverNotify;

/// Counts the bytes of one peer that the transport is done with. A transport sends in order, so when it is done with a buffer, it is done
/// with all bytes before it, too.
///
/// Small messages are copied by libzmq, which does not report when it is done with them. So now and then one is handed over as a buffer,
/// with a receipt.
#[derive(Debug)]
pub(crate) struct BytesInFlight {
    /// The transport is done with all bytes up to here.
    done: AtomicU64,
    /// The driver waits until this many are done; 0 if it does not wait.
    wanted: AtomicU64,
    notify: Arc<DriverNotify>,
}

/// Goes with a message into the transport. When it is dropped, the transport is done with the message and everything before it.
#[derive(Debug)]
pub(crate) struct SendReceipt {
    in_flight: Arc<BytesInFlight>,
    /// Number of bytes up to the end of the message.
    through: u64,
}

impl BytesInFlight {
    /// Creates a counter that notifies the driver when the bytes that it waits for are done.
    pub(crate) fn new(notify: Arc<DriverNotify>) -> Arc<Self> {
        Arc::new(Self { done: AtomicU64::new(0), wanted: AtomicU64::new(0), notify })
    }

    /// Returns the number of bytes that the transport is done with.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// Returns the receipt of the message that ends at byte `through`.
    pub(crate) fn receipt(self: &Arc<Self>, through: u64) -> SendReceipt {
        SendReceipt { in_flight: Arc::clone(self), through }
    }

    /// Asks for a notification once `wanted` bytes are done. Returns `false` if they are.
    pub(crate) fn wait_for(&self, wanted: u64) -> bool {
        self.wanted.store(wanted, Ordering::SeqCst);
        // A receipt that is dropped after the store sees it.
        if self.done.load(Ordering::SeqCst) < wanted {
            return true;
        }
        self.wanted.store(0, Ordering::SeqCst);
        false
    }
}

impl SendReceipt {
    /// Drops the receipt of a message that was not handed over.
    pub(crate) fn void(mut self) {
        self.through = 0;
    }
}

impl Drop for SendReceipt {
    fn drop(&mut self) {
        let done = self.in_flight.done.fetch_max(self.through, Ordering::SeqCst).max(self.through);
        let wanted = self.in_flight.wanted.load(Ordering::SeqCst);
        if wanted != 0 && done >= wanted && self.in_flight.wanted.swap(0, Ordering::SeqCst) != 0 {
            self.in_flight.notify.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_up_to_a_dropped_receipt_are_done() {
        let in_flight = BytesInFlight::new(Arc::new(DriverNotify::new()));
        let (first, second) = (in_flight.receipt(100), in_flight.receipt(250));
        assert!(in_flight.wait_for(100));
        drop(second);
        assert_eq!(in_flight.done(), 250);
        assert!(!in_flight.wait_for(250));
        drop(first);
        assert_eq!(in_flight.done(), 250);
        in_flight.receipt(1_000).void();
        assert_eq!(in_flight.done(), 250);
    }
}
