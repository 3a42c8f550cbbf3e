//! One connection to a server: shared by the calls on it and by the task that owns its socket.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

use super::counters::{ChannelCounters, ChannelDropped};
use super::deadline::Deadline;
use super::eject::Standing;
use super::endpoints::Endpoints;
use super::limits::{Limits, Patience};
use super::records;
use super::state::{Phase, State, Wakers};
use super::watch::Watch;
use crate::codec::Body;
use crate::flow::{OutboundStream as Outbound, wake};
use crate::flush::{DriverNotify, yield_to_driver};
use crate::status::{Cause, Failure, Status};
use crate::stream::Outgoing;
use crate::wire::{self, Item};

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: String,
    pub(super) limits: Limits,
    pub(super) counters: Arc<ChannelCounters>,
    pub(super) notify: Arc<DriverNotify>,
    state: Aligned<Mutex<State>>,
    link: Link,
    /// All of its channel: who waits for one that is down may go by another.
    pub(super) siblings: OnceLock<Weak<Endpoints>>,
}

/// At the beginning of a line of the cache, so that it takes no more of them than it has to.
#[derive(Debug)]
#[repr(align(64))]
struct Aligned<T>(T);

/// How a connection learns whether its server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// libzmq tells when it is up, and when it is lost.
    Monitored,
    /// libzmq tells nothing: it counts as up, and the server is asked.
    Unmonitored,
    /// There is no socket in between: the server goes when the connection does.
    Local,
    /// There is nothing at all: who waits here waits for other connections of the channel.
    None,
}

/// How long a call waits for a connection and for room on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) deadline: Option<Deadline>,
    pub(super) patience: Patience,
}

/// How good a choice a connection is. The least is the best.
pub(super) type Offer = (Standing, usize);

impl Connection {
    pub(super) fn new(
        endpoint: String,
        limits: Limits,
        counters: Arc<ChannelCounters>,
        link: Link,
    ) -> Arc<Self> {
        let up = matches!(link, Link::Unmonitored | Link::Local);
        let mut state = State::new(if up { Phase::Ready } else { Phase::Connecting }, limits.message_size);
        state.watch = match link {
            Link::Monitored => limits.server_timeout.map(Watch::within),
            Link::Unmonitored => Some(Watch::unmonitored()),
            Link::Local | Link::None => None,
        };
        Arc::new(Self {
            endpoint,
            limits,
            counters,
            notify: Arc::new(DriverNotify::new()),
            state: Aligned(Mutex::new(state)),
            link,
            siblings: OnceLock::new(),
        })
    }

    /// Tells it the others of its channel. Only the first time counts.
    pub(super) fn belong_to(&self, endpoints: &Arc<Endpoints>) {
        let _ = self.siblings.set(Arc::downgrade(endpoints));
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock but for lack of memory; the state is whole in any case.
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it goes.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn link(&self) -> Link {
        self.link
    }

    /// Something was ever sent over it.
    pub(super) fn was_used(&self) -> bool {
        self.lock().was_used()
    }

    /// Takes nothing more, and goes once what is queued has left and the calls in flight have ended.
    pub(super) fn close_when_sent(&self) {
        let mut wakers = Wakers::new();
        let mut state = self.lock();
        if !state.is_connected() {
            self.counters.drops(ChannelDropped::OneWay, state.clear_outbox(&mut wakers));
        }
        state.phase = Phase::Closed;
        state.line.all(&mut wakers);
        drop(state);
        self.notify.notify();
        wake(wakers);
    }

    /// Takes no new calls, as when its server were going away for good, and goes when it is idle.
    pub(super) fn retire(&self) {
        let mut wakers = Wakers::new();
        let mut state = self.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Retiring;
        }
        state.line.all(&mut wakers);
        drop(state);
        self.notify.notify();
        wake(wakers);
    }

    /// Takes nothing more, ends the calls in flight, and goes once the server has been told.
    pub(super) fn close_and_cancel(&self) {
        let mut wakers = Wakers::new();
        self.lock().cancel_all(&closed(), &mut wakers);
        wake(wakers);
        self.close_when_sent();
    }

