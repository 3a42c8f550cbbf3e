//! [`OnDrop`]: reports calls that were dropped before they ended.

use tokio::time::Instant;

/// Reports that a call was dropped, as `cancelled` or `deadline_exceeded`, unless it was disarmed.
pub(super) struct OnDrop<F: FnMut(&'static str)> {
    deadline: Option<Instant>,
    dropped: Option<F>,
}

impl<F: FnMut(&'static str)> OnDrop<F> {
    pub(super) fn new(deadline: Option<Instant>, dropped: F) -> Self {
        Self { deadline, dropped: Some(dropped) }
    }

    /// Drops this without a report: the call has ended by itself.
    pub(super) fn disarm(mut self) {
        self.dropped = None;
    }
}

impl<F: FnMut(&'static str)> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(dropped) = &mut self.dropped {
            let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
            dropped(if late { "deadline_exceeded" } else { "cancelled" });
        }
    }
}
