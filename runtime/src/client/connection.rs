//! One connection to a server: shared by the calls on it and by the task that owns its socket.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

use super::channel::Connections;
use super::records;
use super::state::{Deadline, Phase, State, Wakers};
use super::watch::{SILENCE, Watch};
use crate::bell::Bell;
use crate::status::{Failure, Status};
use crate::stream::{Inbound, Outbound, Outgoing, wake};
use crate::wire::{self, Draft};

/// The bounds of a channel's connections.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The largest body of a call, a reply or an item, in bytes.
    pub(crate) message_size: usize,
    /// Calls in flight. Past it, calls wait.
    pub(crate) calls: usize,
    /// Credit of a server's stream, in bytes.
    pub(crate) stream_window: u64,
    /// How often a silent server is asked for a sign of life.
    pub(crate) heartbeat: Duration,
    /// The deadline of a call that answers once and sets none.
    pub(crate) deadline: Option<Duration>,
    /// How long connecting may take.
    pub(crate) connect_timeout: Duration,
}

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: String,
    pub(super) limits: Limits,
    pub(super) bell: Bell,
    state: Mutex<State>,
    /// All connections of its channel: who waits for one that is down may go by another.
    pub(super) siblings: OnceLock<Weak<Connections>>,
}

/// How a connection learns whether its server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// libzmq tells when it is up, and when it is lost.
    Monitored,
    /// libzmq tells nothing: it counts as up, and the server is asked.
    Unmonitored,
    /// There is no socket in between: the server goes when the connection does.
    Local,
}

/// A place in the line of those who wait for room. Dropped, it is free for the next.
#[derive(Debug)]
pub(super) struct Ticket {
    connection: Arc<Connection>,
    number: Option<u64>,
}

