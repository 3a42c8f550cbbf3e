//! Which calls are taken, and why others are turned away. The order is that of the tests in [`State::admit`] and
//! [`State::check_room`]: bounds first, for a call that can't be counted need not be looked at.

use std::time::{Duration, Instant};

use super::access::{forbidden, may_call};
use super::calls::CallKey;
use super::session::State;
use super::shares::NoRoom;
use super::{DropReason, Methods, Session};
use crate::codec::Body;
use crate::identity::Identity;
use crate::metadata::Metadata;
use crate::method::{Method, MethodKind};
use crate::status::{Cause, Failure, Status};
use crate::wire::{self, Batch, CallRecord};

/// What a client is told to wait when there are as many calls in flight as may be. When there are fewer can't be known; the hint
/// only keeps clients from asking all the time.
pub const RETRY_AFTER: Duration = Duration::from_millis(100);

/// What came out of a message for the application.
#[derive(Debug)]
pub enum Event {
    /// A call that is to be answered, by [`Session::answer`].
    Call {
        /// Names the call from here on.
        key: CallKey,
        /// What is to be done.
        call: IncomingCall,
    },
    /// A call that nothing waits for. It is not in flight yet: see [`Session::begin_one_way`](super::Session::begin_one_way).
    OneWay(IncomingCall),
}

/// A call that was taken.
#[derive(Debug)]
pub struct IncomingCall {
    /// Index of the method in [`Methods`].
    pub target: usize,
    /// The method.
    pub method: &'static Method,
    /// The parameters, not decoded.
    pub params: Body,
    /// What the client sent beside the parameters.
    pub metadata: Metadata,
    /// Who the client is, if that is known.
    pub identity: Option<Identity>,
    /// When the call's time is up.
    pub deadline: Option<Instant>,
    /// Bytes of items that the client can take at first.
    pub credit: u64,
    /// When the message came in that the call was in.
    pub received: Instant,
    /// Size in bytes of that message, for [`Body::detach`].
    pub batch_bytes: usize,
}

/// The message that a call came in.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) batch: &'a Batch,
    /// When it came in.
    pub(super) received: Instant,
}

impl Origin<'_> {
    /// Returns when a call's time is up. A time too long for the clock is no deadline.
    #[inline]
    fn deadline(self, record: &CallRecord<'_>) -> Option<Instant> {
        record.timeout.and_then(|left| self.received.checked_add(left))
    }

    #[inline]
    fn call(
        self,
        target: (usize, &'static Method),
        record: CallRecord<'_>,
        identity: Option<Identity>,
    ) -> IncomingCall {
        IncomingCall {
            target: target.0,
            method: target.1,
            params: self.batch.body(record.body),
            deadline: self.deadline(&record),
            metadata: record.metadata,
            identity,
            credit: record.credit,
            received: self.received,
            batch_bytes: self.batch.bytes().len(),
        }
    }
}

impl<C: Default> State<C> {
    /// Takes a call, or tells the client why not.
    #[inline]
    pub(super) fn call(
        &mut self,
        origin: Origin<'_>,
        record: CallRecord<'_>,
        methods: &Methods,
        now: impl FnOnce() -> Instant,
        event: &mut Option<Event>,
    ) {
        let id = record.id;
        if let Err(why) = self.check_room(id) {
            return self.refuse(id, why);
        }
        match self.admit(origin, &record, methods, now, false) {
            Ok(target) => {
                let key = self.calls.open(id, C::default());
                *event = Some(Event::Call { key, call: origin.call(target, record, self.identity.clone()) });
            }
            Err(why) => {
                self.shared.end_calls(1, self.in_flight());
                self.refuse(id, why.not_sent());
            }
        }
    }

    /// Takes a one-way call, or drops it.
    #[inline]
    pub(super) fn one_way(
        &mut self,
        origin: Origin<'_>,
        record: CallRecord<'_>,
        methods: &Methods,
        now: impl FnOnce() -> Instant,
        event: &mut Option<Event>,
    ) {
        match self.admit(origin, &record, methods, now, true) {
            Ok(target) if self.has_room_for_one_way() => {
                *event = Some(Event::OneWay(origin.call(target, record, self.identity.clone())));
            }
            _ => self.drop_one_way(),
        }
    }
}

impl<C> Session<C> {
    /// Returns the number of calls in flight, one-way calls among them.
    #[must_use]
    #[inline]
    pub fn in_flight(&self) -> usize {
        self.state.in_flight()
    }

    /// Counts a one-way call as in flight, for as long as it waits for its turn or its handler for anything. There is
    /// room for it: [`Session::poll_event`] has looked when it returned the call.
    pub fn begin_one_way(&mut self) {
        let state = &mut self.state;
        state.shared.hold_call(state.in_flight());
        state.one_way += 1;
    }

    /// Counts a one-way call as no longer in flight.
    pub fn end_one_way(&mut self) {
        let state = &mut self.state;
        debug_assert!(state.one_way > 0, "one that was begun");
        // What all sessions share must stay right even if this one were told twice.
        if state.one_way > 0 {
            state.one_way -= 1;
            state.shared.end_calls(1, state.in_flight());
        }
    }
}

