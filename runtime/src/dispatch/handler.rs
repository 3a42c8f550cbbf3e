//! Running handlers: once where their call arrived, and as a task of their own only if they are not done by then.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep};

use super::handling::{Handling, Work};
use crate::context::with_deadline;
use crate::peer::Peer;
use crate::session::server::{Answer, CallKey};
use crate::status::{Cause, Failure, Status};

/// A handler, its deadline, and the answer that its call waits for.
pub(super) struct Handler {
    work: Work,
    deadline: Option<Instant>,
    answer: PendingAnswer,
}

/// The answer that a call waits for. Dropped without one, it tells the client so.
struct PendingAnswer {
    peer: Arc<Peer>,
    /// The call; `None` if it was answered, or is one-way.
    key: Option<CallKey>,
}

impl Handler {
    #[inline]
    pub(super) fn new(work: Work, deadline: Option<Instant>, peer: Arc<Peer>, key: Option<CallKey>) -> Self {
        Self { work, deadline, answer: PendingAnswer { peer, key } }
    }
}

impl PendingAnswer {
    #[inline]
    fn set(&mut self, answer: Answer) {
        if let Some(key) = self.key.take() {
            self.peer.answer(key, answer);
        }
    }

    fn expire(&mut self) {
        if let Some(key) = self.key.take() {
            let status = Status::deadline_exceeded("the deadline passed while the handler ran");
            self.peer.fail(key, &status.maybe_executed().caused_by(Cause::Deadline));
        }
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        if self.key.is_some() {
            let status = Status::cancelled("the server dropped the call").maybe_executed();
            self.set(Answer::Failure(Failure::Status(status)));
        }
    }
}

impl Future for Handler {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        poll_work(&mut this.work, this.deadline, context).map(|answer| this.answer.set(answer))
    }
}

/// Polls a handler. It must not be polled again after a panic, which is an answer, too.
#[inline]
fn poll_work(work: &mut Work, deadline: Option<Instant>, context: &mut Context<'_>) -> Poll<Answer> {
    let poll = || with_deadline(deadline, || work.as_mut().poll(context));
    catch_unwind(AssertUnwindSafe(poll))
        .unwrap_or_else(|_| Poll::Ready(Answer::Failure(Failure::Status(Handling::panicked()))))
}

/// Polls a handler once, in place. One that is not done must be spawned: its first poll there tells it what to wake, so a waker
/// that does nothing is enough here.
#[inline]
pub(super) fn poll_once(work: &mut Work, deadline: Option<Instant>) -> Poll<Answer> {
    poll_work(work, deadline, &mut Context::from_waker(Waker::noop()))
}

/// Runs a handler to its end, or until its time is up.
pub(super) async fn run(handler: Handler) {
    match handler.deadline {
        None => handler.await,
        Some(deadline) => Timed { handler, sleep: Box::pin(tokio::time::sleep_until(deadline)) }.await,
    }
}

/// A handler with a deadline. When the deadline passes, the call is answered first and the handler dropped then, so that the
/// caller hears of the deadline and not of the drop.
struct Timed {
    handler: Handler,
    sleep: Pin<Box<Sleep>>,
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
        self.handler.answer.expire();
        Poll::Ready(())
    }
}
