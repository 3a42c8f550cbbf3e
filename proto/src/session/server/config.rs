//! [`Config`]: the bounds of a server's sessions.

use std::time::Duration;

/// What waits for a client is added to the sum of all clients in steps of this many bytes, so that small answers, which leave
/// soon, cost nothing there.
pub const COUNT_STEP_BYTES: usize = 64 * 1024;

/// Longest time between two looks at clients with calls in flight; shorter where the peer timeout is short.
const MAX_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// A default client asks for 1 MiB of each stream, so fewer bytes than this may be too few for one that reads.
const MIN_DEFAULT_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// The bounds of a server's sessions. Past each of them a call ends in `resource_exhausted`, and its connection lives on.
#[derive(Debug, Clone)]
pub struct Config {
    /// A number that another life of the server does not have: a random one of 32 bits, whichever. A server that is started anew
    /// behind a device is told from the one before by it.
    pub instance: u64,
    /// Largest body of a call, a reply or an item, in bytes.
    pub max_body: usize,
    /// Maximum number of calls in flight of all clients together, given out by [`Shares`](super::Shares).
    pub max_calls: usize,
    /// Maximum number of calls in flight of one client.
    pub max_calls_per_peer: usize,
    /// Credit in bytes of a client's stream.
    pub stream_window: u64,
    /// Time without a sign of life after which a client with calls in flight is given up.
    pub peer_timeout: Duration,
    /// Bytes that may wait to be sent to all clients together. Past it, clients for which most waits are shed.
    pub max_waiting: usize,
    /// Bytes that may wait to be sent to one client; `None`: as many as [`Config::waiting_per_peer`] makes of the other bounds.
    pub max_waiting_per_peer: Option<usize>,
}

impl Config {
    /// Returns the number of bytes that may wait to be sent to one client. Past it, its calls are turned away; at twice that, the
    /// client is shed. By default a few answers of the largest size, and a few windows of streams, so that clients that read
    /// don't get there: handlers answer as fast as calls come in, and calls are small.
    #[must_use]
    #[inline]
    pub fn waiting_per_peer(&self) -> usize {
        self.max_waiting_per_peer
            .unwrap_or_else(|| self.max_body.saturating_mul(16).max(MIN_DEFAULT_WAITING_BYTES))
    }

    /// Returns the number of waiting bytes at which a client is shed, and an answer for it finds no room.
    #[must_use]
    #[inline]
    pub fn shed_at(&self) -> usize {
        self.waiting_per_peer().saturating_mul(2)
    }

    /// Returns the number of bytes waiting for all clients at which no answer finds room. Clients are shed long before; but
    /// handlers may answer while the driver, which sheds, is held up.
    #[must_use]
    #[inline]
    pub fn no_room_at(&self) -> usize {
        self.max_waiting.saturating_add(self.max_waiting / 4)
    }

    /// Returns the time after which [`Session::handle_timeout`](super::Session::handle_timeout) is to be called again.
    #[must_use]
    pub fn check_interval(&self) -> Duration {
        MAX_CHECK_INTERVAL.min(self.peer_timeout / 12).max(Duration::from_millis(1))
    }
}
