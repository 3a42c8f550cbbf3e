//! [`StableHash`]: a hash that is the same in every process, for those that choose alike without a word between them.

/// A hash of bytes that is the same in every process. It is none for tables of what peers choose, who could have all of it collide.
///
/// FNV-1a, whose bits are [mixed](mix) at the end. Source: <http://www.isthe.com/chongo/tech/comp/fnv/>.
#[derive(Debug, Clone, Copy)]
pub struct StableHash(u64);

impl StableHash {
    /// Creates a hash of no bytes.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(0xcbf2_9ce4_8422_2325 ^ seed)
    }

    /// Adds bytes. It makes no difference in how many parts they come.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Returns the hash.
    #[must_use]
    pub const fn finish(self) -> u64 {
        mix(self.0)
    }

    /// Returns the hash of bytes that are in one part.
    #[must_use]
    pub fn of(seed: u64, bytes: &[u8]) -> u64 {
        let mut hash = Self::new(seed);
        hash.add(bytes);
        hash.finish()
    }
}

/// Mixes the bits of a number, each of which may change any other, as `SplitMix64` does with its state. 0 stays 0. Source:
/// <https://prng.di.unimi.it/splitmix64.c>.
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_generator() {
        // The first two of its sequence from 0, which adds this each time.
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0x3c6e_f372_fe94_f82a), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn parts_make_no_difference_and_seeds_do() {
        let mut hash = StableHash::new(1);
        hash.add(b"mar");
        hash.add(b"");
        hash.add(b"ket");
        assert_eq!(hash.finish(), StableHash::of(1, b"market"));
        assert_ne!(StableHash::of(2, b"market"), StableHash::of(1, b"market"));
        assert_ne!(StableHash::of(1, b"markes"), StableHash::of(1, b"market"));
    }
}
