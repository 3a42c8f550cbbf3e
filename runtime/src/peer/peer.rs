//! [`Peer`]: the lock around the session of one client, and what of its messages is with the transport.
//!
//! What records mean, and who answers a call, is the session's business: see [`crate::session::server`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::ready_list::ReadyList;
use super::shared::Shared;
use crate::context::{Caller, CancelReason, PeerId, Signal, announce};
use crate::session::server::{Answer, COUNT_STEP_BYTES, CallKey, Effects, Event, Methods, Session};
use crate::status::Status;
use crate::transport::{BytesInFlight, COPIED_BELOW_BYTES, SendReceipt};
use crate::wire::{Batch, Message};

/// One client. Handlers answer into it from any thread; the driver sends what they leave.
#[derive(Debug)]
pub(crate) struct Peer {
    id: PeerId,
    shared: Arc<Shared>,
    ready: Arc<ReadyList<Self>>,
    /// What the transport holds for the client.
    in_flight: Arc<BytesInFlight>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    session: Session<Running>,
    /// Whether the peer is on a list of the driver's.
    is_listed: bool,
    /// Number of bytes handed to the transport so far.
    sent: u64,
    /// Number of them that will be reported done.
    receipted: u64,
}

/// What the runtime keeps with a call in flight.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// The handler, once it was spawned.
    task: Option<AbortHandle>,
    /// What is to be told of the call's end, if the handler has asked; and the call's deadline.
    signal: Option<(Signal, Option<Instant>)>,
}

/// Time by which the clock of a client may be ahead of the server's when it says that a call's time is up.
const CLOCK_DIFFERENCE: Duration = Duration::from_millis(10);

impl Running {
    fn announce(&self, why: &Status) {
        let Some((signal, deadline)) = &self.signal else { return };
        let reason = match CancelReason::of(why) {
            // A client whose time is up says so as the server's own clock comes to it, a little before or after.
            CancelReason::Client if deadline.is_some_and(|at| at <= Instant::now() + CLOCK_DIFFERENCE) => {
                CancelReason::Deadline
            }
            reason => reason,
        };
        announce(signal, reason);
    }

    fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// How far a peer's message has been read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Number of records read so far.
    pub(crate) records: usize,
    /// Whether there are more.
    pub(crate) has_unread: bool,
}

/// The next message for a client.
#[derive(Debug)]
pub(crate) enum Next {
    /// This one, with what goes with its buffer, if anything does.
    Message(Message, Option<SendReceipt>),
    /// None: the peer is on no list of the driver's any more.
    Nothing,
    /// The transport holds as much for the client as it may.
    Full,
}

/// A one-way call in flight, until this is dropped.
#[derive(Debug)]
pub(crate) struct OneWay(Arc<Peer>);

impl Drop for OneWay {
    fn drop(&mut self) {
        self.0.with(Session::end_one_way);
    }
}

impl Peer {
    pub(super) fn new(id: PeerId, shared: Arc<Shared>, ready: Arc<ReadyList<Self>>) -> Arc<Self> {
        let in_flight = BytesInFlight::new(Arc::clone(&shared.notify));
        let session = Session::new(Arc::clone(&shared.sessions));
        let state = Mutex::new(State { session, is_listed: false, sent: 0, receipted: 0 });
        Arc::new(Self { id, shared, ready, in_flight, state })
    }

