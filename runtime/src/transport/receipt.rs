//! [`SendWindow`]: how many bytes the transport may hold for one peer, and which of them it has reported as done. A
//! transport sees no more of this than a [`SendReceipt`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::COPIED_BELOW_BYTES;
use crate::flush::DriverNotify;

/// Number of bytes after which a small message gets a receipt, too. A window that is smaller would wait for a receipt
/// that was never given.
pub(crate) const RECEIPT_STEP_BYTES: u64 = 64 * 1024;

/// Counts the bytes that are handed to the transport for one peer, and gives out receipts for some of them.
#[derive(Debug)]
pub(crate) struct SendWindow {
    in_flight: Arc<BytesInFlight>,
    /// Number of bytes handed to the transport so far.
    sent: u64,
    /// Number of those bytes that a receipt covers.
    receipted: u64,
}

impl SendWindow {
    /// Creates a window that notifies the driver when there is room again.
    pub(crate) fn new(notify: Arc<DriverNotify>) -> Self {
        Self { in_flight: BytesInFlight::new(notify), sent: 0, receipted: 0 }
    }

    /// Reports whether the transport holds `max` bytes or more. If so, the driver is notified once it holds half of
    /// them, so that there is more than one message to send then.
    pub(crate) fn is_full(&self, max: u64) -> bool {
        let in_flight = self.sent.saturating_sub(self.in_flight.done());
        in_flight >= max && self.in_flight.wait_for(self.sent - max / 2)
    }

    /// Counts a message of `bytes` bytes that is about to be handed over. Returns its receipt, if it is to have one.
    pub(crate) fn count(&mut self, bytes: usize) -> Option<SendReceipt> {
        self.sent += bytes as u64;
        let is_covered = bytes > COPIED_BELOW_BYTES || self.sent - self.receipted >= RECEIPT_STEP_BYTES;
        is_covered.then(|| {
            self.receipted = self.sent;
            self.in_flight.receipt(self.sent)
        })
    }

    /// Takes the message that was counted last off the count, since the transport had no room for it. Its receipt must be void.
    pub(crate) fn put_back(&mut self, bytes: usize) {
        self.sent -= bytes as u64;
        // Back to the bytes that are done, not to those before the message: only the message's receipt, which is void, may have
        // covered the bytes in between. Bytes that other receipts cover may be covered once more, at the cost of a receipt.
        self.receipted = self.in_flight.done().min(self.sent);
    }
}

/// Counts the bytes of one peer that the transport is done with. A transport sends in order, so when it is done with a
/// buffer, it is done with all bytes before it, too.
///
/// Small messages are copied by libzmq, which does not report when it is done with them. So now and then one is handed
/// over as a buffer, with a receipt. The engine `zmtp` is done with a message when the system has taken it.
#[derive(Debug)]
struct BytesInFlight {
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
    fn new(notify: Arc<DriverNotify>) -> Arc<Self> {
        Arc::new(Self { done: AtomicU64::new(0), wanted: AtomicU64::new(0), notify })
    }

    /// Returns the number of bytes that the transport is done with.
    fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// Returns the receipt of the message that ends at byte `through`.
    fn receipt(self: &Arc<Self>, through: u64) -> SendReceipt {
        SendReceipt { in_flight: Arc::clone(self), through }
    }

    /// Asks for a notification once `wanted` bytes are done. Returns `false` if they are.
    fn wait_for(&self, wanted: u64) -> bool {
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

    #[test]
    fn large_messages_have_receipts_and_small_ones_one_per_step() {
        let mut window = SendWindow::new(Arc::new(DriverNotify::new()));
        assert!(window.count(COPIED_BELOW_BYTES + 1).is_some());
        assert!((0..7).all(|_| window.count(COPIED_BELOW_BYTES).is_none()));
        assert!(window.count(COPIED_BELOW_BYTES).is_some(), "the last of 64 KiB");
        assert!(window.count(1).is_none());
    }

    #[test]
    fn a_window_is_full_until_half_of_it_is_done() {
        const LARGE: usize = 10_000;
        let notify = Arc::new(DriverNotify::new());
        let mut window = SendWindow::new(Arc::clone(&notify));
        let mut receipts: Vec<_> = (0..4).filter_map(|_| window.count(LARGE)).collect();
        assert!(!window.is_full(40_001) && window.is_full(40_000));
        notify.begin_turn();
        receipts.remove(0);
        assert!(!notify.is_notified(), "10,000 bytes are done");
        receipts.remove(0);
        assert!(notify.is_notified() && !window.is_full(40_000), "20,000 bytes are done");
    }

    #[test]
    fn a_message_that_is_put_back_leaves_no_byte_uncovered() {
        let mut window = SendWindow::new(Arc::new(DriverNotify::new()));
        window.count(50_000).expect("a large message has one").void();
        window.put_back(50_000);
        let mut covered = Vec::new();
        while covered.is_empty() {
            covered.extend(window.count(COPIED_BELOW_BYTES));
        }
        assert!(window.is_full(RECEIPT_STEP_BYTES));
        drop(covered);
        assert!(!window.is_full(1));
    }
}
