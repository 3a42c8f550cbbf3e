//! The bounds of a server, and what it can come to take of memory under them.

use std::time::Duration;

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
    /// How often a silent client's connection is asked for a sign of life.
    pub(crate) heartbeat: Duration,
    /// After how long without a sign of life a client with calls in flight is given up.
    pub(crate) peer_timeout: Duration,
    /// Bytes that may wait to be sent, to all clients together.
    pub(crate) waiting: usize,
    /// Bytes that may wait to be sent to one client, if they were set apart from the size of a message.
    pub(crate) waiting_per_peer: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: crate::DEFAULT_MESSAGE_SIZE,
            calls: 100_000,
            calls_per_peer: 20_000,
            stream_window: crate::DEFAULT_STREAM_WINDOW,
            heartbeat: crate::DEFAULT_HEARTBEAT,
            peer_timeout: Duration::from_secs(15),
            waiting: 1 << 30,
            waiting_per_peer: None,
        }
    }
}

impl Limits {
    /// Bytes that may wait to be sent to one client. Past it, its calls are turned away; at twice that, it is given up. A
    /// few answers of the largest size, so that clients which read never get there: handlers answer as fast as calls come
    /// in, and calls are small.
    pub(crate) fn waiting_per_peer(&self) -> usize {
        self.waiting_per_peer.unwrap_or_else(|| self.message_size.saturating_mul(16).max(1024 * 1024))
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
}
