//! [`Peer`]: the lock around the session of one client, and the number of its bytes that the transport holds.
//!
//! What records mean, and how calls are answered, is decided in [`crate::session::server`]. What works on calls is
//! behind [`CallState`].

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ready_list::{ReadyList, Serves};
use super::shared::Shared;
use crate::context::PeerId;
use crate::flush::FlushPolicy;
use crate::session::server::{Answer, CallKey, Effects, Event, Methods, Session};
use crate::status::Status;
use crate::telemetry;
use crate::transport::{SendReceipt, SendWindow};
use crate::wire::{Batch, Message};

/// One client of a server. Handlers add answers from any thread; the driver sends them.
#[derive(Debug)]
pub(crate) struct Peer<C> {
    id: PeerId,
    /// What is known of its connection.
    address: Option<SocketAddr>,
    shared: Arc<Shared>,
    ready: Arc<ReadyList<Self>>,
    /// Whether the client is not let in any more, so that not even one-way calls of it begin.
    is_barred: AtomicBool,
    /// Wakes what waits for that.
    barring: Notify,
    state: Mutex<State<C>>,
}

#[derive(Debug)]
struct State<C> {
    session: Session<C>,
    /// Whether the peer is on one of the driver's lists.
    is_listed: bool,
    /// Bytes that the transport holds for the client.
    window: SendWindow,
}

/// What the owner of a server keeps with a call in flight: the handler that runs, for instance.
pub(crate) trait CallState: Default + Send + 'static {
    /// Says that the call has ended other than by its answer, and why. Called before any task is woken that the end concerns.
    fn announce(&self, why: &Status);
    /// Ends what works on the call.
    fn abort(&self);
}

/// The state of reading a peer's message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Number of records read so far.
    pub(crate) records: usize,
    /// Whether there are more records to read.
    pub(crate) has_unread: bool,
}

/// The next message for a client.
#[derive(Debug)]
pub(crate) enum Next {
    /// A message, and a receipt if its bytes are to be reported when they are done.
    Message(Message, Option<SendReceipt>),
    /// No message. The peer is on none of the driver's lists any more.
    Nothing,
    /// The transport holds the maximum number of bytes for the client.
    Full,
}

/// A one-way call in flight, until this is dropped.
#[derive(Debug)]
pub(crate) struct OneWay<C: CallState>(Arc<Peer<C>>);

impl<C: CallState> OneWay<C> {
    /// Waits until the client is not let in any more.
    pub(crate) async fn barred(&self) {
        let notified = self.0.barring.notified();
        if !self.0.is_barred() {
            notified.await;
        }
    }
}

impl<C: CallState> Drop for OneWay<C> {
    fn drop(&mut self) {
        self.0.with(Session::end_one_way);
    }
}

impl<C: CallState> Peer<C> {
    pub(super) fn new(
        id: PeerId,
        address: Option<SocketAddr>,
        shared: Arc<Shared>,
        ready: Arc<ReadyList<Self>>,
    ) -> Arc<Self> {
        let window = SendWindow::new(Arc::clone(ready.notify()));
        let session = Session::new(Arc::clone(&shared.sessions));
        let state = Mutex::new(State { session, is_listed: false, window });
        let (is_barred, barring) = (AtomicBool::new(false), Notify::new());
        Arc::new(Self { id, address, shared, ready, is_barred, barring, state })
    }

