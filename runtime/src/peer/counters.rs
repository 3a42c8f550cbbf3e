//! [`Counters`]: what a server counts, for users and for metrics. The counters themselves are in [`crate::telemetry`].

use crate::session::server::{Counts, DropReason};
use crate::telemetry::{Counter, Tally};
use crate::transport::HandshakeFailure;

/// The counters of a server since its start. Every number only grows.
#[derive(Debug)]
pub struct Counters {
    /// As metrics, middleware records calls, with the method and how they end.
    calls: Tally,
    refused: Counter,
    unreadable: Counter,
    lost_peers: Counter,
    refused_connections: [Counter; HandshakeFailure::ALL.len()],
    revoked_connections: Counter,
    dropped: [Counter; Dropped::ALL.len()],
}

/// Why a server has dropped something: an answer, an item of a stream, the end of one, or a one-way call.
/// Nothing is dropped without being counted under one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Dropped {
    /// A record for a client that can't be reached any more.
    Unreachable,
    /// A record for a client that does not read. The client's calls have ended, and the client is told so once it reads again.
    NotRead,
    /// An answer for which there was no room any more. The client gets an error in its place.
    NoRoom,
    /// A record that was not sent yet when the server ended.
    ServerEnded,
    /// A one-way call that was turned away, which has no answer that could report this.
    OneWay,
    /// A message of a new client, received while the server knows the maximum number of clients.
    TooManyClients,
    /// A message whose route is too long, so that it can't be answered.
    RouteTooLong,
}

impl Dropped {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Unreachable,
        Self::NotRead,
        Self::NoRoom,
        Self::ServerEnded,
        Self::OneWay,
        Self::TooManyClients,
        Self::RouteTooLong,
    ];

    /// Returns the reason's name in `snake_case`, for metrics.
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

impl Dropped {
    fn of(reason: DropReason) -> Self {
        match reason {
            DropReason::Unreachable => Self::Unreachable,
            DropReason::NotRead => Self::NotRead,
            DropReason::NoRoom => Self::NoRoom,
            DropReason::ServerEnded => Self::ServerEnded,
            DropReason::OneWay => Self::OneWay,
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        let dropped = |reason: Dropped| Counter::because("zsvc_server_dropped_total", reason.name());
        let refused = |reason: HandshakeFailure| {
            Counter::because("zsvc_server_refused_connections_total", reason.name())
        };
        Self {
            calls: Tally::default(),
            refused: Counter::named("zsvc_server_refused_calls_total"),
            unreadable: Counter::named("zsvc_server_unreadable_total"),
            lost_peers: Counter::named("zsvc_server_lost_clients_total"),
            refused_connections: HandshakeFailure::ALL.map(refused),
            revoked_connections: Counter::named("zsvc_server_revoked_connections_total"),
            dropped: Dropped::ALL.map(dropped),
        }
    }
}

impl Counters {
    /// Returns the number of calls that were dispatched to a handler, one-way calls among them.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Returns the number of calls that were turned away before a handler saw them: unknown methods, bad parameters,
    /// bounds reached.
    #[must_use]
    pub fn refused_calls(&self) -> u64 {
        self.refused.get()
    }

    /// Counts a call that runs.
    #[inline]
    pub(crate) fn count_call(&self) {
        self.calls.add_one();
    }

    pub(crate) fn count_refused(&self) {
        self.refused.add(1);
    }

    /// Counts a one-way call that was turned away, which its caller can't be told.
    pub(crate) fn count_refused_one_way(&self) {
        self.count_refused();
        self.drop_records(Dropped::OneWay, 1);
    }

    /// Returns the number of messages that were no batch, were of another version, or held a malformed record.
    #[must_use]
    pub fn unreadable_batches(&self) -> u64 {
        self.unreadable.get()
    }

    /// Returns the number of records that were dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: Dropped) -> u64 {
        self.dropped[reason as usize].get()
    }

    /// Counts records that were dropped for a reason.
    pub(crate) fn drop_records(&self, reason: Dropped, records: u64) {
        self.dropped[reason as usize].add(records);
    }

    /// Adds the counts of a session.
    pub(crate) fn add(&self, counts: &Counts) {
        self.refused.add(counts.refused);
        self.unreadable.add(counts.unreadable);
        self.lost_peers.add(counts.lost);
        for reason in DropReason::ALL {
            self.drop_records(Dropped::of(reason), counts.dropped(reason));
        }
    }

    /// Returns the number of connections that did not complete the ZeroMQ handshake: what connected does not speak ZMTP, not with
    /// these settings, or not in time. On the engine [`Libzmq`](crate::Engine::Libzmq), those alone whose key is not let in: it tells of no others.
    #[must_use]
    pub fn refused_connections(&self) -> u64 {
        self.refused_connections.iter().map(Counter::get).sum()
    }

    /// Returns the number of those connections that were refused for one kind of reason.
    #[must_use]
    pub fn refused_connections_for(&self, reason: HandshakeFailure) -> u64 {
        self.refused_connections[reason as usize].get()
    }

    /// Returns the number of connections that were closed since their client is not let in any more, or not as it was.
    #[must_use]
    pub fn revoked_connections(&self) -> u64 {
        self.revoked_connections.get()
    }

    pub(crate) fn count_revoked_connection(&self) {
        self.revoked_connections.add(1);
    }

    pub(crate) fn count_refused_connection(&self, reason: HandshakeFailure) {
        self.refused_connections[reason as usize].add(1);
    }

    /// Returns the number of times that a client was given up with calls in flight.
    #[must_use]
    pub fn lost_peers(&self) -> u64 {
        self.lost_peers.get()
    }
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
