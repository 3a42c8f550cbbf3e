//! One client as the server sees it: its calls in flight, and what it is to be sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::calls::{CallKey, Calls, ServerCall};
use super::counters::Dropped;
use super::limits::STEP;
use super::shared::Shared;
use crate::context::{PeerId, Signal};
use crate::flow::{OutboundStream as Outbound, PendingStreams as Gathering, wake};
use crate::status::{Cause, Failure, Status};
use crate::stream::Outgoing;
use crate::transport::{BytesInFlight as Flight, COPIED_BELOW_BYTES as COPY, SendReceipt as Receipt};
use crate::wire::{self, Batch, Item, Message, Outbox, RecordBuilder};
use tokio::time::Instant;

/// One client. Handlers answer into it from any thread; the socket's owner empties it.
#[derive(Debug)]
pub(crate) struct Peer {
    id: PeerId,
    shared: Arc<Shared>,
    /// What libzmq holds for it.
    flight: Arc<Flight>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outbox: Outbox,
    /// The streams in which items gather.
    gathering: Gathering,
    /// The calls in flight. **A call is answered by whoever takes it out of here, and by nobody else.**
    calls: Calls,
    /// How many one-way calls are in flight.
    one_way: usize,
    /// It is on the list of those that the owner will empty.
    listed: bool,
    /// It can't be reached any more: nothing is queued for it.
    gone: bool,
    /// The size of what [`Peer::forsake`] has left in the outbox.
    notice: usize,
    /// How much of the outbox is counted among what waits for all clients.
    counted: usize,
    /// How many bytes were ever handed to libzmq.
    sent: u64,
    /// As many of them as will be reported done.
    receipted: u64,
}

/// What a client that does not read has lost.
#[derive(Debug, Default)]
pub(crate) struct Forsaken {
    /// What it was owed.
    pub(crate) owed: u64,
    /// The calls that it had in flight.
    pub(crate) calls: usize,
}

/// The next message for a client.
#[derive(Debug)]
pub(crate) enum Next {
    /// This one, with what is to go with its buffer, if anything.
    Message(Message, Option<Receipt>),
    /// None: the owner's list does not hold the client any more.
    Nothing,
    /// libzmq holds as much for the client as it may.
    Full,
}

impl State {
    /// How many calls are, those that nobody waits for among them.
    #[inline]
    fn in_flight(&self) -> usize {
        self.calls.len() + self.one_way
    }

    /// Queues what has gathered in streams of calls that are not over.
    #[inline]
    fn gather(&mut self) {
        self.gathering.collect(&mut self.outbox, |id| self.calls.get(id)?.outbound.as_ref());
    }

    /// Queues what has gathered in a call's stream: the record that ends the call comes after it.
    fn gather_last(&mut self, id: u64, call: &ServerCall) {
        if let Some(outbound) = &call.outbound {
            outbound.collect(&mut self.outbox, id);
        }
    }

    /// Throws away all that waits. How much of it the client was owed; and what is to be dropped when no lock is held, since to
    /// drop a user's bytes may run his code.
    fn throw_away(&mut self) -> (u64, Vec<Message>) {
        self.gather();
        let (mut owed, mut users) = (0, Vec::new());
        while let Some(message) = self.outbox.take() {
            owed += wire::count_responses(message.batch());
            if message.is_own() { message.recycle() } else { users.push(message) }
        }
        (owed, users)
    }
}

/// A one-way call in flight.
#[derive(Debug)]
pub(crate) struct OneWay(Arc<Peer>);

impl Drop for OneWay {
    fn drop(&mut self) {
        self.0.lock().one_way -= 1;
        self.0.shared.call_ended();
    }
}

/// Why a call was not taken on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The client has a call of that id in flight.
    IdInUse,
    /// The client has as many calls in flight as one may.
    PeerFull,
    /// As much as may waits to be read by the client.
    PeerBehind,
    /// All clients together have.
    ServerFull,
}

/// How a call ended, as it is told to the client.
pub(crate) enum Answer {
    /// A unary or client-streaming one, with its reply.
    Reply(RecordBuilder),
    /// A streaming one, with the end of its stream.
    End,
    /// Any one, badly.
    Failure(Failure),
}

impl Peer {
    pub(crate) fn new(id: PeerId, shared: Arc<Shared>) -> Arc<Self> {
        let flight = Flight::new(Arc::clone(&shared.notify));
        Arc::new(Self { id, shared, flight, state: Mutex::default() })
    }

