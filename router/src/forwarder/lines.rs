//! [`Lines`]: all calls of a service that wait, by what they wait for.

use zsvc_proto::id_map::IdMap;

use super::entries::{FlightKey, Target, WorkerKey};
use super::line::Line;
use super::placing::Ask;

/// The lines of a service: that of calls which any worker may have, and those of calls that wait for one worker each.
#[derive(Debug)]
pub(super) struct Lines<H> {
    any: Pair<H>,
    /// By the worker; [`Key::none`](super::slab::Key::none) while there is none that it could be. Some may be empty, until the next
    /// [`Lines::forget_empty`].
    by_worker: IdMap<WorkerKey<H>, Pair<H>>,
    /// How often it was asked which lines come first.
    turn: usize,
}

/// Calls that wait for the same workers.
#[derive(Debug)]
struct Pair<H> {
    /// Calls that wait for an answer.
    calls: Line<H>,
    /// One-way calls, which wait for other room than those that are answered: neither hold up the others.
    one_ways: Line<H>,
}

impl<H> Lines<H> {
    pub(super) fn new() -> Self {
        Self { any: Pair::new(), by_worker: IdMap::default(), turn: 0 }
    }

    /// Returns the line of calls that wait for the same, which is added if need be.
    pub(super) fn line(&mut self, target: Target<H>, ask: Ask) -> &mut Line<H> {
        let pair = match target {
            None => &mut self.any,
            Some(worker) => self.by_worker.entry(worker).or_insert_with(Pair::new),
        };
        match ask {
            Ask::Answer => &mut pair.calls,
            Ask::OneWay => &mut pair.one_ways,
        }
    }

    /// Returns the number of calls that wait for the same.
    pub(super) fn waiting_for(&self, target: Target<H>, ask: Ask) -> usize {
        let pair = match target {
            None => Some(&self.any),
            Some(worker) => self.by_worker.get(&worker),
        };
        pair.map_or(0, |pair| match ask {
            Ask::Answer => pair.calls.waiting,
            Ask::OneWay => pair.one_ways.waiting,
        })
    }

    /// Returns all that calls wait for, of which another one is first each time.
    pub(super) fn targets(&mut self) -> Vec<Target<H>> {
        let others = self.by_worker.iter().filter(|(_, pair)| pair.waiting() > 0);
        let mut targets: Vec<_> = others.map(|(worker, _)| Some(*worker)).collect();
        targets.push(None);
        self.rotate(&mut targets);
        targets
    }

    /// Returns those that a worker can be given: calls that wait for it, for any, or for one that can be reached.
    pub(super) fn targets_of(&mut self, worker: WorkerKey<H>) -> Vec<Target<H>> {
        let mut targets = vec![None];
        let its = [worker, WorkerKey::none()].into_iter().filter(|key| self.by_worker.contains_key(key));
        targets.extend(its.map(Some));
        self.rotate(&mut targets);
        targets
    }

    /// Has them take turns to be the first: otherwise, one that never ends would leave no room for the others.
    fn rotate(&mut self, targets: &mut [Target<H>]) {
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn % targets.len().max(1);
        targets.rotate_left(first);
    }

    /// Forgets lines in which no call waits any more.
    pub(super) fn forget_empty(&mut self) {
        self.by_worker.retain(|_, pair| pair.waiting() > 0);
    }

    /// Forgets the line of calls that wait for the same, if none does any more.
    pub(super) fn forget_if_empty(&mut self, target: Target<H>) {
        if let Some(worker) = target
            && self.by_worker.get(&worker).is_some_and(|pair| pair.waiting() == 0)
        {
            self.by_worker.remove(&worker);
        }
    }

    /// Returns the number of calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.any.waiting() + self.by_worker.values().map(Pair::waiting).sum::<usize>()
    }

    /// Returns all calls that wait for an answer, or one-way ones, in any order. Those that have ended meanwhile may be among them.
    pub(super) fn iter(&self, ask: Ask) -> impl Iterator<Item = FlightKey<H>> {
        std::iter::once(&self.any).chain(self.by_worker.values()).flat_map(move |pair| match ask {
            Ask::Answer => pair.calls.iter(),
            Ask::OneWay => pair.one_ways.iter(),
        })
    }

    /// Returns the calls that wait for one worker which is not this one, each caller's in their order. Those that have ended meanwhile may be
    /// among them.
    pub(super) fn of_others(&self, worker: WorkerKey<H>) -> Vec<FlightKey<H>> {
        let others = self.by_worker.iter().filter(|(other, _)| **other != worker);
        others.flat_map(|(_, pair)| pair.calls.iter().chain(pair.one_ways.iter())).collect()
    }
}

impl<H> Pair<H> {
    fn new() -> Self {
        Self { calls: Line::new(), one_ways: Line::new() }
    }

    fn waiting(&self) -> usize {
        self.calls.waiting + self.one_ways.waiting
    }
}
