//! How calls leave: once there is room, with an id and a record in the outbox, which the driver takes as messages.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::call::{ClientCall, PING, Streams};
use super::phase::Phase;
use super::session::{Session, Wait};
use super::wait_queue::Ticket;
use crate::flow::OutboundStream;
use crate::metadata::{Metadata, ResponseMetadata};
use crate::session::Deadline;
use crate::status::{Cause, Status};
use crate::wire::{self, Item, Message, RecordBuilder};

/// What a call is sent with beside its parameters.
#[derive(Debug, Clone, Copy)]
pub struct NewCall<'a> {
    /// `package.Service/method`
    pub method: &'static str,
    /// When its time is up.
    pub deadline: Option<Deadline>,
    /// What travels beside its parameters.
    pub metadata: &'a Metadata,
    /// Where what the server sends beside its answer is to be kept; without it, it is skipped.
    pub response: Option<&'a ResponseMetadata>,
    /// Its streams.
    pub streams: &'a Streams,
    /// Credit in bytes for the server's stream, if it answers with one.
    pub credit: Option<u64>,
    /// The task to wake when the call has ended, if it need not look once more before.
    pub waker: Option<&'a Waker>,
}

/// The record of a call, with its parameters.
#[derive(Debug)]
pub enum CallRecord<'a> {
    /// Sent once.
    Once(RecordBuilder),
    /// Kept by the caller, to be sent again perhaps: a large one is shared, not copied.
    Kept(&'a mut RecordBuilder),
}

/// Room in the outbox, in bytes. Past it, calls wait.
pub(super) const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// 1. Room for a call.
impl Session {
    /// Checks whether a call may wait, or be sent if there is room.
    ///
    /// # Errors
    /// The deadline has passed, the connection takes nothing more, or there is none and the call does not wait. The
    /// caller has left the queue then.
    #[inline]
    pub fn check_ready(
        &mut self,
        ticket: &mut Option<Ticket>,
        wait: Wait,
        now: Instant,
    ) -> Result<(), Status> {
        self.update_phase(now);
        let Some(status) = self.refusal(wait, now) else { return Ok(()) };
        // Now and not when the call is dropped: it may lie around, and others wait behind it.
        self.leave_queue(ticket);
        Err(status.not_sent())
    }

