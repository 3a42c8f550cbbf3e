//! [`Stall`]: notices that the two sides of a bidirectional call wait for each other, and says so in the log.
//!
//! A client that sends all its items before it reads an answer stops for ever once both windows are full: the server waits until its
//! answers are read, and so reads no more items. Nothing is broken, so nothing ends the call but its deadline. Only the client's
//! side is watched: a handler that waits to send while items of its client lie unread is held up by its client, as it should be.

use std::sync::Arc;
#[cfg(feature = "tracing")]
use std::{
    task::{Context, Poll},
    time::Duration,
};

#[cfg(feature = "tracing")]
use tokio::runtime::Handle;

#[cfg(feature = "tracing")]
use crate::clock::{self, Timer};
use crate::flow::InboundStream;

/// The answers to a bidirectional call, which a client should read while it sends.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "there is no log"))]
pub(crate) struct Answers {
    pub(crate) inbound: Arc<InboundStream>,
    /// Name of the method.
    pub(crate) method: &'static str,
}

/// Time that an item waits for credit before the answers are looked at.
#[cfg(feature = "tracing")]
const PATIENCE: Duration = Duration::from_secs(1);

/// One wait for credit.
#[cfg(feature = "tracing")]
#[derive(Default)]
pub(super) struct Stall {
    timer: Option<Timer>,
    /// Whether there is nothing to look for any more.
    is_over: bool,
}

#[cfg(feature = "tracing")]
impl Stall {
    /// Looks at the answers once the wait has taken long. Called when an item has found no credit; `runtime` is that of the channel.
    pub(super) fn watch(
        &mut self,
        context: &mut Context<'_>,
        answers: Option<&Answers>,
        runtime: Option<&Handle>,
    ) {
        let Some(answers) = answers.filter(|_| !self.is_over) else { return };
        // A program that does not log needs no timer.
        if self.timer.is_none() && !crate::telemetry::logs_warnings() {
            return;
        }
        let begin = || Timer::until(clock::now() + PATIENCE, runtime);
        let timer = self.timer.get_or_insert_with(begin);
        while let Poll::Ready(waited) = timer.poll(context) {
            // Where the runtime has ended, so has the call.
            self.is_over = waited.is_err() || answers.inbound.has_unread();
            if waited.is_ok() && self.is_over {
                crate::telemetry::both_sides_wait(answers.method);
            }
            if self.is_over {
                return;
            }
            *timer = begin();
        }
    }
}
