//! The client's side: [`ClientMiddleware`], and the stack that runs it around a call.
//!
//! A call's future makes the call; the stack decides when, and with which metadata. The two communicate through a [`Handoff`],
//! since a stream, and the middleware around it, outlives the future that returned it to the caller.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::coop::consume_budget;
use tokio::time::Instant;

use super::Inherited;
use super::limit::Limit;
use super::response::{Reply, Response, Traffic};
use crate::caught::{Caught, Panicked};
use crate::codec::Body;
use crate::metadata::{Metadata, ResponseMetadata};
use crate::method::Method;
use crate::session::Deadline;
use crate::status::{Cause, Failure, Outcome, Status};
use crate::stream::{LayerStep, StreamLayer};

/// User code around the calls that a client makes, of every kind.
///
/// The future of a middleware is part of the call: it runs where the call is awaited, and is dropped with the call. If
/// the call is answered with a stream, the future goes on in the stream, until that ends or is dropped. A panic ends
/// the call with `internal`.
///
/// The call's deadline bounds the middleware, too. When the deadline passes, the future is dropped and the call ends with
/// `deadline_exceeded`, unless the future waits for a call that it has made: that call ends by itself, and the middleware learns
/// of it.
///
/// ```
/// use zsvc::middleware::{ClientMiddleware, ClientNext, ClientRequest, Response};
///
/// /// Names the tenant that all calls are for.
/// struct Tenant(String);
///
/// impl ClientMiddleware for Tenant {
///     async fn handle(&self, mut request: ClientRequest, mut next: ClientNext<'_>) -> Response {
///         request.metadata_mut().insert("tenant", self.0.as_str());
///         next.run(request).await
///     }
/// }
/// ```
pub trait ClientMiddleware: Send + Sync + 'static {
    /// Handles one call, in most cases by running what comes next.
    ///
    /// # Cancel safety
    /// The future is dropped with the call or its stream, and when the deadline passes.
    fn handle(&self, request: ClientRequest, next: ClientNext<'_>) -> impl Future<Output = Response> + Send;
}

/// A call that is about to be made.
#[derive(Debug, Clone)]
pub struct ClientRequest {
    pub(crate) method: &'static Method,
    pub(crate) metadata: Metadata,
    /// Where what the server sends beside its answer is kept, if the caller or a middleware has asked for it.
    pub(crate) response: Option<ResponseMetadata>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) traffic: Traffic,
    /// Trace of the handler that made the call.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "only `Tracing` reads it"))]
    pub(crate) trace: Inherited,
}

impl ClientRequest {
    /// Returns the method that is called.
    #[must_use]
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// Returns the metadata that is sent beside the parameters.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the metadata for changes.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Returns what the server sends beside its answer or its stream: the caller's own, where it has asked for that. It is complete
    /// once the call has ended.
    pub fn response_metadata(&mut self) -> ResponseMetadata {
        self.response.get_or_insert_default().clone()
    }

    /// Returns the call's deadline. The deadline was fixed when the call was first awaited, and does not move when the call is
    /// made again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Returns the time left until the deadline, zero once it has passed; `None` without a deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns the size of the encoded parameters in bytes.
    #[must_use]
    pub fn parameter_bytes(&self) -> u64 {
        self.traffic.params
    }

    /// Returns the counts of bytes that the call carries. They may be read while the call runs and after.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }
}

/// The rest of the stack: the middleware that was added later, then the call itself, with the retries of the channel.
pub struct ClientNext<'a> {
    rest: &'a [Arc<dyn Erased>],
    handoff: &'a Handoff,
}

impl ClientNext<'_> {
    /// Makes the call, and returns how it ended. If the call is answered with a stream, this waits until the stream has ended.
    ///
    /// A call that is answered once, or not at all, may be made again until the deadline, usually with a clone of the request. A
    /// call that streams may not, since items are gone: the second attempt ends with `failed_precondition`.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the call is cancelled at the server.
    pub async fn run(&mut self, request: ClientRequest) -> Response {
        // A refused call waits for nothing: without this, a middleware that retries at once would starve its thread's
        // other tasks.
        consume_budget().await;
        let Some((first, rest)) = self.rest.split_first() else { return self.handoff.run(request).await };
        let next = ClientNext { rest, handoff: self.handoff };
        let response = Caught::new(first.handle(request, next)).await;
        let panicked = || Status::internal("a middleware of the client panicked").caused_by(Cause::Panicked);
        self.handoff.settle(response.unwrap_or_else(|Panicked| Response::failed(panicked())))
    }
}

