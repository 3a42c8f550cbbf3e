//! A call on its way out: what its caller asked for, until it has an id and its record is queued.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::channel::Channel;
use super::connection::{CallHandle, Connection, Limits, Streams, Ticket};
use super::state::{Deadline, State};
use crate::context::inherited_deadline;
use crate::metadata::{Metadata, MetadataValue};
use crate::method::{Method, MethodKind};
use crate::status::Status;
use crate::wire::Draft;

/// A call that has not been sent yet. Dropped, it never happened.
pub(super) struct Launch {
    channel: Channel,
    method: &'static Method,
    /// Taken when it is sent.
    draft: Option<Result<Draft, Status>>,
    time: Time,
    /// The deadline of the handler that made it, which holds wherever it is awaited.
    inherited: Option<Instant>,
    metadata: Metadata,
    /// Once it was polled.
    begun: Option<Begun>,
}

struct Begun {
    ticket: Ticket,
    deadline: Option<Deadline>,
}

impl Begun {
    /// Where the connection that was chosen is not there and another is, the call need not wait.
    fn go_by_another(&mut self, channel: &Channel) {
        if self.ticket.connection().load().is_none()
            && let Some(another) = channel.pick_live()
        {
            self.ticket = Ticket::new(another);
        }
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
}

impl Launch {
    pub(super) fn new<P: Serialize>(channel: &Channel, method: &'static Method, params: &P) -> Self {
        let draft =
            Draft::call(method.name(), method.kind() == MethodKind::OneWay, params).map_err(|error| {
                Status::invalid_argument(format!("the parameters can't be encoded: {error}")).not_sent()
            });
        Self {
            channel: channel.clone(),
            method,
            draft: Some(draft),
            time: Time::Default,
            inherited: inherited_deadline(),
            metadata: Metadata::default(),
            begun: None,
        }
    }

    pub(super) fn deadline(&mut self, within: Duration) {
        self.time = Time::Within(within);
    }

    pub(super) fn no_deadline(&mut self) {
        self.time = Time::Unlimited;
    }

    pub(super) fn metadata(&mut self, name: impl Into<String>, value: impl Into<MetadataValue>) {
        self.metadata.insert(name, value);
    }

    /// Sends a call once there is room for it.
    pub(super) fn poll_call(
        &mut self,
        context: &mut Context<'_>,
        streams: &Streams,
        credit: Option<u64>,
    ) -> Poll<Result<CallHandle, Status>> {
        let method = self.method.name();
        let sent = self.poll_send(context, |state, mut draft, deadline, metadata| {
            let id = state.begin(method, deadline, streams.inbound.clone(), streams.outbound.clone());
            let left = deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()));
            draft.address(id, left, metadata, credit);
            state.outbox.push(draft);
            id
        });
        sent.map_ok(|(connection, id)| CallHandle::new(connection, id))
    }

    /// Sends a one-way call once there is room for it.
    pub(super) fn poll_one_way(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let sent = self.poll_send(context, |state, mut draft, deadline, metadata| {
            let left = deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()));
            draft.address(0, left, metadata, None);
            state.begin_one_way();
            state.outbox.push(draft);
        });
        sent.map_ok(|_| ())
    }

    fn poll_send<R>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(&mut State, Draft, Option<Deadline>, &Metadata) -> R,
    ) -> Poll<Result<(Arc<Connection>, R), Status>> {
        let begun = if let Some(begun) = &mut self.begun {
            begun.go_by_another(&self.channel);
            begun
        } else {
            let begun = begin(&self.channel, self.method, self.time, self.inherited);
            check(self.draft.as_ref(), &self.metadata, &begun.ticket.connection().limits)?;
            self.begun.insert(begun)
        };
        let (draft, metadata, deadline) = (&mut self.draft, &self.metadata, begun.deadline);
        let sent = begun.ticket.poll_send(context, deadline, |state| match draft.take() {
            Some(Ok(draft)) => Ok(write(state, draft, deadline, metadata)),
            Some(Err(status)) => Err(status),
            None => Err(Status::internal("the call was awaited again after it was done").maybe_executed()),
        });
        sent.map(|result| Ok((Arc::clone(begun.ticket.connection()), result??)))
    }
}

/// What is fixed when a call is first polled: its connection, and when its time is up.
fn begin(channel: &Channel, method: &'static Method, time: Time, inherited: Option<Instant>) -> Begun {
    let connection = channel.pick();
    let within = match time {
        Time::Within(within) => Some(within),
        Time::Unlimited => None,
        Time::Default => method.default_deadline().or_else(|| default_deadline(method, &connection.limits)),
    };
    let inherited = [inherited, inherited_deadline()].into_iter().flatten().min();
    let inherited = inherited.filter(|_| !matches!(time, Time::Unlimited));
    let deadline = if within.is_none() && inherited.is_none() { None } else { deadline(within, inherited) };
    Begun { ticket: Ticket::new(connection), deadline }
}

/// The channel's default is for calls that wait for one answer: a stream may go on for as long as both sides like.
fn default_deadline(method: &Method, limits: &Limits) -> Option<Duration> {
    match method.kind() {
        MethodKind::Unary | MethodKind::OneWay | MethodKind::ClientStream => limits.deadline,
        MethodKind::ServerStream | MethodKind::Bidirectional => None,
    }
}

/// The sooner of the two.
fn deadline(within: Option<Duration>, inherited: Option<Instant>) -> Option<Deadline> {
    let own = within.and_then(Deadline::within);
    let inherited = inherited.map(|at| Deadline { at, after: at.saturating_duration_since(Instant::now()) });
    match (own, inherited) {
        (Some(own), Some(inherited)) => Some(if own.at <= inherited.at { own } else { inherited }),
        (own, inherited) => own.or(inherited),
    }
}

/// Finds what can be found wrong with a call before it waits for anything.
fn check(draft: Option<&Result<Draft, Status>>, metadata: &Metadata, limits: &Limits) -> Result<(), Status> {
    if let Some(Err(status)) = draft {
        return Err(status.clone());
    }
    let size = draft.and_then(|draft| draft.as_ref().ok()).map_or(0, Draft::body_len);
    if size > limits.message_size {
        let what = format!("the parameters have {size} bytes; a message may have {}", limits.message_size);
        return Err(Status::resource_exhausted(what).not_sent());
    }
    metadata.excess().map_or(Ok(()), |what| Err(Status::resource_exhausted(what).not_sent()))
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
