//! [`Config`]: the bounds of a server, and the memory that it can come to take under them.

use std::time::Duration;

use crate::session::server::{self, COUNT_STEP_BYTES};
use crate::transport::{LinkConfig, max_received};
use crate::wire::{INITIAL_CREDIT, MAX_BATCH_BYTES};

/// Largest value of [`Config::max_in_flight`], in bytes.
const MAX_IN_FLIGHT_BYTES: u64 = 1024 * 1024;

/// Bytes that a connection takes by itself: in libzmq, with its buffers, and in tables here.
const CONNECTION_BYTES: u64 = 64 * 1024;

/// Bytes that a call in flight takes by itself: its entries in tables, its task, an error in place of its answer, the items that
/// gather in its stream, and the blocks that its short `bytes` lie in.
const CALL_BYTES: u64 = 20 * 1024;

/// Shortest time after which a connection is taken for dead that was asked for a sign of life.
const MIN_HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// Factor by which a buffer may be larger than what it holds: buffers grow by doubling.
const BUFFER_SLACK: u64 = 2;

/// Factor by which kept items may hold more memory than their size: items that are a quarter of their batch or more keep it whole.
const BATCH_SLACK: u64 = 4;

/// The bounds of a server. Past each of them a call ends in `resource_exhausted`, and its connection lives on.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The bounds that the sessions keep.
    pub(crate) session: server::Config,
    /// Time between two signs of life that a client's connection is asked for.
    pub(crate) heartbeat: Duration,
    /// How many calls may run at a time, if that is bounded.
    pub(crate) running: Option<MaxRunning>,
}

/// How many calls run at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaxRunning {
    pub(crate) running: usize,
    /// Number of calls that may wait besides.
    pub(crate) queued: usize,
}

impl Default for Config {
    fn default() -> Self {
        let session = server::Config {
            max_body: crate::DEFAULT_MESSAGE_SIZE,
            max_calls: 100_000,
            max_calls_per_peer: 20_000,
            stream_window: 256 * 1024,
            peer_timeout: Duration::from_secs(15),
            max_waiting: 1 << 30,
            max_waiting_per_peer: None,
        };
        Self { session, heartbeat: Duration::from_secs(30), running: None }
    }
}

impl Config {
    /// Returns what the transport has to know.
    pub(crate) fn link(&self) -> LinkConfig {
        let silence = (self.heartbeat / 3).max(MIN_HEARTBEAT_TIMEOUT);
        LinkConfig { max_body: self.session.max_body, heartbeat: self.heartbeat, silence }
    }

    /// Returns the credit in bytes of a client's stream: at least what the protocol grants every stream.
    #[inline]
    pub(crate) fn stream_window(&self) -> u64 {
        self.session.stream_window.max(INITIAL_CREDIT)
    }

    /// Returns the number of bytes, and one message more, that libzmq may hold for one client; the rest waits in its outbox, where it
    /// can be thrown away. Fast links are kept busy by far less: what the system has taken to send is not counted.
    #[inline]
    pub(crate) fn max_in_flight(&self) -> u64 {
        (self.session.waiting_per_peer() as u64 / 4).clamp(COUNT_STEP_BYTES as u64, MAX_IN_FLIGHT_BYTES)
    }

    /// Returns the most memory in bytes that a server of this many clients takes. See [`crate::ServerBuilder::worst_case_memory`].
    pub(crate) fn worst_case_memory(&self, clients: usize) -> u64 {
        let clients = clients as u64;
        let calls =
            clients.saturating_mul(self.session.max_calls_per_peer as u64).min(self.session.max_calls as u64);
        let outboxes = clients.saturating_mul((self.session.shed_at() + self.largest_sent()) as u64);
        let queued = self.running.map_or(0, |limit| limit.queued as u64);
        let uncounted = clients.saturating_mul(COUNT_STEP_BYTES as u64);
        let waiting = outboxes.min((self.session.no_room_at() as u64).saturating_add(uncounted));
        [
            BUFFER_SLACK.saturating_mul(waiting),
            clients.saturating_mul(self.memory_of_connection()),
            calls.saturating_mul(self.memory_of_call()),
            queued.saturating_mul(BATCH_SLACK).saturating_mul(self.session.max_body as u64),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Returns the memory of a connection. Of what clients send, it is the message that is coming in: what came before is taken at once.
    fn memory_of_connection(&self) -> u64 {
        let sent =
            BUFFER_SLACK.saturating_mul(self.max_in_flight().saturating_add(self.largest_sent() as u64));
        CONNECTION_BYTES.saturating_add(sent).saturating_add(max_received(self.session.max_body) as u64)
    }

    /// Returns the memory of a call: a stream that is not read may hold its window, and one message more.
    fn memory_of_call(&self) -> u64 {
        let window = self.stream_window();
        let unread =
            BATCH_SLACK.saturating_mul(window).saturating_add(max_received(self.session.max_body) as u64);
        CALL_BYTES.saturating_add(unread)
    }

    /// Returns the size of the largest message that is sent: a batch, whose last record may be as large as any.
    fn largest_sent(&self) -> usize {
        self.session.max_body.saturating_add(MAX_BATCH_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By default, and wherever there may be many connections: or libzmq's thread has no time left for anything else.
    #[test]
    fn an_answer_to_a_heartbeat_is_due_long_before_the_next() {
        for heartbeat in [Config::default().heartbeat, Duration::from_mins(5)] {
            let link = Config { heartbeat, ..Config::default() }.link();
            assert!(heartbeat >= Duration::from_secs(15) && link.silence <= heartbeat / 3, "{link:?}");
        }
        let often = Config { heartbeat: Duration::from_millis(1), ..Config::default() };
        assert_eq!(often.link().silence, MIN_HEARTBEAT_TIMEOUT, "no connection dies of a hiccup");
    }
}