    /// Is ready if there is room and no other caller was there before; otherwise queues the caller under a ticket, to
    /// be woken when there may be room.
    #[inline]
    pub fn poll_room(
        &mut self,
        context: &Context<'_>,
        ticket: &mut Option<Ticket>,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Poll<()> {
        if self.queue.is_first(*ticket) && self.has_room() {
            self.queue.leave(ticket);
            // Also for the next, should this one send nothing after all.
            self.made_room();
            return Poll::Ready(());
        }
        if self.phase.is_ready() {
            self.ask_for_one_way(now);
        }
        self.queue.join(context, ticket, deadline);
        self.check_no_later_than(deadline);
        self.check_no_later_than(self.phase.going_away_until());
        Poll::Pending
    }

    /// Gives a place in the queue back, if there is one.
    pub fn leave_queue(&mut self, ticket: &mut Option<Ticket>) {
        self.queue.leave(ticket);
        self.made_room();
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.phase.is_ready()
            && self.calls.len() < self.config.max_calls
            && self.outbox.len() < MAX_WAITING_BYTES
            && self.one_way.has_room()
    }

    /// Reports whether a ping may be answered. A server that asks and does not read takes no more of the client's
    /// memory than this.
    pub(super) fn has_room_to_answer(&self) -> bool {
        self.outbox.len() < 2 * MAX_WAITING_BYTES
    }

    /// Collects the first caller of the queue if there is room for it. Only [`Session::take_wakers`] calls this, where
    /// [`Session::made_room`] was called since.
    #[inline]
    pub(super) fn wake_next(&mut self) {
        if let Some(first) = self.queue.first()
            && self.has_room()
        {
            self.wakers.push(first.clone());
        }
    }

    /// Says that there may be room, or that another caller is the first of the queue.
    #[inline]
    pub(super) fn made_room(&mut self) {
        self.has_news = true;
    }

    /// Removes a call, which makes room.
    #[inline]
    pub(super) fn remove_call(&mut self, id: u32) -> Option<ClientCall> {
        self.made_room();
        self.forget_withheld(id);
        self.calls.remove(id)
    }

    /// Wakes every caller of the queue, because another connection may have room.
    pub fn wake_queue(&mut self) {
        self.queue.collect_all(&mut self.wakers);
    }

    #[inline]
    pub(super) fn check_no_later_than(&mut self, at: Option<Instant>) {
        if let Some(at) = at {
            self.check_at = Some(self.check_at.map_or(at, |known| known.min(at)));
        }
    }

    /// Ends the time of a server that was going away: another may be there by now.
    #[inline]
    pub(super) fn update_phase(&mut self, now: Instant) {
        if self.phase.expire_going_away(now) {
            // The timer finds nothing to do for those that wait any more.
            self.made_room();
        }
    }

    #[inline]
    fn refusal(&self, wait: Wait, now: Instant) -> Option<Status> {
        if self.phase.get() == Phase::Closed {
            return Some(self.closed_by.clone().unwrap_or_else(closed));
        }
        if !self.phase.is_ready() && !wait.for_ready {
            return Some(self.not_connected("there is no connection to"));
        }
        let after = wait.deadline.filter(|deadline| deadline.at <= now)?.after;
        let status = match self.phase.get() {
            _ if after.is_zero() => {
                Status::deadline_exceeded("the deadline had passed before the call was made")
            }
            Phase::Ready => Status::deadline_exceeded(format!("no room to send the call within {after:?}")),
            _ => return Some(self.not_connected(&format!("within {after:?} there was no connection to"))),
        };
        Some(status.caused_by(Cause::Deadline))
    }

    /// Returns why there is no connection.
    #[cold]
    pub(super) fn not_connected(&self, what: &str) -> Status {
        let endpoint = &self.config.endpoint;
        let (cause, why) = match (self.phase.get(), &self.trouble) {
            (Phase::GoingAway { .. } | Phase::Retiring, _) => {
                (Cause::GoingAway, ": the server is going away".to_owned())
            }
            (_, Some(trouble)) => (Cause::NeverConnected, format!(": {trouble}")),
            _ if self.was_up => (Cause::ConnectionLost, ": it was lost, and is not back".to_owned()),
            _ => (Cause::NeverConnected, String::new()),
        };
        let cause = if self.was_up && cause == Cause::NeverConnected { Cause::ConnectionLost } else { cause };
        Status::unavailable(format!("{what} `{endpoint}`{why}")).caused_by(cause)
    }
}

#[cold]
pub(super) fn closed() -> Status {
    Status::unavailable("the channel is closed").caused_by(Cause::Closed)
}

/// 2. Its record. There must be room: see [`Session::check_ready`] and [`Session::poll_room`].
impl Session {
    /// Begins a call. Returns its id.
    #[inline]
    pub fn begin_call(&mut self, call: NewCall<'_>, record: CallRecord<'_>, now: Instant) -> u32 {
        debug_assert!(self.has_room(), "the caller has asked");
        let NewCall { method, deadline, metadata, response, streams, credit, waker } = call;
        let id = self.begin(method, deadline, streams.clone(), waker, now);
        if response.is_some()
            && let Some(call) = self.calls.get_mut(id)
        {
            call.response = response.cloned();
        }
        let left = deadline.map(|deadline| deadline.left(now));
        self.push(record, |record| record.address(id, left, metadata, credit));
        self.made_room();
        id
    }

    /// Sends a one-way call, of which nothing more will be heard.
    #[inline]
    pub fn begin_one_way(
        &mut self,
        deadline: Option<Deadline>,
        metadata: &Metadata,
        record: CallRecord<'_>,
        now: Instant,
    ) {
        self.ask_for_one_way(now);
        let left = deadline.map(|deadline| deadline.left(now));
        let bytes = self.push(record, |record| {
            record.address(0, left, metadata, None);
            record.record_len()
        });
        self.one_way.begin(bytes, now);
        self.check_no_later_than(self.one_way.ask_at());
        self.made_room();
    }

