//! [`Limits`]: what a forwarder may hold, and for how long.

use std::time::Duration;

/// What a forwarder may hold, and for how long. Past each bound a call fails as the field says; none ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of calls in flight, those that wait included; at most 1,000,000. Past it: `resource_exhausted`, not sent.
    pub max_calls: usize,
    /// Maximum number of calls in flight of one caller. Past it: `resource_exhausted`, not sent.
    pub max_calls_per_caller: usize,
    /// Maximum number of calls that wait for a worker with room, the last quarter of which is kept for callers with few. Past it:
    /// `resource_exhausted`, not sent.
    pub max_queued: usize,
    /// Maximum number of bytes of calls that wait, and of what their callers stream to them meanwhile. Past it: the same.
    pub max_queued_bytes: usize,
    /// Longest time that a call waits for a worker, if its deadline does not come first.
    pub max_wait: Duration,
    /// Number of bytes that wait to be written to one worker past which it gets no new calls.
    pub max_unsent_per_worker: usize,
    /// Number of bytes that wait to be written to one caller past which its new calls fail with `resource_exhausted`, not sent. At
    /// twice as many, and one message more, its calls are ended.
    pub max_unsent_per_caller: usize,
    /// Time after which a worker that came up has its full share of calls.
    pub slow_start: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_calls: 100_000,
            max_calls_per_caller: 20_000,
            max_queued: 10_000,
            max_queued_bytes: 64 * 1024 * 1024,
            max_wait: Duration::from_secs(5),
            max_unsent_per_worker: 1024 * 1024,
            max_unsent_per_caller: 16 * 1024 * 1024,
            slow_start: Duration::from_secs(10),
        }
    }
}
