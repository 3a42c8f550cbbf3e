//! [`PendingCall`]: a call on its way out, from what its caller has asked for until its record is queued under an id.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::request::{Request, TimeLimit};
use crate::clock::{self, Timer};
use crate::codec::Encode;
use crate::connection::{Connection, Endpoints, OverlapPermit, Retry, SendPermit};
use crate::metadata::{Metadata, MetadataValue, ResponseMetadata};
use crate::method::{Method, MethodKind};
use crate::middleware::{ClientRequest, ClientStack, Inherited};
use crate::session::Deadline;
use crate::session::client::{CallRecord, NewCall, Streams, Ticket, Wait};
use crate::status::{Cause, Status};
use crate::wire::RecordBuilder;

/// A call that was not sent yet, or is to be sent again. Dropped before it was sent, it never happened.
pub(crate) struct PendingCall {
    endpoints: Arc<Endpoints>,
    request: Request,
    /// The call's record. Taken when it is sent, unless it is kept.
    record: Option<Result<RecordBuilder, Status>>,
    /// What may send the call again, and so keeps its record.
    keeps: Keeps,
    /// The deadline, once middleware was told of it: it holds however often the call is made.
    fixed_deadline: Fixed,
    /// The trace of the handler that made the call, for middleware.
    trace: Inherited,
    dispatch: Dispatch,
    /// `None` until the call is polled.
    route: Option<Route>,
}

/// What keeps a call's record.
#[derive(Debug, Default, Clone, Copy)]
struct Keeps {
    /// The channel, which makes failed calls again.
    retry: bool,
    /// The channel's middleware.
    middleware: bool,
}

/// Whether a call's deadline stands.
#[derive(Clone, Copy)]
enum Fixed {
    No,
    To(Option<Deadline>),
}

/// How far a call has come.
#[derive(Debug)]
enum Dispatch {
    /// The call was not polled yet.
    Waiting,
    /// The call waits for its overlap permit and for room, perhaps with a place in the queue of its connection.
    Queued(Option<Ticket>),
    /// Its record is in an outbox.
    Sent,
}

/// What is fixed when a call is first polled.
struct Route {
    /// The connection by which it goes. `None` if the channel has one alone, which it holds for all of its calls: counting who
    /// else does would have every thread that calls write to one place in memory.
    chosen: Option<Arc<Connection>>,
    wait: Wait,
    /// Where the method does not run twice at a time.
    overlap: Option<Box<OverlapPermit>>,
}

impl Route {
    #[inline]
    fn connection<'a>(&'a self, endpoints: &'a Endpoints) -> &'a Arc<Connection> {
        self.chosen.as_ref().unwrap_or_else(|| endpoints.first())
    }

    /// Goes by another connection if the one that was chosen is not up and another is. Returns whether it does.
    fn go_by_another(&mut self, endpoints: &Endpoints, ticket: &mut Option<Ticket>, now: Instant) -> bool {
        let current = self.connection(endpoints);
        if current.rank(now).is_some() {
            return false;
        }
        let first = || current.is_retiring().then(|| Arc::clone(endpoints.first()));
        let another = endpoints.pick_live(now).or_else(first);
        let Some(another) = another.filter(|another| !Arc::ptr_eq(another, current)) else { return false };
        current.leave_queue(ticket);
        self.chosen = Some(another);
        true
    }
}

/// The record to send.
#[derive(Clone, Copy)]
enum Sending<'a> {
    /// A call, with the task to wake at its end.
    Call {
        streams: &'a Streams,
        credit: Option<u64>,
        waker: &'a Waker,
    },
    OneWay,
    /// A one-way call, and a ping behind it.
    OneWayAndPing,
}

