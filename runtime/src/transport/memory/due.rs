//! [`DueTimer`]: waits until the next message arrives.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is allocated when it is first needed.
#[derive(Default)]
pub(super) struct DueTimer(Option<Pin<Box<Sleep>>>);

impl DueTimer {
    /// Is ready at `at`, or never without a time.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, at: Option<Instant>) -> Poll<()> {
        let Some(at) = at else { return Poll::Pending };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(context)
    }
}
