//! [`Quota`]: how much a client may call; [`Allowance`]: what is left of it to one client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much each of some clients may call: over all its connections if it is known, or over each of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quota {
    /// Roles, one of which a client has. Empty: anybody, known or not. The first quota that a client has counts.
    pub roles: Vec<String>,
    /// Maximum number of its calls in flight.
    pub max_calls: Option<usize>,
    /// Number of calls that it may make in a second, and at once after a second without any.
    pub calls_per_second: Option<u32>,
    /// Number of bytes of parameters and items that it may send in a second, and at once after a second without any.
    pub bytes_per_second: Option<u64>,
}

/// What is left of its quota to one client.
#[derive(Debug)]
pub struct Allowance {
    quota: Quota,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    in_flight: usize,
    calls: Bucket,
    bytes: Bucket,
}

/// The place of a call among those in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Taken(Arc<Allowance>);

/// Why a client may not make a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// As many of its calls are in flight as may be.
    InFlight(usize),
    /// More calls in a second than may be. The next one may be made after this time.
    Calls(u32, Duration),
    /// More bytes in a second than may be, as above.
    Bytes(u64, Duration),
}

/// An amount that grows by a rate, up to that of one second, and may be taken below nothing.
#[derive(Debug)]
struct Bucket {
    /// In millionths.
    level: i128,
    filled_at: Instant,
}

const MILLION: i128 = 1_000_000;

impl Bucket {
    fn full(rate: u64, now: Instant) -> Self {
        Self { level: i128::from(rate) * MILLION, filled_at: now }
    }

    fn fill(&mut self, rate: u64, now: Instant) {
        let micros = now.saturating_duration_since(self.filled_at).as_micros();
        // A second fills it.
        let micros = i128::try_from(micros).unwrap_or(MILLION).min(2 * MILLION);
        let most = i128::from(rate) * MILLION;
        self.level = (self.level + micros * i128::from(rate)).min(most);
        self.filled_at = now;
    }

    fn take(&mut self, amount: u64) {
        self.level -= i128::from(amount) * MILLION;
    }

    /// Returns the time until it holds an amount, if it does not yet.
    fn wait_for(&self, amount: i128, rate: u64) -> Option<Duration> {
        let missing = amount * MILLION - self.level;
        if missing <= 0 {
            return None;
        }
        let micros = (missing + i128::from(rate) - 1) / i128::from(rate.max(1));
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).max(Duration::from_millis(1)))
    }
}

impl Allowance {
    pub(crate) fn new(quota: Quota, now: Instant) -> Arc<Self> {
        let calls = Bucket::full(quota.calls_per_second.unwrap_or(0).into(), now);
        let bytes = Bucket::full(quota.bytes_per_second.unwrap_or(0), now);
        let left = Mutex::new(Left { in_flight: 0, calls, bytes });
        Arc::new(Self { quota, left })
    }

    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        // Nothing in here panics, and numbers are whole in any case.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call of that many bytes. One of more bytes than may be sent in a second is made all the same, and later ones wait.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize, now: Instant) -> Result<Taken, Spent> {
        let mut left = self.left();
        self.spend_call(&mut left, bytes, now)?;
        left.in_flight += 1;
        drop(left);
        Ok(Taken(Arc::clone(self)))
    }

    /// Takes a call that is not in flight, since it is not answered.
    pub(crate) fn take_one_way(&self, bytes: usize, now: Instant) -> Result<(), Spent> {
        self.spend_call(&mut self.left(), bytes, now)
    }

    fn spend_call(&self, left: &mut Left, bytes: usize, now: Instant) -> Result<(), Spent> {
        if let Some(max) = self.quota.max_calls
            && left.in_flight >= max
        {
            return Err(Spent::InFlight(max));
        }
        if let Some(rate) = self.quota.calls_per_second {
            left.calls.fill(rate.into(), now);
            if let Some(wait) = left.calls.wait_for(1, rate.into()) {
                return Err(Spent::Calls(rate, wait));
            }
        }
        if let Some(rate) = self.quota.bytes_per_second {
            left.bytes.fill(rate, now);
            if let Some(wait) = left.bytes.wait_for(0, rate) {
                return Err(Spent::Bytes(rate, wait));
            }
        }
        left.calls.take(1);
        left.bytes.take(bytes as u64);
        Ok(())
    }

    /// Takes bytes of items, which were sent already: later calls wait for them.
    pub(crate) fn spend(&self, bytes: usize, now: Instant) {
        if let Some(rate) = self.quota.bytes_per_second {
            let mut left = self.left();
            left.bytes.fill(rate, now);
            left.bytes.take(bytes as u64);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.left().in_flight -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn calls_in_flight_are_bounded_until_they_end() {
        let now = Instant::now();
        let allowance = Allowance::new(Quota { max_calls: Some(2), ..Quota::default() }, now);
        let first = allowance.take(1, now).unwrap();
        let _second = allowance.take(1, now).unwrap();
        assert_eq!(allowance.take(1, now).unwrap_err(), Spent::InFlight(2));
        drop(first);
        assert!(allowance.take(1, now).is_ok());
    }

    #[test]
    fn calls_of_a_second_are_bounded_and_come_back_one_by_one() {
        let now = Instant::now();
        let allowance = Allowance::new(Quota { calls_per_second: Some(4), ..Quota::default() }, now);
        for _ in 0..4 {
            allowance.take_one_way(0, now).unwrap();
        }
        let quarter = SECOND / 4;
        assert_eq!(allowance.take_one_way(0, now), Err(Spent::Calls(4, quarter)));
        assert_eq!(allowance.take_one_way(0, now + quarter / 2), Err(Spent::Calls(4, quarter / 2)));
        assert_eq!(allowance.take_one_way(0, now + quarter), Ok(()));
        assert!(allowance.take_one_way(0, now + quarter).is_err());
        // What is saved up is that of a second.
        let later = now + 100 * SECOND;
        let made = (0..10).filter(|_| allowance.take_one_way(0, later).is_ok()).count();
        assert_eq!(made, 4);
    }

    #[test]
    fn bytes_may_be_overdrawn_once_and_are_paid_back() {
        let now = Instant::now();
        let allowance = Allowance::new(Quota { bytes_per_second: Some(1_000), ..Quota::default() }, now);
        assert!(allowance.take_one_way(2_500, now).is_ok(), "or it could never be made");
        assert_eq!(allowance.take_one_way(1, now), Err(Spent::Bytes(1_000, Duration::from_millis(1_500))));
        allowance.spend(500, now);
        assert_eq!(allowance.take_one_way(1, now), Err(Spent::Bytes(1_000, 2 * SECOND)));
        assert!(allowance.take_one_way(1, now + 2 * SECOND).is_ok());
    }
}
