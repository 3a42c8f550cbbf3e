//! [`Cache`]: what was granted, for a time, and no more than a number of grants.
//!
//! Tokens are not kept, but what SHA-256 makes of them. Who reads the memory of the process has no token by that; a lookup takes no copy of
//! the token; and no two tokens are taken for one, whatever a peer tries: a fast hash, also one with a secret, is not made for that.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};
use zsvc_proto::keys::PublicKey;

use super::{Claim, Grant, Shown};

/// What something was granted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Key(PublicKey),
    /// By its hash.
    Token([u8; 32]),
}

impl Subject {
    pub(super) fn of(claim: &Claim) -> Self {
        match &claim.0 {
            Shown::Key(key) => Self::Key(*key),
            Shown::Token(token) => Self::of_token(&token.0),
        }
    }

    pub(super) fn of_token(token: &str) -> Self {
        Self::Token(Sha256::digest(token).into())
    }
}

/// Grants by what they were granted for.
///
/// Invariant: each subject of `known` is in `order` with its number, once. `order` has no others but those that were put anew.
#[derive(Debug)]
pub(super) struct Cache {
    time_to_live: Duration,
    max: usize,
    known: HashMap<Subject, Entry>,
    /// The subjects in the order in which they were put, so that the oldest is forgotten first.
    order: VecDeque<(u64, Subject)>,
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
    pub(super) fn get(&self, subject: Subject, now: Instant, wall: SystemTime) -> Option<Grant> {
        let entry = self.known.get(&subject)?;
        (now < entry.until && !entry.grant.is_over(wall)).then(|| entry.grant.clone())
    }

    pub(super) fn put(&mut self, subject: Subject, grant: Grant, now: Instant) {
        let Some(until) = now.checked_add(self.time_to_live) else { return };
        if self.max == 0 || self.time_to_live.is_zero() {
            return;
        }
        // Those that are past their time are the oldest. They are not kept for longer than they are of use.
        while let Some((number, oldest)) = self.order.pop_front() {
            let Some(entry) = self.known.get(&oldest).filter(|entry| entry.number == number) else {
                continue;
            };
            if now < entry.until {
                self.order.push_front((number, oldest));
                break;
            }
            self.known.remove(&oldest);
        }
        let number = self.next;
        self.next += 1;
        self.order.push_back((number, subject));
        self.known.insert(subject, Entry { number, grant, until });
        while self.known.len() > self.max || self.order.len() > 2 * self.max {
            let Some((number, oldest)) = self.order.pop_front() else { return };
            if self.known.get(&oldest).is_some_and(|entry| entry.number == number) {
                self.known.remove(&oldest);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self { epoch: self.epoch + 1, generation: self.generation, ..self.empty() };
    }

    /// Reports whether what is there is of a generation.
    pub(super) fn is_of(&self, generation: u64) -> bool {
        self.generation == generation
    }

    /// Forgets everything that is of another generation.
    pub(super) fn keep_for(&mut self, generation: u64) {
        if !self.is_of(generation) {
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
        let (long, short) = (Subject::of_token("long"), Subject::of_token("short"));
        cache.put(long, grant("long"), now);
        cache.put(short, grant("short").until(wall + MINUTE / 2), now);
        for (after, is_long, is_short) in
            [(0, true, true), (29, true, true), (30, true, false), (60, false, false)]
        {
            let after = Duration::from_secs(after);
            let is_there = |token| cache.get(token, now + after, wall + after).is_some();
            assert_eq!((is_there(long), is_there(short)), (is_long, is_short), "{after:?}");
        }
        assert_eq!(cache.get(Subject::of_token("lon"), now, wall), None);
        let key = PublicKey::from_bytes([7; 32]);
        cache.put(Subject::of(&Claim::of_key(key)), grant("key"), now);
        assert_eq!(cache.get(Subject::Token([7; 32]), now, wall), None, "a key is no token");
        assert_eq!(Subject::of(&Claim::of_token("long")), long);
    }

    #[test]
    fn what_is_past_its_time_is_not_kept() {
        let now = Instant::now();
        let mut cache = Cache::new(MINUTE, 100);
        for number in 0..50 {
            cache.put(Subject::of_token(&format!("{}", number % 30)), grant("any"), now);
        }
        cache.put(Subject::of_token("0"), grant("any"), now + MINUTE / 2);
        assert_eq!(cache.known.len(), 30);
        cache.put(Subject::of_token("last"), grant("any"), now + MINUTE);
        assert_eq!((cache.known.len(), cache.order.len()), (2, 2));
    }

    #[test]
    fn the_oldest_are_forgotten_and_the_bound_holds() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut cache = Cache::new(MINUTE, 3);
        for round in 0..1_000 {
            cache.put(Subject::of_token(&format!("{}", round % 5)), grant("any"), now);
            cache.put(Subject::of_token("always"), grant("any"), now);
            assert!(cache.known.len() <= 3 && cache.order.len() <= 6);
        }
        let there = ["0", "1", "2", "3", "4", "always"].map(Subject::of_token);
        let there = there.iter().filter(|token| cache.get(**token, now, wall).is_some()).count();
        assert_eq!(there, cache.known.len());
        assert!(cache.get(Subject::of_token("always"), now, wall).is_some());
        for mut none in [Cache::new(MINUTE, 0), Cache::new(Duration::ZERO, 3)] {
            none.put(Subject::of_token("a"), grant("a"), now);
            assert_eq!((none.get(Subject::of_token("a"), now, wall), none.order.len()), (None, 0));
        }
    }
}