    pub(crate) fn id(&self) -> &PeerId {
        &self.id
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held but for lack of memory; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one step of the session, and then what it leaves to be done without the lock. `step` must not run code of the user's;
    /// what it returns is dropped without the lock.
    #[inline]
    pub(crate) fn with<R>(self: &Arc<Self>, step: impl FnOnce(&mut Session<Running>) -> R) -> R {
        let mut state = self.lock();
        let result = step(&mut state.session);
        self.settle(state);
        result
    }

    /// Puts the peer on the driver's list if there is something to send, lets go of the lock, and does what the session has left.
    #[inline]
    fn settle(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let is_new = !state.is_listed && state.session.wants_transmit();
        state.is_listed |= is_new;
        let effects = state.session.has_effects().then(|| state.session.take_effects());
        drop(state);
        if is_new {
            self.list();
        }
        if let Some(effects) = effects {
            self.run(effects);
        }
        self.shared.notify_if_drained();
    }

    /// Puts the peer on the driver's list.
    pub(crate) fn list(self: &Arc<Self>) {
        self.ready.push(Arc::clone(self));
        self.shared.notify_of_records();
    }

    fn run(&self, mut effects: Effects<Running>) {
        if !effects.counts.is_empty() {
            self.shared.counters.add(&effects.counts);
        }
        let ended = std::mem::take(&mut effects.ended);
        // Before tasks are woken: a handler that ends by itself now would give another reason.
        for ended in &ended {
            ended.app.announce(&ended.why);
        }
        effects.run();
        for ended in &ended {
            ended.app.abort();
        }
    }

    /// Takes a message and reads up to its first call. Returns `None` at the end of the message, or of a turn.
    #[inline]
    pub(crate) fn receive(
        self: &Arc<Self>,
        now: Instant,
        batch: Batch,
        methods: &Methods,
        progress: &mut Progress,
    ) -> Option<Event> {
        self.with(|session| {
            session.handle_message(now.into_std(), batch);
            read_on(session, methods, progress)
        })
    }

    /// Reads on, up to the next call, in the message that was taken last.
    #[inline]
    pub(crate) fn read_on(self: &Arc<Self>, methods: &Methods, progress: &mut Progress) -> Option<Event> {
        self.with(|session| read_on(session, methods, progress))
    }

    /// Ends a call and tells the client how. Does nothing for a call that has ended.
    #[inline]
    pub(crate) fn answer(self: &Arc<Self>, key: CallKey, answer: Answer) {
        // Both a call that ends and an answer that comes too late are dropped here, without the lock.
        drop(self.with(|session| session.answer(key, answer)));
    }

    /// Ends a call from outside its handler, which is dropped, and tells the client why. Does nothing for a call that has ended.
    pub(crate) fn fail(self: &Arc<Self>, key: CallKey, why: &Status) {
        self.with(|session| session.fail(key, why));
    }

    /// Spawns the rest of a handler, such that the call's end ends it. Must be called within a tokio runtime.
    pub(crate) fn spawn(self: &Arc<Self>, key: CallKey, handler: impl Future<Output = ()> + Send + 'static) {
        // Not under the lock: a runtime that shuts down drops the handler right here, which answers its call.
        let task = tokio::spawn(handler).abort_handle();
        let unattached = match self.lock().session.app(key) {
            Some(running) => running.task.replace(task),
            None => Some(task),
        };
        // What ended the call knew of no task to end. Aborting one that is done does nothing.
        if let Some(task) = unattached {
            task.abort();
        }
    }

    /// Counts a one-way call as in flight until what this returns is dropped.
    pub(crate) fn hold_one_way(self: &Arc<Self>) -> OneWay {
        self.lock().session.begin_one_way();
        OneWay(Arc::clone(self))
    }

    /// Reports whether a call is in flight.
    pub(crate) fn is_in_flight(&self, key: CallKey) -> bool {
        self.lock().session.is_in_flight(key)
    }

    /// Reports whether calls are in flight, or more is to be sent than that the client was shed.
    pub(crate) fn is_busy(&self) -> bool {
        self.lock().session.is_busy()
    }

    /// Reports whether the client has answered every ping.
    pub(super) fn is_flushed(&self) -> bool {
        self.lock().session.is_flushed()
    }

    /// Returns the next message to send.
    pub(crate) fn next_message(&self) -> Next {
        let state = &mut *self.lock();
        if !state.session.wants_transmit() {
            state.is_listed = false;
            return Next::Nothing;
        }
        let in_flight = state.sent.saturating_sub(self.in_flight.done());
        // Half of it, so that there is more than one message to send when there is room again.
        let max = self.shared.config.max_in_flight();
        if in_flight >= max && self.in_flight.wait_for(state.sent - max / 2) {
            return Next::Full;
        }
        let Some(message) = state.session.poll_transmit() else {
            state.is_listed = false;
            return Next::Nothing;
        };
        state.sent += message.len() as u64;
        let is_known =
            message.len() > COPIED_BELOW_BYTES || state.sent - state.receipted >= COUNT_STEP_BYTES as u64;
        let receipt = is_known.then(|| {
            state.receipted = state.sent;
            self.in_flight.receipt(state.sent)
        });
        Next::Message(message, receipt)
    }

    /// Takes a message back that the transport had no room for. The peer stays on a list of the driver's.
    pub(crate) fn put_back(&self, message: Message) {
        let mut state = self.lock();
        state.sent -= message.len() as u64;
        // Not what came before the message: only its receipt, which is void, may have spoken of that. What other receipts speak
        // of is done or will be; asking for some of it once more costs a receipt.
        state.receipted = self.in_flight.done().min(state.sent);
        state.session.return_transmit(message);
        state.is_listed = true;
    }
}

#[inline]
fn read_on(session: &mut Session<Running>, methods: &Methods, progress: &mut Progress) -> Option<Event> {
    let event = session.poll_event(methods, || Instant::now().into_std());
    *progress = Progress { records: session.records_read(), has_unread: session.has_unread() };
    event
}

impl Caller for Peer {
    fn id(&self) -> &PeerId {
        &self.id
    }

    fn watch(&self, key: CallKey, signal: &Signal, deadline: Option<Instant>) -> bool {
        let mut state = self.lock();
        let running = state.session.app(key);
        running.map(|running| running.signal = Some((Arc::clone(signal), deadline))).is_some()
    }

    fn is_gone(&self) -> bool {
        self.lock().session.is_gone()
    }

    fn is_draining(&self) -> bool {
        self.shared.sessions.is_draining()
    }

    fn draining(&self) -> watch::Receiver<bool> {
        self.shared.draining()
    }
}
