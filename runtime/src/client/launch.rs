//! A call on its way out: what its caller asked for, until it has an id and its record is queued.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Connection, Wait};
use super::deadline::Deadline;
use super::endpoints::Endpoints;
use super::in_flight::Streams;
use super::limits::{Limits, Patience};
use super::overlap::Turn;
use super::retry::Retry;
use super::state::State;
use crate::codec::Encode;
use crate::context::inherited_deadline;
use crate::metadata::{Metadata, MetadataValue};
use crate::method::{Method, MethodKind};
use crate::middleware::{ClientStack, Inherited};
use crate::status::Status;
use crate::wire::RecordBuilder;

/// A call that has not been sent yet, or is to be sent again. Dropped before it was sent, it never happened.
pub(super) struct Launch {
    endpoints: Arc<Endpoints>,
    method: &'static Method,
    /// Taken when it is sent, unless it is kept.
    draft: Option<Result<RecordBuilder, Status>>,
    /// It may be sent again by the channel.
    kept: bool,
    /// It may be sent again by middleware.
    kept_for_middleware: bool,
    time: Time,
    /// What to do where nothing is connected; the channel's if the caller has not said.
    patience: Option<Patience>,
    /// The deadline of the handler that made it, which holds wherever it is awaited.
    inherited: Option<Instant>,
    metadata: Metadata,
    /// The trace of the handler that made it, for middleware.
    trace: Inherited,
    /// Once it was polled.
    begun: Option<Begun>,
}

struct Begun {
    /// By which connection it goes. `None` where the channel has one alone, which it holds for all of its calls: to count who
    /// else does would have every thread that calls write to one place in memory.
    chosen: Option<Arc<Connection>>,
    /// Its place in the line of those who wait for room there.
    place: Option<u64>,
    /// It was queued.
    sent: bool,
    wait: Wait,
    /// Where the method does not run twice at a time.
    turn: Option<Box<Turn>>,
}

impl Begun {
    fn connection<'a>(&'a self, endpoints: &'a Endpoints) -> &'a Arc<Connection> {
        self.chosen.as_ref().unwrap_or_else(|| endpoints.first())
    }

    /// Where the connection that was chosen is not there and another is, the call need not wait.
    fn go_by_another(&mut self, endpoints: &Endpoints, now: Instant) -> bool {
        let here = self.connection(endpoints);
        if here.offer(now).is_some() {
            return false;
        }
        let first = || here.is_retiring().then(|| Arc::clone(endpoints.first()));
        let another = endpoints.pick_live(now).or_else(first);
        let Some(another) = another.filter(|another| !Arc::ptr_eq(another, here)) else { return false };
        here.leave(self.place);
        (self.chosen, self.place) = (Some(another), None);
        true
    }
}

/// What the caller said about time.
#[derive(Debug, Clone, Copy)]
enum Time {
    /// Nothing: the method's deadline, or the channel's.
    Default,
    /// So much.
    Within(Duration),
    /// As much as it takes.
    Unlimited,
    /// Until then, whatever was said before: middleware was told so.
    Fixed(Option<Deadline>),
}

/// What a caller may say.
impl Launch {
    pub(super) fn new(endpoints: &Arc<Endpoints>, method: &'static Method, params: &dyn Encode) -> Self {
        let draft = RecordBuilder::call(method.name(), method.kind() == MethodKind::OneWay, params).map_err(
            |error| Status::invalid_argument(format!("the parameters can't be encoded: {error}")).not_sent(),
        );
        Self {
            endpoints: Arc::clone(endpoints),
            method,
            draft: Some(draft),
            kept: false,
            kept_for_middleware: false,
            time: Time::Default,
            patience: None,
            inherited: inherited_deadline(),
            metadata: Metadata::default(),
            trace: endpoints
                .limits
                .middleware
                .as_ref()
                .map_or_else(Inherited::default, |_| Inherited::here()),
            begun: None,
        }
    }

    pub(super) fn deadline(&mut self, within: Duration) {
        self.time = Time::Within(within);
    }

    pub(super) fn no_deadline(&mut self) {
        self.time = Time::Unlimited;
    }

    pub(super) fn patience(&mut self, patience: Patience) {
        self.patience = Some(patience);
    }

    pub(super) fn metadata(&mut self, name: impl Into<String>, value: impl Into<MetadataValue>) {
        self.metadata.insert(name, value);
    }

    /// Keeps what it takes to send it again, where the channel ever does that.
    pub(super) fn keep(&mut self) {
        self.kept = self.endpoints.limits.retry.is_on();
    }

    /// Sends it once, whatever comes of it.
    pub(super) fn no_retry(&mut self) {
        self.kept = false;
    }
}

/// What the loop of its attempts needs to know.
impl Launch {
    pub(super) fn is_kept(&self) -> bool {
        self.kept && self.draft.is_some()
    }

