//! [`StreamPacer`]: makes a sender of items that never waits let its driver run.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::time::Instant;

use super::policy::OVERDUE_AFTER;

/// Decides, for the senders of one stream, whether one has to yield to the driver before it sends its item.
///
/// A sender that never waits would block its thread, and the driver if that runs on the same thread. So the sender
/// yields if the stream was announced to the driver some time ago and was not collected since. The clock is read for
/// few items only: reading it costs as much as sending one.
#[derive(Debug)]
pub(crate) struct StreamPacer {
    started: Instant,
    /// When the stream was announced, or when a sender last yielded for it, in nanoseconds since `started`.
    since: AtomicU64,
    /// Number of items sent since then.
    items: AtomicU32,
    /// Whether a sender has yielded and was not polled again: no other sends before it.
    is_yielding: AtomicBool,
}

/// The clock is read after this many items, or after fewer.
const ITEMS_PER_CLOCK_READ: u32 = 64;

impl StreamPacer {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            since: AtomicU64::new(0),
            items: AtomicU32::new(0),
            is_yielding: AtomicBool::new(false),
        }
    }

    /// Reports whether the sender of an item has to yield. `has_yielded` is the item's own: whether its sender has done so.
    /// `is_announced` tells whether the driver still has to collect the stream.
    #[inline]
    pub(crate) fn must_yield(&self, has_yielded: &mut bool, is_announced: impl FnOnce() -> bool) -> bool {
        if *has_yielded {
            self.is_yielding.store(false, Ordering::Relaxed);
            return false;
        }
        let items = self.items.load(Ordering::Relaxed);
        let is_due = items.is_power_of_two() || items.is_multiple_of(ITEMS_PER_CLOCK_READ);
        if is_due && self.is_overdue() && is_announced() {
            // Again after as long, if it was not collected by then.
            self.restart();
            self.is_yielding.store(true, Ordering::Relaxed);
        }
        *has_yielded = self.is_yielding.load(Ordering::Relaxed);
        *has_yielded
    }

    /// Counts an item as sent. `is_first` tells whether it announces the stream, which starts the time.
    #[inline]
    pub(crate) fn sent(&self, is_first: bool) {
        if is_first {
            self.restart();
        } else {
            // No read-modify-write: a lost count among concurrent senders does no harm, and a shared cache line does.
            self.items.store(self.items.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    #[inline]
    fn is_overdue(&self) -> bool {
        u128::from(self.now().saturating_sub(self.since.load(Ordering::Relaxed))) >= OVERDUE_AFTER.as_nanos()
    }

    #[inline]
    fn restart(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
        self.items.store(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender that was fast before yields, too, and as often as it takes.
    #[tokio::test(start_paused = true)]
    async fn a_sender_that_keeps_the_driver_from_running_yields() {
        let pacer = StreamPacer::new();
        pacer.sent(true);
        for before in [1, 130, 130, 600] {
            (0..before).for_each(|_| pacer.sent(false));
            let mut items = 0;
            loop {
                tokio::time::advance(2 * OVERDUE_AFTER).await;
                let mut has_yielded = false;
                items += 1;
                if pacer.must_yield(&mut has_yielded, || true) {
                    assert!(!pacer.must_yield(&mut has_yielded, || true), "it goes on");
                    break;
                }
                pacer.sent(false);
            }
            assert!(items <= ITEMS_PER_CLOCK_READ, "{items} items");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_whose_stream_was_collected_goes_on() {
        let pacer = StreamPacer::new();
        pacer.sent(true);
        tokio::time::advance(2 * OVERDUE_AFTER).await;
        assert!(!pacer.must_yield(&mut false, || false));
    }

    #[tokio::test(start_paused = true)]
    async fn senders_that_yield_keep_their_order() {
        let pacer = StreamPacer::new();
        pacer.sent(true);
        tokio::time::advance(2 * OVERDUE_AFTER).await;
        let [mut second, mut third] = [false, false];
        assert!(pacer.must_yield(&mut second, || true));
        assert!(pacer.must_yield(&mut third, || true));
        assert!(!pacer.must_yield(&mut second, || true) && !pacer.must_yield(&mut third, || true));
        // One that is given up meanwhile holds up no other for longer than a poll.
        pacer.sent(true);
        tokio::time::advance(2 * OVERDUE_AFTER).await;
        assert!(pacer.must_yield(&mut false, || true));
        let mut next = false;
        assert!(pacer.must_yield(&mut next, || true) && !pacer.must_yield(&mut next, || true));
        assert!(!pacer.must_yield(&mut false, || true));
    }
}