    pub(crate) fn id(&self) -> &PeerId {
        &self.id
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock but for lack of memory; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call on.
    #[inline]
    pub(crate) fn open(&self, id: u64) -> Result<CallKey, Refusal> {
        let state = &mut *self.lock();
        if state.in_flight() >= self.shared.limits.calls_per_peer {
            return Err(Refusal::PeerFull);
        }
        if state.outbox.len() > self.shared.limits.waiting_per_peer() {
            return Err(Refusal::PeerBehind);
        }
        if state.calls.contains(id) {
            return Err(Refusal::IdInUse);
        }
        if !self.shared.call_began() {
            return Err(Refusal::ServerFull);
        }
        state.calls.open(id).ok_or(Refusal::IdInUse)
    }

    /// Whether one more one-way call may be taken on.
    #[inline]
    pub(crate) fn has_room_for_one_way(&self) -> bool {
        self.lock().in_flight() < self.shared.limits.calls_per_peer && self.shared.has_room_for_call()
    }

    /// Counts a one-way call as in flight until what this returns is dropped. There is room for it: it was asked for when the
    /// call came in, and nobody else takes calls on.
    pub(crate) fn hold_one_way(self: &Arc<Self>) -> OneWay {
        self.lock().one_way += 1;
        self.shared.call_held();
        OneWay(Arc::clone(self))
    }

    /// Spawns the rest of a handler, such that the call's end ends it. Must be called within a tokio runtime.
    pub(crate) fn spawn(&self, key: CallKey, handler: impl Future<Output = ()> + Send + 'static) {
        // Not under the lock: a runtime that shuts down drops the handler right here, which answers its call.
        let task = tokio::spawn(handler).abort_handle();
        match self.lock().calls.of(key) {
            Some(call) => call.task = Some(task),
            // Whoever ended the call knew of no task to end. One that is done does not mind.
            None => task.abort(),
        }
    }

    /// Changes a call's streams while it is being set up.
    pub(crate) fn with_call(&self, key: CallKey, change: impl FnOnce(&mut ServerCall)) {
        if let Some(call) = self.lock().calls.of(key) {
            change(call);
        }
    }

    /// Tells the signal when the call is ended from outside its handler; `false` if it is over.
    pub(crate) fn watch(&self, key: CallKey, signal: &Signal, deadline: Option<Instant>) -> bool {
        self.lock().calls.of(key).map(|call| call.signal = Some((Arc::clone(signal), deadline))).is_some()
    }

    /// It can't be reached any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    #[inline]
    fn close_call(&self, state: &mut State, key: CallKey) -> Option<ServerCall> {
        let call = state.calls.close(key)?;
        self.shared.call_ended();
        Some(call)
    }

    /// Ends a call and tells the client how. Does nothing for one that has ended.
    #[inline]
    pub(crate) fn answer(self: &Arc<Self>, key: CallKey, answer: Answer) {
        let mut state = self.lock();
        let Some(call) = self.close_call(&mut state, key) else { return };
        state.gather_last(key.id, &call);
        match answer {
            Answer::End => state.outbox.record(|out| wire::end(out, key.id)),
            _ if self.has_no_room(&state) => {
                self.shared.counters.drop_records(Dropped::NoRoom, 1);
                state.outbox.record(|out| wire::error(out, key.id, &no_room()));
            }
            Answer::Reply(draft) => state.outbox.push(draft),
            Answer::Failure(failure) => state.outbox.record(|out| wire::error(out, key.id, &failure)),
        }
        self.list(state);
        if call.inbound.is_some() || call.outbound.is_some() {
            call.close(&Status::cancelled("the call is over"));
        }
    }

    /// As much waits for it, or for all clients, as may: it does not read, and will be given up soon.
    #[inline]
    fn has_no_room(&self, state: &State) -> bool {
        state.outbox.len() > self.shared.limits.too_much() || self.shared.is_out_of_room()
    }

    /// Ends a call from outside its handler, which is dropped, and tells the client why. Does nothing for one that has
    /// ended.
    pub(crate) fn fail(self: &Arc<Self>, key: CallKey, why: &Status) {
        let mut state = self.lock();
        let Some(call) = self.close_call(&mut state, key) else { return };
        let failure = Failure::Status(why.clone());
        state.gather_last(key.id, &call);
        state.outbox.record(|out| wire::error(out, key.id, &failure));
        self.list(state);
        call.abort(why);
    }

    /// The call in flight that the client means by an id.
    #[inline]
    pub(crate) fn in_flight(&self, id: u64) -> Option<CallKey> {
        self.lock().calls.key(id)
    }

    /// The client gave a call up.
    pub(crate) fn cancel(&self, id: u64) {
        let call = self.lock().calls.remove(id);
        if let Some(call) = call {
            self.shared.call_ended();
            call.abort(&Status::cancelled("the client cancelled the call"));
        }
    }

    /// Items of a client's stream. Those of a call that is over crossed its answer on the way.
    pub(crate) fn items(self: &Arc<Self>, id: u64, batch: &Batch, items: &[u8]) {
        let inbound = self.lock().calls.get(id).and_then(|call| call.inbound.clone());
        if let Some(inbound) = inbound
            && inbound.receive(batch, items).map(wake).is_err()
            && let Some(key) = self.in_flight(id)
        {
            let why = Status::resource_exhausted("the client sent items of its stream without credit");
            self.fail(key, &why.maybe_executed());
        }
    }

    /// The end of a client's stream.
    pub(crate) fn end_of_items(&self, id: u64) {
        let inbound = self.lock().calls.get(id).and_then(|call| call.inbound.clone());
        if let Some(inbound) = inbound {
            wake(inbound.finish(Ok(())));
        }
    }

    /// The client can take more of a handler's stream.
    pub(crate) fn credit(&self, id: u64, bytes: u64) {
        let outbound = self.lock().calls.get(id).and_then(|call| call.outbound.clone());
        if let Some(outbound) = outbound {
            wake(outbound.grant(bytes));
        }
    }

    /// How many bytes wait to be sent to it.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().outbox.len()
    }

