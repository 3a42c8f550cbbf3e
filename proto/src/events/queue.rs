//! [`Queue`]: events that wait for one subscriber, with a bound in bytes, and what happens past it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::event_type::Slow;
use super::key::Key;
use super::posted::Posted;

/// Events that wait for one subscriber.
#[derive(Debug)]
pub(super) struct Queue {
    slow: Slow,
    max_bytes: usize,
    /// `None` where a newer event of the same key has come.
    slots: VecDeque<Option<Arc<Posted>>>,
    /// Number of slots that were taken from the front so far: the index of the first one, counted from the beginning.
    taken: u64,
    /// With [`Slow::Conflate`], the index of the event of each key, counted from the beginning.
    newest: HashMap<Key, u64>,
    /// Number of slots that hold an event.
    events: usize,
    bytes: usize,
    /// Number of events that were dropped since the subscriber was last told.
    missed: u64,
    /// Whether others may have been meant for the subscriber that it never gets.
    may_miss: bool,
}

/// What comes next for a subscriber.
#[derive(Debug)]
pub(super) enum Next {
    /// This number of events are missing before the one that follows; `None` if it is not known how many, which may be none.
    Missed(Option<u64>),
    Event(Arc<Posted>),
}

/// The bound was reached, and the subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overrun;

/// Slots without an event are dropped once there are more of them than this, and more than those with one.
const MAX_EMPTY_SLOTS: usize = 32;

impl Queue {
    pub(super) fn new(slow: Slow, max_bytes: usize) -> Self {
        Self {
            slow,
            max_bytes,
            slots: VecDeque::new(),
            taken: 0,
            newest: HashMap::new(),
            events: 0,
            bytes: 0,
            missed: 0,
            may_miss: false,
        }
    }

    /// Takes an event. One alone may be larger than the bound. Returns how many were dropped for it.
    pub(super) fn push(&mut self, posted: &Arc<Posted>) -> Result<u64, Overrun> {
        let mut dropped = 0;
        if self.slow == Slow::Conflate {
            self.replace(posted);
        }
        if self.events > 0 && self.bytes + posted.size() > self.max_bytes {
            dropped = self.make_room(posted.size())?;
        }
        self.bytes += posted.size();
        self.events += 1;
        self.slots.push_back(Some(Arc::clone(posted)));
        Ok(dropped)
    }

    /// Takes the older event of the same key out. Those after it keep their places, so events stay in order.
    fn replace(&mut self, posted: &Arc<Posted>) {
        if self.slots.len() > 2 * self.events + MAX_EMPTY_SLOTS {
            self.compact();
        }
        let index = self.taken + self.slots.len() as u64;
        let Some(older) = self.newest.insert(posted.key().clone(), index) else { return };
        let place = older.checked_sub(self.taken).and_then(|place| usize::try_from(place).ok());
        if let Some(older) = place.and_then(|place| self.slots.get_mut(place)).and_then(Option::take) {
            self.bytes -= older.size();
            self.events -= 1;
        }
    }

    /// Drops the slots without an event.
    fn compact(&mut self) {
        self.slots.retain(Option::is_some);
        for (index, posted) in (self.taken..).zip(self.slots.iter().flatten()) {
            self.newest.insert(posted.key().clone(), index);
        }
    }

    fn make_room(&mut self, bytes: usize) -> Result<u64, Overrun> {
        if self.slow == Slow::Disconnect {
            return Err(Overrun);
        }
        let mut dropped = 0;
        while self.bytes + bytes > self.max_bytes && self.take().is_some() {
            dropped += 1;
        }
        self.missed += dropped;
        Ok(dropped)
    }

    /// Takes the oldest event.
    fn take(&mut self) -> Option<Arc<Posted>> {
        while let Some(slot) = self.slots.pop_front() {
            self.taken += 1;
            let Some(posted) = slot else { continue };
            self.bytes -= posted.size();
            self.events -= 1;
            if self.slow == Slow::Conflate {
                self.forget(posted.key());
            }
            return Some(posted);
        }
        None
    }

