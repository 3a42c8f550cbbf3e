//! [`UnaryCall`]: a call that is answered once, from its first attempt to the answer that its caller gets.
//!
//! Which calls are retried, and when, is decided in `connection/retry.rs`; how a single attempt is sent is in
//! [`super::pending_call`].

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::handle::GIVEN_UP;
use super::layer::{Layer, LayeredCall, poll_around};
use super::pending_call::PendingCall;
use crate::clock::{self, Timer};
use crate::codec::{self, Body, Form};
use crate::connection::{Verdict, classify};
use crate::middleware::ClientRequest;
use crate::session::client::Streams;
use crate::status::{CallError, Cause, Failure, Outcome, Status};
use crate::stream::unreadable;

/// A call that is answered once. Its output is `Result<R, E>`. A call that fails for a reason that may pass is made again if
/// that is safe: see [`crate::Retry`].
///
/// # Cancel safety
/// If the future is dropped before it completes, the call is cancelled at the server.
#[must_use = "a call does nothing until it is awaited"]
pub struct UnaryCall<R, E> {
    pub(super) attempts: Attempts,
    layer: Layer,
    answer: Answer<R, E>,
}

/// Reads the answer to a call.
pub(super) struct Answer<R, E> {
    decode: fn(&Body, usize) -> Result<R, codec::DecodeError>,
    error: PhantomData<fn() -> E>,
}

impl<R, E: CallError> Answer<R, E> {
    pub(super) fn new<F: Form<R>>() -> Self {
        Self { decode: codec::decode::<F, R>, error: PhantomData }
    }

    /// Returns what the caller gets, who takes messages of up to `max_body` bytes.
    pub(super) fn read(&self, reply: Result<Body, Failure>, max_body: usize) -> Result<R, E> {
        let body = reply.map_err(|failure| E::from_failure(failure, max_body))?;
        (self.decode)(&body, codec::max_decoded(max_body))
            .map_err(|error| unreadable("the server's answer", &error).into())
    }
}

impl<R, E: CallError> UnaryCall<R, E> {
    pub(crate) fn new<F: Form<R>>(call: PendingCall) -> Self {
        Self { attempts: Attempts::new(call), layer: Layer::Unpolled, answer: Answer::new::<F>() }
    }

    /// Disables retries: the call is made once, however it ends.
    pub fn no_retry(mut self) -> Self {
        self.attempts.call.no_retry();
        self
    }
}

impl<R, E: CallError> Future for UnaryCall<R, E> {
    type Output = Result<R, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let reply = match this.layer.of(&mut this.attempts.call, &Streams::default()) {
            None => ready!(this.attempts.poll(context)),
            Some(around) => ready!(poll_around(around, &mut this.attempts, context)),
        };
        this.layer = Layer::None;
        this.attempts.give_up();
        Poll::Ready(this.answer.read(reply, this.attempts.call.max_body()))
    }
}

/// Messages of up to this many bytes are received by every server, whatever its limits.
const SMALLEST_HARD_LIMIT_BYTES: usize = 256 * 1024;

/// A call that is answered once, and made again where that is safe. Dropping this cancels the call.
pub(super) struct Attempts {
    pub(super) call: PendingCall,
    stage: Stage,
    /// Number of attempts that have failed.
    failures: u32,
    /// Whether a handler may have run in an earlier attempt.
    may_have_run: bool,
    /// Whether the connection was lost in an earlier attempt, of a call that may be too large for a server.
    was_lost_as_large: bool,
}

enum Stage {
    Sending,
    /// In flight with this id, over the call's connection. Must be abandoned before the call takes another connection:
    /// the id could belong to another call there.
    InFlight(u32),
    /// The last attempt has failed; the next is made after this pause.
    Pausing(Timer),
}

impl Attempts {
    pub(super) fn new(mut call: PendingCall) -> Self {
        call.keep_for_retry();
        Self { call, stage: Stage::Sending, failures: 0, may_have_run: false, was_lost_as_large: false }
    }

