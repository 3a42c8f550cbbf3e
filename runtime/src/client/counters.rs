//! [`ChannelCounters`]: what a channel has seen so far.

use crate::telemetry::{Counter, Tally};

/// What a channel has seen so far. See [`Channel::counters`](crate::Channel::counters).
#[derive(Debug)]
pub struct ChannelCounters {
    /// As metrics, those are recorded by middleware, with the method and how they end.
    calls: Tally,
    retries: Counter,
    retries_denied: Counter,
    reconnects: Counter,
    dropped: [Counter; ChannelDropped::ALL.len()],
}

/// Why a channel has dropped something. Calls that wait for an answer have failed then, and said so; with one-way calls, this is
/// all that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ChannelDropped {
    /// A one-way call that was accepted for sending and had not left when its connection was lost, or its channel was
    /// dropped without one. Of those that had left, nobody knows.
    OneWay,
    /// A message that was handed to a connection just as that was lost.
    Unreachable,
    /// A message of a server that can't be read, and may have held answers.
    Unreadable,
    /// An answer to a ping of a server that does not read.
    Pong,
}

impl ChannelDropped {
    /// All reasons that there are.
    pub const ALL: [Self; 4] = [Self::OneWay, Self::Unreachable, Self::Unreadable, Self::Pong];

    /// Its name in `snake_case`, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one_way",
            Self::Unreachable => "unreachable",
            Self::Unreadable => "unreadable",
            Self::Pong => "pong",
        }
    }
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

    /// What was dropped for this reason. It is nothing where no connection is lost and no server speaks nonsense.
    #[must_use]
    pub fn dropped(&self, reason: ChannelDropped) -> u64 {
        self.dropped[reason as usize].get()
    }

    #[inline]
    pub(super) fn called(&self) {
        self.calls.add_one();
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

    pub(super) fn drops(&self, reason: ChannelDropped, how_many: usize) {
        self.dropped[reason as usize].add(how_many as u64);
    }
}
