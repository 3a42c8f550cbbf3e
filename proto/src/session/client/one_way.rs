//! [`OneWay`]: which one-way calls the server has read. They are not answered; a pong, or the answer to a later call, proves it.

use std::time::{Duration, Instant};

/// The one-way calls of a session.
///
/// The number of other calls in flight is bounded. Of these, the bytes that the server has not read are, or a client
/// would fill the memory of a server that is held up.
#[derive(Debug, Default)]
pub(super) struct OneWay {
    /// Number of calls that were begun so far.
    begun: u64,
    /// Number of the first of them of which the session knows all that it will: the server has read them, or their connection was
    /// lost.
    settled: u64,
    /// Whether the connection was lost, perhaps with one-way calls of which nothing will be heard.
    pub(super) lost: bool,
    /// Number of bytes that the server may not have read.
    ahead: usize,
    asked: Option<Asked>,
    /// When it is time to ask, if calls are not settled by then: [`ASK_AFTER`] after the first of them was begun, or after the server was
    /// asked, whichever came last.
    ask_due: Option<Instant>,
}

/// A ping that asks what the server has read.
#[derive(Debug)]
struct Asked {
    id: u32,
    /// Number of bytes of one-way calls sent after it.
    since: usize,
}

/// From this number of unread bytes on, the server is asked what it has read.
const ASK_AT_BYTES: usize = MAX_UNREAD_BYTES / 4;
/// Past this number of unread bytes, calls wait.
const MAX_UNREAD_BYTES: usize = 4 * 1024 * 1024;
/// Time after which the server is asked about calls of which nothing proves that it has read them, so that those that are lost
/// can be counted.
const ASK_AFTER: Duration = Duration::from_secs(1);

impl OneWay {
    /// Counts a one-way call of `bytes` bytes.
    #[inline]
    pub(super) fn begin(&mut self, bytes: usize, now: Instant) {
        if self.unread() == 0 {
            self.ask_due = Some(now + ASK_AFTER);
        }
        self.begun += 1;
        self.ahead += bytes;
        if let Some(asked) = &mut self.asked {
            asked.since += bytes;
        }
    }

    /// Returns the number of calls that were begun so far.
    #[inline]
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    fn unread(&self) -> u64 {
        self.begun - self.settled
    }

    /// Returns when it is time to ask what the server has read, if it is to be asked.
    #[inline]
    pub(super) fn ask_at(&self) -> Option<Instant> {
        let waits = self.asked.is_none() && self.unread() > 0;
        self.ask_due.filter(|_| waits)
    }

    /// Reports whether it is time to ask what the server has read, by a ping.
    #[inline]
    pub(super) fn must_ask(&self, now: Instant) -> bool {
        let is_much = self.ahead >= ASK_AT_BYTES && self.asked.is_none();
        is_much || self.ask_at().is_some_and(|at| at <= now)
    }

    /// Says that the ping of this id asks.
    pub(super) fn ask(&mut self, id: u32, now: Instant) {
        self.asked = Some(Asked { id, since: 0 });
        self.ask_due = Some(now + ASK_AFTER);
    }

    /// Reports whether more may be sent.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.ahead < MAX_UNREAD_BYTES
    }

    /// Says that the server has answered what came after this many one-way calls. It reads in order.
    #[inline]
    pub(super) fn read_to(&mut self, begun: u64) {
        self.settled = self.settled.max(begun);
    }

    /// Says that the call of this id has ended. Returns whether it was the ping that asks; `ponged`: it was answered.
    pub(super) fn ended(&mut self, id: u32, ponged: bool) -> bool {
        let Some(asked) = self.asked.take_if(|asked| asked.id == id) else { return false };
        if ponged {
            self.ahead = asked.since;
        }
        true
    }

    /// Says that the connection is lost, with everything that was on its way. Returns the number of calls that the server may not
    /// have read.
    pub(super) fn lose(&mut self) -> u64 {
        let unread = self.unread();
        self.lost |= unread > 0;
        self.settled = self.begun;
        self.ahead = 0;
        if let Some(asked) = &mut self.asked {
            asked.since = 0;
        }
        unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_takes_up_room_until_a_pong() {
        let (mut one_way, now) = (OneWay::default(), Instant::now());
        one_way.begin(ASK_AT_BYTES - 1, now);
        assert!(!one_way.must_ask(now));
        one_way.begin(1, now);
        assert!(one_way.must_ask(now));
        one_way.ask(7, now);
        one_way.begin(MAX_UNREAD_BYTES - ASK_AT_BYTES - 1, now);
        assert!(!one_way.must_ask(now) && one_way.has_room());
        one_way.begin(1, now);
        assert!(!one_way.has_room());
        assert!(!one_way.ended(6, true) && !one_way.has_room(), "another call");
        assert!(one_way.ended(7, true) && one_way.has_room());
        assert!(one_way.must_ask(now), "what came after the ping may still be unread");
    }

    #[test]
    fn what_is_lost_takes_up_no_room() {
        let (mut one_way, now) = (OneWay::default(), Instant::now());
        one_way.begin(MAX_UNREAD_BYTES, now);
        one_way.ask(7, now);
        one_way.begin(MAX_UNREAD_BYTES, now);
        assert!(!one_way.has_room());
        assert_eq!(one_way.lose(), 2);
        assert!(one_way.ended(7, true) && one_way.has_room() && one_way.lost);
    }

    #[test]
    fn a_ping_that_fails_shows_nothing() {
        let (mut one_way, now) = (OneWay::default(), Instant::now());
        one_way.begin(MAX_UNREAD_BYTES, now);
        one_way.ask(7, now);
        assert!(one_way.ended(7, false) && !one_way.has_room() && one_way.must_ask(now));
    }

    #[test]
    fn what_nothing_proves_to_be_read_is_counted_when_it_is_lost() {
        let (mut one_way, now) = (OneWay::default(), Instant::now());
        for _ in 0..5 {
            one_way.begin(10, now);
        }
        one_way.read_to(3);
        one_way.read_to(1);
        assert_eq!((one_way.lose(), one_way.lost), (2, true));
        one_way.begin(10, now);
        one_way.read_to(6);
        assert_eq!(one_way.lose(), 0);
    }

    #[test]
    fn the_server_is_asked_about_few_bytes_after_a_time() {
        let (mut one_way, now) = (OneWay::default(), Instant::now());
        assert_eq!(one_way.ask_at(), None);
        one_way.begin(10, now);
        one_way.begin(10, now + ASK_AFTER / 2);
        assert_eq!(one_way.ask_at(), Some(now + ASK_AFTER));
        assert!(!one_way.must_ask(now + ASK_AFTER / 2) && one_way.must_ask(now + ASK_AFTER));
        one_way.ask(7, now + ASK_AFTER);
        assert!(!one_way.must_ask(now + 9 * ASK_AFTER), "it is asked already");
        one_way.read_to(2);
        assert!(one_way.ended(7, true) && one_way.ask_at().is_none());
    }
}
