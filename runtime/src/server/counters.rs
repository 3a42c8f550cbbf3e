//! What a server counts, for its users and their metrics.

use crate::telemetry::Counter;

/// What a server has counted since it started. Every number only grows.
#[derive(Debug)]
pub struct Counters {
    pub(super) calls: Counter,
    pub(super) refused: Counter,
    pub(super) unreadable: Counter,
    pub(super) lost_peers: Counter,
    dropped: [Counter; Dropped::ALL.len()],
}

/// Why a server has dropped something: an answer, an item of a stream, the end of one, or a call that nobody waits for.
/// Nothing is dropped without being counted under one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Dropped {
    /// What a client was owed that can't be reached any more.
    Unreachable,
    /// What has waited for a client that does not read it. Its calls are over, and it is told so once it reads again.
    NotRead,
    /// An answer for which there was no room any more. In its place, the client is told so.
    NoRoom,
    /// What was left for a client when the server ended.
    ServerEnded,
    /// A one-way call that was turned away. Nobody waits for an answer that could say so.
    OneWay,
    /// A message of a client past the most that a server knows at a time.
    TooManyClients,
    /// A message that came by too long a route, and so can't be answered.
    RouteTooLong,
}

impl Dropped {
    /// All reasons that there are.
    pub const ALL: [Self; 7] = [
        Self::Unreachable,
        Self::NotRead,
        Self::NoRoom,
        Self::ServerEnded,
        Self::OneWay,
        Self::TooManyClients,
        Self::RouteTooLong,
    ];

    /// Its name in `snake_case`, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NotRead => "not_read",
            Self::NoRoom => "no_room",
            Self::ServerEnded => "server_ended",
            Self::OneWay => "one_way",
            Self::TooManyClients => "too_many_clients",
            Self::RouteTooLong => "route_too_long",
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        let dropped = |reason: Dropped| Counter::because("zsvc_server_dropped_total", reason.name());
        Self {
            // Those are recorded by middleware, with the method and how they end.
            calls: Counter::unnamed(),
            refused: Counter::named("zsvc_server_refused_calls_total"),
            unreadable: Counter::named("zsvc_server_unreadable_total"),
            lost_peers: Counter::named("zsvc_server_lost_clients_total"),
            dropped: Dropped::ALL.map(dropped),
        }
    }
}

impl Counters {
    /// Calls that were dispatched to a handler, one-way calls among them.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Calls that were turned away before a handler saw them: unknown methods, bad parameters, bounds reached.
    #[must_use]
    pub fn refused_calls(&self) -> u64 {
        self.refused.get()
    }

    pub(crate) fn count_refused(&self) {
        count(&self.refused);
    }

    /// A one-way call was turned away, of which nobody can be told.
    pub(crate) fn count_refused_unheard(&self) {
        self.count_refused();
        self.drop_records(Dropped::OneWay, 1);
    }

    /// Messages that were no batch, were of another version, or held a malformed record.
    #[must_use]
    pub fn unreadable_batches(&self) -> u64 {
        self.unreadable.get()
    }

    /// What was dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: Dropped) -> u64 {
        self.dropped[reason as usize].get()
    }

    /// So much more was dropped.
    pub(super) fn drop_records(&self, reason: Dropped, records: u64) {
        self.dropped[reason as usize].add(records);
    }

    /// Clients that were given up with calls in flight.
    #[must_use]
    pub fn lost_peers(&self) -> u64 {
        self.lost_peers.get()
    }
}

/// One more.
pub(super) fn count(counter: &Counter) {
    counter.add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_counted_apart() {
        let counters = Counters::default();
        for (records, reason) in (1..).zip(Dropped::ALL) {
            counters.drop_records(reason, records);
        }
        for (records, reason) in (1..).zip(Dropped::ALL) {
            assert_eq!(counters.dropped(reason), records, "{}", reason.name());
        }
    }
}
