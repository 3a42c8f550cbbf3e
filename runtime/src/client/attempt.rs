//! [`Attempts`]: a call that is answered once, from the first time it is sent to the answer that stands.
//!
//! What is made again, and when, is decided in [`super::retry`]; what a single sending takes is in [`super::launch`].

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep};

use super::around::Made;
use super::handle::GIVEN_UP;
use super::in_flight::Streams;
use super::launch::Launch;
use super::retry::{Verdict, judge};
use crate::codec::Body;
use crate::middleware::ClientRequest;
use crate::status::{Failure, Outcome, Status};

/// A call that is answered once, and made again where that is safe. Dropped, it is cancelled.
pub(super) struct Attempts {
    pub(super) launch: Launch,
    stage: Stage,
    /// How often it has failed.
    failures: u32,
    /// A handler may have run in an attempt before this one.
    may_have_run: bool,
}

enum Stage {
    Launching,
    /// By this id, over the launch's connection: to be given up before the launch forgets which that is, or a stranger's
    /// call of the same id would be.
    InFlight(u32),
    /// It has failed, and is to be made again.
    Pausing(Pin<Box<Sleep>>),
}

impl Attempts {
    pub(super) fn new(mut launch: Launch) -> Self {
        launch.keep();
        Self { launch, stage: Stage::Launching, failures: 0, may_have_run: false }
    }

    /// The answer, or the failure that nothing more is to be done about.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Body, Failure>> {
        loop {
            match &mut self.stage {
                Stage::Launching => match ready!(self.launch.poll_call(context, &Streams::default(), None)) {
                    Ok(id) => {
                        self.stage = Stage::InFlight(id);
                        return Poll::Pending;
                    }
                    Err(status) => return Poll::Ready(Err(self.last(Failure::Status(status)))),
                },
                Stage::InFlight(id) => match ready!(self.launch.connection().poll_reply(*id, context)) {
                    Ok(answer) => {
                        self.stage = Stage::Launching;
                        return Poll::Ready(Ok(answer));
                    }
                    Err(failure) => {
                        self.stage = Stage::Launching;
                        if let Err(failure) = self.go_on(failure) {
                            return Poll::Ready(Err(self.last(failure)));
                        }
                    }
                },
                Stage::Pausing(pause) => {
                    if let Poll::Ready(Err(status)) = self.launch.poll_turn(context) {
                        return Poll::Ready(Err(self.last(Failure::Status(status))));
                    }
                    ready!(pause.as_mut().poll(context));
                    self.stage = Stage::Launching;
                }
            }
        }
    }

    /// The call is over, and so is what it holds for its answer.
    #[inline]
    pub(super) fn give_up(&mut self) {
        self.abandon();
        self.launch.give_up();
    }

    /// Begins anew, as if it had never been made.
    fn reset(&mut self) {
        self.abandon();
        (self.failures, self.may_have_run) = (0, false);
    }

    /// Cancels the call if it is in flight.
    #[inline]
    fn abandon(&mut self) {
        if let Stage::InFlight(id) = self.stage {
            self.launch.connection().abandon_call(id, GIVEN_UP);
        }
        self.stage = Stage::Launching;
    }

    /// Makes the call again, if that is worth it and allowed.
    ///
    /// # Errors
    /// It is not: the failure stands.
    #[cold]
    fn go_on(&mut self, failure: Failure) -> Result<(), Failure> {
        self.failures += 1;
        let verdict = judge(&failure, self.launch.is_idempotent());
        let retry = self.launch.retry();
        if verdict == Verdict::Final || !self.launch.is_kept() || !retry.allows_more_than(self.failures) {
            return Err(failure);
        }
        if verdict != Verdict::AtOnce {
            let hint = if let Failure::Status(status) = &failure { status.retry_after() } else { None };
            let Some(pause) = retry.pause(self.failures, hint) else { return Err(failure) };
            let now = Instant::now();
            if self.launch.time_left(now).is_some_and(|left| left <= pause) || !self.launch.take_retry(now) {
                return Err(failure);
            }
            self.stage = Stage::Pausing(Box::pin(sleep(pause)));
        }
        self.may_have_run |= outcome(&failure) != Outcome::NotSent;
        self.launch.again();
        Ok(())
    }

    /// The failure that the caller gets: it speaks of all attempts.
    fn last(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Status(status) if self.may_have_run && status.outcome() == Outcome::NotSent => {
                Failure::Status(status.maybe_executed())
            }
            failure => failure,
        }
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Made for Attempts {
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.reset();
        self.launch.begin_again(request.metadata)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Body>, Failure>> {
        self.poll(context).map_ok(Some)
    }

    fn cancel(&mut self) {
        self.reset();
    }
}

fn outcome(failure: &Failure) -> Outcome {
    match failure {
        Failure::Status(status) => status.outcome(),
        Failure::Declared { .. } => Outcome::Executed,
    }
}
