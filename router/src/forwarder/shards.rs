//! Calls with equal keys go to the same worker: which parameter is the key of a method, and whose a key is.
//!
//! Each worker draws a number from a key and its own name, and the one with the best has the key (rendezvous hashing): so a worker that
//! goes, or comes back, moves its own keys alone, and routers that know nothing of each other agree.

use zsvc_proto::id_map::IdMap;
use zsvc_proto::stable_hash::{StableHash, mix};
use zsvc_proto::status::Status;
use zsvc_proto::wire::RawRecord;

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

/// Returns the number of a worker by which it draws. It is the same wherever the worker has this name.
pub(super) fn seed_of(name: &str) -> u64 {
    StableHash::of(0, name.as_bytes())
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
            let drawn = workers.iter().map(|(name, capacity)| draw(mix(key), seed_of(name), *capacity));
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
}