    /// The same, counted to the byte among what waits for all clients.
    pub(crate) fn count_all_waiting(&self) -> usize {
        let state = &mut *self.lock();
        let waiting = state.outbox.len();
        self.count_waiting(state, waiting);
        waiting
    }

    /// It has calls in flight that it waits for.
    pub(crate) fn has_calls(&self) -> bool {
        !self.lock().calls.is_empty()
    }

    /// It has calls in flight, or is to be sent more than what [`Peer::forsake`] has left.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.lock();
        !state.calls.is_empty() || state.outbox.len() > state.notice
    }

    /// The client is gone: its handlers are dropped, and nothing is kept for it. How much was dropped that it was owed.
    pub(crate) fn hang_up(&self, why: &Status) -> u64 {
        let mut state = self.lock();
        state.gone = true;
        let (dropped, users) = state.throw_away();
        self.count_waiting(&mut state, 0);
        let calls = state.calls.drain();
        drop(state);
        drop(users);
        for call in calls {
            self.shared.call_ended();
            call.abort(why);
        }
        dropped
    }

    /// The client does not read, and too much waits for it: that is thrown away, and its handlers are dropped. In place of
    /// it all stands one error that speaks of every call, so that a client which comes to itself does not wait for ever.
    /// Does nothing when nothing but that error has been waiting.
    pub(crate) fn forsake(self: &Arc<Self>, why: &Status) -> Forsaken {
        let mut state = self.lock();
        if state.calls.is_empty() && state.outbox.len() <= state.notice {
            return Forsaken::default();
        }
        let (owed, users) = state.throw_away();
        state.outbox.record(|out| wire::error(out, 0, &Failure::Status(why.clone())));
        state.notice = state.outbox.len();
        let calls = state.calls.drain();
        self.list(state);
        drop(users);
        let forsaken = Forsaken { owed, calls: calls.len() };
        for call in calls {
            self.shared.call_ended();
            call.abort(why);
        }
        forsaken
    }

    /// Ends every call in flight, telling the client why.
    pub(crate) fn fail_all(self: &Arc<Self>, why: &Status) {
        let keys = self.lock().calls.keys();
        for key in keys {
            self.fail(key, why);
        }
    }

    /// Queues a record that belongs to no call in flight.
    pub(crate) fn send(self: &Arc<Self>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        state.outbox.record(write);
        self.list(state);
    }

    /// The next message for it.
    pub(crate) fn next_message(&self) -> Next {
        let state = &mut *self.lock();
        if state.outbox.is_empty() && state.gathering.is_empty() {
            state.listed = false;
            return Next::Nothing;
        }
        let in_flight = state.sent.saturating_sub(self.flight.done());
        // Half of it, so that there is more than one message to send when there is room again.
        let most = self.shared.limits.in_flight();
        if in_flight >= most && self.flight.wait_for(state.sent - most / 2) {
            return Next::Full;
        }
        state.gather();
        let Some(message) = state.outbox.take() else {
            // What had gathered was of calls that are over.
            state.listed = false;
            return Next::Nothing;
        };
        state.sent += message.len() as u64;
        self.count_waiting_in_steps(state);
        let known = message.len() > COPY || state.sent - state.receipted >= STEP as u64;
        let receipt = known.then(|| {
            state.receipted = state.sent;
            self.flight.receipt(state.sent)
        });
        Next::Message(message, receipt)
    }

    /// Its queue in libzmq is full: the message waits here, still on a list of the owner's.
    pub(crate) fn put_back(&self, message: Message) {
        let mut state = self.lock();
        state.sent -= message.len() as u64;
        // Not what came before it: only its receipt, which is void, may have spoken of that. What others speak of is done
        // or will be; to ask for some of it once more costs a receipt.
        state.receipted = self.flight.done().min(state.sent);
        state.outbox.put_back(message);
        state.listed = true;
    }

    #[inline]
    fn count_waiting_in_steps(&self, state: &mut State) {
        let waiting = state.outbox.len();
        // Whoever has read everything is to count for nothing: very many of them would fill the room of all.
        if waiting.abs_diff(state.counted) >= STEP || (waiting == 0 && state.counted > 0) {
            self.count_waiting(state, waiting);
        }
    }

    fn count_waiting(&self, state: &mut State, waiting: usize) {
        self.shared.waiting_changed(state.counted, waiting);
        state.counted = waiting;
    }

    /// Puts it on the owner's list, if it is not there, and lets go of the lock.
    #[inline]
    fn list(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.gone {
            let (dropped, users) = state.throw_away();
            drop(state);
            drop(users);
            return self.shared.counters.drop_records(Dropped::Unreachable, dropped);
        }
        self.count_waiting_in_steps(&mut state);
        let new = !std::mem::replace(&mut state.listed, true);
        drop(state);
        if new {
            self.shared.list(Arc::clone(self));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.shared.waiting_changed(state.counted, 0);
    }
}

