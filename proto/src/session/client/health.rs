//! [`OutlierDetection`]: whether an endpoint is worth calling. One that keeps failing calls is left alone for a while,
//! then tried with single calls until one of them succeeds.
//!
//! Which endpoint is called instead is the channel's choice, which never does without the last one.

use std::time::{Duration, Instant};

/// Number of calls that have to fail in a row.
const FAILURES: u32 = 5;
/// How long an endpoint is ejected the first time. It doubles with each time in a row.
const FIRST_EJECTION: Duration = Duration::from_secs(5);
/// The longest ejection. An endpoint that has been in for as long begins anew.
const MAX_EJECTION: Duration = Duration::from_secs(120);
/// How long a call on trial has before another is sent after it.
const TRIAL: Duration = Duration::from_secs(1);

/// What became of an endpoint's last calls.
#[derive(Debug, Default)]
pub struct OutlierDetection {
    /// Number of calls that have failed since the last success.
    failures: u32,
    /// Number of ejections in a row.
    times: u32,
    /// The endpoint is ejected until then. After that, one call may try.
    out_until: Option<Instant>,
    /// Whether a call is on its way that may bring it back.
    on_trial: bool,
    /// When the endpoint came back.
    back: Option<Instant>,
}

/// Whether to call an endpoint. The lesser of two is the better choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthState {
    /// The server was ejected, and a single call is to show how it is now.
    Trial,
    /// The server gets calls.
    In,
    /// The server has failed too many calls, and is ejected.
    Out,
}

impl OutlierDetection {
    /// Returns whether the endpoint is worth calling.
    #[must_use]
    pub fn state(&self, now: Instant) -> HealthState {
        match self.out_until {
            None => HealthState::In,
            Some(until) if until > now => HealthState::Out,
            Some(_) => HealthState::Trial,
        }
    }

    /// Says that the endpoint is given the call that finds out how it is.
    pub fn begin_trial(&mut self, now: Instant) {
        if self.state(now) == HealthState::Trial {
            self.out_until = Some(now + TRIAL);
            self.on_trial = true;
        }
    }

    /// Counts a success. Returns whether that has brought the endpoint back.
    #[inline]
    pub fn succeeded(&mut self, now: Instant) -> bool {
        // Nearly always there is nothing to do.
        if self.failures == 0 && self.out_until.is_none() {
            return false;
        }
        self.failures = 0;
        self.on_trial = false;
        let back = self.out_until.take().is_some();
        if back {
            self.back = Some(now);
        }
        back
    }

    /// Counts a failure that speaks of the endpoint. Returns whether it is ejected with that.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.out_until.is_some() && !self.on_trial || self.out_until.is_none() && self.failures < FAILURES
        {
            return false;
        }
        if self.back.is_some_and(|back| now.duration_since(back) >= MAX_EJECTION) {
            self.times = 0;
        }
        let out = FIRST_EJECTION.saturating_mul(1 << self.times.min(16)).min(MAX_EJECTION);
        self.times += 1;
        (self.failures, self.on_trial, self.out_until) = (0, false, Some(now + out));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn fail(health: &mut OutlierDetection, now: Instant) -> u32 {
        (1..=FAILURES).find(|_| health.failed(now)).unwrap_or(u32::MAX)
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let (mut health, now) = (OutlierDetection::default(), Instant::now());
        for _ in 1..FAILURES {
            assert!(!health.failed(now));
        }
        assert!(!health.succeeded(now));
        assert_eq!(fail(&mut health, now), FAILURES);
        assert_eq!(health.state(now), HealthState::Out);
        // Those that were on their way do not make it worse.
        assert_eq!(fail(&mut health, now), u32::MAX);
        assert_eq!(health.state(now + FIRST_EJECTION), HealthState::Trial);
    }

    #[test]
    fn a_single_call_brings_it_back_or_makes_it_wait_for_longer() {
        let (mut health, mut now) = (OutlierDetection::default(), Instant::now());
        fail(&mut health, now);
        now += FIRST_EJECTION;
        health.begin_trial(now);
        assert_eq!(health.state(now), HealthState::Out, "one at a time");
        assert_eq!(health.state(now + TRIAL), HealthState::Trial, "it may never come back");
        assert!(health.failed(now));
        assert_eq!(health.state(now + (2 * FIRST_EJECTION).saturating_sub(MOMENT)), HealthState::Out);
        now += 2 * FIRST_EJECTION;
        health.begin_trial(now);
        assert!(health.succeeded(now));
        assert_eq!(health.state(now), HealthState::In);
    }

    #[test]
    fn it_is_never_out_for_longer_than_the_longest() {
        let (mut health, mut now) = (OutlierDetection::default(), Instant::now());
        fail(&mut health, now);
        for _ in 0..40 {
            now += MAX_EJECTION;
            health.begin_trial(now);
            assert!(health.failed(now));
        }
        assert_eq!(health.state(now + MAX_EJECTION.saturating_sub(MOMENT)), HealthState::Out);
        assert_eq!(health.state(now + MAX_EJECTION), HealthState::Trial);
    }
}
