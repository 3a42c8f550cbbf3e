//! [`IdMap`]: a map by call id. Hashing a number need not cost what hashing text costs.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// A map by call id.
pub type IdMap<K, V> = HashMap<K, V, Seeded>;

/// A hasher that multiplies by an odd number which a peer can't know, so that it can't choose ids that collide.
#[derive(Debug, Clone, Copy)]
pub struct Seeded(u64);

impl Default for Seeded {
    #[inline]
    fn default() -> Self {
        static SEED: OnceLock<u64> = OnceLock::new();
        Self(*SEED.get_or_init(|| RandomState::new().hash_one(0) | 1))
    }
}

impl BuildHasher for Seeded {
    type Hasher = IdHasher;

    #[inline]
    fn build_hasher(&self) -> IdHasher {
        IdHasher { seed: self.0, hash: 0 }
    }
}

/// The state of a hash. See [`Seeded`].
#[derive(Debug)]
pub struct IdHasher {
    seed: u64,
    hash: u64,
}

impl Hasher for IdHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_ne_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_ne_bytes(last));
    }

    #[inline]
    fn write_u32(&mut self, id: u32) {
        self.write_u64(u64::from(id));
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        // The high half of the product depends on every bit of the id; the map looks at both ends of the hash.
        let product = u128::from(self.hash ^ id).wrapping_mul(u128::from(self.seed));
        #[expect(clippy::cast_possible_truncation, reason = "its two halves, one after the other")]
        let (high, low) = ((product >> 64) as u64, product as u64);
        self.hash = high ^ low;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.hash
    }
}
