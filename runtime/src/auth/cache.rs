//! [`Cache`]: what was granted, for a time, and no more than a number of grants.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use super::{Claim, Grant};

/// Grants by what they were granted for.
///
/// Invariant: each claim of `known` is in `order` with its number, once. `order` has no others but those that were put anew.
#[derive(Debug)]
pub(super) struct Cache {
    time_to_live: Duration,
    max: usize,
    known: HashMap<Claim, Entry>,
    /// The claims in the order in which they were put, so that the oldest is forgotten first.
    order: VecDeque<(u64, Claim)>,
    next: u64,
    /// Number of times that everything was forgotten.
    epoch: u64,
    /// What the program has said last of what counts.
    generation: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    grant: Grant,
    /// When it is forgotten, whatever the clock on the wall says.
    until: Instant,
}

impl Cache {
    pub(super) fn new(time_to_live: Duration, max: usize) -> Self {
        Self {
            time_to_live,
            max,
            known: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            epoch: 0,
            generation: 0,
        }
    }

    /// Returns what was granted, if it still holds.
    pub(super) fn get(&self, claim: &Claim, now: Instant, wall: SystemTime) -> Option<Grant> {
        let entry = self.known.get(claim)?;
        (now < entry.until && !entry.grant.is_over(wall)).then(|| entry.grant.clone())
    }

    pub(super) fn put(&mut self, claim: Claim, grant: Grant, now: Instant) {
        let Some(until) = now.checked_add(self.time_to_live) else { return };
        if self.max == 0 || self.time_to_live.is_zero() {
            return;
        }
        // Those that are past their time are the oldest. A token among them is not kept for longer than it is of use.
        while let Some((number, claim)) = self.order.pop_front() {
            let Some(entry) = self.known.get(&claim).filter(|entry| entry.number == number) else { continue };
            if now < entry.until {
                self.order.push_front((number, claim));
                break;
            }
            self.known.remove(&claim);
        }
        let number = self.next;
        self.next += 1;
        self.order.push_back((number, claim.clone()));
        self.known.insert(claim, Entry { number, grant, until });
        while self.known.len() > self.max || self.order.len() > 2 * self.max {
            let Some((number, claim)) = self.order.pop_front() else { return };
            if self.known.get(&claim).is_some_and(|entry| entry.number == number) {
                self.known.remove(&claim);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self { epoch: self.epoch + 1, generation: self.generation, ..self.empty() };
    }

    /// Forgets everything that is of another generation.
    pub(super) fn keep_for(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.clear();
        }
    }

    /// Returns a number that is another one once everything was forgotten.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns one with the same bounds, and nothing in it.
    pub(super) fn empty(&self) -> Self {
        Self::new(self.time_to_live, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    const MINUTE: Duration = Duration::from_mins(1);

    fn grant(name: &str) -> Grant {
        Grant::new(Identity::new(name))
    }

    #[test]
    fn a_grant_is_kept_for_its_time_and_not_past_its_end() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut cache = Cache::new(MINUTE, 10);
        let (long, short) = (Claim::of_token("long"), Claim::of_token("short"));
        cache.put(long.clone(), grant("long"), now);
        cache.put(short.clone(), grant("short").until(wall + MINUTE / 2), now);
        for (after, is_long, is_short) in
            [(0, true, true), (29, true, true), (30, true, false), (60, false, false)]
        {
            let after = Duration::from_secs(after);
            let is_there = |claim| cache.get(claim, now + after, wall + after).is_some();
            assert_eq!((is_there(&long), is_there(&short)), (is_long, is_short), "{after:?}");
        }
        assert_eq!(cache.get(&Claim::of_token("lon"), now, wall), None);
    }

    #[test]
    fn what_is_past_its_time_is_not_kept() {
        let now = Instant::now();
        let mut cache = Cache::new(MINUTE, 100);
        for number in 0..50 {
            cache.put(Claim::of_token(&format!("{}", number % 30)), grant("any"), now);
        }
        cache.put(Claim::of_token("0"), grant("any"), now + MINUTE / 2);
        assert_eq!(cache.known.len(), 30);
        cache.put(Claim::of_token("last"), grant("any"), now + MINUTE);
        assert_eq!((cache.known.len(), cache.order.len()), (2, 2));
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_bound_holds() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut cache = Cache::new(MINUTE, 3);
        for round in 0..1_000 {
            cache.put(Claim::of_token(&format!("{}", round % 5)), grant("any"), now);
            cache.put(Claim::of_token("always"), grant("any"), now);
            assert!(cache.known.len() <= 3 && cache.order.len() <= 6);
        }
        let there = ["0", "1", "2", "3", "4", "always"].map(Claim::of_token);
        let there = there.iter().filter(|claim| cache.get(claim, now, wall).is_some()).count();
        assert_eq!(there, cache.known.len());
        assert!(cache.get(&Claim::of_token("always"), now, wall).is_some());
        for mut none in [Cache::new(MINUTE, 0), Cache::new(Duration::ZERO, 3)] {
            none.put(Claim::of_token("a"), grant("a"), now);
            assert_eq!((none.get(&Claim::of_token("a"), now, wall), none.order.len()), (None, 0));
        }
    }
}
