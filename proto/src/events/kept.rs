//! [`Kept`]: the last events of each key, for subscribers who join late.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::filter::Wanted;
use super::key::Key;
use super::posted::Posted;

/// Number of events that are looked at to learn whether any that passes a filter is gone. With more, one is taken to be.
const MAX_LOOKED_AT: usize = 1024;

/// The last events of each key, within bounds. Past a bound the oldest of all events go first.
#[derive(Debug)]
pub(super) struct Kept {
    /// Number of events of each key; 0 keeps none.
    per_key: usize,
    max_keys: usize,
    max_bytes: usize,
    /// All events by their sequence numbers.
    events: BTreeMap<u64, Arc<Posted>>,
    /// Invariant: their sequence numbers are those of `events`, and no key has none.
    keys: HashMap<Key, OfKey>,
    bytes: usize,
    /// Sequence number of the newest event that a bound or `forget`, and not a newer event of its key, has taken away.
    evicted: u64,
    /// Sequence number of the newest event that a newer one of its key has replaced.
    replaced: u64,
}

/// What is kept of one key.
#[derive(Debug, Default)]
struct OfKey {
    /// Sequence numbers, the oldest first.
    sequences: VecDeque<u64>,
    /// Sequence number of the newest event that a newer one has replaced; 0 if there is none.
    replaced: u64,
}

impl OfKey {
    fn next_after(&self, sequence: u64) -> Option<u64> {
        let place = self.sequences.partition_point(|known| *known <= sequence);
        self.sequences.get(place).copied()
    }
}

/// What a step through the events has come to.
#[derive(Debug)]
pub(super) enum Step {
    Event(Arc<Posted>),
    /// None that passes has a sequence number up to this one, and there may be more after it.
    PassedOver(u64),
    /// There is no more.
    End,
}

impl Kept {
    pub(super) fn new(per_key: u32, max_keys: usize, max_bytes: usize) -> Self {
        Self {
            per_key: usize::try_from(per_key).unwrap_or(usize::MAX),
            max_keys,
            max_bytes,
            events: BTreeMap::new(),
            keys: HashMap::new(),
            bytes: 0,
            evicted: 0,
            replaced: 0,
        }
    }

    /// Returns an event with the key that is kept already where an equal one is, so that its bytes are there once.
    pub(super) fn share_key(&self, posted: Posted) -> Posted {
        match self.keys.get_key_value(posted.key()) {
            Some((known, _)) => posted.with_key(known.clone()),
            None => posted,
        }
    }

    /// Keeps an event, in the place of the oldest one of its key if there are enough.
    pub(super) fn push(&mut self, posted: &Arc<Posted>) {
        if self.per_key == 0 {
            return;
        }
        let of_key = self.keys.entry(posted.key().clone()).or_default();
        of_key.sequences.push_back(posted.sequence());
        let replaced =
            if of_key.sequences.len() > self.per_key { of_key.sequences.pop_front() } else { None };
        self.bytes += posted.size();
        self.events.insert(posted.sequence(), Arc::clone(posted));
        if let Some(sequence) = replaced {
            of_key.replaced = sequence;
            self.replaced = self.replaced.max(sequence);
            if let Some(replaced) = self.events.remove(&sequence) {
                self.bytes -= replaced.size();
            }
        }
        while self.keys.len() > self.max_keys || self.bytes > self.max_bytes {
            if !self.evict() {
                break;
            }
        }
    }

    /// Drops the oldest event. Returns `false` if there is none.
    fn evict(&mut self) -> bool {
        let Some((sequence, oldest)) = self.events.pop_first() else { return false };
        self.bytes -= oldest.size();
        // A key that was forgotten may have had a newer one.
        self.evicted = self.evicted.max(sequence);
        if let Some(of_key) = self.keys.get_mut(oldest.key()) {
            // The oldest of all is the oldest of its key.
            of_key.sequences.pop_front();
            if of_key.sequences.is_empty() {
                self.keys.remove(oldest.key());
            }
        }
        true
    }

