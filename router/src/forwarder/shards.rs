//! Calls with equal keys go to the same worker: which parameter is the key of a method, and whose a key is.
//!
//! Each worker draws a number from a key and its own name, and the one with the best has the key (rendezvous hashing): so a worker that
//! goes, or comes back, moves its own keys alone, and routers that know nothing of each other agree.

use zsvc_proto::id_map::IdMap;
use zsvc_proto::stable_hash::{StableHash, mix};
use zsvc_proto::status::Status;
use zsvc_proto::wire::RawRecord;

use super::entries::WorkerKey;
use super::refusals;

/// Which parameter spreads the calls of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardKey {
    /// The method: `market.v1.Tape/last`.
    pub method: String,
    /// The number of the parameter, counted from 1.
    pub number: u16,
    /// Its name.
    pub parameter: String,
}

/// The keys of all methods that have one.
#[derive(Debug, Default)]
pub(super) struct Shards {
    by_method: IdMap<Box<[u8]>, ShardKey>,
}

impl Shards {
    pub(super) fn new(keys: impl IntoIterator<Item = ShardKey>) -> Self {
        let by_method = keys.into_iter().map(|key| (key.method.as_bytes().into(), key));
        Self { by_method: by_method.collect() }
    }

    /// Returns a hash of the key of a call; `None` if its method has none.
    ///
    /// # Errors
    /// The key can't be read.
    pub(super) fn key_of(&self, record: &RawRecord<'_>) -> Result<Option<u64>, Status> {
        if self.by_method.is_empty() {
            return Ok(None);
        }
        let Some(key) = self.by_method.get(record.method().unwrap_or_default()) else { return Ok(None) };
        match record.parameter_hash(key.number.into(), &key.parameter) {
            Ok(hash) => Ok(Some(hash)),
            Err(why) => Err(refusals::unreadable_key(key, why)),
        }
    }
}

/// Who has the keys that were asked for last, of the workers of a group: whatever becomes of these, since who gets no calls has no keys.
///
/// So a key that comes again and again is looked for among all workers once.
#[derive(Debug)]
pub(super) struct Owners<H> {
    /// By the last bits of the keys. Empty before the first.
    slots: Vec<Option<(u64, WorkerKey<H>)>>,
}

/// Number of keys that are known.
const MAX_OWNERS: usize = 1_024;

impl<H> Default for Owners<H> {
    fn default() -> Self {
        Self { slots: Vec::new() }
    }
}

impl<H> Owners<H> {
    /// Returns who has a key, by `look` if that is not known.
    pub(super) fn of(
        &mut self,
        key: u64,
        look: impl FnOnce() -> Option<WorkerKey<H>>,
    ) -> Option<WorkerKey<H>> {
        if self.slots.is_empty() {
            self.slots.resize_with(MAX_OWNERS, || None);
        }
        // The remainder is less than their number.
        let at = usize::try_from(key % MAX_OWNERS as u64).unwrap_or(0);
        if let Some((known, owner)) = self.slots[at]
            && known == key
        {
            return Some(owner);
        }
        let owner = look()?;
        self.slots[at] = Some((key, owner));
        Some(owner)
    }

    /// Forgets all: there are other workers, or one takes more or fewer calls.
    pub(super) fn forget(&mut self) {
        self.slots.clear();
    }
}

/// Returns the number of a worker by which it draws. It is the same wherever the worker has this name. Of several with one name, each has
/// another: `copy` counts them.
pub(super) fn seed_of(name: &str, copy: u32) -> u64 {
    StableHash::of(copy.into(), name.as_bytes())
}

/// Returns what a worker draws from a key. The one with the least has the key. A worker of twice the capacity has twice as many.
pub(super) fn draw(key: u64, seed: u64, capacity: u32) -> f64 {
    // The middle of each step: never 0 or 1.
    let bits = u32::try_from(mix(key ^ seed) >> 32).unwrap_or(u32::MAX);
    let uniform = (f64::from(bits) + 0.5) / (f64::from(u32::MAX) + 1.0);
    -uniform.ln() / f64::from(capacity.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns who has each of many keys.
    fn owners(workers: &[(&str, u32)]) -> Vec<usize> {
        let owner = |key: u64| {
            let drawn = workers.iter().map(|(name, capacity)| draw(mix(key), seed_of(name, 0), *capacity));
            let least = drawn.enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
            least.map_or(0, |(index, _)| index)
        };
        (0..10_000).map(owner).collect()
    }

    fn number_of(owners: &[usize], owner: usize) -> usize {
        owners.iter().filter(|other| **other == owner).count()
    }

    #[test]
    fn keys_are_spread_by_capacity() {
        let owners = owners(&[("a", 100), ("b", 100), ("c", 200)]);
        assert!((2_300..=2_700).contains(&number_of(&owners, 0)), "{}", number_of(&owners, 0));
        assert!((4_800..=5_200).contains(&number_of(&owners, 2)), "{}", number_of(&owners, 2));
    }

    #[test]
    fn a_worker_that_goes_moves_its_own_keys_alone() {
        let before = owners(&[("a", 10), ("b", 10), ("d", 10), ("c", 10)]);
        let after = owners(&[("a", 10), ("b", 10), ("d", 10)]);
        assert!(before.iter().zip(&after).all(|(before, after)| *before == 3 || before == after));
        let moved: Vec<_> =
            before.iter().zip(&after).filter(|(before, _)| **before == 3).map(|(_, after)| *after).collect();
        // All others have some of them.
        assert!((0..3).all(|owner| number_of(&moved, owner) > moved.len() / 5), "{}", moved.len());
    }

    #[test]
    fn copies_of_one_name_share_its_keys() {
        let owner = |key: u64| {
            let drawn = (0..3).map(|copy| draw(mix(key), seed_of("a", copy), 10));
            let least = drawn.enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
            least.map_or(0, |(index, _)| index)
        };
        let owners: Vec<_> = (0..9_000).map(owner).collect();
        assert!((0..3).all(|copy| (2_700..=3_300).contains(&number_of(&owners, copy))));
    }

    #[test]
    fn who_has_a_key_is_looked_for_once() {
        let mut owners = Owners::<()>::default();
        let (one, other) = (WorkerKey::from_number(1 << 20), WorkerKey::from_number(2 << 20));
        assert_eq!(owners.of(7, || None), None);
        assert_eq!(owners.of(7, || Some(one)), Some(one));
        assert_eq!(owners.of(7, || panic!("it is known")), Some(one));
        assert_eq!(owners.of(7 + MAX_OWNERS as u64, || Some(other)), Some(other), "in the same place");
        assert_eq!(owners.of(7, || Some(other)), Some(other));
        owners.forget();
        assert_eq!(owners.of(7, || Some(one)), Some(one));
    }
}
