//! [`Session`]: one client as its server sees it: its calls in flight, and what it is to be sent. How calls are taken is in
//! `admission`, what records mean in `reading`, and what streams write in `streams`.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::calls::{Call, CallKey, Calls};
use super::config::COUNT_STEP_BYTES;
use super::liveness::{Liveness, Verdict};
use super::reading::Reading;
use super::{DropReason, Effects, Shared};
use crate::flow::PendingStreams;
use crate::identity::Identity;
use crate::status::{Cause, Failure, Status};
use crate::wire::{self, Message, Outbox, RecordBuilder};

/// One client of a server. `C` is what the application keeps with a call: the runtime its task, a router the call made in turn.
///
/// Invariant: **a call is answered only by the code that takes it out of the table of calls in flight.** A reply, a deadline, a
/// cancellation and a panic may come at the same time; one of them wins.
pub struct Session<C> {
    /// The message that is being read.
    pub(super) reading: Option<Reading>,
    /// Number of records read of the message that came last.
    pub(super) records_read: usize,
    pub(super) state: State<C>,
}

/// Everything but what is being read, which records point into.
pub(super) struct State<C> {
    pub(super) shared: Arc<Shared>,
    /// Who the client is, if that is known. Decides which methods it may call.
    pub(super) identity: Option<Identity>,
    pub(super) outbox: Outbox,
    /// The streams in which items gather.
    pub(super) pending: PendingStreams,
    pub(super) calls: Calls<C>,
    /// Number of one-way calls in flight.
    pub(super) one_way: usize,
    /// Whether the client can't be reached: nothing is queued for it.
    is_gone: bool,
    /// Bytes that [`Session::shed`] has left in the outbox.
    notice: usize,
    /// Bytes in the outbox that are counted among what waits for all clients.
    counted: usize,
    pub(super) liveness: Liveness,
    /// Number of records of the present message that were answered though they belong to no call and no known kind.
    pub(super) answered_unknown: u32,
    pub(super) effects: Effects<C>,
}

/// How a call ended, as its client is told.
#[derive(Debug)]
pub enum Answer {
    /// A call that is answered once ended well, with this reply.
    Reply(RecordBuilder),
    /// A call that is answered by a stream ended well, and the stream with it.
    End,
    /// Any call ended badly.
    Failure(Failure),
}

impl<C> Session<C> {
    /// Creates the session of a new client.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            reading: None,
            records_read: 0,
            state: State {
                shared,
                identity: None,
                outbox: Outbox::default(),
                pending: PendingStreams::default(),
                calls: Calls::new(),
                one_way: 0,
                is_gone: false,
                notice: 0,
                counted: 0,
                liveness: Liveness::default(),
                answered_unknown: 0,
                effects: Effects::default(),
            },
        }
    }

    /// Reports whether there is something to do without the lock.
    #[must_use]
    #[inline]
    pub fn has_effects(&self) -> bool {
        !self.state.effects.is_empty()
    }

    /// Returns what is to be done without the lock.
    pub fn take_effects(&mut self) -> Effects<C> {
        std::mem::take(&mut self.state.effects)
    }

    /// Ends a call and tells the client how. Returns what the application kept with it.
    ///
    /// # Errors
    /// The call has ended before. The answer comes back, to be dropped without the lock.
    #[inline]
    pub fn answer(&mut self, key: CallKey, answer: Answer) -> Result<C, Answer> {
        let state = &mut self.state;
        let Some(call) = state.close_call(key) else { return Err(answer) };
        state.collect_last(key, &call);
        match answer {
            Answer::End => state.outbox.record(|out| wire::end(out, key.id())),
            answer if state.has_no_room() => state.answer_without_room(key, answer),
            Answer::Reply(reply) => state.outbox.push(reply),
            Answer::Failure(failure) => state.outbox.record(|out| wire::error(out, key.id(), &failure)),
        }
        state.queued();
        if call.inbound.is_some() || call.outbound.is_some() {
            return Ok(state.close_streams(call, &Status::cancelled("the call is over")));
        }
        Ok(call.app)
    }

    /// Ends a call from outside its handler, which is to be stopped (see [`Effects::ended`]), and tells the client why.
    /// Does nothing for a call that has ended.
    pub fn fail(&mut self, key: CallKey, why: &Status) {
        self.state.fail(key, why);
        self.state.queued();
    }

    /// Ends every call in flight as by [`Session::fail`].
    pub fn fail_all(&mut self, why: &Status) {
        self.state.fail_all(why);
        self.state.queued();
    }

    /// Returns what the application keeps with a call; `None` if the call is over.
    #[inline]
    pub fn app(&mut self, key: CallKey) -> Option<&mut C> {
        self.state.calls.of(key).map(|call| &mut call.app)
    }

    /// Reports whether a call is in flight.
    #[must_use]
    pub fn is_in_flight(&self, key: CallKey) -> bool {
        self.state.calls.key(key.id()) == Some(key)
    }

    /// Reports whether calls are in flight that the client waits for.
    #[must_use]
    pub fn has_calls(&self) -> bool {
        !self.state.calls.is_empty()
    }

    /// Reports whether calls are in flight, or more is to be sent than what [`Session::shed`] has left.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.has_calls() || self.state.outbox.len() > self.state.notice
    }

    /// Reports whether the client can't be reached any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.state.is_gone
    }
}