    pub(super) fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }

    pub(super) fn retry(&self) -> Retry {
        self.endpoints.limits.retry
    }

    /// The time that is left; `None` without a deadline.
    pub(super) fn time_left(&self, now: Instant) -> Option<Duration> {
        Some(self.begun.as_ref()?.wait.deadline?.left(now))
    }

    /// Whether the channel's budget allows for one more retry, which is taken from it.
    pub(super) fn take_retry(&self, now: Instant) -> bool {
        let counters = &self.endpoints.counters;
        let allowed = self.endpoints.budget.take(now, counters.calls());
        if !allowed {
            counters.retry_denied();
        }
        allowed
    }

    /// Goes back to where it was before it was sent, with the time that is left.
    pub(super) fn again(&mut self) {
        self.endpoints.counters.retried();
        if let Some(begun) = &mut self.begun {
            (begun.chosen, begun.sent) = (self.endpoints.pick(Instant::now()), false);
        }
    }
}

/// What its middleware needs. See [`super::around`].
impl Launch {
    pub(super) fn middleware(&mut self) -> Option<Arc<ClientStack>> {
        let stack = self.endpoints.limits.middleware.clone()?;
        self.kept_for_middleware = matches!(self.method.kind(), MethodKind::Unary | MethodKind::OneWay);
        Some(stack)
    }

    pub(super) fn method(&self) -> &'static Method {
        self.method
    }

    pub(super) fn parameter_bytes(&self) -> usize {
        self.draft.as_ref().and_then(|draft| draft.as_ref().ok()).map_or(0, RecordBuilder::body_len)
    }

    pub(super) fn take_metadata(&mut self) -> Metadata {
        std::mem::take(&mut self.metadata)
    }

    pub(super) fn take_trace(&mut self) -> Inherited {
        std::mem::take(&mut self.trace)
    }

    /// The call begins, and is counted. When its time will be up, from now on however often it is made.
    pub(super) fn fix_deadline(&mut self, now: Instant) -> Option<Deadline> {
        self.endpoints.counters.called();
        let deadline = self.deadline_from(now);
        self.time = Time::Fixed(deadline);
        deadline
    }

    /// Goes back to where it was before it was first sent.
    ///
    /// # Errors
    /// It has left, and its items are gone.
    pub(super) fn begin_again(&mut self, metadata: Metadata) -> Result<(), Status> {
        self.metadata = metadata;
        self.forget();
        if self.draft.is_some() {
            return Ok(());
        }
        Err(Status::failed_precondition("a call that streams can't be made again").not_sent())
    }

    /// The call is over, though it may lie around for long: nothing is sent any more, and the next has its turn.
    #[inline]
    pub(super) fn give_up(&mut self) {
        self.forget();
        if let Some(Ok(draft)) = self.draft.take() {
            draft.recycle();
        }
    }
}

impl Launch {
    /// As if it had not begun: its place in line goes to the next.
    #[inline]
    fn forget(&mut self) {
        if let Some(begun) = self.begun.take() {
            begun.connection(&self.endpoints).leave(begun.place);
        }
    }

    /// By which it was sent, or is to be.
    #[inline]
    pub(super) fn connection(&self) -> &Arc<Connection> {
        self.begun.as_ref().map_or_else(|| self.endpoints.first(), |begun| begun.connection(&self.endpoints))
    }

    /// Sends a call once there is room for it, and tells its id. From then on whoever polls it here is woken when it has
    /// ended, without having looked once more.
    pub(super) fn poll_call(
        &mut self,
        context: &mut Context<'_>,
        streams: &Streams,
        credit: Option<u64>,
    ) -> Poll<Result<u32, Status>> {
        let (method, waker) = (self.method.name(), context.waker());
        let id = ready!(self.poll_send(context, |state, draft, deadline, metadata, now| {
            let id = state.begin(method, deadline, streams.clone(), Some(waker), now);
            draft.address(id, deadline.map(|deadline| deadline.left(now)), metadata, credit);
            id
        }))?;
        if let Some(turn) = self.begun.as_ref().and_then(|begun| begun.turn.as_ref()) {
            turn.sent(self.connection(), id, method);
        }
        Poll::Ready(Ok(id))
    }

    /// Sends a one-way call once there is room for it.
    pub(super) fn poll_one_way(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.poll_send(context, |state, draft, deadline, metadata, now| {
            draft.address(0, deadline.map(|deadline| deadline.left(now)), metadata, None);
            state.begin_one_way(draft.record_len(), now);
        })
    }