    /// Takes nothing more, and ends the calls in flight.
    pub(super) fn close_now(&self) {
        let mut wakers = Wakers::new();
        self.close(&closed(), &mut wakers);
        wake(wakers);
    }

    /// How good a choice it is, if messages go out at all.
    pub(super) fn offer(&self, now: Instant) -> Option<Offer> {
        let mut state = self.lock();
        state.look_at_phase(now);
        (state.phase == Phase::Ready).then(|| (state.health.standing(now), state.calls.len()))
    }

    /// It was chosen.
    pub(super) fn chosen(&self, now: Instant) {
        self.lock().health.try_out(now);
    }

    /// It will never take a call again, while its channel may.
    pub(super) fn is_retiring(&self) -> bool {
        self.link != Link::None && matches!(self.lock().phase, Phase::Retiring | Phase::Closed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().phase == Phase::Closed
    }

    /// Queues a ping if there is a connection, past the line of those that wait for room: it takes none to speak of. A
    /// server that takes no new calls still answers it.
    pub(super) fn ping_now(&self, deadline: Option<Deadline>) -> Option<u32> {
        let mut state = self.lock();
        let id = state.is_connected().then(|| state.begin_ping(deadline, Instant::now()))?;
        drop(state);
        self.notify.notify();
        Some(id)
    }

    /// One-way calls may have been lost with the connection.
    pub(super) fn lost_one_way(&self) -> bool {
        self.lock().one_way.lost
    }

    /// Waits for room, then queues what `write` puts into the outbox.
    ///
    /// # Errors
    /// Time ran out, the connection takes nothing more, or there is none and the call does not wait. In any case nothing
    /// was sent.
    pub(super) fn poll_send<R>(
        &self,
        context: &mut Context<'_>,
        ticket: &mut Option<u64>,
        wait: Wait,
        now: Instant,
        write: impl FnOnce(&mut State) -> R,
    ) -> Poll<Result<R, Status>> {
        // Whoever sends without ever waiting, or tries again at once what was refused, would starve its thread's other tasks,
        // and with them, perhaps, the one that sends.
        let turn = ready!(poll_proceed(context));
        let mut state = self.lock();
        state.look_at_phase(now);
        if let Some(status) = self.refusal(&state, wait, now) {
            // At once, and not when the call is dropped: it may lie around, and others wait behind it.
            state.line.leave(ticket);
            let next = state.next_in_line(self.limits.calls);
            drop(state);
            wake(next);
            turn.made_progress();
            return Poll::Ready(Err(status.not_sent()));
        }
        if state.take_overdue(now) {
            drop(state);
            self.notify.notify();
            yield_to_driver(context);
            return Poll::Pending;
        }
        let at = wait.deadline.map(|deadline| deadline.at);
        if state.poll_room(context, self.limits.calls, ticket, at).is_pending() {
            drop(state);
            self.notify.notify();
            return Poll::Pending;
        }
        let written = write(&mut state);
        turn.made_progress();
        let next = state.next_in_line(self.limits.calls);
        self.hand_over(state);
        wake(next);
        Poll::Ready(Ok(written))
    }

    /// Gives a place in line back, if it is one, to the next.
    #[inline]
    pub(super) fn leave(&self, mut place: Option<u64>) {
        if place.is_some() {
            let mut state = self.lock();
            state.line.leave(&mut place);
            let next = state.next_in_line(self.limits.calls);
            drop(state);
            wake(next);
        }
    }

    /// Tells the owner of what is new in the outbox, and lets go of the lock. Where several calls are in flight, more of their
    /// tasks may be about to go on, and what they send is to go with this.
    #[inline]
    fn hand_over(&self, state: MutexGuard<'_, State>) {
        let alone = state.is_alone();
        drop(state);
        if alone { self.notify.notify() } else { self.notify.notify_deferred() }
    }

    #[inline]
    fn refusal(&self, state: &State, wait: Wait, now: Instant) -> Option<Status> {
        if state.phase == Phase::Closed {
            return Some(closed());
        }
        if state.phase != Phase::Ready && wait.patience == Patience::FailFast {
            return Some(self.not_there(state, "there is no connection to"));
        }
        let deadline = wait.deadline.filter(|deadline| deadline.at <= now)?;
        let after = deadline.after;
        let status = match state.phase {
            _ if after.is_zero() => {
                Status::deadline_exceeded("the deadline had passed before the call was made")
            }
            Phase::Ready => Status::deadline_exceeded(format!("no room to send the call within {after:?}")),
            _ => return Some(self.not_there(state, &format!("within {after:?} there was no connection to"))),
        };
        Some(status.caused_by(Cause::Deadline))
    }

    /// Why there is no connection.
    #[cold]
    fn not_there(&self, state: &State, what: &str) -> Status {
        let endpoint = &self.endpoint;
        let (cause, why) = match (&state.phase, &state.trouble) {
            (Phase::GoingAway { .. } | Phase::Retiring, _) => {
                (Cause::GoingAway, ": the server is going away".to_owned())
            }
            (_, Some(trouble)) => (Cause::NeverConnected, format!(": {trouble}")),
            _ if state.was_up => (Cause::ConnectionLost, ": it was lost, and is not back".to_owned()),
            _ => (Cause::NeverConnected, String::new()),
        };
        let cause =
            if state.was_up && cause == Cause::NeverConnected { Cause::ConnectionLost } else { cause };
        Status::unavailable(format!("{what} `{endpoint}`{why}")).caused_by(cause)
    }

    /// Looks whether a call has ended.
    #[inline]
    pub(super) fn poll_reply(&self, id: u32, context: &Context<'_>) -> Poll<Result<Body, Failure>> {
        let mut state = self.lock();
        let reply = state.poll_reply(id, context);
        let next =
            if matches!(reply, Some(Poll::Ready(_))) { state.next_in_line(self.limits.calls) } else { None };
        drop(state);
        wake(next);
        // A call that is not known was given up from this side, by a stream that was cut off.
        reply.unwrap_or_else(|| {
            Poll::Ready(Err(Failure::Status(Status::cancelled("the call was given up").maybe_executed())))
        })
    }

    /// Gives a call up, and tells the server, unless it has ended.
    pub(super) fn abandon_call(&self, id: u32, why: &str) {
        let mut wakers = Wakers::new();
        let mut state = self.lock();
        let abandoned = state.abandon(id, why, &mut wakers);
        if abandoned {
            state.outbox.record(|out| wire::cancel(out, u64::from(id)));
        }
        // Also one that had ended took up room, until somebody looked how.
        wakers.extend(state.next_in_line(self.limits.calls));
        drop(state);
        if abandoned {
            self.notify.notify();
        }
        wake(wakers);
    }

    /// Ends a call from this side, of which somebody still wants to know how it ended.
    pub(super) fn cancel_call(&self, id: u32, why: Status) {
        let mut wakers = Wakers::new();
        let mut state = self.lock();
        if state.calls.get(id).is_some_and(super::in_flight::ClientCall::is_open) {
            state.cancel(id, why, &mut wakers);
        }
        drop(state);
        self.notify.notify();
        wake(wakers);
    }
}

#[cold]
fn closed() -> Status {
    Status::unavailable("the channel is closed").caused_by(Cause::Closed)
}

/// How the answers end of a call whose items did not.
const UNFINISHED: &str = "the sink was dropped before it was finished; call `finish` to end the stream";

impl Outgoing for Connection {
    fn grant(&self, id: u64, bytes: u64) {
        let mut state = self.lock();
        state.outbox.record(|out| wire::credit(out, id, bytes));
        self.hand_over(state);
    }