/// What is to be sent.
impl<C> Session<C> {
    /// Reports whether something is to be sent.
    #[must_use]
    #[inline]
    pub fn wants_transmit(&self) -> bool {
        !self.state.outbox.is_empty() || !self.state.pending.is_empty()
    }

    /// Returns the next message to send. There may be none although [`Session::wants_transmit`]: what has gathered in
    /// streams may be of calls that are over.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Message> {
        let state = &mut self.state;
        state.collect();
        let message = state.outbox.take()?;
        state.count_waiting_in_steps();
        Some(message)
    }

    /// Puts back a message for which the transport had no room, as the next.
    pub fn return_transmit(&mut self, message: Message) {
        self.state.outbox.put_back(message);
    }

    /// Returns the number of bytes that wait to be sent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state.outbox.len()
    }

    /// Returns the number of bytes that wait to be sent, and counts them to the byte among what waits for all clients.
    pub fn count_waiting(&mut self) -> usize {
        self.state.count_waiting();
        self.waiting()
    }
}

/// Time, and the way out.
impl<C> Session<C> {
    /// Asks a client with calls in flight for a sign of life, and gives it up if it has shown none for the peer
    /// timeout. Should it live and only have been stopped, it is told what became of its calls: its connection may be
    /// as good as before.
    ///
    /// `now` is the time of a [`ListeningClock`](super::ListeningClock).
    pub fn handle_timeout(&mut self, now: Instant) {
        let state = &mut self.state;
        if state.calls.is_empty() {
            return;
        }
        match state.liveness.check(now, state.shared.config()) {
            Verdict::Wait => return,
            Verdict::Ask => state.ping(),
            Verdict::GiveUp => {
                state.liveness.give_up();
                state.effects.lost("it showed no sign of life");
                let why =
                    Status::unavailable("the client showed no sign of life, and its calls were given up");
                state.fail_all(&why.maybe_executed().caused_by(Cause::ClientLost));
            }
        }
        state.queued();
    }

    /// Throws away what waits for a client that does not read, and ends its calls. In place of it all, one error speaks of every
    /// call, so that a client that reads again does not wait for ever. Does nothing if nothing but that error is waiting.
    pub fn shed(&mut self) {
        self.state.shed();
        self.state.queued();
    }

    /// Ends the session of a client that can't be told anything any more: its calls end, and nothing is kept for it.
    /// What is thrown away is counted under `reason`.
    pub fn close(&mut self, why: &Status, reason: DropReason) {
        self.drop_reading();
        let state = &mut self.state;
        state.is_gone = true;
        state.throw_away(reason);
        state.count_waiting();
        state.end_all(why);
    }

    /// As [`Session::close`], of a client that can't be reached. With calls in flight it counts as lost.
    pub fn handle_disconnected(&mut self) {
        if self.has_calls() {
            self.state.effects.lost("it can't be reached any more");
        }
        self.close(&client_is_gone(), DropReason::Unreachable);
    }

    /// As [`Session::close`], of a client that did not read and is not known any more, so that nothing could be sent to it.
    pub fn forget(&mut self) {
        self.close(&client_is_gone(), DropReason::NotRead);
    }

    /// Tells the client that no new calls are taken, unless it was given up.
    pub fn go_away(&mut self) {
        if !self.state.liveness.is_given_up() {
            self.state.outbox.record(wire::going_away);
            self.state.queued();
        }
    }

    /// Asks the client for a pong, which proves that it has read all that was sent before, unless it was given up.
    pub fn ask(&mut self) {
        if !self.state.liveness.is_given_up() {
            self.state.ping();
            self.state.queued();
        }
    }

    /// Reports whether the client has answered every ping.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.state.liveness.is_answered()
    }
}

impl<C> State<C> {
    #[inline]
    fn close_call(&mut self, key: CallKey) -> Option<Call<C>> {
        self.calls.close(key).inspect(|_| self.shared.end_calls(1, self.in_flight()))
    }

    pub(super) fn fail(&mut self, key: CallKey, why: &Status) {
        let Some(call) = self.close_call(key) else { return };
        self.collect_last(key, &call);
        self.outbox.record(|out| wire::error(out, key.id(), &Failure::Status(why.clone())));
        self.end(key, call, why);
    }