    /// Returns the answer, or the failure that the caller gets.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Body, Failure>> {
        loop {
            match &mut self.stage {
                Stage::Sending => match ready!(self.call.poll_call(context, &Streams::default(), None)) {
                    Ok(id) => {
                        self.stage = Stage::InFlight(id);
                        return Poll::Pending;
                    }
                    Err(status) => return Poll::Ready(Err(self.for_all_attempts(Failure::Status(status)))),
                },
                Stage::InFlight(id) => match ready!(self.call.connection().poll_reply(*id, context)) {
                    Ok(answer) => {
                        self.stage = Stage::Sending;
                        return Poll::Ready(Ok(answer));
                    }
                    Err(failure) => {
                        self.stage = Stage::Sending;
                        if let Err(failure) = self.retry(failure) {
                            return Poll::Ready(Err(self.for_all_attempts(failure)));
                        }
                    }
                },
                Stage::Pausing(pause) => {
                    if let Poll::Ready(Err(status)) = self.call.poll_overlap(context) {
                        return Poll::Ready(Err(self.for_all_attempts(Failure::Status(status))));
                    }
                    let paused = ready!(pause.poll(context));
                    self.stage = Stage::Sending;
                    if let Err(status) = paused {
                        return Poll::Ready(Err(self.for_all_attempts(Failure::Status(status))));
                    }
                }
            }
        }
    }

    /// Ends the call, and releases what it holds.
    #[inline]
    pub(super) fn give_up(&mut self) {
        self.abandon();
        self.call.give_up();
    }

    /// Starts over, as if the call had never been made.
    fn reset(&mut self) {
        self.abandon();
        (self.failures, self.may_have_run, self.was_lost_as_large) = (0, false, false);
    }

    /// Cancels the call if it is in flight.
    #[inline]
    fn abandon(&mut self) {
        if let Stage::InFlight(id) = self.stage {
            self.call.connection().abandon_call(id, GIVEN_UP);
        }
        self.stage = Stage::Sending;
    }

    /// Prepares the next attempt, if the failure may pass and a retry is allowed.
    ///
    /// # Errors
    /// There is no further attempt: returns the failure.
    #[cold]
    fn retry(&mut self, failure: Failure) -> Result<(), Failure> {
        self.failures += 1;
        let failure = self.check_lost_as_large(failure)?;
        let verdict = classify(&failure, self.call.is_idempotent());
        let retry = self.call.retry();
        if verdict == Verdict::Final || !self.call.may_be_retried() || !retry.allows_more_than(self.failures)
        {
            return Err(failure);
        }
        if verdict != Verdict::AtOnce {
            let hint = if let Failure::Status(status) = &failure { status.retry_after() } else { None };
            let Some(pause) = retry.pause(self.failures, hint) else { return Err(failure) };
            let now = clock::now();
            if self.call.time_left(now).is_some_and(|left| left <= pause) || !self.call.take_retry(now) {
                return Err(failure);
            }
            self.stage = Stage::Pausing(self.call.timer(now + clock::bounded(pause, Duration::ZERO)));
        }
        self.may_have_run |= outcome(&failure) != Outcome::NotSent;
        self.call.prepare_retry();
        Ok(())
    }

    /// Returns the failure of an attempt, or fails if the connection was lost for the second time under a large call. A server on
    /// `libzmq` closes the connection of a message past four times its limit, with all other calls on it, and can't say so.
    fn check_lost_as_large(&mut self, failure: Failure) -> Result<Failure, Failure> {
        let bytes = self.call.parameter_bytes();
        let Failure::Status(status) = &failure else { return Ok(failure) };
        let is_lost =
            status.cause() == Some(Cause::ConnectionLost) && status.outcome() == Outcome::MaybeExecuted;
        if !is_lost || bytes < SMALLEST_HARD_LIMIT_BYTES {
            return Ok(failure);
        }
        if !std::mem::replace(&mut self.was_lost_as_large, true) {
            return Ok(failure);
        }
        let what = format!(
            "{}; that happened twice to this call, whose {bytes} bytes of parameters may be more than the server takes",
            status.message()
        );
        Err(Failure::Status(Status::unavailable(what).caused_by(Cause::ConnectionLost).maybe_executed()))
    }

    /// Returns the failure for the caller, with the outcome of all attempts together.
    fn for_all_attempts(&self, failure: Failure) -> Failure {
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

impl LayeredCall for Attempts {
    fn begin(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.reset();
        self.call.begin_again(request)
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