/// Options that a caller may set.
impl PendingCall {
    pub(crate) fn new(endpoints: &Arc<Endpoints>, method: &'static Method, params: &dyn Encode) -> Self {
        let is_one_way = method.kind() == MethodKind::OneWay;
        let record = RecordBuilder::call(method.name(), is_one_way, params).map_err(|error| {
            Status::invalid_argument(format!("the parameters can't be encoded: {error}"))
                .caused_by(Cause::BadValue)
                .not_sent()
        });
        let has_middleware = endpoints.config.middleware.is_some();
        Self {
            endpoints: Arc::clone(endpoints),
            request: Request::new(method),
            record: Some(record),
            keeps: Keeps::default(),
            fixed_deadline: Fixed::No,
            trace: has_middleware.then(Inherited::here).unwrap_or_default(),
            dispatch: Dispatch::Waiting,
            route: None,
        }
    }

    pub(super) fn deadline(&mut self, within: Duration) {
        self.request.set_time(TimeLimit::Within(within));
    }

    pub(super) fn no_deadline(&mut self) {
        self.request.set_time(TimeLimit::None);
    }

    pub(super) fn wait_for_ready(&mut self, wait: bool) {
        self.request.set_wait_for_ready(wait);
    }

    pub(super) fn metadata(&mut self, name: impl Into<String>, value: impl Into<MetadataValue>) {
        self.request.insert_metadata(name, value);
    }

    pub(super) fn response_metadata(&mut self, response: &ResponseMetadata) {
        self.request.set_response(Some(response.clone()));
    }

    /// Keeps what it takes to send the call again, if the channel ever does that.
    pub(super) fn keep_for_retry(&mut self) {
        self.keeps.retry = self.endpoints.config.retry.is_on();
    }

    /// Has the call sent once, whatever comes of it.
    pub(super) fn no_retry(&mut self) {
        self.keeps.retry = false;
    }
}

/// Used by the loop of a call's attempts.
impl PendingCall {
    pub(super) fn may_be_retried(&self) -> bool {
        self.keeps.retry && self.record.is_some()
    }

    pub(super) fn is_idempotent(&self) -> bool {
        self.request.method().is_idempotent()
    }

    /// Returns the runtime in which the channel was connected, if that is known.
    pub(super) fn runtime(&self) -> Option<Handle> {
        self.endpoints.config.runtime.clone()
    }

    /// Returns a timer that is there wherever the call is awaited.
    pub(super) fn timer(&self, at: Instant) -> Timer {
        Timer::until(at, self.endpoints.config.runtime.as_ref())
    }

    pub(super) fn retry(&self) -> Retry {
        self.endpoints.config.retry
    }

    /// Returns the time that is left, or `None` without a deadline.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        Some(self.route.as_ref()?.wait.deadline?.left(now))
    }

    /// Takes one retry from the channel's budget. Returns whether it has allowed for one.
    pub(super) fn take_retry(&self, now: Instant) -> bool {
        let counters = &self.endpoints.counters;
        let is_allowed = self.endpoints.budget.take(now, counters.calls());
        if !is_allowed {
            counters.retry_denied();
        }
        is_allowed
    }

    /// Goes back to before the call was sent, with the time that is left.
    pub(super) fn prepare_retry(&mut self) {
        self.endpoints.counters.retried();
        if let Some(route) = &mut self.route {
            route.chosen = self.endpoints.pick(clock::now());
            self.dispatch = Dispatch::Queued(None);
        }
    }
}

/// Used by the call's middleware. See [`super::layer`].
impl PendingCall {
    pub(super) fn middleware(&mut self) -> Option<Arc<ClientStack>> {
        let stack = self.endpoints.config.middleware.clone()?;
        self.keeps.middleware = matches!(self.method().kind(), MethodKind::Unary | MethodKind::OneWay);
        Some(stack)
    }

