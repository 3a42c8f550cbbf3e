//! Which worker gets a call: the less busy of two that are drawn at random. So the choice takes the same time however many workers
//! there are, and routers that know nothing of each other do not all choose the same worker, as they would if each took the least busy.

use std::time::{Duration, Instant};

use zsvc_proto::session::client::HealthState;

/// How busy a worker is, relative to what it takes. The lesser of two is the better choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Load(u64);

/// Part of its capacity that a worker has when it has just come up, in thousandths.
const FIRST_SHARE: u64 = 100;

impl Load {
    /// Returns the load of a worker that would have one more call in flight.
    ///
    /// A worker that came up less than `slow_start` ago counts as one of less capacity: its caches are cold, and it must not be given
    /// all calls at once because it has none yet. One on trial comes first: a single call shows how it is.
    pub(super) fn of(
        in_flight: u32,
        capacity: u32,
        up_for: Duration,
        slow_start: Duration,
        health: HealthState,
    ) -> Self {
        if health == HealthState::Trial {
            return Self(0);
        }
        let share = ramp(up_for, slow_start);
        let capacity = (u64::from(capacity.max(1)) * share).max(1);
        Self(1 + ((u64::from(in_flight) + 1) << 31) / capacity)
    }
}

/// Returns the number of calls that a worker takes which came up a time ago: a part of its capacity, and at least one.
pub(super) fn capacity_after(up_for: Duration, slow_start: Duration, capacity: u32) -> u32 {
    let part = u64::from(capacity) * ramp(up_for, slow_start) / 1_000;
    // Not more than the capacity.
    u32::try_from(part).unwrap_or(capacity).max(1)
}

/// Returns the part of its capacity that a worker has after a time, in thousandths.
fn ramp(up_for: Duration, slow_start: Duration) -> u64 {
    if up_for >= slow_start {
        return 1_000;
    }
    let part = u64::try_from(up_for.as_micros() * 1_000 / slow_start.as_micros().max(1)).unwrap_or(1_000);
    part.clamp(FIRST_SHARE, 1_000)
}

/// Chooses one of `number` workers, of which `load` tells how busy they are; `None` of those that take no call.
pub(super) fn choose(
    number: usize,
    random: &mut Random,
    load: impl Fn(usize) -> Option<Load>,
) -> Option<usize> {
    if number <= 2 {
        return least(0..number, load);
    }
    let first = random.below(number);
    let second = (first + 1 + random.below(number - 1)) % number;
    // Where both take no call, which is rare, another one may.
    least([first, second].into_iter(), &load).or_else(|| least(0..number, &load))
}

fn least(indices: impl Iterator<Item = usize>, load: impl Fn(usize) -> Option<Load>) -> Option<usize> {
    indices.filter_map(|index| Some((load(index)?, index))).min().map(|(_, index)| index)
}

/// Random numbers that need not be hard to guess (xorshift64*).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Returns a number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d));
        // Less than `bound`, which is a `usize`.
        usize::try_from((high * bound as u128) >> 64).unwrap_or(0)
    }
}

/// Returns how long something has been so since a moment, if there is one.
pub(super) fn time_since(moment: Option<Instant>, now: Instant) -> Duration {
    moment.map_or(Duration::MAX, |moment| now.saturating_duration_since(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn load(in_flight: u32, capacity: u32) -> Load {
        Load::of(in_flight, capacity, Duration::MAX, 10 * SECOND, HealthState::In)
    }

    #[test]
    fn the_one_with_fewer_calls_for_its_capacity_is_less_busy() {
        assert!(load(0, 10) < load(1, 10));
        assert!(load(19, 100) < load(2, 10), "twice as many calls for ten times the capacity");
        assert!(load(9, 10) == load(99, 100));
        assert!(load(u32::MAX, 1) > load(u32::MAX - 1, 1));
    }

    #[test]
    fn one_that_has_just_come_up_has_a_part_of_its_capacity() {
        let after = |time| Load::of(0, 100, time, 10 * SECOND, HealthState::In);
        assert_eq!(after(Duration::ZERO), load(0, 10));
        assert_eq!(after(5 * SECOND), load(0, 50));
        assert_eq!(after(10 * SECOND), load(0, 100));
        assert_eq!(Load::of(0, 100, Duration::ZERO, Duration::ZERO, HealthState::In), load(0, 100));
    }

    #[test]
    fn the_capacity_grows_to_all_of_it() {
        let after = |time, capacity| capacity_after(time, 10 * SECOND, capacity);
        assert_eq!(
            [after(Duration::ZERO, 100), after(5 * SECOND, 100), after(10 * SECOND, 100)],
            [10, 50, 100]
        );
        assert_eq!([after(Duration::ZERO, 1), after(Duration::MAX, u32::MAX)], [1, u32::MAX]);
    }

    #[test]
    fn one_on_trial_comes_first() {
        let trial = Load::of(5, 1, Duration::ZERO, SECOND, HealthState::Trial);
        assert!(trial < load(0, u32::MAX));
    }

    /// Gives calls that never end to workers of some capacities, and returns how many each has got.
    fn spread(capacities: &[u32], calls: u32) -> Vec<u32> {
        let (mut random, mut in_flight) = (Random::new(7), vec![0; capacities.len()]);
        for _ in 0..calls {
            let chosen = choose(capacities.len(), &mut random, |index| {
                (in_flight[index] < capacities[index]).then(|| load(in_flight[index], capacities[index]))
            });
            in_flight[chosen.unwrap()] += 1;
        }
        in_flight
    }

    #[test]
    fn calls_spread_by_capacity() {
        let even = spread(&[1_000; 4], 1_000);
        assert!(even.iter().all(|calls| (240..=260).contains(calls)), "{even:?}");
        let uneven = spread(&[1_000, 1_000, 2_000], 1_000);
        assert!((470..=530).contains(&uneven[2]), "{uneven:?}");
    }

    #[test]
    fn every_place_is_found_and_none_that_is_not_there() {
        assert_eq!(spread(&[1, 2, 3, 4, 5], 15), [1, 2, 3, 4, 5]);
        let mut random = Random::new(1);
        assert_eq!(choose(5, &mut random, |_| None), None);
        assert_eq!(choose(0, &mut random, |_| Some(load(0, 1))), None);
    }

    #[test]
    fn random_numbers_reach_all_below_their_bound() {
        let mut random = Random::new(3);
        let mut seen = [0; 5];
        (0..1_000).for_each(|_| seen[random.below(5)] += 1);
        assert!(seen.iter().all(|times| (120..=280).contains(times)), "{seen:?}");
    }
}