    /// Drops the events of a key. Returns how many those were.
    pub(super) fn forget(&mut self, key: &Key) -> usize {
        let OfKey { sequences, .. } = self.keys.remove(key).unwrap_or_default();
        // Who goes on from before it is to be told that something is not here any more.
        self.evicted = self.evicted.max(sequences.back().copied().unwrap_or(0));
        for posted in sequences.iter().filter_map(|sequence| self.events.remove(sequence)) {
            self.bytes -= posted.size();
        }
        sequences.len()
    }

    /// Takes one step to the first event after `after`, up to `until`, that passes. Takes from `budget` how many places were looked at.
    pub(super) fn next_after(&self, after: u64, until: u64, wanted: &Wanted, budget: &mut usize) -> Step {
        if let Some(keys) = wanted.full_keys() {
            *budget = budget.saturating_sub(keys.len());
            let of_keys = keys.iter().filter_map(|key| self.keys.get(&**key)?.next_after(after));
            let next = of_keys.min().filter(|next| *next <= until);
            return next
                .and_then(|next| self.events.get(&next))
                .map_or(Step::End, |posted| Step::Event(Arc::clone(posted)));
        }
        if after >= until {
            return Step::End;
        }
        let mut seen = after;
        for (sequence, posted) in self.events.range(after + 1..=until) {
            if *budget == 0 {
                return Step::PassedOver(seen);
            }
            *budget -= 1;
            if wanted.passes(posted.key()) {
                return Step::Event(Arc::clone(posted));
            }
            seen = *sequence;
        }
        Step::End
    }

    /// Reports whether every event after `sequence` that passes is surely here: no bound, no `forget` and no newer event has taken any. It
    /// takes no longer with many events than with few: where there are many, and a filter, the answer may be no though they are.
    pub(super) fn has_all_after(&self, sequence: u64, wanted: &Wanted) -> bool {
        let is_whole = |of_key: &OfKey| of_key.replaced <= sequence;
        if self.per_key == 0 || self.evicted > sequence {
            return false;
        }
        if self.replaced <= sequence {
            return true;
        }
        if let Some(keys) = wanted.full_keys() {
            return keys.iter().filter_map(|key| self.keys.get(&**key)).all(is_whole);
        }
        // A key of which an event after `sequence` was replaced has a newer one.
        let newer = self.events.range(sequence.saturating_add(1)..).map(|(_, posted)| posted.key());
        !wanted.is_everything()
            && newer.enumerate().all(|(index, key)| {
                index < MAX_LOOKED_AT && (!wanted.passes(key) || self.keys.get(key).is_none_or(is_whole))
            })
    }

