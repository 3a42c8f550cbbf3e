//! The bounds of a server, and what it can come to take of memory under them.

use std::time::Duration;

use crate::transport::{LinkConfig as Tuning, max_received as largest_received};
use crate::wire::{INITIAL_CREDIT, MAX_BATCH_BYTES};

/// What waits for a client is counted with that of all others in steps of so many bytes, so that small answers, which leave
/// soon, cost nothing there. So often libzmq says, too, that it is done with small messages.
pub(super) const STEP: usize = 64 * 1024;

/// The most that [`Limits::in_flight`] comes to.
const IN_FLIGHT: u64 = 1024 * 1024;

/// What a connection takes by itself: in libzmq, with its buffers, and in our tables.
const CONNECTION: u64 = 64 * 1024;

/// What a call in flight takes by itself: its entries in tables, its task, an error in place of its answer, the items that
/// gather in its stream, and the blocks that its short `bytes` lie in.
const CALL: u64 = 20 * 1024;

/// No connection is taken for dead sooner than this after it was asked.
const SILENCE: Duration = Duration::from_secs(5);

/// Buffers grow by doubling.
const SLACK: u64 = 2;

/// Items that are a quarter of their batch or more keep it whole.
const KEPT: u64 = 4;

/// The bounds of a server. Past each of them a call ends in `resource_exhausted`, and its connection lives on.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The largest body of a call, a reply or an item, in bytes.
    pub(crate) message_size: usize,
    /// Calls in flight, of all clients together.
    pub(crate) calls: usize,
    /// Calls in flight of one client.
    pub(crate) calls_per_peer: usize,
    /// Credit of a client's stream, in bytes.
    pub(crate) stream_window: u64,
    /// How often a client's connection is asked for a sign of life.
    pub(crate) heartbeat: Duration,
    /// After how long without a sign of life a client with calls in flight is given up.
    pub(crate) peer_timeout: Duration,
    /// Bytes that may wait to be sent, to all clients together.
    pub(crate) waiting: usize,
    /// How many calls may run at a time, if that is bounded.
    pub(crate) concurrency: Option<Concurrency>,
    /// Bytes that may wait to be sent to one client, if they were set apart from the size of a message.
    pub(crate) waiting_per_peer: Option<usize>,
}

/// How many calls run at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Concurrency {
    pub(crate) running: usize,
    /// How many more wait for their turn.
    pub(crate) queued: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: crate::DEFAULT_MESSAGE_SIZE,
            calls: 100_000,
            calls_per_peer: 20_000,
            stream_window: 256 * 1024,
            heartbeat: Duration::from_secs(30),
            peer_timeout: Duration::from_secs(15),
            waiting: 1 << 30,
            waiting_per_peer: None,
            concurrency: None,
        }
    }
}

impl Limits {
    /// What its socket is to know.
    pub(super) fn tuning(&self) -> Tuning {
        let silence = (self.heartbeat / 3).max(SILENCE);
        Tuning { max_body: self.message_size, heartbeat: self.heartbeat, silence }
    }

    /// Bytes that may wait to be sent to one client. Past it, its calls are turned away; at twice that, it is given up. A
    /// few answers of the largest size, and a few windows of streams, so that clients which read don't get there: handlers
    /// answer as fast as calls come in, and calls are small.
    pub(crate) fn waiting_per_peer(&self) -> usize {
        self.waiting_per_peer.unwrap_or_else(|| self.message_size.saturating_mul(16).max(16 * 1024 * 1024))
    }

    /// What libzmq may hold for one client, and one message more; the rest waits in its outbox, where it can be thrown away.
    /// Fast links are kept busy by far less: what the system has taken to send is not counted.
    pub(super) fn in_flight(&self) -> u64 {
        (self.waiting_per_peer() as u64 / 4).clamp(STEP as u64, IN_FLIGHT)
    }

    /// At so much a client is given up, and an answer for it finds no room.
    pub(super) fn too_much(&self) -> usize {
        self.waiting_per_peer().saturating_mul(2)
    }

    /// At so much in all, an answer finds no room, for whomever. Clients are given up long before; but handlers may answer
    /// while the one who would do so is held up.
    pub(super) fn too_much_in_all(&self) -> usize {
        self.waiting.saturating_add(self.waiting / 4)
    }

    /// See [`crate::ServerBuilder::worst_case_memory`].
    pub(super) fn worst_case_memory(&self, clients: usize) -> u64 {
        let clients = clients as u64;
        let calls = clients.saturating_mul(self.calls_per_peer as u64).min(self.calls as u64);
        let outboxes = clients.saturating_mul((self.too_much() + self.largest_sent()) as u64);
        let queued = self.concurrency.map_or(0, |limit| limit.queued as u64);
        let untold = clients.saturating_mul(STEP as u64);
        let waiting = outboxes.min((self.too_much_in_all() as u64).saturating_add(untold));
        [
            SLACK.saturating_mul(waiting),
            clients.saturating_mul(self.memory_of_connection()),
            calls.saturating_mul(self.memory_of_call()),
            queued.saturating_mul(KEPT).saturating_mul(self.message_size as u64),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Of what clients send, the message that is coming in: whatever came before is taken at once.
    fn memory_of_connection(&self) -> u64 {
        let sent = SLACK.saturating_mul(self.in_flight().saturating_add(self.largest_sent() as u64));
        CONNECTION.saturating_add(sent).saturating_add(largest_received(self.message_size) as u64)
    }

    /// A stream that nobody reads may hold its window, and one message more.
    fn memory_of_call(&self) -> u64 {
        let window = self.stream_window.max(INITIAL_CREDIT);
        let unread = KEPT.saturating_mul(window).saturating_add(largest_received(self.message_size) as u64);
        CALL.saturating_add(unread)
    }

    /// The largest message that is sent: a batch, whose last record may be as large as any.
    fn largest_sent(&self) -> usize {
        self.message_size.saturating_add(MAX_BATCH_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By default, and wherever there may be many connections: or libzmq's thread has no time left for anything else.
    #[test]
    fn an_answer_to_a_heartbeat_is_due_long_before_the_next() {
        for heartbeat in [Limits::default().heartbeat, Duration::from_mins(5)] {
            let tuning = Limits { heartbeat, ..Limits::default() }.tuning();
            assert!(heartbeat >= Duration::from_secs(15) && tuning.silence <= heartbeat / 3, "{tuning:?}");
        }
        let often = Limits { heartbeat: Duration::from_millis(1), ..Limits::default() };
        assert_eq!(often.tuning().silence, SILENCE, "no connection dies of a hiccup");
    }
}
