//! Runs handlers: polls each once where its call was received, and spawns it only if that poll did not complete it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep};

use super::handling::{Handling, Work};
use super::measured::Measured;
use super::running::Peer;
use crate::caught::{Panicked, caught};
use crate::context::with_deadline;
use crate::holdup;
use crate::session::server::{Answer, CallKey};
use crate::status::{Cause, Failure, Status};

/// A handler, its deadline, and the answer that its call waits for.
pub(super) struct Handler {
    work: Work,
    deadline: Option<Instant>,
    answer: PendingAnswer,
}

/// The answer that a call waits for. If this is dropped without an answer, the client is told that the server dropped the call.
pub(super) struct PendingAnswer {
    peer: Arc<Peer>,
    /// Key of the call; `None` if it was answered, or is one-way.
    key: Option<CallKey>,
    /// What is measured of the call until it ends.
    measured: Option<Measured>,
}

impl Handler {
    #[inline]
    pub(super) fn new(work: Work, deadline: Option<Instant>, answer: PendingAnswer) -> Self {
        Self { work, deadline, answer }
    }
}

impl PendingAnswer {
    /// Creates the answer of a call, or of a one-way call without a key, which needs none.
    #[inline]
    pub(super) fn new(peer: Arc<Peer>, key: Option<CallKey>, measured: Option<Measured>) -> Self {
        let measured = measured.map(|measured| measured.goes_on(peer.shared().measures()));
        Self { peer, key, measured }
    }

    /// Says when the handler has begun, of a call whose handler had not when this was created.
    pub(super) fn began(&mut self, at: Instant) {
        if let Some(measured) = &mut self.measured {
            measured.began(Some(at));
        }
    }

    /// Turns the call away, which no handler has seen.
    pub(super) fn turn_away(&mut self, why: Status) {
        if let Some(measured) = self.measured.take() {
            measured.turned_away(self.peer.shared().measures(), &why);
        }
        turn_away(&self.peer, self.key.take(), why);
    }

    /// Leaves the answer to others.
    pub(super) fn leave(&mut self) {
        self.key = None;
    }

    /// Answers the call.
    #[inline]
    pub(super) fn set(&mut self, answer: Answer) {
        if let Some(measured) = self.measured.take() {
            measured.ended(self.peer.shared().measures(), &answer);
        }
        if let Some(key) = self.key.take() {
            self.peer.answer(key, answer);
        }
    }

    fn expire(&mut self) {
        self.note_drop();
        if let Some(key) = self.key.take() {
            let status = Status::deadline_exceeded("the deadline passed while the handler ran");
            self.peer.fail(key, &status.maybe_executed().caused_by(Cause::Deadline));
        }
    }
}

impl PendingAnswer {
    /// Says that the handler did not come to its end.
    fn note_drop(&mut self) {
        if let Some(measured) = self.measured.take() {
            measured.dropped(self.peer.shared().measures());
        }
    }
}

/// Turns a call away that no handler has seen.
pub(super) fn turn_away(peer: &Arc<Peer>, key: Option<CallKey>, why: Status) {
    let counters = &peer.shared().counters;
    match key {
        Some(key) => {
            counters.count_refused();
            peer.answer(key, Answer::Failure(Failure::Status(why)));
        }
        None => counters.count_refused_one_way(),
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        self.note_drop();
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

/// Polls a handler. A panic is returned as an answer; the handler must not be polled again after it.
#[inline]
fn poll_work(work: &mut Work, deadline: Option<Instant>, context: &mut Context<'_>) -> Poll<Answer> {
    let poll = || with_deadline(deadline, || work.as_mut().poll(context));
    holdup::watched(|| caught(poll))
        .unwrap_or_else(|Panicked| Poll::Ready(Answer::Failure(Failure::Status(Handling::panicked()))))
}

/// A handler after its first poll.
pub(super) enum First {
    Done(Answer),
    /// The handler waits for something, and must be spawned.
    Waits(Work),
}

/// Polls a handler once, in place. A handler that is not done must be spawned: its first poll in the task registers that task's
/// waker, so a waker that does nothing is enough here.
#[inline]
pub(super) fn poll_once(mut work: Work, deadline: Option<Instant>) -> First {
    match poll_work(&mut work, deadline, &mut Context::from_waker(Waker::noop())) {
        Poll::Pending => First::Waits(work),
        Poll::Ready(answer) => {
            // A handler that has an answer is answered, also if it panics as it is dropped.
            let _: Result<(), Panicked> = caught(|| drop(work));
            First::Done(answer)
        }
    }
}

/// Runs a handler until it completes or its deadline passes.
pub(super) async fn run(handler: Handler) {
    match handler.deadline {
        None => handler.await,
        Some(deadline) => Timed { handler, sleep: Box::pin(tokio::time::sleep_until(deadline)) }.await,
    }
}

/// A handler with a deadline. When the deadline passes, the call is answered before the handler is dropped, so that the caller is
/// told of the deadline and not of the drop.
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
