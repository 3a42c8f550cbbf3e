//! The clock that sessions are given.

use std::time::Instant;

/// Returns the time as tokio has it, which a test may have paused.
#[inline]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