    /// Forgets where the event of a key was, unless a newer one of it waits.
    fn forget(&mut self, key: &Key) {
        if self.newest.get(key).is_some_and(|index| *index < self.taken) {
            self.newest.remove(key);
        }
    }

    /// Notes that an event may have been meant for the subscriber that does not come.
    pub(super) fn note_missed(&mut self) {
        self.may_miss = true;
    }

    /// Takes what comes next.
    pub(super) fn pop(&mut self) -> Option<Next> {
        match (std::mem::take(&mut self.missed), std::mem::take(&mut self.may_miss)) {
            (0, false) => self.take().map(Next::Event),
            (missed, false) => Some(Next::Missed(Some(missed))),
            (_, true) => Some(Next::Missed(None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::topic::tests::posted;

    struct Filled {
        queue: Queue,
        sequence: u64,
    }

    fn queue(slow: Slow, events: usize) -> Filled {
        Filled { queue: Queue::new(slow, events * posted("a", 0).size()), sequence: 0 }
    }

    impl Filled {
        fn push(&mut self, keys: &str) -> Result<u64, Overrun> {
            keys.chars().try_fold(0, |dropped, key| {
                self.sequence += 1;
                let posted = posted(&key.to_string(), 0).numbered(self.sequence);
                Ok(dropped + self.queue.push(&Arc::new(posted))?)
            })
        }

        fn all(&mut self) -> String {
            let next = std::iter::from_fn(|| self.queue.pop());
            let all = next.map(|next| match next {
                Next::Missed(count) => count.map_or("-?".to_owned(), |count| format!("-{count}")),
                Next::Event(posted) => posted.sequence().to_string(),
            });
            all.collect::<Vec<_>>().join(" ")
        }
    }

    #[test]
    fn past_the_bound_the_oldest_are_dropped_and_counted() {
        let mut queue = queue(Slow::DropOldest, 3);
        queue.push("abc").unwrap();
        assert_eq!(queue.all(), "1 2 3");
        assert_eq!(queue.push("abcde"), Ok(2));
        assert_eq!(queue.all(), "-2 6 7 8");
        queue.push("a").unwrap();
        assert_eq!((queue.all(), queue.queue.bytes), ("9".to_owned(), 0), "what was told is not told again");
    }

    #[test]
    fn of_one_key_only_the_newest_waits() {
        let mut queue = queue(Slow::Conflate, 3);
        queue.push("abaab").unwrap();
        assert_eq!(queue.all(), "4 5", "replaced ones are not missed");
        queue.push("abcd").unwrap();
        assert_eq!(queue.all(), "-1 7 8 9", "but those past the bound are");
        queue.push("aab").unwrap();
        assert!(matches!(queue.queue.pop(), Some(Next::Event(first)) if first.sequence() == 11));
        queue.push("ba").unwrap();
        assert_eq!((queue.all(), queue.queue.newest.len()), ("13 14".to_owned(), 0));
    }

    #[test]
    fn a_queue_that_is_not_read_does_not_grow_by_replaced_events() {
        let mut queue = queue(Slow::Conflate, 3);
        queue.push("b").unwrap();
        queue.push(&"a".repeat(10_000)).unwrap();
        assert!(queue.queue.slots.len() < 100, "{}", queue.queue.slots.len());
        assert_eq!(queue.all(), "1 10001");
    }

    #[test]
    fn a_subscription_ends_past_its_bound_where_the_schema_says_so() {
        let mut queue = queue(Slow::Disconnect, 2);
        assert_eq!(queue.push("ab"), Ok(0));
        assert_eq!(queue.push("c"), Err(Overrun));
    }

    #[test]
    fn one_event_may_be_larger_than_the_bound() {
        for slow in [Slow::DropOldest, Slow::Conflate, Slow::Disconnect] {
            let mut queue = Filled { queue: Queue::new(slow, 1), sequence: 0 };
            queue.push("a").unwrap();
            assert_eq!(queue.all(), "1");
        }
    }
}