    pub(super) fn method(&self) -> &'static Method {
        self.request.method()
    }

    pub(super) fn parameter_bytes(&self) -> usize {
        self.record.as_ref().and_then(|record| record.as_ref().ok()).map_or(0, RecordBuilder::body_len)
    }

    pub(super) fn take_metadata(&mut self) -> Metadata {
        self.request.take_metadata()
    }

    pub(super) fn response(&self) -> Option<ResponseMetadata> {
        self.request.response().cloned()
    }

    pub(super) fn take_trace(&mut self) -> Inherited {
        std::mem::take(&mut self.trace)
    }

    /// Begins the call, and counts it. Returns when its time is up, however often it is made from now on.
    pub(super) fn fix_deadline(&mut self, now: Instant) -> Option<Deadline> {
        self.endpoints.counters.called();
        let deadline = self.request.deadline_from(now, &self.endpoints.config);
        self.fixed_deadline = Fixed::To(deadline);
        deadline
    }

    /// Goes back to before the call was first sent.
    ///
    /// # Errors
    /// The call was sent, and its items are gone.
    pub(super) fn begin_again(&mut self, request: ClientRequest) -> Result<(), Status> {
        self.request.set_metadata(request.metadata);
        self.request.set_response(request.response);
        self.forget();
        if self.record.is_some() {
            return Ok(());
        }
        Err(Status::failed_precondition("a call that streams can't be made again").not_sent())
    }

    /// Ends the call, which may stay in memory for long: nothing is sent any more, and the next call has its turn.
    #[inline]
    pub(super) fn give_up(&mut self) {
        self.forget();
        if let Some(Ok(record)) = self.record.take() {
            record.recycle();
        }
    }
}

/// Sending.
impl PendingCall {
    /// Forgets how far the call has come: its place in a queue goes to the next.
    #[inline]
    fn forget(&mut self) {
        let dispatch = std::mem::replace(&mut self.dispatch, Dispatch::Waiting);
        if let (Some(route), Dispatch::Queued(mut ticket)) = (self.route.take(), dispatch) {
            route.connection(&self.endpoints).leave_queue(&mut ticket);
        }
    }

    /// Returns the connection by which the call was sent, or is to be.
    #[inline]
    pub(super) fn connection(&self) -> &Arc<Connection> {
        self.route.as_ref().map_or_else(|| self.endpoints.first(), |route| route.connection(&self.endpoints))
    }

    /// Returns the maximum size in bytes of an answer.
    pub(super) fn max_body(&self) -> usize {
        self.endpoints.config.message_size
    }

    /// Sends the call once there is room for it, and returns its id. The task that polls this is woken when the call has ended,
    /// without having looked once more.
    pub(super) fn poll_call(
        &mut self,
        context: &mut Context<'_>,
        streams: &Streams,
        credit: Option<u64>,
    ) -> Poll<Result<u32, Status>> {
        let waker = context.waker();
        let id = ready!(self.poll_send(context, Sending::Call { streams, credit, waker }))?;
        if let Some(overlap) = self.route.as_ref().and_then(|route| route.overlap.as_ref()) {
            overlap.sent(self.connection(), id, self.request.method().name());
        }
        Poll::Ready(Ok(id))
    }

    /// Sends a one-way call once there is room for it.
    pub(super) fn poll_one_way(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.poll_send(context, Sending::OneWay).map_ok(drop)
    }

    /// Sends a one-way call once there is room for it, and a ping behind it. Returns the id of the ping.
    pub(super) fn poll_one_way_and_ping(&mut self, context: &mut Context<'_>) -> Poll<Result<u32, Status>> {
        self.poll_send(context, Sending::OneWayAndPing)
    }

