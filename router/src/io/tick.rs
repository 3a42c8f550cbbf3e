//! [`Tick`]: a clock of a connection's task.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Tells again and again that some time has passed. Idle connections have none.
#[derive(Debug)]
pub(super) struct Tick {
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Tick {
    pub(super) fn new(pause: Duration) -> Self {
        Self { pause, sleep: Box::pin(sleep(pause)) }
    }

    /// Reports whether the time has passed since the last time that it had. If not, the task is woken when it has.
    pub(super) fn has_passed(&mut self, context: &mut Context<'_>) -> bool {
        let mut has_passed = false;
        while self.sleep.as_mut().poll(context).is_ready() {
            has_passed = true;
            let next = Instant::now() + self.pause;
            self.sleep.as_mut().reset(next);
        }
        has_passed
    }
}
