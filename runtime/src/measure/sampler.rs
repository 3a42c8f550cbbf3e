//! [`Sampler`]: draws the calls that are timed. Reading the clock for each, and adding to what other threads add to, would cost a good
//! part of what a short call does.

use std::sync::atomic::{AtomicU32, Ordering};

/// Number of calls of a method that are all timed.
const ALL_TIMED: u32 = 256;

/// Of the calls after these, one in this many is timed.
const ONE_IN: u32 = 16;

/// The first calls of a method, of which each is timed. Those of several threads may count as one.
#[derive(Debug)]
pub(crate) struct FirstCalls(AtomicU32);

impl Default for FirstCalls {
    fn default() -> Self {
        Self(AtomicU32::new(ALL_TIMED))
    }
}

impl FirstCalls {
    #[inline]
    fn take(&self) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        if left > 0 {
            self.0.store(left - 1, Ordering::Relaxed);
        }
        left > 0
    }
}

/// Draws the calls of a driver that are timed.
#[derive(Debug)]
pub(crate) struct Sampler(u32);

impl Sampler {
    /// Creates a sampler, whose draws follow from `seed`.
    pub(crate) fn new(seed: u32) -> Self {
        // Zero would stay zero.
        Self(seed | 1)
    }

    /// Decides whether the next call of a method is timed, before anything is known of that call. Returns how many calls its time
    /// stands for.
    #[inline]
    pub(crate) fn draw(&mut self, first: &FirstCalls) -> Option<u32> {
        if first.take() {
            return Some(1);
        }
        // Marsaglia's xorshift: no pattern in which clients call may be one of what is drawn.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.is_multiple_of(ONE_IN).then_some(ONE_IN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_calls_are_all_timed_and_then_a_part_that_stands_for_the_rest() {
        let (first, mut sampler) = (FirstCalls::default(), Sampler::new(0));
        for _ in 0..ALL_TIMED {
            assert_eq!(sampler.draw(&first), Some(1));
        }
        let weights: Vec<u32> = (0..32_000).filter_map(|_| sampler.draw(&first)).collect();
        assert!((1_800..=2_200).contains(&weights.len()), "{}", weights.len());
        assert!(weights.iter().all(|weight| *weight == ONE_IN));
        assert_eq!(
            Sampler::new(7).draw(&FirstCalls::default()),
            Some(1),
            "another method has its own first calls"
        );
    }
}
