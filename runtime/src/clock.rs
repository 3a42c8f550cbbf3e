//! The clock that sessions are given.

use std::time::{Duration, Instant};

/// The longest time of an option, some thirty years. Every clock can be put forward by a few of it.
const LONGEST: Duration = Duration::from_secs(1_000_000_000);
/// The least interval or timeout of an option.
pub(crate) const LEAST: Duration = Duration::from_millis(1);

/// Returns the time that an option stands for: at least the least that works, and none that a clock can't be put forward by.
pub(crate) fn bounded(time: Duration, least: Duration) -> Duration {
    time.clamp(least, LONGEST)
}

/// Returns the time as tokio has it, which a test may have paused.
#[inline]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
