//! [`Over`]: how a call ended that was dropped.

use tokio::time::Instant;

/// Says that a call was dropped, and why, unless it came to its end by itself.
pub(super) struct Over<F: FnMut(&'static str)> {
    deadline: Option<Instant>,
    dropped: Option<F>,
}

impl<F: FnMut(&'static str)> Over<F> {
    pub(super) fn new(deadline: Option<Instant>, dropped: F) -> Self {
        Self { deadline, dropped: Some(dropped) }
    }

    /// It came to its end.
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