    fn fail_all(&mut self, why: &Status) {
        for key in self.calls.keys() {
            self.fail(key, why);
        }
    }

    /// Ends a call that the client has cancelled.
    pub(super) fn cancel(&mut self, id: u64) {
        if let Some((key, call)) = self.calls.remove(id) {
            self.shared.end_calls(1, self.in_flight());
            self.end(key, call, &Status::cancelled("the client cancelled the call"));
        }
    }

    /// Has a call stopped that was taken out of the table.
    fn end(&mut self, key: CallKey, call: Call<C>, why: &Status) {
        let app = self.close_streams(call, why);
        self.effects.end(key, app, why);
    }

    fn end_all(&mut self, why: &Status) {
        let calls = self.calls.drain();
        self.shared.end_calls(calls.len(), self.in_flight());
        for (key, call) in calls {
            self.end(key, call, why);
        }
    }

    /// Ends both streams of a call that is over. Returns what the application kept with it.
    fn close_streams(&mut self, call: Call<C>, why: &Status) -> C {
        if let Some(inbound) = call.inbound {
            self.effects.wake(inbound.finish(Err(Failure::Status(why.clone()))));
            self.effects.discard_stream(inbound);
        }
        if let Some(outbound) = call.outbound {
            self.effects.wake(outbound.close(why.clone()));
        }
        call.app
    }

    /// Reports whether as much waits for the client, or for all clients, as may: the client does not read, and will be shed soon.
    #[inline]
    pub(super) fn has_no_room(&self) -> bool {
        self.outbox.len() > self.shared.config().shed_at() || self.shared.is_out_of_room()
    }

    #[cold]
    fn answer_without_room(&mut self, key: CallKey, answer: Answer) {
        self.effects.count_dropped(DropReason::NoRoom, 1);
        self.effects.discard_answer(answer);
        let why = "too much waits for clients that do not read, and there was no room for the answer";
        let failure = Failure::Status(Status::resource_exhausted(why).caused_by(Cause::Overloaded));
        self.outbox.record(|out| wire::error(out, key.id(), &failure));
    }

    /// See [`Session::shed`].
    pub(super) fn shed(&mut self) {
        self.liveness.give_up();
        if self.calls.is_empty() && self.outbox.len() <= self.notice {
            return;
        }
        let why =
            Status::unavailable("the client did not read what it was sent, and its calls were given up");
        let why = why.maybe_executed().caused_by(Cause::ClientLost);
        self.throw_away(DropReason::NotRead);
        self.outbox.record(|out| wire::error(out, 0, &Failure::Status(why.clone())));
        self.notice = self.outbox.len();
        if !self.calls.is_empty() {
            self.effects.lost("it did not read what it was sent");
        }
        self.end_all(&why);
    }

    /// Throws away all that waits, and counts what of it the client was waiting for.
    fn throw_away(&mut self, reason: DropReason) {
        self.collect();
        let mut responses = 0;
        while let Some(message) = self.outbox.take() {
            responses += wire::count_responses(message.batch());
            if message.is_own() { message.recycle() } else { self.effects.discard_message(message) }
        }
        if responses > 0 {
            self.effects.count_dropped(reason, responses);
        }
    }

    /// Sends a ping. All have the id 0; pongs come in their order.
    pub(super) fn ping(&mut self) {
        self.liveness.pinged();
        self.outbox.record(|out| wire::ping(out, 0));
    }

    /// Sees to what was queued. Called once by each method that may have queued something.
    #[inline]
    pub(super) fn queued(&mut self) {
        if self.is_gone {
            return self.throw_away(DropReason::Unreachable);
        }
        self.count_waiting_in_steps();
    }

    #[inline]
    fn count_waiting_in_steps(&mut self) {
        let waiting = self.outbox.len();
        // A client that has read everything counts for nothing: very many of them would fill the room of all.
        if waiting.abs_diff(self.counted) >= COUNT_STEP_BYTES || (waiting == 0 && self.counted > 0) {
            self.count_waiting();
        }
    }

    fn count_waiting(&mut self) {
        let waiting = self.outbox.len();
        self.shared.waiting_changed(self.counted, waiting);
        self.counted = waiting;
    }
}

impl<C> Drop for State<C> {
    fn drop(&mut self) {
        self.shared.waiting_changed(self.counted, 0);
    }
}

/// Returns the status of the streams of a client that can't be told anything.
fn client_is_gone() -> Status {
    Status::unavailable("the client is gone").caused_by(Cause::ClientLost)
}

impl<C> fmt::Debug for Session<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        f.debug_struct("Session")
            .field("calls", &state.calls.len())
            .field("one_way", &state.one_way)
            .field("waiting", &state.outbox.len())
            .field("is_gone", &state.is_gone)
            .finish_non_exhaustive()
    }
}
