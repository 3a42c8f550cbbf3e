//! What calls do to their connection: wait for room, send, ask how they ended, and end.

use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::task::coop::{RestoreOnPending, poll_proceed};

use super::connection::{Connection, State};
use crate::clock;
use crate::codec::Body;
use crate::flow::{OutboundStream, wake};
use crate::flush::{FlushPolicy, yield_to_driver};
use crate::metadata::Metadata;
use crate::session::Deadline;
use crate::session::client::{CallRecord, NewCall, Ticket, Wait};
use crate::status::{Failure, Status};
use crate::stream::Outgoing;
use crate::wire::Item;

/// Room for one call. It holds the connection's lock: to be used at once.
#[must_use]
pub(crate) struct SendPermit<'a> {
    connection: &'a Connection,
    state: MutexGuard<'a, State>,
}

/// What calls use.
impl Connection {
    /// Waits for room.
    ///
    /// # Errors
    /// Time ran out, the connection takes nothing more, or there is none and the call does not wait. In any case nothing was sent.
    pub(crate) fn poll_ready(
        &self,
        context: &mut Context<'_>,
        ticket: &mut Option<Ticket>,
        wait: Wait,
        now: Instant,
    ) -> Poll<Result<SendPermit<'_>, Status>> {
        // A task that sends without ever waiting, or tries again at once what was refused, would starve its thread's other tasks, and with them perhaps
        // the driver.
        let budget: RestoreOnPending = ready!(poll_proceed(context));
        let mut state = self.lock();
        if let Err(status) = state.session.check_ready(ticket, wait, now) {
            budget.made_progress();
            Self::release(state);
            return Poll::Ready(Err(status));
        }
        let State { flush, session, .. } = &mut *state;
        if flush.must_yield(now, session.has_waiting()) {
            drop(state);
            self.notify.notify();
            yield_to_driver(context);
            return Poll::Pending;
        }
        let deadline = wait.deadline.map(|deadline| deadline.at);
        if session.poll_room(context, ticket, deadline, now).is_pending() {
            drop(state);
            self.notify.notify();
            return Poll::Pending;
        }
        budget.made_progress();
        Poll::Ready(Ok(SendPermit { connection: self, state }))
    }

    /// Lets go of the lock, and wakes the tasks that were collected.
    #[inline]
    fn release(mut state: MutexGuard<'_, State>) {
        let mut wakers = Vec::new();
        state.session.take_wakers(&mut wakers);
        drop(state);
        wake(wakers);
    }

    /// Tells the driver of new records, and lets go of the lock. Where several calls are in flight, more of their tasks may be about to go on, and what they
    /// send is to go with this.
    #[inline]
    fn hand_over(&self, mut state: MutexGuard<'_, State>) {
        let mut wakers = Vec::new();
        let when = FlushPolicy::of_client(state.session.open_calls());
        state.session.take_wakers(&mut wakers);
        drop(state);
        self.notify.flush(when);
        wake(wakers);
    }

    /// Gives a place in the queue back to the next caller, if it is one.
    #[inline]
    pub(crate) fn leave_queue(&self, ticket: &mut Option<Ticket>) {
        if ticket.is_some() {
            self.with(|session| session.leave_queue(ticket));
        }
    }

    /// Queues a ping if there is a connection, past the queue of callers that wait for room. A server that takes no new calls still answers it. Returns its id.
    pub(crate) fn ping_now(&self, deadline: Option<Deadline>) -> Option<u32> {
        let mut state = self.lock();
        let is_connected = state.session.is_connected();
        let id = is_connected.then(|| state.session.begin_ping(deadline, clock::now()))?;
        drop(state);
        self.notify.notify();
        Some(id)
    }

    /// Returns how a call ended, once it has.
    #[inline]
    pub(crate) fn poll_reply(&self, id: u32, context: &Context<'_>) -> Poll<Result<Body, Failure>> {
        let mut state = self.lock();
        let reply = state.session.poll_reply(id, context);
        Self::release(state);
        reply
    }

    /// Gives a call up, and tells the server, unless it has ended.
    pub(crate) fn abandon_call(&self, id: u32, why: &str) {
        if self.with(|session| session.abandon(id, why)) {
            self.notify.notify();
        }
    }

    /// Ends a call from this side whose caller still wants to know how.
    pub(super) fn cancel_call(&self, id: u32, why: Status) {
        let now = clock::now();
        self.with(|session| session.cancel_open(id, why, now));
        self.notify.notify();
    }
}

impl SendPermit<'_> {
    /// Sends a call. Returns its id.
    #[inline]
    pub(crate) fn call(mut self, call: NewCall<'_>, record: CallRecord<'_>, now: Instant) -> u32 {
        let id = self.state.session.begin_call(call, record, now);
        self.connection.hand_over(self.state);
        id
    }

    /// Sends a one-way call.
    #[inline]
    pub(crate) fn one_way(
        mut self,
        deadline: Option<Deadline>,
        metadata: &Metadata,
        record: CallRecord<'_>,
        now: Instant,
    ) {
        self.state.session.begin_one_way(deadline, metadata, record, now);
        self.connection.hand_over(self.state);
    }

    /// Sends a ping. Returns its id.
    pub(crate) fn ping(mut self, deadline: Option<Deadline>, now: Instant) -> u32 {
        let id = self.state.session.begin_ping(deadline, now);
        self.connection.hand_over(self.state);
        id
    }
}

/// Why the answers end of a call whose items did not.
const UNFINISHED: &str = "the sink was dropped before it was finished; call `finish` to end the stream";

impl Outgoing for Connection {
    fn grant(&self, id: u64, bytes: u64) {
        let mut state = self.lock();
        state.session.grant(id, bytes);
        self.hand_over(state);
    }

    fn announce(&self, id: u64, stream: &Arc<OutboundStream>) {
        if self.lock().session.announce(id, stream) {
            self.notify.notify_deferred();
        }
    }

    fn flush(&self, id: u64, stream: &Arc<OutboundStream>, last: Option<Item>) {
        let flushed = self.lock().session.flush(id, stream, last);
        if flushed.is_ok() {
            self.notify.notify_deferred();
        }
    }

    fn hurry(&self) {
        self.notify.notify();
    }

    fn finish(&self, id: u64, stream: &OutboundStream) {
        let mut state = self.lock();
        state.session.finish(id, stream);
        self.hand_over(state);
    }

    fn abandon(&self, id: u64) {
        // No call of this side has a longer id.
        if let Ok(id) = u32::try_from(id) {
            self.abandon_call(id, UNFINISHED);
        }
    }

    fn max_body(&self) -> usize {
        self.config.message_size
    }
}
