//! When the time of a call is up.

use std::time::Duration;

use tokio::time::Instant;

use crate::status::{Cause, Status};

/// When a call's time is up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// How long that was from its beginning, for messages.
    pub(crate) after: Duration,
}

impl Deadline {
    /// So long from then. A time too long for the clock is none.
    #[inline]
    pub(super) fn within(now: Instant, after: Duration) -> Option<Self> {
        Some(Self { at: now.checked_add(after)?, after })
    }

    /// At that time, whoever set it.
    #[inline]
    pub(super) fn at(now: Instant, at: Instant) -> Self {
        Self { at, after: at.saturating_duration_since(now) }
    }

    /// The sooner of two.
    #[inline]
    pub(super) fn sooner(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if one.at <= other.at { one } else { other }),
            (one, other) => one.or(other),
        }
    }

    /// The time that is left.
    #[inline]
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }

    #[cold]
    pub(super) fn exceeded(&self, method: &str) -> Status {
        let what = format!("`{method}` was not answered within {:?}", self.after);
        Status::deadline_exceeded(what).caused_by(Cause::Deadline)
    }
}
