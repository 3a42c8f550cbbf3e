//! [`Line`]: calls that wait for the same thing. Callers take turns, so that one with many calls holds up no other; the calls of one
//! caller keep their order.

use std::collections::VecDeque;

use zsvc_proto::id_map::IdMap;

use super::entries::{CallerKey, FlightKey};

/// Calls of a service that wait for a worker.
#[derive(Debug)]
pub(super) struct Line<H> {
    /// Calls that wait, by callers, none of whom is without any; of each the first first. Those that have ended meanwhile may still be here.
    by_caller: IdMap<CallerKey<H>, VecDeque<FlightKey<H>>>,
    /// The same callers, each once, in the order of their turns.
    turns: VecDeque<CallerKey<H>>,
    /// Number of entries of all callers.
    entries: usize,
    /// Number of calls that wait.
    pub(super) waiting: usize,
}

impl<H> Line<H> {
    pub(super) fn new() -> Self {
        Self { by_caller: IdMap::default(), turns: VecDeque::new(), entries: 0, waiting: 0 }
    }

    pub(super) fn push(&mut self, caller: CallerKey<H>, flight: FlightKey<H>) {
        let own = self.by_caller.entry(caller).or_default();
        if own.is_empty() {
            self.turns.push_back(caller);
        }
        own.push_back(flight);
        self.entries += 1;
        self.waiting += 1;
    }

    /// Returns the first call of the caller whose turn it is.
    pub(super) fn first(&self) -> Option<FlightKey<H>> {
        self.by_caller.get(self.turns.front()?)?.front().copied()
    }

    /// Removes the first call, which begins or goes to another line: the turn passes on. It counts until [`Line::forget_one`].
    pub(super) fn take_turn(&mut self) {
        let Some(caller) = self.turns.pop_front() else { return };
        if self.drop_of(caller) {
            self.turns.push_back(caller);
        }
    }

    /// Removes the first call, which has ended: its caller keeps its turn.
    pub(super) fn drop_first(&mut self) {
        let Some(caller) = self.turns.front().copied() else { return };
        if !self.drop_of(caller) {
            self.turns.pop_front();
        }
    }

    /// Removes the first call of a caller. Returns whether it has others.
    fn drop_of(&mut self, caller: CallerKey<H>) -> bool {
        let Some(own) = self.by_caller.get_mut(&caller) else { return false };
        self.entries -= usize::from(own.pop_front().is_some());
        let has_others = !own.is_empty();
        if !has_others {
            self.by_caller.remove(&caller);
        }
        has_others
    }

    /// Counts a call less that waits. Entries of calls that have ended go once they are more than those of calls that wait.
    pub(super) fn forget_one(&mut self, still_waits: impl Fn(FlightKey<H>) -> bool) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.entries <= 2 * self.waiting + 64 {
            return;
        }
        self.by_caller.retain(|_, own| {
            own.retain(|flight| still_waits(*flight));
            !own.is_empty()
        });
        self.entries = self.by_caller.values().map(VecDeque::len).sum();
        let Self { by_caller, turns, .. } = self;
        turns.retain(|caller| by_caller.contains_key(caller));
    }

    /// Returns all calls that wait, in any order. Those that have ended meanwhile may be among them.
    pub(super) fn iter(&self) -> impl Iterator<Item = FlightKey<H>> {
        self.by_caller.values().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Flight = FlightKey<()>;

    fn line(calls: &[(u64, u64)]) -> Line<()> {
        let mut line = Line::new();
        for (caller, flight) in calls {
            line.push(CallerKey::from_number(*caller), Flight::from_number(*flight));
        }
        line
    }

    fn all(mut line: Line<()>) -> Vec<u64> {
        let mut order = Vec::new();
        while let Some(first) = line.first() {
            order.push(first.number());
            line.take_turn();
        }
        assert_eq!((line.entries, line.by_caller.len(), line.turns.len()), (0, 0, 0));
        order
    }

    #[test]
    fn callers_take_turns_and_each_one_keeps_its_order() {
        assert_eq!(
            all(line(&[(1, 11), (1, 12), (1, 13), (2, 21), (3, 31), (3, 32)])),
            [11, 21, 31, 12, 32, 13]
        );
    }

    #[test]
    fn a_call_that_has_ended_costs_no_turn() {
        let mut line = line(&[(1, 11), (1, 12), (2, 21)]);
        line.drop_first();
        assert_eq!(all(line), [12, 21]);
    }

    #[test]
    fn entries_of_calls_that_have_ended_are_bounded() {
        let calls: Vec<_> = (1..=1_000).map(|flight| (flight % 7, flight)).collect();
        let mut line = line(&calls);
        (0..990).for_each(|_| line.forget_one(|flight| flight.number() > 990));
        assert!(line.entries <= 84, "{}", line.entries);
        assert_eq!(line.iter().filter(|flight| flight.number() > 990).count(), 10);
        assert_eq!(line.waiting, 10);
    }
}
