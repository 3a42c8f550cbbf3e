//! One client as the server sees it: its calls in flight, and what it is to be sent.

use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::task::AbortHandle;

use super::shared::Shared;
use crate::context::{CancelReason, PeerId, Signal, announce};
use crate::id_map::IdMap;
use crate::status::{Cause, Failure, Status};
use crate::stream::{Inbound, Outbound, Outgoing, wake};
use crate::wire::{self, Draft, Outbox};

/// One client. Handlers answer into it from any thread; the socket's owner empties it.
#[derive(Debug)]
pub(crate) struct Peer {
    id: PeerId,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outbox: Outbox,
    /// The calls in flight. **A call is answered by whoever takes it out of here, and by nobody else.**
    calls: IdMap<u64, ServerCall>,
    /// How many calls there have been.
    count: u64,
    /// How many one-way calls are in flight.
    one_way: usize,
    /// It is on the list of those that the owner will empty.
    listed: bool,
    /// It can't be reached any more: nothing is queued for it.
    gone: bool,
    /// The size of what [`Peer::forsake`] has left in the outbox.
    notice: usize,
}

/// One call of a client. Its id alone may mean another by now: a client may use an id again once the call has ended for
/// it, which its handler need not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallKey {
    pub(crate) id: u64,
    /// The how manieth call of the client it is.
    nth: u64,
}

/// A call in flight.
#[derive(Debug)]
pub(crate) struct ServerCall {
    /// The rest of its [`CallKey`].
    nth: u64,
    /// Its handler, once it was spawned.
    task: Option<AbortHandle>,
    /// The client's stream.
    pub(crate) inbound: Option<Arc<Inbound>>,
    /// The handler's stream.
    pub(crate) outbound: Option<Arc<Outbound>>,
    /// Who is to know of its end, if the handler has asked.
    signal: Option<Signal>,
}

impl ServerCall {
    /// Ends its streams on this side, for a call that is over.
    fn close(&self, why: &Status) {
        if let Some(inbound) = &self.inbound {
            wake(inbound.finish(Err(Failure::Status(why.clone()))));
        }
        if let Some(outbound) = &self.outbound {
            wake(outbound.close(why.clone()));
        }
    }

