//! [`Over`]: reports calls that were dropped before they ended.

use tokio::time::Instant;

/// Reports that a call was dropped, and why, unless the call has ended by itself.
pub(super) struct Over<F: FnMut(&'static str)> {
    deadline: Option<Instant>,
    dropped: Option<F>,
}

impl<F: FnMut(&'static str)> Over<F> {
    pub(super) fn new(deadline: Option<Instant>, dropped: F) -> Self {
        Self { deadline, dropped: Some(dropped) }
    }

    /// Says that the call has ended by itself, which is not reported.
    pub(super) fn by_itself(mut self) {
        self.dropped = None;
    }
}

impl<F: FnMut(&'static str)> Drop for Over<F> {
    fn drop(&mut self) {
        if let Some(dropped) = &mut self.dropped {
            let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
            dropped(if late { "deadline_exceeded" } else { "cancelled" });
        }
    }
}
