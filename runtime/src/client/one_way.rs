//! What a connection knows of one-way calls, which nobody answers: whether the server has read them. A pong tells.

/// One-way calls of a connection.
///
/// Other calls are bounded by how many are in flight. Of these, what the server has not read yet is bounded in bytes, or a
/// client would fill the memory of a server that is held up.
#[derive(Debug, Default)]
pub(super) struct OneWay {
    /// How many calls had been begun when the last of them was, unless a pong has shown since that the server has read it.
    unread: Option<u64>,
    /// The connection was lost, and with it, perhaps, some that nobody will ever hear of.
    pub(super) lost: bool,
    /// The bytes of those that the server may not have read.
    ahead: usize,
    asked: Option<Asked>,
}

/// A ping, for whose pong nobody waits but those who have no room.
#[derive(Debug)]
struct Asked {
    id: u32,
    /// The bytes of what was sent after it.
    since: usize,
}

/// At so many bytes that the server may not have read it is asked.
const ASK: usize = MOST / 4;
/// And past so many, calls wait.
const MOST: usize = 4 * 1024 * 1024;

impl OneWay {
    /// One of so many bytes goes out, after so many calls.
    pub(super) fn begin(&mut self, begun: u64, bytes: usize) {
        self.unread = Some(begun);
        self.ahead += bytes;
        if let Some(asked) = &mut self.asked {
            asked.since += bytes;
        }
    }

    /// It is time to ask what the server has read, by a ping.
    pub(super) fn is_to_ask(&self) -> bool {
        self.ahead >= ASK && self.asked.is_none()
    }

    /// A ping of this id goes out.
    pub(super) fn ask(&mut self, id: u32) {
        self.asked = Some(Asked { id, since: 0 });
    }

    pub(super) fn has_room(&self) -> bool {
        self.ahead < MOST
    }

    /// The server has answered a ping that was the call of this number. It reads in order.
    pub(super) fn read_to(&mut self, number: u64) {
        self.unread.take_if(|begun| *begun < number);
    }

    /// The call of this id has ended, with a pong if it was a ping that went well. Whether it was the ping.
    pub(super) fn ended(&mut self, id: u32, ponged: bool) -> bool {
        let Some(asked) = self.asked.take_if(|asked| asked.id == id) else { return false };
        if ponged {
            self.ahead = asked.since;
        }
        true
    }

    /// The connection is gone, with all that was on its way.
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
        one_way.begin(0, ASK - 1);
        assert!(!one_way.is_to_ask());
        one_way.begin(0, 1);
        assert!(one_way.is_to_ask());
        one_way.ask(7);
        one_way.begin(1, MOST - ASK - 1);
        assert!(!one_way.is_to_ask() && one_way.has_room());
        one_way.begin(1, 1);
        assert!(!one_way.has_room());
        assert!(!one_way.ended(6, true) && !one_way.has_room(), "another call");
        assert!(one_way.ended(7, true) && one_way.has_room());
        assert!(one_way.is_to_ask(), "what came after the ping may still be unread");
    }

    #[test]
    fn what_is_lost_takes_up_no_room() {
        let mut one_way = OneWay::default();
        one_way.begin(0, MOST);
        one_way.ask(7);
        one_way.begin(1, MOST);
        assert!(!one_way.has_room());
        one_way.lose();
        assert!(one_way.ended(7, true) && one_way.has_room() && one_way.lost);
    }

    #[test]
    fn a_ping_that_fails_shows_nothing() {
        let mut one_way = OneWay::default();
        one_way.begin(0, MOST);
        one_way.ask(7);
        assert!(one_way.ended(7, false) && !one_way.has_room() && one_way.is_to_ask());
    }
}