    /// Drops its handler, for a call that nobody waits for.
    fn abort(&self, why: &Status) {
        if let Some(signal) = &self.signal {
            announce(signal, CancelReason::of(why));
        }
        self.close(why);
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl State {
    /// How many calls are, those that nobody waits for among them.
    fn in_flight(&self) -> usize {
        self.calls.len() + self.one_way
    }

    /// A call, unless it is over.
    fn call(&mut self, key: CallKey) -> Option<&mut ServerCall> {
        self.calls.get_mut(&key.id).filter(|call| call.nth == key.nth)
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
    Reply(Draft),
    /// A streaming one, with the end of its stream.
    End,
    /// Any one, badly.
    Failure(Failure),
}

impl Peer {
    pub(crate) fn new(id: PeerId, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { id, shared, state: Mutex::default() })
    }

    pub(crate) fn id(&self) -> &PeerId {
        &self.id
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock but for lack of memory; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a call on.
    pub(crate) fn open(&self, id: u64) -> Result<CallKey, Refusal> {
        let state = &mut *self.lock();
        if state.in_flight() >= self.shared.limits.calls_per_peer {
            return Err(Refusal::PeerFull);
        }
        if state.outbox.len() > self.shared.limits.waiting() {
            return Err(Refusal::PeerBehind);
        }
        let Entry::Vacant(entry) = state.calls.entry(id) else { return Err(Refusal::IdInUse) };
        if !self.shared.call_began() {
            return Err(Refusal::ServerFull);
        }
        state.count += 1;
        let nth = state.count;
        entry.insert(ServerCall { nth, task: None, inbound: None, outbound: None, signal: None });
        Ok(CallKey { id, nth })
    }

    /// Takes a one-way call on, which is in flight until what this returns is dropped.
    pub(crate) fn open_one_way(self: &Arc<Self>) -> Result<OneWay, Refusal> {
        let mut state = self.lock();
        if state.in_flight() >= self.shared.limits.calls_per_peer {
            return Err(Refusal::PeerFull);
        }
        if !self.shared.call_began() {
            return Err(Refusal::ServerFull);
        }
        state.one_way += 1;
        Ok(OneWay(Arc::clone(self)))
    }

    /// Spawns the rest of a handler, such that the call's end ends it. Must be called within a tokio runtime.
    pub(crate) fn spawn(&self, key: CallKey, handler: impl Future<Output = ()> + Send + 'static) {
        // Not under the lock: a runtime that shuts down drops the handler right here, which answers its call.
        let task = tokio::spawn(handler).abort_handle();
        match self.lock().call(key) {
            Some(call) => call.task = Some(task),
            // Whoever ended the call knew of no task to end. One that is done does not mind.
            None => task.abort(),
        }
    }

    /// Changes a call's streams while it is being set up.
    pub(crate) fn with_call(&self, key: CallKey, change: impl FnOnce(&mut ServerCall)) {
        if let Some(call) = self.lock().call(key) {
            change(call);
        }
    }

    /// Tells the signal when the call is ended from outside its handler; `false` if it is over.
    pub(crate) fn watch(&self, key: CallKey, signal: &Signal) -> bool {
        self.lock().call(key).map(|call| call.signal = Some(Arc::clone(signal))).is_some()
    }

    /// It can't be reached any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    fn close_call(&self, state: &mut State, key: CallKey) -> Option<ServerCall> {
        state.call(key)?;
        let call = state.calls.remove(&key.id)?;
        self.shared.call_ended();
        Some(call)
    }

    /// Ends a call and tells the client how. Does nothing for one that has ended.
    pub(crate) fn answer(self: &Arc<Self>, key: CallKey, answer: Answer) {
        let mut state = self.lock();
        let Some(call) = self.close_call(&mut state, key) else { return };
        match answer {
            Answer::Reply(draft) => state.outbox.push(draft),
            Answer::End => state.outbox.record(|out| wire::end(out, key.id)),
            Answer::Failure(failure) => state.outbox.record(|out| wire::error(out, key.id, &failure)),
        }
        self.list(state);
        if call.inbound.is_some() || call.outbound.is_some() {
            call.close(&Status::cancelled("the call is over"));
        }
    }

    /// Ends a call from outside its handler, which is dropped, and tells the client why. Does nothing for one that has
    /// ended.
    pub(crate) fn fail(self: &Arc<Self>, key: CallKey, why: &Status) {
        let mut state = self.lock();
        let Some(call) = self.close_call(&mut state, key) else { return };
        let failure = Failure::Status(why.clone());
        state.outbox.record(|out| wire::error(out, key.id, &failure));
        self.list(state);
        call.abort(why);
    }

    /// The call in flight that the client means by an id.
    pub(crate) fn in_flight(&self, id: u64) -> Option<CallKey> {
        self.lock().calls.get(&id).map(|call| CallKey { id, nth: call.nth })
    }

    /// The client gave a call up.
    pub(crate) fn cancel(&self, id: u64) {
        let call = self.lock().calls.remove(&id);
        if let Some(call) = call {
            self.shared.call_ended();
            call.abort(&Status::cancelled("the client cancelled the call"));
        }
    }

    /// Items of a client's stream. Those of a call that is over crossed its answer on the way.
    pub(crate) fn items(self: &Arc<Self>, id: u64, batch: &Bytes, items: &[u8]) {
        let inbound = self.lock().calls.get(&id).and_then(|call| call.inbound.clone());
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
        let inbound = self.lock().calls.get(&id).and_then(|call| call.inbound.clone());
        if let Some(inbound) = inbound {
            wake(inbound.finish(Ok(())));
        }
    }

    /// The client can take more of a handler's stream.
    pub(crate) fn credit(&self, id: u64, bytes: u64) {
        let outbound = self.lock().calls.get(&id).and_then(|call| call.outbound.clone());
        if let Some(outbound) = outbound {
            wake(outbound.grant(bytes));
        }
    }

    /// How many bytes wait to be sent to it.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().outbox.len()
    }

    /// It has calls in flight, or is to be sent more than what [`Peer::forsake`] has left.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.lock();
        !state.calls.is_empty() || state.outbox.len() > state.notice
    }

