//! [`Rate`]: how often what a peer can cause is reported, so that it can't fill a log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of events in a [`WINDOW`].
const MAX_EVENTS: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Bounds how often one event is reported: ten times in ten seconds.
#[derive(Debug)]
pub struct Rate(Mutex<Reported>);

#[derive(Debug)]
struct Reported {
    /// When the window began, once there was an event.
    since: Option<Instant>,
    /// Number of events that were reported in it.
    count: u32,
    /// Number of events that were not reported, and that no report has spoken of.
    suppressed: u64,
}

impl Rate {
    /// Creates one of an event that has not come yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is for statics, too")]
    pub const fn new() -> Self {
        Self(Mutex::new(Reported { since: None, count: 0, suppressed: 0 }))
    }

    /// Counts an event. Returns how many were suppressed before it, or `None` if it is to be suppressed, too.
    pub fn take(&self, now: Instant) -> Option<u64> {
        // Nothing in here panics; numbers are whole in any case.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            (state.since, state.count) = (Some(now), 0);
        }
        if state.count >= MAX_EVENTS {
            state.suppressed += 1;
            return None;
        }
        state.count += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_reported_ten_times_in_ten_seconds_and_the_others_are_counted() {
        let rate = Rate::new();
        let start = Instant::now();
        let reported = |at: Duration| (0..25).filter_map(|_| rate.take(start + at)).collect::<Vec<_>>();
        assert_eq!(reported(Duration::ZERO), [0; 10]);
        assert_eq!(reported(WINDOW / 2), [0; 0]);
        let next = reported(WINDOW);
        assert_eq!((next[0], &next[1..]), (40, &[0; 9][..]));
    }
}
