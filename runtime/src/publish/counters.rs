//! [`PublisherCounters`]: what a publisher counts, for users and for metrics.

use crate::events::Came;
use crate::telemetry::Counter;

/// The counters of a publisher and its clones. Every number only grows.
#[derive(Debug)]
pub struct PublisherCounters {
    sent: Counter,
    dropped: Counter,
    ended: Counter,
}

impl PublisherCounters {
    pub(super) const fn new() -> Self {
        Self {
            sent: Counter::named("zsvc_events_sent_total"),
            dropped: Counter::named("zsvc_events_dropped_total"),
            ended: Counter::named("zsvc_events_slow_subscriptions_total"),
        }
    }

    /// Counts an event that was sent, and what has come of it.
    pub(super) fn count(&self, came: &Came) {
        self.sent.add(1);
        self.dropped.add(came.dropped);
        self.ended.add(came.ended);
    }

    /// Returns the number of events that were sent, whatever the number of subscribers.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// Returns the number of events that were dropped for subscribers who do not keep up: one that is dropped for two is counted twice.
    /// Each subscriber is told how many of its own those were. Those that a newer one of their key has replaced are not counted.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Returns the number of subscriptions that were ended by `@slow(disconnect)`.
    #[must_use]
    pub fn disconnected(&self) -> u64 {
        self.ended.get()
    }
}
