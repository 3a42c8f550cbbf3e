//! [`Counters`]: what a forwarder has counted since it began.

/// What a forwarder has counted since it began. Each number only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls that were given to a worker, one-way ones included.
    pub forwarded: u64,
    /// Calls that have waited for a worker.
    pub queued: u64,
    /// Calls that were given to another worker since the first had not been sent them.
    pub moved: u64,
    /// Calls that the router has refused: no handler has seen them.
    pub refused: u64,
    /// Calls that the router has ended after they had been sent to a worker.
    pub ended: u64,
    /// One-way calls that were dropped, since there was no room or no worker.
    pub dropped_one_way: u64,
    /// Records of workers about calls that they do not have: most have crossed a cancel.
    pub stray: u64,
    /// Messages and records that can't be read, or that the other side alone may send.
    pub malformed: u64,
    /// Messages of callers behind devices that were dropped, since as many are known as may be, and none is idle.
    pub unknown_callers: u64,
    /// Times that a worker was ejected because its calls kept failing.
    pub ejections: u64,
    /// Connections that were closed since their clients are not let in as they were any more.
    pub revoked_connections: u64,
}

impl Counters {
    /// Returns each number behind its name.
    #[must_use]
    pub fn by_name(&self) -> [(&'static str, u64); 11] {
        [
            ("forwarded", self.forwarded),
            ("queued", self.queued),
            ("moved", self.moved),
            ("refused", self.refused),
            ("ended", self.ended),
            ("dropped_one_way", self.dropped_one_way),
            ("stray", self.stray),
            ("malformed", self.malformed),
            ("unknown_callers", self.unknown_callers),
            ("ejections", self.ejections),
            ("revoked_connections", self.revoked_connections),
        ]
    }
}
