//! The client's side: [`ClientMiddleware`], and the stack that runs it around a call.
//!
//! A call's future makes the call; the stack says when, and with what metadata. They meet in a [`Handoff`], since a stream
//! goes on long after the call that gave it to its caller, and its middleware with it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::coop::consume_budget;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Inherited;
use super::caught::{Caught, Panicked};
use super::response::{Reply, Response, Traffic};
use crate::clock;
use crate::codec::Body;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::session::Deadline;
use crate::status::{Cause, Failure, Outcome, Status};
use crate::stream::{LayerStep, StreamLayer};

/// Code around the calls that a client makes, of every kind.
///
/// Its future is a part of the call: it runs where the call is awaited, and is dropped where the call is. Around a call that
/// is answered with a stream it goes on in the stream, until that ends or is dropped. A panic ends the call with `internal`.
///
/// The call's deadline holds for it, too: what it does when time is up, but for hearing of it from a call that it has made, is
/// dropped, and the call ends with `deadline_exceeded`.
///
/// ```
/// use zsvc::middleware::{ClientMiddleware, ClientNext, ClientRequest, Response};
///
/// /// Says for whom all calls are.
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
    /// It is dropped when the call, or its stream, is, and when time is up.
    fn handle(&self, request: ClientRequest, next: ClientNext<'_>) -> impl Future<Output = Response> + Send;
}

/// A call that is to be made.
#[derive(Debug, Clone)]
pub struct ClientRequest {
    pub(crate) method: &'static Method,
    pub(crate) metadata: Metadata,
    pub(crate) deadline: Option<Instant>,
    pub(crate) traffic: Traffic,
    /// The trace of the handler that made the call.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nobody asks for it"))]
    pub(crate) trace: Inherited,
}

impl ClientRequest {
    /// The method that is called.
    #[must_use]
    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// What is sent beside the parameters.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same, to be changed.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// When time is up. It was fixed when the call was first awaited, and holds however often it is made.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time left, zero when it is up; `None` without a deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The size of the parameters, in bytes as encoded.
    #[must_use]
    pub fn parameter_bytes(&self) -> u64 {
        self.traffic.params
    }

    /// What the call carries, to be read while it runs and after.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }
}

/// The rest of the way out: the middleware that was added later, then the call itself, with the retries of the channel.
pub struct ClientNext<'a> {
    rest: &'a [Arc<dyn Erased>],
    handoff: &'a Handoff,
}

impl ClientNext<'_> {
    /// Makes the call, and tells how it ended: for one that streams answers, once the stream has ended.
    ///
    /// A call that is answered once, or not at all, may be made again, as a rule with a clone of the request, as long as there
    /// is time. One that streams may not, since items are gone: it ends with `failed_precondition`.
    ///
    /// # Cancel safety
    /// Dropped before it is done, the call is cancelled at the server.
    pub async fn run(&mut self, request: ClientRequest) -> Response {
        // What is refused waits for nothing: without this, whoever tries again at once would starve its thread's other tasks.
        consume_budget().await;
        let Some((first, rest)) = self.rest.split_first() else { return self.handoff.run(request).await };
        let next = ClientNext { rest, handoff: self.handoff };
        let response = Caught(first.handle(request, next)).await.unwrap_or_else(|Panicked| {
            Response::failed(Status::internal("a middleware of the client panicked"))
        });
        self.handoff.settle(response)
    }
}

impl fmt::Debug for ClientNext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientNext").field("middleware", &self.rest.len()).finish_non_exhaustive()
    }
}

/// What all [`ClientMiddleware`] can be held as.
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

    /// The middleware around one call, which has not begun.
    pub(crate) fn around(self: &Arc<Self>, request: ClientRequest, deadline: Option<Deadline>) -> Around {
        let limit = deadline.map(|deadline| Limit { deadline, method: request.method, sleep: None });
        let (stack, handoff) = (Arc::clone(self), Arc::new(Handoff::default()));
        let within = Arc::clone(&handoff);
        let future =
            Box::pin(async move { ClientNext { rest: &stack.layers, handoff: &within }.run(request).await });
        Around { future: Mutex::new(future), handoff, made: Made::No, limit }
    }
}

impl fmt::Debug for ClientStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStack").field("layers", &self.layers.len()).finish()
    }
}

/// Where the stack and the call's future meet.
#[derive(Default)]
struct Handoff {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the stack asks for.
    wanted: Wanted,
    /// How the call has ended, for the stack to take.
    ended: Option<Result<Reply, Failure>>,
    waker: Option<Waker>,
    /// What is known of all the times that the call was made; `None` before the first.
    outcome: Option<Outcome>,
}

