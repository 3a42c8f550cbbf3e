//! [`OneWay`]: which one-way calls the server has read. They are not answered; a pong proves it.

/// The one-way calls of a session.
///
/// The number of other calls in flight is bounded. Of these, the bytes that the server has not read are, or a client
/// would fill the memory of a server that is held up.
#[derive(Debug, Default)]
pub(super) struct OneWay {
    /// Number of calls that had begun when the last one-way call did, unless a pong has proved since that the server has read it.
    unread: Option<u64>,
    /// Whether the connection was lost, perhaps with one-way calls of which nothing will be heard.
    pub(super) lost: bool,
    /// Number of bytes that the server may not have read.
    ahead: usize,
    asked: Option<Asked>,
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

impl OneWay {
    /// Counts a one-way call of `bytes` bytes that is sent after `begun` calls.
    pub(super) fn begin(&mut self, begun: u64, bytes: usize) {
        self.unread = Some(begun);
        self.ahead += bytes;
        if let Some(asked) = &mut self.asked {
            asked.since += bytes;
        }
    }

    /// Reports whether it is time to ask what the server has read, by a ping.
    pub(super) fn must_ask(&self) -> bool {
        self.ahead >= ASK_AT_BYTES && self.asked.is_none()
    }

    /// Says that the ping of this id asks.
    pub(super) fn ask(&mut self, id: u32) {
        self.asked = Some(Asked { id, since: 0 });
    }

    /// Reports whether more may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.ahead < MAX_UNREAD_BYTES
    }

    /// Says that the server has answered the ping with this sequence number. It reads in order.
    pub(super) fn read_to(&mut self, number: u64) {
        self.unread.take_if(|begun| *begun < number);
    }

    /// Says that the call of this id has ended. Returns whether it was the ping that asks; `ponged`: it was answered.
    pub(super) fn ended(&mut self, id: u32, ponged: bool) -> bool {
        let Some(asked) = self.asked.take_if(|asked| asked.id == id) else { return false };
        if ponged {
            self.ahead = asked.since;
        }
        true
    }

    /// Says that the connection is lost, with everything that was on its way.
    pub(super) fn lose(&mut self) {
        self.lost |= self.unread.take().is_some();
        self.ahead = 0;
        if let Some(asked) = &mut self.asked {
            asked.since = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_takes_up_room_until_a_pong() {
        let mut one_way = OneWay::default();
        one_way.begin(0, ASK_AT_BYTES - 1);
        assert!(!one_way.must_ask());
        one_way.begin(0, 1);
        assert!(one_way.must_ask());
        one_way.ask(7);
        one_way.begin(1, MAX_UNREAD_BYTES - ASK_AT_BYTES - 1);
        assert!(!one_way.must_ask() && one_way.has_room());
        one_way.begin(1, 1);
        assert!(!one_way.has_room());
        assert!(!one_way.ended(6, true) && !one_way.has_room(), "another call");
        assert!(one_way.ended(7, true) && one_way.has_room());
        assert!(one_way.must_ask(), "what came after the ping may still be unread");
    }

    #[test]
    fn what_is_lost_takes_up_no_room() {
        let mut one_way = OneWay::default();
        one_way.begin(0, MAX_UNREAD_BYTES);
        one_way.ask(7);
        one_way.begin(1, MAX_UNREAD_BYTES);
        assert!(!one_way.has_room());
        one_way.lose();
        assert!(one_way.ended(7, true) && one_way.has_room() && one_way.lost);
    }

    #[test]
    fn a_ping_that_fails_shows_nothing() {
        let mut one_way = OneWay::default();
        one_way.begin(0, MAX_UNREAD_BYTES);
        one_way.ask(7);
        assert!(one_way.ended(7, false) && !one_way.has_room() && one_way.must_ask());
    }
}