impl fmt::Debug for ClientNext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientNext").field("middleware", &self.rest.len()).finish_non_exhaustive()
    }
}

/// A [`ClientMiddleware`] as an object.
trait Erased: Send + Sync {
    fn handle<'a>(&'a self, request: ClientRequest, next: ClientNext<'a>) -> Handled<'a>;
}

type Handled<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

impl<M: ClientMiddleware> Erased for M {
    fn handle<'a>(&'a self, request: ClientRequest, next: ClientNext<'a>) -> Handled<'a> {
        Box::pin(ClientMiddleware::handle(self, request, next))
    }
}

/// The middleware of a channel, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct ClientStack {
    layers: Vec<Arc<dyn Erased>>,
}

impl ClientStack {
    pub(crate) fn push(&mut self, middleware: impl ClientMiddleware) {
        self.layers.push(Arc::new(middleware));
    }

    /// Returns the middleware around one call. Nothing of the call has begun.
    pub(crate) fn around(
        self: &Arc<Self>,
        request: ClientRequest,
        deadline: Option<Deadline>,
        runtime: Option<Handle>,
    ) -> Around {
        let limit = deadline.map(|deadline| Limit { deadline, method: request.method, runtime, timer: None });
        let (stack, handoff) = (Arc::clone(self), Arc::new(Handoff::default()));
        let within = Arc::clone(&handoff);
        let future =
            Box::pin(async move { ClientNext { rest: &stack.layers, handoff: &within }.run(request).await });
        Around { future: Mutex::new(future), handoff, stage: CallStage::NotMade, limit }
    }
}

impl fmt::Debug for ClientStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStack").field("layers", &self.layers.len()).finish()
    }
}

/// What the stack asks of the call's future, and what the call's future reports back.
#[derive(Default)]
struct Handoff {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Request of the stack to the call's future.
    wanted: Wanted,
    /// Result of the call, until the stack takes it.
    ended: Option<Result<Reply, Failure>>,
    /// Wakes the stack when `ended` is set.
    waker: Option<Waker>,
    /// Outcome of all attempts together; `None` before the first.
    outcome: Option<Outcome>,
}

impl State {
    /// Adds the outcome of one attempt. A later attempt that was not sent does not undo an earlier one that was.
    fn record_outcome(&mut self, outcome: Outcome) {
        if outcome != Outcome::NotSent || self.outcome.is_none() {
            self.outcome = Some(outcome);
        }
    }
}

#[derive(Default)]
enum Wanted {
    #[default]
    Nothing,
    Call(ClientRequest),
    /// The stack has dropped its wait for the call, which is to be cancelled.
    Cancel,
}

impl Handoff {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the call, and waits for its result.
    async fn run(&self, request: ClientRequest) -> Response {
        {
            let mut state = self.lock();
            (state.wanted, state.ended) = (Wanted::Call(request), None);
        }
        let mut waiting = Waiting { handoff: self, is_over: false };
        let result = std::future::poll_fn(|context| waiting.poll(context)).await;
        Response { result }
    }

    /// Corrects the outcome of a response where it contradicts the attempts: a middleware can't claim that a call was not sent
    /// when it was.
    fn settle(&self, mut response: Response) -> Response {
        if let Err(Failure::Status(status)) = &mut response.result {
            let outcome = match (self.lock().outcome, status.outcome()) {
                (None | Some(Outcome::NotSent), _) => Outcome::NotSent,
                (Some(Outcome::MaybeExecuted), _) | (Some(Outcome::Executed), Outcome::NotSent) => {
                    Outcome::MaybeExecuted
                }
                (Some(Outcome::Executed), outcome) => outcome,
            };
            status.set_outcome(outcome);
        }
        response
    }
}

/// The stack's wait for the end of a call. If this is dropped before the call has ended, the call is cancelled.
struct Waiting<'a> {
    handoff: &'a Handoff,
    is_over: bool,
}

