//! [`ChannelCounters`]: what a channel has seen so far.

use crate::telemetry::Counter;

/// What a channel has seen so far. See [`Channel::counters`](crate::Channel::counters).
#[derive(Debug)]
pub struct ChannelCounters {
    calls: Counter,
    retries: Counter,
    retries_denied: Counter,
    reconnects: Counter,
    one_way_lost: Counter,
}

impl Default for ChannelCounters {
    fn default() -> Self {
        Self {
            // Those are recorded by middleware, with the method and how they end.
            calls: Counter::unnamed(),
            retries: Counter::named("zsvc_client_retries_total"),
            retries_denied: Counter::named("zsvc_client_retries_denied_total"),
            reconnects: Counter::named("zsvc_client_reconnects_total"),
            one_way_lost: Counter::because("zsvc_client_dropped_total", "one_way_lost"),
        }
    }
}

impl ChannelCounters {
    /// Calls that were awaited, each once however often it was made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// How often a call was made again.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.get()
    }

    /// Calls that might have been made again, but for the budget.
    #[must_use]
    pub fn retries_denied(&self) -> u64 {
        self.retries_denied.get()
    }

    /// How often a connection that was lost has come up again.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects.get()
    }

    /// One-way calls that were accepted for sending and had not left when their connection was lost. Of those that had left,
    /// nobody knows.
    #[must_use]
    pub fn dropped_one_way_calls(&self) -> u64 {
        self.one_way_lost.get()
    }

    pub(super) fn called(&self) {
        self.calls.add(1);
    }

    pub(super) fn retried(&self) {
        self.retries.add(1);
    }

    pub(super) fn retry_denied(&self) {
        self.retries_denied.add(1);
    }

    pub(super) fn reconnected(&self) {
        self.reconnects.add(1);
    }

    pub(super) fn one_way_lost(&self, calls: usize) {
        self.one_way_lost.add(calls as u64);
    }
}
