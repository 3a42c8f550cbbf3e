//! Counters that the runtime keeps by itself: for one server or channel, and, with the feature `metrics`, for the
//! recorder that the program has installed. Without the feature, a counter is only a number, and the rest compiles to
//! nothing. [`log`] has the events that go to the program's log.
//!
//! How calls end is recorded by [`crate::middleware`]. The names are documented in the project's
//! `docs/operations.md`.

mod log;
mod rate;

#[cfg(all(feature = "libzmq", unix))]
pub(crate) use log::client_not_heard;
pub(crate) use log::{
    accept_failed, client_given_up, connection_back, connection_lost, in_the_clear, let_in, not_announced,
    not_followed, refused_connection, refused_key, registered, registering_in_the_clear,
    registration_refused, revoked, router_unreachable, task_failed,
};
#[cfg(feature = "access-file")]
pub(crate) use log::{access_file_refused, access_file_taken};
#[cfg(feature = "tracing")]
pub(crate) use log::{both_sides_wait, logs_warnings};
#[cfg(feature = "jwt")]
pub(crate) use log::{token_keys_refused, token_keys_taken};

pub use rate::Rate;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A number that only grows.
#[derive(Debug)]
pub(crate) struct Counter {
    value: AtomicU64,
    #[cfg(feature = "metrics")]
    metric: Metric,
}

/// The name and label that a counter is recorded under.
#[cfg(feature = "metrics")]
#[derive(Debug)]
struct Metric {
    name: &'static str,
    reason: Option<&'static str>,
}

#[cfg(feature = "metrics")]
impl Metric {
    #[inline]
    fn add(&self, more: u64) {
        match self.reason {
            Some(reason) => metrics::counter!(self.name, "reason" => reason).increment(more),
            None => metrics::counter!(self.name).increment(more),
        }
    }
}

#[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "names are for the recorder alone"))]
impl Counter {
    /// Creates a counter that is recorded under a name.
    pub(crate) const fn named(name: &'static str) -> Self {
        Self {
            value: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            metric: Metric { name, reason: None },
        }
    }

    /// Creates one of several counters that are recorded under one name, with the label `reason` to tell them apart.
    pub(crate) const fn because(name: &'static str, reason: &'static str) -> Self {
        Self {
            value: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            metric: Metric { name, reason: Some(reason) },
        }
    }

    #[inline]
    pub(crate) fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        if more > 0 {
            self.metric.add(more);
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// A number that only grows, and that many threads add to often. Each thread adds to a part of its own: adding to
/// memory that another core has written to takes ten times as long.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    parts: [Part; PARTS],
}

/// Number of parts. More threads than that share parts.
pub(crate) const PARTS: usize = 8;

/// One part of a [`Tally`]. Aligned to two cache lines, which are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part(AtomicU64);

impl Tally {
    /// Adds one.
    #[inline]
    pub(crate) fn add_one(&self) {
        self.parts[part()].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.parts.iter().map(|part| part.0.load(Ordering::Relaxed)).sum()
    }
}

/// Returns the index of the part that this thread adds to, below [`PARTS`].
#[inline]
pub(crate) fn part() -> usize {
    PART.try_with(|part| *part).unwrap_or(0)
}

/// Number of threads that have added to any tally.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Index of the part that this thread adds to, in every tally.
    static PART: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PARTS;
}

/// The end of a connection that a number is recorded for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Client,
    Server,
}

/// Counts bytes that a socket has received.
pub(crate) use on::received;
/// Counts bytes that were handed to a socket.
pub(crate) use on::sent;

/// Counts a connection as up.
pub(crate) use on::connected;
/// Counts a connection as up no longer.
pub(crate) use on::disconnected;

/// A connection that is up. Counted in a gauge until this is dropped.
#[derive(Debug)]
pub(crate) struct Up(End);

impl Up {
    pub(crate) fn new(end: End) -> Self {
        connected(end);
        Self(end)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        disconnected(self.0);
    }
}

#[cfg(feature = "metrics")]
mod on {
    use super::End;

    pub(crate) fn received(end: End, bytes: usize) {
        let name = match end {
            End::Client => "zsvc_client_received_bytes_total",
            End::Server => "zsvc_server_received_bytes_total",
        };
        metrics::counter!(name).increment(bytes as u64);
    }

    pub(crate) fn sent(end: End, bytes: usize) {
        let name = match end {
            End::Client => "zsvc_client_sent_bytes_total",
            End::Server => "zsvc_server_sent_bytes_total",
        };
        metrics::counter!(name).increment(bytes as u64);
    }

    pub(crate) fn connected(end: End) {
        metrics::gauge!(connections(end)).increment(1.0);
    }

    pub(crate) fn disconnected(end: End) {
        metrics::gauge!(connections(end)).decrement(1.0);
    }

    fn connections(end: End) -> &'static str {
        match end {
            End::Client => "zsvc_client_connections",
            End::Server => "zsvc_server_connections",
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod on {
    use super::End;

    pub(crate) fn received(_: End, _: usize) {}

    pub(crate) fn sent(_: End, _: usize) {}

    pub(crate) fn connected(_: End) {}

    pub(crate) fn disconnected(_: End) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_of_many_threads_are_all_counted() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * PARTS {
                scope.spawn(|| (0..1_000).for_each(|_| tally.add_one()));
            }
        });
        assert_eq!(tally.get(), 2_000 * PARTS as u64);
    }
}
