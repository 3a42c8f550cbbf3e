//! [`Health`]: whether an endpoint's answers are worth calling it for. One that keeps failing calls is left alone for a
//! while, then tried with single calls until one of them comes back well.
//!
//! Not here: who is called instead; see [`super::endpoints`], which never does without the last.

use std::time::Duration;

use tokio::time::Instant;

/// Calls that have to fail one after the other, with nothing good in between.
const FAILURES: u32 = 5;
/// How long an endpoint is out the first time. It doubles with each time in a row.
const FIRST: Duration = Duration::from_secs(5);
/// It is never out for longer. One that has been in for as long begins anew.
const LONGEST: Duration = Duration::from_mins(2);
/// How long a single call has to come back before another is sent after it.
const TRIAL: Duration = Duration::from_secs(1);

/// What an endpoint's calls have come to.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// How many have failed since the last that has not.
    failures: u32,
    /// How often it was out lately.
    times: u32,
    /// It is out until then. After that, one call may try.
    out_until: Option<Instant>,
    /// A call is on its way that may bring it back.
    on_trial: bool,
    /// When it came back.
    back: Option<Instant>,
}

/// Whether to call an endpoint. The first of two is the better choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It was out, and a single call is to find out how it is now.
    Trial,
    /// It is as good as any.
    In,
    /// It has failed too many calls.
    Out,
}

impl Health {
    pub(super) fn standing(&self, now: Instant) -> Standing {
        match self.out_until {
            None => Standing::In,
            Some(until) if until > now => Standing::Out,
            Some(_) => Standing::Trial,
        }
    }

    /// It is given the call that finds out how it is.
    pub(super) fn try_out(&mut self, now: Instant) {
        if self.standing(now) == Standing::Trial {
            self.out_until = Some(now + TRIAL);
            self.on_trial = true;
        }
    }

    /// A call has come back well. Whether that has brought it back.
    pub(super) fn succeeded(&mut self) -> bool {
        // Nearly always there is nothing to do, and no need to ask for the time.
        if self.failures == 0 && self.out_until.is_none() {
            return false;
        }
        self.failures = 0;
        self.on_trial = false;
        let back = self.out_until.take().is_some();
        if back {
            self.back = Some(Instant::now());
        }
        back
    }

    /// A call has failed in a way that speaks of the endpoint. Whether it is out with that.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.out_until.is_some() && !self.on_trial || self.out_until.is_none() && self.failures < FAILURES
        {
            return false;
        }
        if self.back.is_some_and(|back| now.duration_since(back) >= LONGEST) {
            self.times = 0;
        }
        let out = FIRST.saturating_mul(1 << self.times.min(16)).min(LONGEST);
        self.times += 1;
        (self.failures, self.on_trial, self.out_until) = (0, false, Some(now + out));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn fail(health: &mut Health, now: Instant) -> u32 {
        (1..=FAILURES).find(|_| health.failed(now)).unwrap_or(u32::MAX)
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 1..FAILURES {
            assert!(!health.failed(now));
        }
        assert!(!health.succeeded());
        assert_eq!(fail(&mut health, now), FAILURES);
        assert_eq!(health.standing(now), Standing::Out);
        // Those that were on their way do not make it worse.
        assert_eq!(fail(&mut health, now), u32::MAX);
        assert_eq!(health.standing(now + FIRST), Standing::Trial);
    }

    #[test]
    fn a_single_call_brings_it_back_or_makes_it_wait_for_longer() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        fail(&mut health, now);
        now += FIRST;
        health.try_out(now);
        assert_eq!(health.standing(now), Standing::Out, "one at a time");
        assert_eq!(health.standing(now + TRIAL), Standing::Trial, "it may never come back");
        assert!(health.failed(now));
        assert_eq!(health.standing(now + 2 * FIRST - MOMENT), Standing::Out);
        now += 2 * FIRST;
        health.try_out(now);
        assert!(health.succeeded());
        assert_eq!(health.standing(now), Standing::In);
    }

    #[test]
    fn it_is_never_out_for_longer_than_the_longest() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        fail(&mut health, now);
        for _ in 0..40 {
            now += LONGEST;
            health.try_out(now);
            assert!(health.failed(now));
        }
        assert_eq!(health.standing(now + LONGEST - MOMENT), Standing::Out);
        assert_eq!(health.standing(now + LONGEST), Standing::Trial);
    }
}
