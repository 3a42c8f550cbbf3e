//! [`Deadline`]: when the time of a call is up.

use std::time::{Duration, Instant};

use crate::status::{Cause, Status};

/// When a call's time is up.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// How long after the call began, for messages.
    pub after: Duration,
}

impl Deadline {
    /// Returns the deadline `after` from `now`, or `None` if that is too far for the clock.
    #[inline]
    #[must_use]
    pub fn within(now: Instant, after: Duration) -> Option<Self> {
        Some(Self { at: now.checked_add(after)?, after })
    }

    /// Returns the deadline at a given time.
    #[inline]
    #[must_use]
    pub fn at(now: Instant, at: Instant) -> Self {
        Self { at, after: at.saturating_duration_since(now) }
    }

    /// Returns the earlier of two.
    #[inline]
    #[must_use]
    pub fn sooner(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if one.at <= other.at { one } else { other }),
            (one, other) => one.or(other),
        }
    }

    /// Returns the time that is left.
    #[inline]
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }

    /// Returns the status of a call of `method` whose deadline has passed in flight.
    #[cold]
    #[must_use]
    pub fn exceeded(&self, method: &str) -> Status {
        let what = format!("`{method}` was not answered within {:?}", self.after);
        Status::deadline_exceeded(what).caused_by(Cause::Deadline)
    }
}
