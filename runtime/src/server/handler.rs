//! Running handlers: once where their call arrived, and as a task of their own only if they are not done by then.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep};

use super::peer::{CallKey, Peer};
use crate::context::with_deadline;
use crate::status::{Cause, Status};

/// A handler and the time that it has.
pub(super) struct Handler {
    pub(super) future: Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(super) deadline: Option<Instant>,
}

impl Future for Handler {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        with_deadline(self.deadline, || self.future.as_mut().poll(context))
    }
}

/// Polls a handler once, here. What is not done is to be spawned: its first poll there tells it whom to wake, so a
/// waker that does nothing is enough here.
pub(super) fn poll_once(mut handler: Handler) -> Option<Handler> {
    let mut context = Context::from_waker(Waker::noop());
    // A panic has dropped what the handler held, the answer that it owed among it, and so answered the call.
    match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut handler).poll(&mut context))) {
        Ok(Poll::Pending) => Some(handler),
        Ok(Poll::Ready(())) | Err(_) => None,
    }
}

/// Runs a handler to its end, or until its time is up.
pub(super) async fn run(handler: Handler, peer: Arc<Peer>, key: Option<CallKey>) {
    match handler.deadline {
        None => handler.await,
        Some(deadline) => {
            Timed { handler, sleep: Box::pin(tokio::time::sleep_until(deadline)), peer, key }.await;
        }
    }
}

/// A handler with a deadline. When it passes, the call is answered first and the handler dropped then, so that the
/// caller hears of the deadline and not of the drop.
struct Timed {
    handler: Handler,
    sleep: Pin<Box<Sleep>>,
    peer: Arc<Peer>,
    key: Option<CallKey>,
}

impl Future for Timed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Pin::new(&mut self.handler).poll(context).is_ready() {
            return Poll::Ready(());
        }
        if self.sleep.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if let Some(key) = self.key {
            let status = Status::deadline_exceeded("the deadline passed while the handler ran");
            self.peer.fail(key, &status.maybe_executed().caused_by(Cause::Deadline));
        }
        Poll::Ready(())
    }
}
