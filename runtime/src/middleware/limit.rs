//! [`Limit`]: the deadline of a call, for the middleware of its client.

use std::task::{Context, Poll};

use tokio::runtime::Handle;

use super::response::Response;
use crate::clock::{self, Timer};
use crate::method::Method;
use crate::session::Deadline;
use crate::status::{Cause, Status};

/// Bound on the time that the middleware takes by itself. A call in flight keeps its own deadline, and reports it to the
/// middleware.
pub(super) struct Limit {
    pub(super) deadline: Deadline,
    pub(super) method: &'static Method,
    /// That of the channel.
    pub(super) runtime: Option<Handle>,
    /// Timer for a middleware that waits for something other than its call; created when it is first needed.
    pub(super) timer: Option<Timer>,
}

impl Limit {
    pub(super) fn is_past(&self) -> bool {
        self.deadline.at <= clock::now()
    }

    /// Returns ready once the deadline has passed. Reads the clock, too: in a task that has used up its budget, the timer stays
    /// pending.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_past() {
            return Poll::Ready(());
        }
        let timer = self.timer.get_or_insert_with(|| Timer::until(self.deadline.at, self.runtime.as_ref()));
        let polled = timer.poll(context);
        if let Poll::Ready(Err(_)) = polled {
            // Without its runtime, nothing tells the time. The call itself fails, and the middleware is told.
            self.timer = None;
            return Poll::Pending;
        }
        polled.map(drop)
    }

    #[cold]
    pub(super) fn exceeded(&self) -> Response {
        let (method, after) = (self.method.name(), self.deadline.after);
        let what = format!("the client's middleware around `{method}` was not done within {after:?}");
        Response::failed(Status::deadline_exceeded(what).caused_by(Cause::Deadline))
    }
}