impl Waiting<'_> {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Reply, Failure>> {
        let mut state = self.handoff.lock();
        let Some(result) = state.ended.take() else {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.record_outcome(outcome(&result));
        self.is_over = true;
        Poll::Ready(result)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.handoff.lock();
            // A call that was not begun yet needs no cancellation.
            if let Wanted::Call(_) = state.wanted {
                state.wanted = Wanted::Nothing;
            } else {
                state.wanted = Wanted::Cancel;
                state.record_outcome(Outcome::MaybeExecuted);
            }
        }
    }
}

/// Returns the outcome of an attempt from its result.
fn outcome(result: &Result<Reply, Failure>) -> Outcome {
    match result {
        Err(Failure::Status(status)) => status.outcome(),
        Ok(_) | Err(Failure::Declared { .. }) => Outcome::Executed,
    }
}

/// The middleware around one call. The call's future holds it, and later the call's stream.
pub(crate) struct Around {
    /// Never locked, only reached through `&mut`. The mutex makes the type `Sync`, so that a stream may be shared with middleware
    /// as without.
    future: Mutex<Pin<Box<dyn Future<Output = Response> + Send>>>,
    handoff: Arc<Handoff>,
    stage: CallStage,
    limit: Option<Limit>,
}

/// How far the call has come that the middleware asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CallStage {
    NotMade,
    InFlight,
    /// The call has ended, and the stack was told.
    Ended,
}

/// What the holder of an [`Around`] does next.
pub(crate) enum Step {
    /// The middleware is done, and so is the call.
    Done(Response),
    /// Makes the call, for the first time or again.
    Call(ClientRequest),
    /// Cancels the call.
    Cancel,
    /// Lets the call go on, if it is in flight. The middleware waits for it or for something else.
    Wait,
}

impl StreamLayer for Around {
    fn step(&mut self, context: &mut Context<'_>) -> LayerStep {
        match Self::step(self, context) {
            Step::Wait => LayerStep::Wait,
            Step::Call(_) => LayerStep::CallAgain,
            Step::Cancel => LayerStep::Cancel,
            Step::Done(response) => LayerStep::Done(response.into_reply().map(drop)),
        }
    }

    fn ended(&mut self, result: Result<(), Failure>) {
        Self::ended(self, result.map(|()| None));
    }
}

impl Around {
    /// Runs the middleware until it waits. Must be called before the call is polled, and again after [`Around::ended`].
    pub(crate) fn step(&mut self, context: &mut Context<'_>) -> Step {
        let future = self.future.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Poll::Ready(response) = future.as_mut().poll(context) {
            self.stage = CallStage::Ended;
            return Step::Done(response);
        }
        let wanted = std::mem::take(&mut self.handoff.lock().wanted);
        let again = self.stage != CallStage::NotMade;
        self.stage = match wanted {
            Wanted::Nothing => self.stage,
            Wanted::Call(_) => CallStage::InFlight,
            Wanted::Cancel => CallStage::NotMade,
        };
        if let Some(limit) = &mut self.limit {
            let late = match &wanted {
                // The first attempt reports its own deadline, so that the middleware learns of it.
                Wanted::Call(_) => again && limit.is_past(),
                Wanted::Nothing if self.stage == CallStage::InFlight => false,
                Wanted::Nothing | Wanted::Cancel => limit.poll(context).is_ready(),
            };
            if late {
                let response = limit.exceeded();
                return Step::Done(self.give_up(response));
            }
        }
        match wanted {
            Wanted::Nothing => Step::Wait,
            Wanted::Call(request) => Step::Call(request),
            Wanted::Cancel => Step::Cancel,
        }
    }

    /// Drops the middleware's future once the deadline has passed.
    #[cold]
    fn give_up(&mut self, response: Response) -> Response {
        let response = self.handoff.settle(response);
        *self.future.get_mut().unwrap_or_else(PoisonError::into_inner) = Box::pin(std::future::pending());
        self.stage = CallStage::Ended;
        response
    }

    /// Reports whether the call is in flight.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.stage == CallStage::InFlight
    }

    /// Tells the middleware how the call has ended.
    pub(crate) fn ended(&mut self, result: Result<Option<Body>, Failure>) {
        self.stage = CallStage::Ended;
        let mut state = self.handoff.lock();
        state.ended = Some(result.map(|body| body.map_or(Reply::Nothing, Reply::Body)));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
