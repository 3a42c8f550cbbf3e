//! [`Recent`]: the last events of a publisher, whatever their keys, for subscribers whose connection was lost.

use std::collections::VecDeque;
use std::sync::Arc;

use super::posted::Posted;

/// The last events, without a gap, within bounds.
#[derive(Debug)]
pub(super) struct Recent {
    max_events: usize,
    max_bytes: usize,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Sequence number of the last event that is not here any more.
    dropped: u64,
    /// Sequence number of the last event, here or not, that was for some subscribers alone.
    addressed: u64,
}

#[derive(Debug)]
pub(super) enum Entry {
    ForAll(Arc<Posted>),
    /// For whom it was is not known any more.
    Addressed,
}

impl Recent {
    pub(super) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self { max_events, max_bytes, entries: VecDeque::new(), bytes: 0, dropped: 0, addressed: 0 }
    }

    /// Takes the next event for all.
    pub(super) fn push(&mut self, posted: &Arc<Posted>) {
        self.bytes += posted.size();
        self.entries.push_back(Entry::ForAll(Arc::clone(posted)));
        self.shrink();
    }

    /// Notes the next event, which was for some subscribers alone.
    pub(super) fn push_addressed(&mut self, sequence: u64) {
        self.addressed = sequence;
        self.entries.push_back(Entry::Addressed);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.entries.len() > self.max_events || self.bytes > self.max_bytes {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.dropped += 1;
            if let Entry::ForAll(posted) = oldest {
                self.bytes -= posted.size();
            }
        }
    }

    /// Returns the event with a sequence number, if it is here.
    pub(super) fn get(&self, sequence: u64) -> Option<&Entry> {
        let place = sequence.checked_sub(self.dropped)?.checked_sub(1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// Returns the sequence number of the last event that is not here.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Reports whether an event after a sequence number was for some subscribers alone.
    pub(super) fn has_addressed_after(&self, sequence: u64) -> bool {
        self.addressed > sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::topic::tests::posted;

    #[test]
    fn the_last_events_are_there_without_a_gap() {
        let one = posted("a", 0).size();
        for (max_events, max_bytes, here) in [(3, 10_000, 3..=5), (9, 2 * one, 4..=5), (9, 10_000, 1..=5)] {
            let mut recent = Recent::new(max_events, max_bytes);
            for (sequence, key) in (1..).zip(["a", "b", "a", "b", "a"]) {
                recent.push(&Arc::new(posted(key, 0).numbered(sequence)));
            }
            let is_here = |sequence| matches!(recent.get(sequence), Some(Entry::ForAll(posted)) if posted.sequence() == sequence);
            assert!((0..9).all(|sequence| is_here(sequence) == here.contains(&sequence)));
            assert_eq!(recent.dropped(), here.start() - 1);
            assert!(!recent.has_addressed_after(0));
        }
    }

    #[test]
    fn that_an_event_was_for_some_alone_is_known_for_good() {
        let mut recent = Recent::new(1, 10_000);
        recent.push_addressed(1);
        recent.push(&Arc::new(posted("a", 0).numbered(2)));
        assert!(recent.has_addressed_after(0) && !recent.has_addressed_after(1));
        assert!(recent.dropped() == 1 && recent.get(1).is_none() && recent.get(2).is_some());
        recent.push_addressed(3);
        assert!(matches!(recent.get(3), Some(Entry::Addressed)));
    }
}
