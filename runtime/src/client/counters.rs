//! [`ChannelCounters`]: what a channel has seen so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a channel has seen so far. See [`Channel::counters`](crate::Channel::counters).
#[derive(Debug, Default)]
pub struct ChannelCounters {
    calls: AtomicU64,
    retries: AtomicU64,
    retries_denied: AtomicU64,
    reconnects: AtomicU64,
    one_way_lost: AtomicU64,
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl ChannelCounters {
    /// Calls that were awaited, each once however often it was made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        read(&self.calls)
    }

    /// How often a call was made again.
    #[must_use]
    pub fn retries(&self) -> u64 {
        read(&self.retries)
    }

    /// Calls that might have been made again, but for the budget.
    #[must_use]
    pub fn retries_denied(&self) -> u64 {
        read(&self.retries_denied)
    }

    /// How often a connection that was lost has come up again.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        read(&self.reconnects)
    }

    /// One-way calls that were accepted for sending and had not left when their connection was lost. Of those that had left,
    /// nobody knows.
    #[must_use]
    pub fn dropped_one_way_calls(&self) -> u64 {
        read(&self.one_way_lost)
    }

    pub(super) fn called(&self) {
        count(&self.calls, 1);
    }

    pub(super) fn retried(&self) {
        count(&self.retries, 1);
    }

    pub(super) fn retry_denied(&self) {
        count(&self.retries_denied, 1);
    }

    pub(super) fn reconnected(&self) {
        count(&self.reconnects, 1);
    }

    pub(super) fn one_way_lost(&self, calls: usize) {
        count(&self.one_way_lost, calls as u64);
    }
}
