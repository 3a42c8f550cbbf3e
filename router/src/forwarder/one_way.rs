//! [`OneWays`]: how much of the calls without an answer a worker has not read yet. Nothing else would bound them, since no answer to
//! them comes, and libzmq at the worker receives whatever is sent to it.

use std::collections::VecDeque;

/// One-way calls on their way to a worker.
#[derive(Debug, Default)]
pub(super) struct OneWays {
    /// Bytes that were sent.
    sent: u64,
    /// Of these, bytes that the worker has proved to have read.
    read: u64,
    /// Bytes that were sent before the last ping.
    asked: u64,
    /// Pings that were not answered, and what had been sent before each.
    pings: VecDeque<(u64, u64)>,
    next_ping: u64,
}

/// Maximum number of bytes that a worker has not read.
const MAX_UNREAD: u64 = 4 * 1024 * 1024;
/// Number of bytes after which the worker is asked whether it has read them.
const ASK_AFTER: u64 = 512 * 1024;
/// Ids of pings are up to this, and so never those of calls, whose keys are above it.
const PING_IDS: u64 = (1 << 20) - 1;

impl OneWays {
    /// The id of a ping that asks for nothing.
    pub(super) const FIRST_PING: u64 = PING_IDS;

    pub(super) fn has_room(&self) -> bool {
        self.sent - self.read < MAX_UNREAD
    }

    /// Counts a call. Returns the id of a ping that is to be sent behind it, if one is due.
    pub(super) fn count(&mut self, bytes: usize) -> Option<u64> {
        self.sent += bytes as u64;
        if self.sent - self.asked < ASK_AFTER { None } else { self.ask() }
    }

    /// Reports whether the worker has proved to have read all calls.
    pub(super) fn is_read(&self) -> bool {
        self.sent == self.read
    }

    /// Returns the id of a ping by which the worker proves that it has read all calls. `None` if it was asked for that already.
    pub(super) fn ask(&mut self) -> Option<u64> {
        if self.sent == self.asked {
            return None;
        }
        self.asked = self.sent;
        self.next_ping = self.next_ping % (PING_IDS - 1) + 1;
        self.pings.push_back((self.next_ping, self.sent));
        Some(self.next_ping)
    }

    /// Takes the answer to a ping. Returns whether there is room that was not there before.
    pub(super) fn answered(&mut self, id: u64) -> bool {
        let had_room = self.has_room();
        // Answers come in the order of the pings. One that was not asked for proves nothing.
        if self.pings.front().is_some_and(|(ping, _)| *ping == id)
            && let Some((_, sent)) = self.pings.pop_front()
        {
            self.read = sent;
        }
        !had_room && self.has_room()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_were_not_read_are_bounded() {
        let mut one_ways = OneWays::default();
        let mut pings = Vec::new();
        while one_ways.has_room() {
            pings.extend(one_ways.count(64 * 1024));
        }
        assert_eq!(pings, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(!one_ways.answered(2) && !one_ways.has_room(), "the first comes first");
        assert!(one_ways.answered(1) && one_ways.has_room());
        assert!(!one_ways.answered(1), "it was answered before");
    }

    #[test]
    fn the_worker_is_asked_once_whether_it_has_read_all() {
        let mut one_ways = OneWays::default();
        assert!(one_ways.is_read() && one_ways.ask().is_none());
        assert_eq!(one_ways.count(10), None);
        assert!(!one_ways.is_read());
        assert_eq!((one_ways.ask(), one_ways.ask()), (Some(1), None));
        one_ways.answered(1);
        assert!(one_ways.is_read());
    }

    #[test]
    fn the_ids_of_pings_are_never_those_of_calls() {
        let mut one_ways = OneWays { next_ping: PING_IDS - 2, ..OneWays::default() };
        assert_eq!(one_ways.count(1 << 20), Some(PING_IDS - 1));
        assert_eq!(one_ways.count(1 << 20), Some(1));
    }
}