impl<C> State<C> {
    /// Returns the number of calls in flight, one-way calls among them.
    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        self.calls.len() + self.one_way
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.in_flight() >= self.shared.config().max_calls_per_peer
    }

    #[inline]
    fn has_room_for_one_way(&self) -> bool {
        !self.is_full() && self.shared.has_room_for_call(self.in_flight())
    }

    /// Counts a call as in flight if there is room for it.
    #[inline]
    fn check_room(&self, id: u64) -> Result<(), Status> {
        if id == 0 {
            return Err(no_id());
        }
        let config = self.shared.config();
        if self.is_full() {
            let max = config.max_calls_per_peer;
            return Err(full(format!("this client has {max} calls in flight, as many as one may")));
        }
        if self.outbox.len() > config.waiting_per_peer() {
            let max = config.waiting_per_peer();
            return Err(full(format!(
                "more than {max} bytes wait for this client, as many as may: it does not read them fast enough"
            )));
        }
        if self.calls.contains(id) {
            let what = format!("a call with id {id} is in flight already");
            return Err(Status::invalid_argument(what).caused_by(Cause::Protocol).not_sent());
        }
        self.shared.begin_call(self.in_flight()).map_err(|why| self.no_room(why))
    }

    #[cold]
    fn no_room(&self, why: NoRoom) -> Status {
        let max = self.shared.config().max_calls;
        full(match why {
            NoRoom::Full => format!("the server has {max} calls in flight, as many as it may"),
            NoRoom::PastShare => {
                let (own, all) = (self.in_flight(), self.shared.calls());
                format!(
                    "this client has {own} calls in flight, past its share: the server has {all} and may have {max}, and \
                     keeps the rest for clients with fewer"
                )
            }
        })
    }

    /// Returns the method that a call is for, or why the call is turned away.
    #[inline]
    fn admit(
        &self,
        origin: Origin<'_>,
        record: &CallRecord<'_>,
        methods: &Methods,
        now: impl FnOnce() -> Instant,
        is_one_way: bool,
    ) -> Result<(usize, &'static Method), Status> {
        let target = methods.find(record.method).ok_or_else(|| methods.unknown(record.method))?;
        let method = target.1;
        if is_one_way != (method.kind() == MethodKind::OneWay) {
            return Err(wrong_kind(method, is_one_way));
        }
        // Before all that depends on the call itself: a client learns nothing of a method that is not for it.
        if methods.checks_roles(&record.metadata) && !may_call(method, self.identity.as_ref()) {
            return Err(forbidden(method, self.identity.as_ref()));
        }
        // A one-way call can't be told that it was turned away, so it still runs.
        if !is_one_way && self.shared.is_draining() {
            return Err(Status::unavailable("the server is shutting down").caused_by(Cause::GoingAway));
        }
        // Measured from when the batch came in: calls late in a long one may have waited for those before them.
        if origin.deadline(record).is_some_and(|deadline| deadline <= now()) {
            let why = "the deadline passed before the call reached its handler";
            return Err(Status::deadline_exceeded(why).caused_by(Cause::Deadline));
        }
        let max = self.shared.config().max_body;
        let length = origin.batch.body_len(record.body);
        if length > max {
            let what = format!("the call has {length} bytes of parameters, and the server takes up to {max}");
            return Err(Status::resource_exhausted(what).caused_by(Cause::TooLarge));
        }
        match record.metadata.excess("the call") {
            Some(what) => Err(Status::resource_exhausted(what).caused_by(Cause::TooLarge)),
            None => Ok(target),
        }
    }

    /// Counts a one-way call that is not taken: its client can't be told.
    #[cold]
    pub(super) fn drop_one_way(&mut self) {
        self.effects.count().refused += 1;
        self.effects.count_dropped(DropReason::OneWay, 1);
    }

    /// Tells the client that a call is turned away.
    #[cold]
    pub(super) fn refuse(&mut self, id: u64, why: Status) {
        self.effects.count().refused += 1;
        self.outbox.record(|out| wire::error(out, id, &Failure::Status(why)));
    }
}

/// Returns the status of a call with the id 0. It can't be answered but as if a whole batch were meant, whose other
/// calls may run.
#[cold]
fn no_id() -> Status {
    let what = "a call has the id 0, which is no call's";
    Status::invalid_argument(what).caused_by(Cause::Protocol).maybe_executed()
}

#[cold]
fn full(what: String) -> Status {
    Status::resource_exhausted(what).caused_by(Cause::Overloaded).with_retry_after(RETRY_AFTER).not_sent()
}

#[cold]
fn wrong_kind(method: &Method, is_one_way: bool) -> Status {
    let kind = if is_one_way { "call: it answers" } else { "one-way call: it has no answer" };
    let what = format!("`{}` must be called by a record of kind {kind}", method.name());
    Status::invalid_argument(what).caused_by(Cause::NoSuchMethod)
}