    /// Waits until the method's other calls let it go, if they mind.
    pub(super) fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match self.begun.as_mut().and_then(|begun| begun.turn.as_mut()) {
            Some(turn) => turn.poll(context, self.method.name()),
            None => Poll::Ready(Ok(())),
        }
    }

    /// What the method's other calls wait for, to be kept until the call is over.
    pub(super) fn take_turn(&mut self) -> Option<Box<Turn>> {
        self.begun.as_mut()?.turn.take()
    }

    fn poll_send<R>(
        &mut self,
        context: &mut Context<'_>,
        write: impl Fn(&mut State, &mut RecordBuilder, Option<Deadline>, &Metadata, Instant) -> R,
    ) -> Poll<Result<R, Status>> {
        let now = Instant::now();
        if self.begun.is_none() {
            check(self.draft.as_ref(), &self.metadata, &self.endpoints.limits)?;
            self.begun = Some(self.begin(now)?);
        }
        ready!(self.poll_turn(context))?;
        // It is there: it was set just now, if it was not before.
        let Some(begun) = &mut self.begun else { return Poll::Pending };
        if begun.sent {
            return Poll::Ready(Err(awaited_again()));
        }
        let kept = self.kept || self.kept_for_middleware;
        let (draft, metadata, wait) = (&mut self.draft, &self.metadata, begun.wait);
        loop {
            let Begun { chosen, place, .. } = begun;
            let connection = chosen.as_ref().unwrap_or_else(|| self.endpoints.first());
            let sent = connection.poll_send(context, place, wait, now, |state| {
                queue(state, draft, kept, |state, draft| write(state, draft, wait.deadline, metadata, now))
            });
            match sent {
                Poll::Ready(Ok(written)) => {
                    begun.sent = true;
                    return Poll::Ready(written);
                }
                // It stands in line by now, so it hears of all that comes later.
                Poll::Pending | Poll::Ready(Err(_)) if begun.go_by_another(&self.endpoints, now) => {}
                Poll::Ready(Err(status)) => return Poll::Ready(Err(status)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What is fixed when a call is first polled: its connection, and when its time is up.
    #[inline]
    fn begin(&self, now: Instant) -> Result<Begun, Status> {
        let limits = &self.endpoints.limits;
        if !matches!(self.time, Time::Fixed(_)) {
            self.endpoints.counters.called();
        }
        let deadline = self.deadline_from(now);
        let wait = Wait { deadline, patience: self.patience.unwrap_or(limits.patience) };
        let turn = self.endpoints.overlaps.begin(self.method, deadline)?;
        Ok(Begun { chosen: self.endpoints.pick(now), place: None, sent: false, wait, turn })
    }

    #[inline]
    fn deadline_from(&self, now: Instant) -> Option<Deadline> {
        let limits = &self.endpoints.limits;
        let within = match self.time {
            Time::Within(within) => Some(within),
            Time::Unlimited => None,
            Time::Fixed(deadline) => return deadline,
            Time::Default => self.method.default_deadline().or_else(|| default_deadline(self.method, limits)),
        };
        let own = within.and_then(|within| Deadline::within(now, within));
        let inherited = match (self.inherited, inherited_deadline()) {
            (None, None) => return own,
            _ if matches!(self.time, Time::Unlimited) => return own,
            (Some(made), Some(awaited)) => made.min(awaited),
            (Some(only), None) | (None, Some(only)) => only,
        };
        Deadline::sooner(own, Some(Deadline::at(now, inherited)))
    }
}

/// Puts the call into the outbox, addressed by `write`; it stays here, too, if it is kept.
#[inline]
fn queue<R>(
    state: &mut State,
    draft: &mut Option<Result<RecordBuilder, Status>>,
    kept: bool,
    write: impl FnOnce(&mut State, &mut RecordBuilder) -> R,
) -> Result<R, Status> {
    let own = match draft {
        Some(Ok(own)) => own,
        Some(Err(status)) => return Err(status.clone()),
        None => return Err(awaited_again()),
    };
    let written = write(state, own);
    if kept {
        state.outbox.push_copy(own);
    } else if let Some(Ok(own)) = draft.take() {
        state.outbox.push(own);
    }
    Ok(written)
}

#[cold]
fn awaited_again() -> Status {
    Status::internal("the call was awaited again after it was done").maybe_executed()
}

/// The channel's default is for calls that wait for one answer: a stream may go on for as long as both sides like.
fn default_deadline(method: &Method, limits: &Limits) -> Option<Duration> {
    match method.kind() {
        MethodKind::Unary | MethodKind::OneWay | MethodKind::ClientStream => limits.deadline,
        MethodKind::ServerStream | MethodKind::Bidirectional => None,
    }
}

/// Finds what can be found wrong with a call before it waits for anything.
#[inline]
fn check(
    draft: Option<&Result<RecordBuilder, Status>>,
    metadata: &Metadata,
    limits: &Limits,
) -> Result<(), Status> {
    let size = draft.ok_or_else(awaited_again)?.as_ref().map_err(Status::clone)?.body_len();
    if size > limits.message_size {
        let what = format!("the parameters have {size} bytes; a message may have {}", limits.message_size);
        return Err(Status::resource_exhausted(what).not_sent());
    }
    metadata.excess().map_or(Ok(()), |what| Err(Status::resource_exhausted(what).not_sent()))
}

impl Drop for Launch {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method.name())?;
        f.debug_struct("call")
            .field("time", &self.time)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
