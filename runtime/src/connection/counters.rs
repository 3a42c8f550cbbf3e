//! [`ChannelCounters`]: what a channel has counted so far.

pub use crate::session::client::Dropped as ChannelDropped;
use crate::telemetry::{Counter, Tally};

/// What a channel has counted so far. See [`Channel::counters`](crate::Channel::counters).
#[derive(Debug)]
pub struct ChannelCounters {
    /// As metrics, calls are recorded by middleware, with their method and how they end.
    calls: Tally,
    retries: Counter,
    retries_denied: Counter,
    reconnects: Counter,
    dropped: [Counter; ChannelDropped::ALL.len()],
}

impl Default for ChannelCounters {
    fn default() -> Self {
        Self {
            calls: Tally::default(),
            retries: Counter::named("zsvc_client_retries_total"),
            retries_denied: Counter::named("zsvc_client_retries_denied_total"),
            reconnects: Counter::named("zsvc_client_reconnects_total"),
            dropped: ChannelDropped::ALL
                .map(|reason| Counter::because("zsvc_client_dropped_total", reason.name())),
        }
    }
}

impl ChannelCounters {
    /// Returns the number of calls that were awaited, each counted once however often it was made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Returns how often a call was made again.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.get()
    }

    /// Returns the number of calls that might have been made again, but for the budget.
    #[must_use]
    pub fn retries_denied(&self) -> u64 {
        self.retries_denied.get()
    }

    /// Returns how often a lost connection has come up again.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects.get()
    }

    /// Returns how often something was dropped for this reason: never, if no connection is lost and every server keeps to the
    /// protocol.
    #[must_use]
    pub fn dropped(&self, reason: ChannelDropped) -> u64 {
        self.dropped[reason as usize].get()
    }

    #[inline]
    pub(crate) fn called(&self) {
        self.calls.add_one();
    }

    pub(crate) fn retried(&self) {
        self.retries.add(1);
    }

    pub(crate) fn retry_denied(&self) {
        self.retries_denied.add(1);
    }

    pub(crate) fn reconnected(&self) {
        self.reconnects.add(1);
    }

    pub(crate) fn drops(&self, reason: ChannelDropped, count: usize) {
        self.dropped[reason as usize].add(count as u64);
    }
}