    fn announce(&self, id: u64, outbound: &Arc<Outbound>) {
        let mut state = self.lock();
        if state.has_call(id) {
            state.gathering.announce(id, outbound);
            drop(state);
            self.notify.notify_deferred();
        }
    }

    fn flush(&self, id: u64, outbound: &Arc<Outbound>, last: Option<Item>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        if !state.has_call(id) {
            return;
        }
        state.gathering.flush(&mut state.outbox, id, outbound, last);
        drop(guard);
        self.notify.notify_deferred();
    }

    fn hurry(&self) {
        self.notify.notify();
    }

    fn finish(&self, id: u64, outbound: &Outbound) {
        let mut guard = self.lock();
        let state = &mut *guard;
        outbound.collect(&mut state.outbox, id);
        state.outbox.record(|out| wire::end(out, id));
        self.hand_over(guard);
    }

    fn abandon(&self, id: u64) {
        records::with_id(id, |id| self.abandon_call(id, UNFINISHED));
    }

    fn max_body(&self) -> usize {
        self.limits.message_size
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use bytes::Bytes;

    use super::*;
    use crate::client::handle::CallHandle;
    use crate::client::in_flight::Streams;
    use crate::codec::{Plain, decode};
    use crate::flow::InboundStream as Inbound;
    use crate::metadata::Metadata;
    use crate::stream::StreamingHalf;
    use crate::wire::{Batch, ItemHead, RecordBuilder};

    /// Counts how often it was woken while the connection's lock was free, as a user's code may ask for it.
    struct Asking {
        connection: Arc<Connection>,
        woken: AtomicUsize,
    }

    impl Wake for Asking {
        fn wake(self: Arc<Self>) {
            assert!(self.connection.state.0.try_lock().is_ok(), "woken under the lock");
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn nobody_is_woken_under_the_lock() {
        let connection = Connection::new("local".to_owned(), Limits::default(), Arc::default(), Link::Local);
        let asking = Arc::new(Asking { connection: Arc::clone(&connection), woken: AtomicUsize::new(0) });
        let waker = Waker::from(Arc::clone(&asking));
        let context = Context::from_waker(&waker);
        let mut wakers = Wakers::new();
        for (index, batch) in
            [b"\x01\x92\x06\x01", b"\x01\x92\x0c\x02", b"\x01\x92\x06\x09"].iter().enumerate()
        {
            let (inbound, outbound) = (Arc::new(Inbound::new(1)), Arc::new(Outbound::new(0)));
            let streams =
                Streams { inbound: Some(Arc::clone(&inbound)), outbound: Some(Arc::clone(&outbound)) };
            let id = connection.lock().begin("method", None, streams, None, Instant::now());
            assert!(inbound.poll_chunk(&context).is_pending());
            let mut item = Some(Item::encode::<Plain, u64>(&ItemHead::new(u64::from(id)), &7).unwrap());
            assert!(outbound.poll_push(&context, &mut item).is_pending());
            // The end, an unknown kind, and, of a call that is none, nothing.
            connection.receive(&Bytes::from_static(*batch).into(), &mut wakers);
            wake(wakers.drain(..));
            connection.abandon_call(id, "given up");
            assert_eq!(asking.woken.load(Ordering::Relaxed), 2 * (index + 1));
        }
    }

    /// A user's bytes, which in one process may be those of an item.
    struct Users(Arc<Connection>, Arc<AtomicUsize>);

    impl AsRef<[u8]> for Users {
        fn as_ref(&self) -> &[u8] {
            &[7; 5_000]
        }
    }

    impl Drop for Users {
        fn drop(&mut self) {
            assert!(self.0.state.0.try_lock().is_ok(), "dropped under the lock");
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_nobody_has_read_is_not_dropped_under_the_lock() {
        let connection = Connection::new("local".to_owned(), Limits::default(), Arc::default(), Link::Local);
        let dropped = Arc::new(AtomicUsize::new(0));
        let users = || Bytes::from_owner(Users(Arc::clone(&connection), Arc::clone(&dropped)));
        let inbound = Arc::new(Inbound::new(100_000));
        let streams = Streams { inbound: Some(Arc::clone(&inbound)), outbound: None };
        let id = connection.lock().begin("method", None, streams, None, Instant::now());
        let items = [&[1, 0x94, 5][..], &[u8::try_from(id).unwrap(), 0xc4, 0, 0x91, 0]].concat();
        let batch = Batch::attach(items.into(), vec![users()]).unwrap();
        connection.receive(&batch, &mut Wakers::new());
        drop(batch);
        let outgoing: Arc<dyn Outgoing> = Arc::<Connection>::clone(&connection);
        let call: Option<Box<dyn std::any::Any + Send + Sync>> =
            Some(Box::new(CallHandle::new(&connection, id)));
        let (id, window) = (u64::from(id), 100_000);
        drop(StreamingHalf { inbound, outgoing, id, window, call, layer: None });
        assert_eq!(dropped.load(Ordering::Relaxed), 1, "of an item of a stream");

        let id = connection.lock().begin("method", None, Streams::default(), None, Instant::now());
        let reply = [&[1, 0x94, 3][..], &[u8::try_from(id).unwrap(), 0xc4, 0, 0x91, 0]].concat();
        let batch = Batch::attach(reply.into(), vec![users()]).unwrap();
        connection.receive(&batch, &mut Wakers::new());
        drop(batch);
        drop(CallHandle::new(&connection, id));
        assert_eq!(dropped.load(Ordering::Relaxed), 2, "of a reply");
    }

    /// As when others are to be woken first.
    #[test]
    fn a_message_of_which_nothing_was_taken_keeps_what_is_attached_to_it() {
        let connection = Connection::new("local".to_owned(), Limits::default(), Arc::default(), Link::Local);
        let id = connection.lock().begin("method", None, Streams::default(), None, Instant::now());
        let reply = Bytes::from_static(b"\x01\x94\x03\x01\xc4\x01\xa2\x91\x01");
        let batch = Batch::attach(reply, vec![Bytes::from_static(b"hi")]).unwrap();
        let mut wakers = Wakers::new();
        let next = connection.receive_some(&batch, 0, &mut wakers, 0);
        assert_eq!(next, Some(1));
        assert_eq!(connection.receive_some(&batch, 1, &mut wakers, 1), None);
        let Poll::Ready(Ok(body)) = connection.poll_reply(id, &Context::from_waker(Waker::noop())) else {
            panic!("it has its answer")
        };
        assert_eq!(decode::<Plain, String>(&body), Ok("hi".to_owned()));
    }

    #[test]
    fn a_call_that_is_dropped_with_its_answer_makes_room_for_the_next() {
        let limits = Limits { calls: 1, ..Limits::default() };
        let connection = Connection::new("local".to_owned(), limits, Arc::default(), Link::Local);
        let asking = Arc::new(Asking { connection: Arc::clone(&connection), woken: AtomicUsize::new(0) });
        let waker = Waker::from(Arc::clone(&asking));
        let mut ticket = None;
        let mut send = || {
            let (wait, now) = (Wait { deadline: None, patience: Patience::Wait }, Instant::now());
            let mut context = Context::from_waker(&waker);
            connection.poll_send(&mut context, &mut ticket, wait, now, |state| {
                state.begin("method", None, Streams::default(), None, now)
            })
        };
        let Poll::Ready(Ok(first)) = send() else { panic!("there is room for one") };
        assert!(send().is_pending());
        // Its answer has come, and nobody has looked.
        connection.receive(&Bytes::from_static(b"\x01\x92\x06\x01").into(), &mut Wakers::new());
        assert_eq!(asking.woken.load(Ordering::Relaxed), 0);
        connection.abandon_call(first, "given up");
        assert_eq!(asking.woken.load(Ordering::Relaxed), 1);
        assert!(matches!(send(), Poll::Ready(Ok(_))));
    }

    #[test]
    fn what_is_dropped_is_counted_by_its_reason() {
        let connection = Connection::new("local".to_owned(), Limits::default(), Arc::default(), Link::Local);
        let dropped = || ChannelDropped::ALL.map(|reason| connection.counters.dropped(reason));
        let mut wakers = Wakers::new();
        connection.receive(&Bytes::from_static(b"nonsense").into(), &mut wakers);
        assert_eq!(dropped(), [0, 0, 1, 0]);
        for _ in 0..2 {
            let mut note = RecordBuilder::call("a.B/note", true, &()).unwrap();
            note.address(0, None, &Metadata::default(), None);
            connection.lock().outbox.push(note);
        }
        connection.disconnected(&mut wakers);
        assert_eq!(dropped(), [2, 0, 1, 0]);
        // Pings of a server that reads nothing.
        let pings = Bytes::from([&[1][..], &b"\x92\x09\x01".repeat(1_000_000)].concat()).into();
        for _ in 0..3 {
            connection.receive(&pings, &mut wakers);
        }
        assert!(dropped()[3] > 0);
        let before = connection.lock().outbox.len();
        connection.receive(&pings, &mut wakers);
        assert_eq!(connection.lock().outbox.len(), before);
        assert!(before < 9 * 1024 * 1024, "{before}");
    }
}