impl Connection {
    pub(super) fn new(endpoint: String, limits: Limits, link: Link) -> Arc<Self> {
        let phase = if link == Link::Monitored { Phase::Connecting } else { Phase::Ready };
        let mut state = State::new(phase, limits.message_size);
        state.watch = (link == Link::Unmonitored).then(Watch::default);
        Arc::new(Self {
            endpoint,
            limits,
            bell: Bell::new(),
            state: Mutex::new(state),
            siblings: OnceLock::new(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock but for lack of memory; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it goes.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Something was ever sent over it.
    pub(super) fn was_used(&self) -> bool {
        self.lock().was_used()
    }

    /// Takes nothing more, and goes once what is queued has left and the calls in flight have ended.
    pub(super) fn close_when_sent(&self) {
        let mut wakers = Wakers::new();
        let mut state = self.lock();
        let reachable = matches!(state.phase, Phase::Ready | Phase::GoingAway { .. });
        state.phase = Phase::Closed;
        if !reachable {
            state.outbox.clear();
        }
        state.all_in_line(&mut wakers);
        drop(state);
        self.bell.ring();
        wake(wakers);
    }

    /// Takes nothing more, ends the calls in flight, and goes once the server has been told.
    pub(super) fn close_and_cancel(&self) {
        let mut wakers = Wakers::new();
        self.lock().cancel_all(&Status::unavailable("the channel is closed"), &mut wakers);
        wake(wakers);
        self.close_when_sent();
    }

    /// Takes nothing more, and ends the calls in flight.
    pub(super) fn close_now(&self) {
        let mut wakers = Wakers::new();
        self.close(&Status::unavailable("the channel is closed"), &mut wakers);
        wake(wakers);
    }

    /// Calls in flight, if messages go out at all.
    pub(super) fn load(&self) -> Option<usize> {
        let mut state = self.lock();
        state.look_at_phase(Instant::now());
        (state.phase == Phase::Ready).then(|| state.calls.len())
    }

    /// Queues a ping if there is a connection, past the line of those that wait for room: it takes none to speak of. A
    /// server that takes no new calls still answers it.
    pub(super) fn ping_now(&self, deadline: Option<Deadline>) -> Option<u32> {
        let mut state = self.lock();
        let connected = matches!(state.phase, Phase::Ready | Phase::GoingAway { .. });
        let id = connected.then(|| state.begin_ping(deadline))?;
        drop(state);
        self.bell.ring();
        Some(id)
    }

    /// One-way calls may have been lost with the connection.
    pub(super) fn lost_one_way(&self) -> bool {
        self.lock().lost_one_way
    }

    /// Waits for room, then queues what `write` puts into the outbox.
    ///
    /// # Errors
    /// Time ran out, or the connection takes nothing more. In both cases nothing was sent.
    pub(super) fn poll_send<R>(
        &self,
        context: &mut Context<'_>,
        ticket: &mut Option<u64>,
        deadline: Option<Deadline>,
        write: impl FnOnce(&mut State) -> R,
    ) -> Poll<Result<R, Status>> {
        let mut state = self.lock();
        state.look_at_phase(Instant::now());
        if let Some(status) = self.refusal(&state, deadline) {
            // At once, and not when the call is dropped: it may lie around, and others wait behind it.
            state.leave(ticket);
            let next = state.next_in_line(self.limits.calls);
            drop(state);
            wake(next);
            // A refusal waits for nothing: without this, whoever tries again at once would starve its thread's other tasks.
            ready!(poll_proceed(context)).made_progress();
            return Poll::Ready(Err(status.not_sent()));
        }
        let at = deadline.map(|deadline| deadline.at);
        if state.poll_room(context, self.limits.calls, ticket, at).is_pending() {
            drop(state);
            self.bell.ring();
            return Poll::Pending;
        }
        let written = write(&mut state);
        let next = state.next_in_line(self.limits.calls);
        drop(state);
        self.bell.ring();
        wake(next);
        Poll::Ready(Ok(written))
    }

    fn refusal(&self, state: &State, deadline: Option<Deadline>) -> Option<Status> {
        let endpoint = &self.endpoint;
        match state.phase {
            Phase::Closed => return Some(Status::unavailable("the channel is closed")),
            Phase::GoingAway { .. } => {
                return Some(Status::unavailable(format!("the server at `{endpoint}` is going away")));
            }
            Phase::Connecting | Phase::Ready => {}
        }
        let deadline = deadline.filter(|deadline| deadline.at <= Instant::now())?;
        let after = deadline.after;
        Some(match (&state.phase, state.trouble) {
            _ if after.is_zero() => {
                Status::deadline_exceeded("the deadline had passed before the call was made")
            }
            (Phase::Ready, _) => {
                Status::deadline_exceeded(format!("no room to send the call within {after:?}"))
            }
            (_, None) => Status::unavailable(format!("no connection to `{endpoint}` within {after:?}")),
            (_, Some(trouble)) => {
                Status::unavailable(format!("no connection to `{endpoint}` within {after:?}: {trouble}"))
            }
        })
    }

    /// Looks whether a call has ended.
    pub(super) fn poll_reply(&self, id: u32, context: &Context<'_>) -> Poll<Result<Bytes, Failure>> {
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
    fn abandon_call(&self, id: u32, why: &str) {
        let mut wakers = Wakers::new();
        let mut state = self.lock();
        let abandoned = state.abandon(id, why, &mut wakers);
        if abandoned {
            state.outbox.record(|out| wire::cancel(out, u64::from(id)));
        }
        drop(state);
        if abandoned {
            self.bell.ring();
        }
        wake(wakers);
    }
}

/// What is left for the owner of the socket to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// The connection takes nothing more, and what it took has ended: streams outlive the channel that they came from.
    Done,
    /// There is something to send.
    Mail,
    /// Nothing, until something comes.
    Nothing,
}

/// What the owner of the socket calls.
impl Connection {
    /// Takes a message from the server. Whatever is in it, the worst that can happen is that calls fail.
    pub(super) fn receive(&self, batch: &Bytes, wakers: &mut Wakers) {
        let mut state = self.lock();
        state.heard();
        if let Err(malformed) = records::take(&mut state, batch, wakers) {
            // What else was in it can't be known, so no call may go on waiting for it.
            let why = Status::unknown(format!("the server at `{}` sent {malformed}", self.endpoint));
            state.fail_sent(&why, wakers);
        }
        wakers.extend(state.next_in_line(self.limits.calls));
    }

    /// The next message to send.
    pub(super) fn take_message(&self, wakers: &mut Wakers) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let message = state.take_message();
        wakers.extend(state.next_in_line(self.limits.calls));
        message
    }

    /// Messages go out from now on.
    pub(super) fn connected(&self, wakers: &mut Wakers) {
        let mut state = self.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Ready;
            state.trouble = None;
        }
        wakers.extend(state.next_in_line(self.limits.calls));
        drop(state);
        self.wake_siblings(wakers);
    }

    /// Wakes whoever waits for another connection of the channel that is down. No lock is held: they are taken in turn.
    fn wake_siblings(&self, wakers: &mut Wakers) {
        let Some(siblings) = self.siblings.get().and_then(Weak::upgrade) else { return };
        for sibling in siblings.iter().filter(|sibling| !std::ptr::eq(&raw const ***sibling, self)) {
            let state = sibling.lock();
            if state.phase != Phase::Ready {
                state.all_in_line(wakers);
            }
        }
    }

    /// The connection is gone; it may come back.
    pub(super) fn disconnected(&self, wakers: &mut Wakers) {
        let mut state = self.lock();
        // Nobody would tell that a connection which is not watched is up again.
        if state.phase != Phase::Closed && state.watch.is_none() {
            state.phase = Phase::Connecting;
        }
        let why = Status::unavailable(format!("the connection to `{}` was lost", self.endpoint));
        state.fail_all(&why, wakers);
        // Another connection of the channel may have room.
        state.all_in_line(wakers);
    }

    /// What listens there is not what was expected.
    pub(super) fn handshake_failed(&self) {
        self.lock().trouble = Some("what listens there does not complete the ZeroMQ handshake");
    }

    /// Nothing goes in or out any more.
    pub(super) fn close(&self, why: &Status, wakers: &mut Wakers) {
        let mut state = self.lock();
        state.phase = Phase::Closed;
        state.fail_all(why, wakers);
        state.all_in_line(wakers);
        drop(state);
        self.bell.ring();
    }

    /// Ends what is out of time, and tells when to look again.
    pub(super) fn expire(&self, wakers: &mut Wakers) -> Option<Instant> {
        let mut state = self.lock();
        if state.look_at.is_some() {
            let now = Instant::now();
            if state.server_is_gone(now) {
                let endpoint = &self.endpoint;
                let why = format!("the server at `{endpoint}` did not answer a ping within {SILENCE:?}");
                state.fail_all(&Status::unavailable(why), wakers);
            }
            state.expire(now, wakers);
        }
        state.look_at
    }

    /// What is left to do, if the outbox is not `blocked`.
    pub(super) fn rest(&self, blocked: bool) -> Rest {
        let state = self.lock();
        if state.phase == Phase::Closed && state.outbox.is_empty() && state.is_idle() {
            Rest::Done
        } else if state.outbox.is_empty() || blocked {
            Rest::Nothing
        } else {
            Rest::Mail
        }
    }
}

/// How the answers end of a call whose items did not.
const UNFINISHED: &str = "the sink was dropped before it was finished; call `finish` to end the stream";

impl Outgoing for Connection {
    fn record(&self, write: &mut dyn FnMut(&mut Vec<u8>)) {
        self.lock().outbox.record(write);
        self.bell.ring();
    }

    fn item(&self, id: u64, draft: Draft) {
        let mut state = self.lock();
        if u32::try_from(id).is_ok_and(|id| state.calls.contains_key(&id)) {
            state.outbox.push_item(id, draft);
            drop(state);
            self.bell.ring();
        }
    }

    fn abandon(&self, id: u64) {
        records::with_id(id, |id| self.abandon_call(id, UNFINISHED));
    }

    fn max_body(&self) -> usize {
        self.limits.message_size
    }
}

impl Ticket {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, number: None }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// See [`Connection::poll_send`].
    pub(super) fn poll_send<R>(
        &mut self,
        context: &mut Context<'_>,
        deadline: Option<Deadline>,
        write: impl FnOnce(&mut State) -> R,
    ) -> Poll<Result<R, Status>> {
        self.connection.poll_send(context, &mut self.number, deadline, write)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.number.is_some() {
            let mut state = self.connection.lock();
            state.leave(&mut self.number);
            let next = state.next_in_line(self.connection.limits.calls);
            drop(state);
            wake(next);
        }
    }
}

/// A call in flight. Dropped before it has ended, it is cancelled.
#[derive(Debug)]
pub(super) struct CallHandle {
    connection: Arc<Connection>,
    id: u32,
    ended: bool,
}

impl CallHandle {
    pub(super) fn new(connection: Arc<Connection>, id: u32) -> Self {
        Self { connection, id, ended: false }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(super) fn id(&self) -> u64 {
        u64::from(self.id)
    }

    /// How the call ended, once it has. Not to be asked again then.
    pub(super) fn poll_reply(&mut self, context: &Context<'_>) -> Poll<Result<Bytes, Failure>> {
        let reply = self.connection.poll_reply(self.id, context);
        self.ended = reply.is_ready();
        reply
    }
}

impl Drop for CallHandle {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.abandon_call(self.id, "the call was given up");
        }
    }
}