    pub(crate) fn id(&self) -> &PeerId {
        &self.id
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State<C>> {
        // Nothing panics while the lock is held but for lack of memory; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one step of the session under the lock, and the effects of that step without it. `step` must not run user code; its
    /// result is dropped without the lock.
    #[inline]
    pub(crate) fn with<R>(self: &Arc<Self>, step: impl FnOnce(&mut Session<C>) -> R) -> R {
        let mut state = self.lock();
        let result = step(&mut state.session);
        self.settle(state);
        result
    }

    /// Puts the peer on the driver's list if there is something to send, releases the lock, and runs the session's effects.
    #[inline]
    fn settle(self: &Arc<Self>, mut state: MutexGuard<'_, State<C>>) {
        let is_new = !state.is_listed && state.session.wants_transmit();
        state.is_listed |= is_new;
        let effects = state.session.has_effects().then(|| state.session.take_effects());
        let own_calls = state.session.in_flight();
        drop(state);
        if is_new {
            self.ready.push(Arc::clone(self));
            self.notify_of_records(own_calls);
        }
        if let Some(effects) = effects {
            self.run(effects);
        }
        self.shared.notify_if_drained();
    }

    /// Puts the peer on the driver's list. Called by the driver itself.
    pub(crate) fn list(self: &Arc<Self>) {
        self.ready.push(Arc::clone(self));
        self.notify();
    }

    /// Notifies the driver that the peer has something to send.
    #[inline]
    fn notify_of_records(&self, own_calls: usize) {
        // Those calls whose answers the driver could send in the same turn.
        let calls = match self.ready.serves() {
            Serves::Server => self.shared.sessions.calls(),
            Serves::Connection => own_calls,
        };
        self.ready.notify().flush(FlushPolicy::of_server(calls));
    }

    /// Notifies the driver.
    pub(crate) fn notify(&self) {
        self.ready.notify().notify();
    }

    fn run(&self, mut effects: Effects<C>) {
        if !effects.counts.is_empty() {
            self.shared.counters.add(&effects.counts);
            if effects.counts.lost > 0 {
                let identity = self.lock().session.identity().cloned();
                telemetry::client_given_up(&self.id, identity.as_ref(), effects.counts.lost_why);
            }
        }
        let ended = std::mem::take(&mut effects.ended);
        // Before tasks are woken: a handler that ends by itself now would announce another reason.
        for ended in &ended {
            ended.app.announce(&ended.why);
        }
        effects.run();
        for ended in &ended {
            ended.app.abort();
        }
    }

    /// Takes a message and reads up to its first call. Returns `None` at the end of the message or of the turn.
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
        // An ended call, or an answer that is too late, is dropped here, without the lock.
        drop(self.with(|session| session.answer(key, answer)));
    }

    /// Ends a call from outside its handler, drops the handler, and tells the client why. Does nothing for a call that has ended.
    pub(crate) fn fail(self: &Arc<Self>, key: CallKey, why: &Status) {
        self.with(|session| session.fail(key, why));
    }

    /// Runs a function on what is kept with a call, under the lock: it must not run user code. Returns `None` for a
    /// call that has ended.
    pub(crate) fn with_call<R>(&self, key: CallKey, run: impl FnOnce(&mut C) -> R) -> Option<R> {
        self.lock().session.app(key).map(run)
    }

    /// Counts a one-way call as in flight until what this returns is dropped.
    pub(crate) fn hold_one_way(self: &Arc<Self>) -> OneWay<C> {
        self.lock().session.begin_one_way();
        OneWay(Arc::clone(self))
    }

    /// Ends every call of a client that is not let in any more, and lets none of it begin.
    pub(super) fn bar(self: &Arc<Self>, why: &Status) {
        // Before they are woken: what begins to wait now looks at it, or is woken.
        self.is_barred.store(true, Ordering::SeqCst);
        self.barring.notify_waiters();
        self.with(|session| session.fail_all(why));
    }

    /// Reports whether the client is not let in any more.
    pub(crate) fn is_barred(&self) -> bool {
        self.is_barred.load(Ordering::SeqCst)
    }

    /// Reports whether the client is gone: it was lost, or the server has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().session.is_gone()
    }

    /// Reports whether a call is in flight.
    pub(crate) fn is_in_flight(&self, key: CallKey) -> bool {
        self.lock().session.is_in_flight(key)
    }

    /// Reports whether calls are in flight, one-way calls among them.
    pub(super) fn has_calls(&self) -> bool {
        self.lock().session.in_flight() > 0
    }

    /// Reports whether calls are in flight, or records wait to be sent other than the notice that the client was shed.
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
        if state.window.is_full(self.shared.config.max_in_flight()) {
            return Next::Full;
        }
        let Some(message) = state.session.poll_transmit() else {
            state.is_listed = false;
            return Next::Nothing;
        };
        let receipt = state.window.count(message.len());
        Next::Message(message, receipt)
    }

    /// Takes back a message that the transport had no room for. The peer stays on one of the driver's lists.
    pub(crate) fn put_back(&self, message: Message) {
        let mut state = self.lock();
        state.window.put_back(message.len());
        state.session.return_transmit(message);
        state.is_listed = true;
    }
}

#[inline]
fn read_on<C: CallState>(
    session: &mut Session<C>,
    methods: &Methods,
    progress: &mut Progress,
) -> Option<Event> {
    let event = session.poll_event(methods, || Instant::now().into_std());
    *progress = Progress { records: session.records_read(), has_unread: session.has_unread() };
    event
}