/// What stands in the place of an answer for which there is no room.
fn no_room() -> Failure {
    let why = "too much waits for clients that do not read, and there was no room for the answer";
    Failure::Status(Status::resource_exhausted(why).caused_by(Cause::Overloaded))
}

/// How the streams of one call write to its client. What they write once the call is over is dropped.
#[derive(Debug)]
pub(crate) struct PeerOutgoing {
    pub(crate) peer: Arc<Peer>,
    pub(crate) key: CallKey,
}

impl PeerOutgoing {
    /// The peer's lock, if the call is not over and there is room for its items. Where there is none, the call fails: credit
    /// is the client's to give, so it is no bound of ours.
    fn lock_with_room(&self) -> Option<MutexGuard<'_, State>> {
        let mut state = self.peer.lock();
        state.calls.of(self.key)?;
        if !self.peer.has_no_room(&state) {
            return Some(state);
        }
        drop(state);
        let why = "the client does not read its stream as fast as it has asked for it";
        let why = Status::resource_exhausted(why).maybe_executed().caused_by(Cause::ClientLost);
        self.peer.fail(self.key, &why);
        None
    }
}

impl Outgoing for PeerOutgoing {
    fn grant(&self, id: u64, bytes: u64) {
        let mut state = self.peer.lock();
        if state.calls.of(self.key).is_some() {
            state.outbox.record(|out| wire::credit(out, id, bytes));
            self.peer.list(state);
        }
    }

    fn announce(&self, id: u64, outbound: &Arc<Outbound>) {
        let Some(mut state) = self.lock_with_room() else { return };
        state.gathering.announce(id, outbound);
        self.peer.list(state);
    }

    fn flush(&self, id: u64, outbound: &Arc<Outbound>, last: Option<Item>) {
        let Some(mut guard) = self.lock_with_room() else { return };
        let state = &mut *guard;
        state.gathering.flush(&mut state.outbox, id, outbound, last);
        self.peer.list(guard);
    }

    fn hurry(&self) {
        self.peer.shared.notify.notify();
    }

    /// A handler's stream ends with its handler.
    fn finish(&self, _: u64, _: &Outbound) {}

    /// A handler's stream ends with its handler, so nothing is given up when its sink goes.
    fn abandon(&self, _: u64) {}

    fn max_body(&self) -> usize {
        self.peer.shared.limits.message_size
    }
}