    /// Returns the number of events, of keys, and of bytes that they count for.
    pub(super) fn size(&self) -> (usize, usize, usize) {
        (self.events.len(), self.keys.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::topic::tests::{posted, wanted};

    fn kept(per_key: u32, max_keys: usize, max_bytes: usize, posts: &[(u64, &str)]) -> Kept {
        let mut kept = Kept::new(per_key, max_keys, max_bytes);
        for (sequence, key) in posts {
            kept.push(&Arc::new(posted(key, 0).numbered(*sequence)));
        }
        kept
    }

    fn sequences(kept: &Kept, after: u64, keys: &[&str]) -> Vec<u64> {
        let (wanted, mut after, mut all) = (wanted(keys), after, Vec::new());
        loop {
            match kept.next_after(after, 100, &wanted, &mut 1) {
                Step::Event(posted) => {
                    after = posted.sequence();
                    all.push(after);
                }
                Step::PassedOver(sequence) => after = sequence,
                Step::End => return all,
            }
        }
    }

    const POSTS: [(u64, &str); 6] = [(1, "a"), (2, "b"), (3, "a"), (4, "a"), (5, "c"), (6, "b")];

    #[test]
    fn the_last_of_each_key_are_kept_in_order() {
        for (per_key, all) in [(0, &[][..]), (1, &[4, 5, 6]), (2, &[2, 3, 4, 5, 6]), (9, &[1, 2, 3, 4, 5, 6])]
        {
            let kept = kept(per_key, 10, 10_000, &POSTS);
            assert_eq!(sequences(&kept, 0, &[]), all);
            let late: Vec<_> = all.iter().copied().filter(|sequence| *sequence > 4).collect();
            assert_eq!(sequences(&kept, 4, &[]), late);
        }
        assert_eq!(sequences(&kept(2, 10, 10_000, &POSTS), 0, &["a", "c"]), [3, 4, 5]);
    }

    #[test]
    fn past_a_bound_the_oldest_go_and_nothing_is_left_of_their_keys() {
        let one = posted("a", 0).size();
        assert_eq!(sequences(&kept(2, 2, 10_000, &POSTS), 0, &[]), [5, 6], "two keys");
        let kept = kept(2, 10, 3 * one, &POSTS);
        assert_eq!((sequences(&kept, 0, &[]), kept.size()), (vec![4, 5, 6], (3, 3, 3 * one)));
        let too_large = self::kept(2, 10, one - 1, &POSTS);
        assert_eq!(too_large.size(), (0, 0, 0));
    }

    #[test]
    fn what_is_whole_is_known() {
        let all = kept(2, 10, 10_000, &POSTS);
        for (after, keys, whole) in [
            (0, &["c"][..], true),
            (0, &["a"], false),
            (0, &["a", "c"], false),
            (1, &["a"], true),
            (0, &[], false),
            (1, &[], true),
            (3, &["a"], true),
            (3, &[], true),
            (0, &["d"], true),
        ] {
            assert_eq!(all.has_all_after(after, &wanted(keys)), whole, "{after} {keys:?}");
        }
        let few = kept(2, 2, 10_000, &POSTS);
        assert!(!few.has_all_after(3, &wanted(&["d"])) && few.has_all_after(4, &wanted(&["d"])));
        assert!(!kept(0, 10, 10_000, &POSTS).has_all_after(6, &wanted(&[])), "nothing is kept");
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let mut kept = kept(2, 10, 10_000, &POSTS);
        let key = |key| posted(key, 0).key().clone();
        assert_eq!([kept.forget(&key("a")), kept.forget(&key("a"))], [2, 0]);
        assert_eq!(sequences(&kept, 0, &[]), [2, 5, 6]);
        assert_eq!([kept.forget(&key("b")), kept.forget(&key("c"))], [2, 1]);
        assert_eq!(kept.size(), (0, 0, 0));
    }

    #[test]
    fn what_is_forgotten_is_not_taken_for_whole() {
        let mut kept = kept(3, 10, 10_000, &POSTS);
        kept.forget(posted("a", 0).key());
        assert!(!kept.has_all_after(0, &wanted(&["a"])) && !kept.has_all_after(3, &wanted(&[])));
        kept.push(&Arc::new(posted("a", 0).numbered(7)));
        assert!(!kept.has_all_after(0, &wanted(&["a"])), "one new event stands for no older ones");
        assert!(kept.has_all_after(4, &wanted(&["a"])), "from there on all are here");
    }

    #[test]
    fn an_older_event_that_goes_after_a_newer_was_forgotten_hides_nothing() {
        let mut kept = kept(2, 2, 10_000, &[(1, "a"), (2, "b"), (3, "c")]);
        kept.forget(posted("c", 0).key());
        kept.push(&Arc::new(posted("d", 0).numbered(4)));
        kept.push(&Arc::new(posted("e", 0).numbered(5)));
        assert_eq!(sequences(&kept, 0, &[]), [4, 5], "the bound has taken 2");
        assert!(!kept.has_all_after(2, &wanted(&[])) && kept.has_all_after(3, &wanted(&[])));
    }
}