/// What a call that streams has besides.
#[derive(Debug, Default, Clone)]
pub(super) struct Streams {
    pub(super) inbound: Option<Arc<Inbound>>,
    pub(super) outbound: Option<Arc<Outbound>>,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    /// Counts how often it was woken while the connection's lock was free, as a user's code may ask for it.
    struct Asking {
        connection: Arc<Connection>,
        woken: AtomicUsize,
    }

    impl Wake for Asking {
        fn wake(self: Arc<Self>) {
            assert!(self.connection.state.try_lock().is_ok(), "woken under the lock");
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn nobody_is_woken_under_the_lock() {
        let connection = Connection::new("local".to_owned(), Limits::default(), Link::Local);
        let asking = Arc::new(Asking { connection: Arc::clone(&connection), woken: AtomicUsize::new(0) });
        let waker = Waker::from(Arc::clone(&asking));
        let context = Context::from_waker(&waker);
        let mut wakers = Wakers::new();
        for (index, batch) in
            [b"\x01\x92\x06\x01", b"\x01\x92\x0c\x02", b"\x01\x92\x06\x09"].iter().enumerate()
        {
            let (inbound, outbound) = (Arc::new(Inbound::new(1)), Arc::new(Outbound::new(0)));
            let streams = (Some(Arc::clone(&inbound)), Some(Arc::clone(&outbound)));
            let id = connection.lock().begin("method", None, streams.0, streams.1);
            assert!(
                inbound.poll_chunk(&context).is_pending() && outbound.poll_take(&context, 1).is_pending()
            );
            // The end, an unknown kind, and, of a call that is none, nothing.
            connection.receive(&Bytes::from_static(*batch), &mut wakers);
            wake(wakers.drain(..));
            connection.abandon_call(id, "given up");
            assert_eq!(asking.woken.load(Ordering::Relaxed), 2 * (index + 1));
        }
    }
}