    /// Waits until the method's other calls let this one go, if they mind.
    pub(super) fn poll_overlap(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match self.route.as_mut().and_then(|route| route.overlap.as_mut()) {
            Some(overlap) => overlap.poll(context, self.request.method().name()),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Takes what the method's other calls wait for, to be kept until the call is over.
    pub(super) fn take_overlap(&mut self) -> Option<Box<OverlapPermit>> {
        self.route.as_mut()?.overlap.take()
    }

    /// Fixes what is fixed when a call is first polled: its connection, and when its time is up.
    #[inline]
    fn begin(&mut self, now: Instant) -> Result<(), Status> {
        let config = &self.endpoints.config;
        self.request.check(record_of(&mut self.record)?.body_len(), config)?;
        let deadline = match self.fixed_deadline {
            Fixed::To(deadline) => deadline,
            Fixed::No => {
                self.endpoints.counters.called();
                self.request.deadline_from(now, config)
            }
        };
        let for_ready = self.request.waits_for_ready(config);
        let overlap =
            self.endpoints.overlaps.begin(self.request.method(), deadline, config.runtime.as_ref())?;
        self.dispatch = Dispatch::Queued(None);
        let chosen = self.endpoints.pick(now);
        self.route = Some(Route { chosen, wait: Wait { deadline, for_ready }, overlap });
        Ok(())
    }

    /// Waits for its turn and for room, and sends. Returns the call's id; 0 for a one-way call.
    fn poll_send(&mut self, context: &mut Context<'_>, what: Sending<'_>) -> Poll<Result<u32, Status>> {
        let now = clock::now();
        if let Dispatch::Waiting = self.dispatch {
            self.begin(now)?;
        }
        ready!(self.poll_overlap(context))?;
        let (Some(route), Dispatch::Queued(ticket)) = (&mut self.route, &mut self.dispatch) else {
            return Poll::Ready(Err(awaited_again()));
        };
        // Before there is room, which is the next caller's if it is not used.
        record_of(&mut self.record)?;
        loop {
            let connection = route.connection(&self.endpoints);
            let refused = match connection.poll_ready(context, ticket, route.wait, now) {
                Poll::Ready(Ok(permit)) => {
                    let record = take_record(&mut self.record, self.keeps)?;
                    let sent = send(permit, what, &self.request, route.wait.deadline, record, now);
                    self.dispatch = Dispatch::Sent;
                    return Poll::Ready(Ok(sent));
                }
                Poll::Ready(Err(status)) => Poll::Ready(Err(status)),
                Poll::Pending => Poll::Pending,
            };
            // The call stands in the queue by now, so it hears of all that comes later.
            if !route.go_by_another(&self.endpoints, ticket, now) {
                return refused;
            }
        }
    }
}

#[inline]
fn send(
    permit: SendPermit<'_>,
    what: Sending<'_>,
    request: &Request,
    deadline: Option<Deadline>,
    record: CallRecord<'_>,
    now: Instant,
) -> u32 {
    let (method, metadata) = (request.method().name(), request.metadata());
    match what {
        Sending::Call { streams, credit, waker } => {
            let (response, waker) = (request.begin_response(), Some(waker));
            let call = NewCall { method, deadline, metadata, response, streams, credit, waker };
            permit.call(call, record, now)
        }
        Sending::OneWay => {
            permit.one_way(deadline, metadata, record, now);
            0
        }
        Sending::OneWayAndPing => permit.one_way_and_ping(deadline, metadata, record, now),
    }
}

/// Returns the record of a call that was not sent, or how its parameters could not be encoded.
fn record_of(record: &mut Option<Result<RecordBuilder, Status>>) -> Result<&mut RecordBuilder, Status> {
    match record {
        Some(Ok(record)) => Ok(record),
        Some(Err(status)) => Err(status.clone()),
        None => Err(awaited_again()),
    }
}

/// Takes the record of a call out to be sent, or lends it if it is kept.
#[inline]
fn take_record(
    record: &mut Option<Result<RecordBuilder, Status>>,
    keeps: Keeps,
) -> Result<CallRecord<'_>, Status> {
    if keeps.retry || keeps.middleware {
        return record_of(record).map(CallRecord::Kept);
    }
    match record.take() {
        Some(record) => record.map(CallRecord::Once),
        None => Err(awaited_again()),
    }
}

#[cold]
fn awaited_again() -> Status {
    Status::internal("the call was awaited again after it was done").maybe_executed()
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl fmt::Debug for PendingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.fmt(f)
    }
}
