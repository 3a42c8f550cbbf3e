//! How much a driver receives before it sends: [`Turn`] at a server, [`wakes_per_turn`] at a client.
//!
//! While a server answers a batch of a thousand calls in one turn, its client is idle, and after that the server is. So
//! turns are small, and each ends with sending.

/// Number of records that a server receives before it sends: enough for a batch of answers, and few enough that the
/// first answer is not late.
const RECORDS_PER_TURN: usize = 16;
/// Bytes that a server takes before it sends, for the same reason; and that a client takes before the tasks that wait
/// for them run.
pub(crate) const BYTES_PER_TURN: usize = 64 * 1024;

/// What a server has received since it last sent.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    records: usize,
    bytes: usize,
}

impl Turn {
    /// Counts a message.
    #[inline]
    pub(crate) fn add(&mut self, records: usize, bytes: usize) {
        self.records += records;
        self.bytes += bytes;
    }

    /// Reports whether to send before more is taken. `is_answered`: answers wait, and no call is in flight that could
    /// add to them.
    #[inline]
    pub(crate) fn is_over(&self, pace: &Pace, is_answered: impl FnOnce() -> bool) -> bool {
        self.records >= RECORDS_PER_TURN
            || self.bytes >= BYTES_PER_TURN
            // Where messages come one at a time, asking the transport for another only holds the answers up.
            || self.records > 0 && pace.is_one_at_a_time() && is_answered()
    }
}

/// How messages arrive: one at a time, or several at once.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Number of messages since there was none.
    messages: usize,
    /// Whether a single message came the last time.
    one_at_a_time: bool,
}

impl Pace {
    /// Counts a message.
    pub(crate) fn count_message(&mut self) {
        self.messages += 1;
        self.one_at_a_time &= self.messages == 1;
    }

    /// Records that there is no further message. This says nothing about how messages arrive if none was expected.
    pub(crate) fn end_messages(&mut self) {
        if self.messages > 0 {
            self.one_at_a_time = self.messages == 1;
            self.messages = 0;
        }
    }

    fn is_one_at_a_time(&self) -> bool {
        self.one_at_a_time
    }
}

/// Number of turns in which a client wakes all callers in flight, within the bounds below. With fewer callers per turn
/// than the minimum, a message costs more than it gains; with more than the maximum, a call costs no less.
const TURNS: usize = 4;
const MIN_WAKES_PER_TURN: usize = 16;
const MAX_WAKES_PER_TURN: usize = 128;

/// Returns how many callers a client wakes before they run, of `open` calls. If there are many, that is a part
/// of them: the server can work on what they send while the client wakes the others.
pub(crate) fn wakes_per_turn(open: usize) -> usize {
    (open / TURNS).clamp(MIN_WAKES_PER_TURN, MAX_WAKES_PER_TURN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_one_at_a_time_where_one_came_alone() {
        let mut pace = Pace::default();
        let mut run = |messages: usize| {
            (0..messages).for_each(|_| pace.count_message());
            pace.end_messages();
            pace.one_at_a_time
        };
        assert_eq!([run(0), run(1), run(0), run(5), run(0), run(1)], [false, true, true, false, false, true]);
        pace.count_message();
        assert!(pace.one_at_a_time);
        pace.count_message();
        assert!(!pace.one_at_a_time, "a second one, before there was none");
    }

    #[test]
    fn a_turn_is_over_with_enough_or_where_a_single_message_was_answered() {
        let (mut turn, mut pace) = (Turn::default(), Pace::default());
        assert!(!turn.is_over(&pace, || true), "nothing was taken");
        pace.count_message();
        pace.end_messages();
        turn.add(1, 10);
        assert!(turn.is_over(&pace, || true) && !turn.is_over(&pace, || false));
        turn.add(RECORDS_PER_TURN, 10);
        assert!(turn.is_over(&pace, || false));
    }
}
