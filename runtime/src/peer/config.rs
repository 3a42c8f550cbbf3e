//! [`Config`]: the bounds of a server, and the maximum memory that it takes within them.

use std::time::Duration;

use crate::codec::max_decoded;
use crate::fork::random;
use crate::session::server::{self, COUNT_STEP_BYTES};
use crate::transport::{HandshakeLimits, LinkConfig, RECEIPT_STEP_BYTES, max_received};
use crate::wire::{INITIAL_CREDIT, MAX_BATCH_BYTES};

/// Largest value of [`Config::max_in_flight`], in bytes.
const MAX_IN_FLIGHT_BYTES: u64 = 1024 * 1024;

/// Maximum number of bytes that a connection takes without its messages: in the engine, of which libzmq has buffers for it, and in
/// this crate's tables; the bytes that were read from it and not taken apart yet, and the frames that were.
const CONNECTION_BYTES: u64 = 96 * 1024;

/// Maximum number of bytes that a connection takes until its handshake is complete.
const HANDSHAKE_BYTES: u64 = 4 * 1024;

/// Bytes that a call in flight takes besides its unread items: entries in tables, a task, an error in place of the answer, small
/// items that are collected in its stream, and the blocks that hold its short `bytes` values.
const CALL_BYTES: u64 = 20 * 1024;

/// Minimum time that a connection has to answer a heartbeat before it is considered dead.
const MIN_HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum ratio of a buffer's capacity to its content: buffers grow by doubling.
const BUFFER_SLACK: u64 = 2;

/// Maximum ratio of the memory that kept items hold to their size: an item of a quarter of its batch or more keeps all of the
/// batch.
const BATCH_SLACK: u64 = 4;

/// The bounds of a server. Past each of them a call ends with `resource_exhausted`, and its connection stays up.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Bounds that the sessions enforce.
    pub(crate) session: server::Config,
    /// Time between two heartbeats to a client's connection.
    pub(crate) heartbeat: Duration,
    /// Bound on the number of running calls, if there is one.
    pub(crate) running: Option<MaxRunning>,
    /// Bounds on the connections whose handshake is under way, where the transport has them.
    pub(crate) handshakes: HandshakeLimits,
    /// Whether the calls of each method are measured.
    pub(crate) measures: bool,
}

/// The bound on the number of calls that run and wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaxRunning {
    /// Maximum number of calls that run at a time.
    pub(crate) running: usize,
    /// Maximum number of calls that wait in the queue.
    pub(crate) queued: usize,
}

impl Default for Config {
    fn default() -> Self {
        let session = server::Config {
            instance: Config::instance(),
            max_body: crate::DEFAULT_MESSAGE_SIZE,
            max_calls: 100_000,
            max_calls_per_peer: 20_000,
            stream_window: 256 * 1024,
            peer_timeout: Duration::from_secs(15),
            max_waiting: 1 << 30,
            max_waiting_per_peer: None,
        };
        let handshakes = HandshakeLimits { per_address: 1_024, all: 4_096 };
        Self { session, heartbeat: Duration::from_secs(30), running: None, handshakes, measures: true }
    }
}

impl Config {
    /// Returns a number for the life of a server.
    pub(crate) fn instance() -> u64 {
        random() >> 32
    }

    /// Returns the settings of the transport.
    pub(crate) fn link(&self) -> LinkConfig {
        let silence = (self.heartbeat / 3).max(MIN_HEARTBEAT_TIMEOUT);
        LinkConfig { max_body: self.session.max_body, heartbeat: self.heartbeat, silence }
    }

    /// Returns the credit in bytes of a client's stream: at least what the protocol grants every stream.
    #[inline]
    pub(crate) fn stream_window(&self) -> u64 {
        self.session.stream_window.max(INITIAL_CREDIT)
    }

    /// Returns the number of bytes that the transport may hold for one client, not counting one message more. The rest
    /// waits in the outbox, where it can be dropped. Far less is enough to keep fast links busy, since bytes that the
    /// operating system has accepted do not count.
    #[inline]
    pub(crate) fn max_in_flight(&self) -> u64 {
        (self.session.waiting_per_peer() as u64 / 4).clamp(RECEIPT_STEP_BYTES, MAX_IN_FLIGHT_BYTES)
    }

    /// Returns the maximum memory in bytes that a server takes for `clients` clients. See
    /// [`crate::ServerBuilder::worst_case_memory`].
    pub(crate) fn worst_case_memory(&self, clients: usize) -> u64 {
        let clients = clients as u64;
        let calls =
            clients.saturating_mul(self.session.max_calls_per_peer as u64).min(self.session.max_calls as u64);
        let outboxes =
            clients.saturating_mul(self.session.shed_at().saturating_add(self.largest_sent()) as u64);
        let queued = self.running.map_or(0, |limit| limit.queued as u64);
        let uncounted = clients.saturating_mul(COUNT_STEP_BYTES as u64);
        let waiting = outboxes.min((self.session.no_room_at() as u64).saturating_add(uncounted));
        [
            BUFFER_SLACK.saturating_mul(waiting),
            clients.saturating_mul(self.memory_of_connection()),
            calls.saturating_mul(self.memory_of_call()),
            queued.saturating_mul(BATCH_SLACK).saturating_mul(self.session.max_body as u64),
            self.memory_of_handshakes(),
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Returns the memory in bytes of the handshakes that may be under way, and of as many clients about which the program is asked.
    pub(crate) fn memory_of_handshakes(&self) -> u64 {
        HANDSHAKE_BYTES.saturating_mul(2).saturating_mul(self.handshakes.all as u64)
    }

    /// Returns the memory of a connection in bytes. It counts one message that is being received, since complete ones are taken
    /// at once.
    fn memory_of_connection(&self) -> u64 {
        let sent =
            BUFFER_SLACK.saturating_mul(self.max_in_flight().saturating_add(self.largest_sent() as u64));
        // The frames of a message that are kept, and its last one, which is coming in.
        let received = 2_u64.saturating_mul(max_received(self.session.max_body) as u64);
        CONNECTION_BYTES.saturating_add(sent).saturating_add(received)
    }

    /// Returns the memory of a call in bytes: an unread stream may hold its window and one message more; and the parameters as
    /// values, and an item of the stream, may have been made of a message each.
    fn memory_of_call(&self) -> u64 {
        let window = self.stream_window();
        let unread =
            BATCH_SLACK.saturating_mul(window).saturating_add(max_received(self.session.max_body) as u64);
        let values = BUFFER_SLACK
            .saturating_mul(max_decoded(self.session.max_body) as u64)
            .saturating_add(self.session.max_body as u64);
        CALL_BYTES.saturating_add(unread).saturating_add(values.saturating_mul(2))
    }

    /// Returns the maximum size of a sent message in bytes: a full batch, whose last record may have the maximum size.
    fn largest_sent(&self) -> usize {
        self.session.max_body.saturating_add(MAX_BATCH_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds by default, and wherever there may be many connections: otherwise libzmq's thread has no time for anything else, with
    /// that engine.
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
