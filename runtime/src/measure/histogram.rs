//! [`Histogram`]: how times are distributed, in memory of a fixed size.
//!
//! Each power of two is divided into eight, so that a quantile is off by an eighth at most, whatever its size. Recording adds to
//! numbers and never waits, so that any thread may do so.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Times are counted in units of 2^6 ns: below that, the clock itself is no better.
const UNIT_BITS: u32 = 6;

/// Number of bits that a power of two is divided by.
const DIVISION_BITS: u32 = 3;
const DIVISIONS: u64 = 1 << DIVISION_BITS;

/// The longest time that is told from longer ones, in units: more than an hour.
const MAX_UNITS: u64 = (1 << 36) - 1;

/// Number of counts: 2 KiB of them.
const BUCKETS: usize = bucket(MAX_UNITS) + 1;

/// How times are distributed. Takes memory once something was recorded.
#[derive(Debug, Default)]
pub(crate) struct Histogram(OnceLock<Box<Counts>>);

#[derive(Debug)]
struct Counts {
    buckets: [AtomicU64; BUCKETS],
    /// Number of times that were recorded.
    timed: AtomicU64,
    /// Sum of all times in nanoseconds, each as often as it stands for others.
    sum: AtomicU64,
    /// The longest time in nanoseconds.
    max: AtomicU64,
}

/// What is known of a distribution at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// Number of times that were recorded.
    pub(crate) timed: u64,
    pub(crate) mean: Duration,
    pub(crate) p50: Duration,
    pub(crate) p90: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) max: Duration,
}

/// Returns the index of the count for a time in units.
#[allow(clippy::cast_possible_truncation, reason = "an index is below 272")]
const fn bucket(units: u64) -> usize {
    if units < DIVISIONS {
        return units as usize;
    }
    let exponent = u64::BITS - 1 - units.leading_zeros();
    let within = (units >> (exponent - DIVISION_BITS)) % DIVISIONS;
    (exponent - DIVISION_BITS + 1) as usize * DIVISIONS as usize + within as usize
}

/// Returns the end of the times that an index counts, in nanoseconds.
const fn end(bucket: usize) -> u64 {
    let (power, within) = (bucket as u64 / DIVISIONS, bucket as u64 % DIVISIONS);
    let units = if power == 0 { within + 1 } else { (DIVISIONS + within + 1) << (power - 1) };
    units << UNIT_BITS
}

impl Counts {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { buckets: std::array::from_fn(|_| zero()), timed: zero(), sum: zero(), max: zero() }
    }
}

impl Histogram {
    /// Adds a time that stands for `weight` times as long as it.
    pub(crate) fn record(&self, time: Duration, weight: u32) {
        let counts = self.0.get_or_init(|| Box::new(Counts::new()));
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let units = (nanoseconds >> UNIT_BITS).min(MAX_UNITS);
        let weight = u64::from(weight);
        counts.buckets[bucket(units)].fetch_add(weight, Ordering::Relaxed);
        counts.timed.fetch_add(1, Ordering::Relaxed);
        counts.sum.fetch_add(nanoseconds.saturating_mul(weight), Ordering::Relaxed);
        // Most times are shorter, and reading costs other threads nothing.
        if counts.max.load(Ordering::Relaxed) < nanoseconds {
            counts.max.fetch_max(nanoseconds, Ordering::Relaxed);
        }
    }

    /// Returns what is known now. What is recorded meanwhile may be part of it, or a part of it.
    pub(crate) fn distribution(&self) -> Distribution {
        let Some(counts) = self.0.get() else { return Distribution::default() };
        let buckets: Vec<u64> = counts.buckets.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = buckets.iter().sum();
        let max = counts.max.load(Ordering::Relaxed);
        let quantile = |thousandths: u64| {
            let rank = (all.saturating_mul(thousandths)).div_ceil(1000);
            let mut below = 0;
            let found = buckets.iter().position(|count| {
                below += count;
                below >= rank.max(1)
            });
            Duration::from_nanos(found.map_or(0, |bucket| end(bucket).min(max)))
        };
        let sum = counts.sum.load(Ordering::Relaxed);
        Distribution {
            timed: counts.timed.load(Ordering::Relaxed),
            mean: Duration::from_nanos(sum.checked_div(all).unwrap_or(0)),
            p50: quantile(500),
            p90: quantile(900),
            p99: quantile(990),
            p999: quantile(999),
            max: Duration::from_nanos(max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_counted_once_and_off_by_an_eighth_at_most() {
        let mut last = 0;
        for power in 0..36 {
            for part in 0..16 {
                let units = (1_u64 << power) + (((1 << power) * part) >> 4);
                let (index, nanoseconds) = (bucket(units), units << UNIT_BITS);
                assert!(index >= last && index < BUCKETS, "{units}");
                last = index;
                assert!(end(index) > nanoseconds, "{units}");
                assert!(index == 0 || end(index - 1) <= nanoseconds, "{units}");
                assert!(end(index) - nanoseconds <= (nanoseconds / 8).max(1 << UNIT_BITS), "{units}");
            }
        }
        assert_eq!(bucket(MAX_UNITS), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let histogram = Histogram::default();
        assert_eq!(histogram.distribution(), Distribution::default());
        for milliseconds in 1..=1000 {
            histogram.record(Duration::from_millis(milliseconds), 1);
        }
        let Distribution { timed, mean, p50, p90, p99, p999, max } = histogram.distribution();
        assert_eq!((timed, max), (1000, Duration::from_secs(1)));
        assert_eq!(mean, Duration::from_micros(500_500));
        for (quantile, exact) in [(p50, 500), (p90, 900), (p99, 990), (p999, 999)] {
            let exact = Duration::from_millis(exact);
            assert!(quantile >= exact && quantile <= exact * 9 / 8, "{quantile:?} for {exact:?}");
        }
    }

    #[test]
    fn one_that_stands_for_many_weighs_as_many() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_millis(1), 97);
        (0..3).for_each(|_| histogram.record(Duration::from_secs(1), 1));
        let Distribution { timed, p50, p99, .. } = histogram.distribution();
        assert_eq!(timed, 4);
        assert!(p50 < Duration::from_millis(2) && p99 == Duration::from_secs(1), "{p50:?} {p99:?}");
    }

    #[test]
    fn what_is_too_long_to_be_told_from_longer_counts_as_the_longest() {
        let histogram = Histogram::default();
        histogram.record(Duration::MAX, u32::MAX);
        let found = histogram.distribution();
        assert_eq!((found.timed, found.max), (1, Duration::from_nanos(u64::MAX)));
        assert!(found.p50 > Duration::from_secs(3600));
    }
}