    /// Begins a ping, past the queue of callers that wait for room: it takes none to speak of. Returns its id.
    pub fn begin_ping(&mut self, deadline: Option<Deadline>, now: Instant) -> u32 {
        let id = self.begin(PING, deadline, Streams::default(), None, now);
        self.outbox.record(|out| wire::ping(out, u64::from(id)));
        self.instance.asked();
        // A ping may also have waited in the queue.
        self.made_room();
        id
    }

    #[inline]
    fn begin(
        &mut self,
        method: &'static str,
        deadline: Option<Deadline>,
        streams: Streams,
        waker: Option<&Waker>,
        now: Instant,
    ) -> u32 {
        self.open += 1;
        self.check_no_later_than(deadline.map(|deadline| deadline.at));
        let look = self.liveness.as_mut().map(|liveness| liveness.begin(now));
        self.check_no_later_than(look);
        self.calls.insert(ClientCall::new(method, deadline, streams, waker.cloned(), self.one_way.begun()))
    }

    #[inline]
    fn push<R>(&mut self, record: CallRecord<'_>, address: impl FnOnce(&mut RecordBuilder) -> R) -> R {
        match record {
            CallRecord::Once(mut record) => {
                let addressed = address(&mut record);
                self.outbox.push(record);
                addressed
            }
            CallRecord::Kept(record) => {
                let addressed = address(record);
                self.outbox.push_copy(record);
                addressed
            }
        }
    }

    /// Pings the server if it is time to know which one-way calls it has read. No task waits for this pong but those
    /// that have no room.
    #[inline]
    pub(super) fn ask_for_one_way(&mut self, now: Instant) {
        if self.one_way.must_ask(now) {
            let id = self.begin_ping(None, now);
            self.one_way.ask(id, now);
        }
    }
}

/// 3. Messages.
impl Session {
    /// Returns the next message to send.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Message> {
        let calls = &self.calls;
        self.pending.collect(&mut self.outbox, |id| {
            let id = u32::try_from(id).ok()?;
            calls.get(id)?.streams.outbound.as_ref()
        });
        let message = self.outbox.take();
        self.has_sent |= message.is_some();
        self.give_back_credit();
        self.made_room();
        message
    }

    /// Takes a message back that the transport had no room for: it has not left, and is the next.
    pub fn return_transmit(&mut self, message: Message) {
        self.outbox.put_back(message);
    }
}

/// Streams.
impl Session {
    /// Reports whether the server may be told something of a call. A record about one that has ended may be the only
    /// thing in the outbox of a connection that is closed and not up, which would never be done then.
    fn is_open(&self, id: u64) -> bool {
        u32::try_from(id).is_ok_and(|id| self.is_call_open(id))
    }

    /// Grants the server `bytes` of credit for the stream of a call. Does nothing for a call that has ended.
    pub fn grant(&mut self, id: u64, bytes: u64) {
        if self.is_open(id) {
            self.outbox.record(|out| wire::credit(out, id, bytes));
        }
    }

    /// Announces that items have begun to gather in the stream of a call. Returns `false` if there is no such call any more.
    pub fn announce(&mut self, id: u64, stream: &Arc<OutboundStream>) -> bool {
        let is_known = u32::try_from(id).is_ok_and(|id| self.calls.get(id).is_some());
        if is_known {
            self.pending.announce(id, stream);
        }
        is_known
    }

    /// Queues the items that have gathered in the stream of a call, and `last` after them.
    ///
    /// # Errors
    /// There is no such call any more. `last` comes back, to be dropped once no lock is held.
    pub fn flush(
        &mut self,
        id: u64,
        stream: &Arc<OutboundStream>,
        last: Option<Item>,
    ) -> Result<(), Option<Item>> {
        let Some(known) = u32::try_from(id).ok().filter(|id| self.calls.get(*id).is_some()) else {
            return Err(last);
        };
        self.pending.flush(&mut self.outbox, id, stream, last);
        self.check_room_for_items(known, stream);
        Ok(())
    }

    /// Ends the client's stream of a call, after the items that have gathered in it. Does nothing for a call that has ended.
    pub fn finish(&mut self, id: u64, stream: &OutboundStream) {
        if self.is_open(id) {
            stream.collect(&mut self.outbox, id);
            self.outbox.record(|out| wire::end(out, id));
        }
    }
}