    /// The client is gone: its handlers are dropped, and nothing is kept for it.
    pub(crate) fn hang_up(&self, why: &Status) {
        let mut state = self.lock();
        state.gone = true;
        state.outbox.clear();
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        for call in calls.into_values() {
            self.shared.call_ended();
            call.abort(why);
        }
    }

    /// The client does not read, and too much waits for it: that is thrown away, and its handlers are dropped. In place of
    /// it all stands one error that speaks of every call, so that a client which comes to itself does not wait for ever.
    /// `false` when nothing but that has been waiting.
    pub(crate) fn forsake(self: &Arc<Self>, why: &Status) -> bool {
        let mut state = self.lock();
        if state.calls.is_empty() && state.outbox.len() <= state.notice {
            return false;
        }
        state.outbox.clear();
        state.outbox.record(|out| wire::error(out, 0, &Failure::Status(why.clone())));
        state.notice = state.outbox.len();
        let calls = std::mem::take(&mut state.calls);
        self.list(state);
        for call in calls.into_values() {
            self.shared.call_ended();
            call.abort(why);
        }
        true
    }

    /// Ends every call in flight, telling the client why.
    pub(crate) fn fail_all(self: &Arc<Self>, why: &Status) {
        let key = |(id, call): (&u64, &ServerCall)| CallKey { id: *id, nth: call.nth };
        let keys: Vec<CallKey> = self.lock().calls.iter().map(key).collect();
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

    /// The next message for it; `None` takes it off the owner's list.
    pub(crate) fn take_message(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let message = state.outbox.take();
        state.listed = message.is_some();
        message
    }

    /// Its queue in libzmq is full: the message waits here, still on a list of the owner's.
    pub(crate) fn put_back(&self, message: Vec<u8>) {
        let mut state = self.lock();
        state.outbox.put_back(message);
        state.listed = true;
    }

    /// Puts it on the owner's list, if it is not there, and lets go of the lock.
    fn list(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.gone {
            state.outbox.clear();
            return;
        }
        let new = !std::mem::replace(&mut state.listed, true);
        drop(state);
        if new {
            self.shared.list(Arc::clone(self));
        }
    }
}

/// How the streams of one call write to its client. What they write once the call is over is dropped.
#[derive(Debug)]
pub(crate) struct PeerOutgoing {
    pub(crate) peer: Arc<Peer>,
    pub(crate) key: CallKey,
}

impl Outgoing for PeerOutgoing {
    fn record(&self, write: &mut dyn FnMut(&mut Vec<u8>)) {
        let mut state = self.peer.lock();
        if state.call(self.key).is_some() {
            state.outbox.record(write);
            self.peer.list(state);
        }
    }

    fn item(&self, id: u64, draft: Draft) {
        let mut state = self.peer.lock();
        if state.call(self.key).is_none() {
            return;
        }
        // Credit is the client's to give, so it is no bound of ours.
        if state.outbox.len() > self.peer.shared.limits.too_much() {
            drop(state);
            let why = "the client does not read its stream as fast as it has asked for it";
            let why = Status::resource_exhausted(why).maybe_executed().caused_by(Cause::ClientLost);
            self.peer.fail(self.key, &why);
            return;
        }
        state.outbox.push_item(id, draft);
        self.peer.list(state);
    }

    fn abandon(&self, _: u64) {
        let why = Status::internal("the handler's stream was cut off");
        self.peer.fail(self.key, &why.maybe_executed());
    }

    fn max_body(&self) -> usize {
        self.peer.shared.limits.message_size
    }
}