impl State {
    /// The call was made, and came to that.
    fn came_to(&mut self, outcome: Outcome) {
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
    /// It no longer waits for the call that it asked for.
    Cancel,
}

impl Handoff {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, request: ClientRequest) -> Response {
        {
            let mut state = self.lock();
            (state.wanted, state.ended) = (Wanted::Call(request), None);
        }
        let mut waiting = Waiting { handoff: self, over: false };
        let result = std::future::poll_fn(|context| waiting.poll(context)).await;
        Response { result }
    }

    /// A middleware can't say that a call was not sent which was.
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

/// The stack's wait for the end of a call. Dropped before that, the call is cancelled.
struct Waiting<'a> {
    handoff: &'a Handoff,
    over: bool,
}

impl Waiting<'_> {
    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<Reply, Failure>> {
        let mut state = self.handoff.lock();
        let Some(result) = state.ended.take() else {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.came_to(outcome(&result));
        self.over = true;
        Poll::Ready(result)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.over {
            let mut state = self.handoff.lock();
            // One that was not begun yet never happened.
            if let Wanted::Call(_) = state.wanted {
                state.wanted = Wanted::Nothing;
            } else {
                state.wanted = Wanted::Cancel;
                state.came_to(Outcome::MaybeExecuted);
            }
        }
    }
}

fn outcome(result: &Result<Reply, Failure>) -> Outcome {
    match result {
        Err(Failure::Status(status)) => status.outcome(),
        Ok(_) | Err(Failure::Declared { .. }) => Outcome::Executed,
    }
}

/// The middleware around one call, as the call's future, or its stream, holds it.
pub(crate) struct Around {
    /// Locked only through `&mut`: so a stream may be shared, as it may without middleware.
    future: Mutex<Pin<Box<dyn Future<Output = Response> + Send>>>,
    handoff: Arc<Handoff>,
    made: Made,
    limit: Option<Limit>,
}

/// How long the middleware may go on by itself. A call that is made has its own deadline, of which the middleware hears.
struct Limit {
    deadline: Deadline,
    method: &'static Method,
    /// Only for a middleware that waits for something else than its call.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    fn is_past(&self) -> bool {
        self.deadline.at <= clock::now()
    }

    /// The clock is asked as well: where a task has had its share, the timer says nothing.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_past() {
            return Poll::Ready(());
        }
        let sleep =
            self.sleep.get_or_insert_with(|| Box::pin(sleep_until(Instant::from_std(self.deadline.at))));
        sleep.as_mut().poll(context)
    }

    #[cold]
    fn exceeded(&self) -> Response {
        let (method, after) = (self.method.name(), self.deadline.after);
        let what = format!("the client's middleware around `{method}` was not done within {after:?}");
        Response::failed(Status::deadline_exceeded(what).caused_by(Cause::Deadline))
    }
}

/// Whether the call is made right now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    No,
    Yes,
    /// It has ended, and the stack has been told.
    Ended,
}

/// What the middleware wants of the one who holds it.
pub(crate) enum Step {
    /// It is done, and so is the call.
    Done(Response),
    /// The call is to be made, for the first time or again.
    Call(ClientRequest),
    /// The call is to be cancelled.
    Cancel,
    /// The call is to go on, if it is made; the middleware waits for it or for something else.
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
    /// Runs the middleware for as long as it can. To be asked before the call is looked after, and after
    /// [`Around::ended`].
    pub(crate) fn step(&mut self, context: &mut Context<'_>) -> Step {
        let future = self.future.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Poll::Ready(response) = future.as_mut().poll(context) {
            self.made = Made::Ended;
            return Step::Done(response);
        }
        let wanted = std::mem::take(&mut self.handoff.lock().wanted);
        let again = self.made != Made::No;
        self.made = match wanted {
            Wanted::Nothing => self.made,
            Wanted::Call(_) => Made::Yes,
            Wanted::Cancel => Made::No,
        };
        if let Some(limit) = &mut self.limit {
            let late = match &wanted {
                // How the first one ends is for the call to say; the middleware may wish to hear of it.
                Wanted::Call(_) => again && limit.is_past(),
                Wanted::Nothing if self.made == Made::Yes => false,
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

    /// Time is up: what the middleware does is dropped.
    #[cold]
    fn give_up(&mut self, response: Response) -> Response {
        let response = self.handoff.settle(response);
        *self.future.get_mut().unwrap_or_else(PoisonError::into_inner) = Box::pin(std::future::pending());
        self.made = Made::Ended;
        response
    }

    /// The call is made right now.
    pub(crate) fn is_made(&self) -> bool {
        self.made == Made::Yes
    }

    /// Tells the middleware how the call has ended.
    pub(crate) fn ended(&mut self, result: Result<Option<Body>, Failure>) {
        self.made = Made::Ended;
        let mut state = self.handoff.lock();
        state.ended = Some(result.map(|body| body.map_or(Reply::Nothing, Reply::Body)));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
