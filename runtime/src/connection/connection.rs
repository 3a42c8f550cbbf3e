//! [`Connection`]: the session of one connection, and the lock that its calls and its driver share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::config::Config;
use super::counters::ChannelCounters;
use super::events::{Watcher, count_up};
use crate::clock;
use crate::codec::Body;
use crate::flow::wake;
use crate::flush::{CallerSender, DriverNotify, FlushPolicy};
use crate::fork::{Process, forked};
use crate::session::Deadline;
use crate::session::client::{self, LivenessConfig, Phase, Session, Ticket};
use crate::status::{Cause, Failure, Status};
use crate::wire::{Batch, Malformed, Message};

/// One connection to a server.
///
/// Each method locks the session, calls it, and lets go of the lock before tasks are woken and events are told: both may run user
/// code.
#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: String,
    pub(super) config: Config,
    pub(super) counters: Arc<ChannelCounters>,
    pub(super) notify: Arc<DriverNotify>,
    state: Aligned<Mutex<State>>,
    /// The process that it was made in, and whose state that is.
    process: Process,
    /// The state in a child of that process, which has no connection: see [`crate::fork`].
    in_child: OnceLock<Box<Mutex<State>>>,
    link: Link,
    /// What is told of the connection's events: its channel.
    pub(super) watcher: OnceLock<Weak<dyn Watcher>>,
}

/// At the beginning of a cache line, so that it takes no more of them than it has to.
#[derive(Debug)]
#[repr(align(64))]
struct Aligned<T>(T);

/// What lies behind the lock. What every call touches comes first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct State {
    pub(super) flush: FlushPolicy,
    pub(super) session: Session,
    /// Whether the transport has to connect anew.
    pub(super) must_renew: bool,
    /// Whether the metrics count the connection as up. The recorder, which is user code, is told once the lock is released.
    pub(super) is_counted: bool,
    /// Whether it has ended by itself, since its address was no longer the channel's.
    pub(super) has_retired: bool,
    /// What callers may send by, while the connection is up.
    pub(super) caller_sender: Option<Arc<dyn CallerSender>>,
    /// When the driver, if it sleeps, looks at what is out of time.
    pub(super) driver_looks_at: Option<Instant>,
}

impl State {
    fn new(session: Session, is_counted: bool) -> Self {
        let flush = FlushPolicy::new(clock::now());
        Self {
            flush,
            session,
            must_renew: false,
            is_counted,
            has_retired: false,
            caller_sender: None,
            driver_looks_at: None,
        }
    }
}

/// How a connection learns whether its server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// The transport tells when it is up, and when it is lost.
    Monitored,
    /// The transport tells nothing: it counts as up, and the server is asked.
    #[cfg_attr(not(all(feature = "libzmq", unix)), expect(dead_code, reason = "only libzmq has such links"))]
    Unmonitored,
    /// It is within the process, and up from the start.
    Local,
    /// There is no transport: callers that wait here wait for other connections of the channel.
    None,
}

/// What is left for a driver to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriverAction {
    /// To end: the connection takes nothing more, and what it took has left and ended.
    End,
    /// To connect anew.
    Renew,
    /// To wait.
    Wait,
}

impl Connection {
    pub(crate) fn new(
        endpoint: String,
        config: Config,
        counters: Arc<ChannelCounters>,
        link: Link,
    ) -> Arc<Self> {
        let session = Session::new(client::Config {
            endpoint: endpoint.clone(),
            max_body: config.message_size,
            max_calls: config.calls,
            liveness: match link {
                Link::Monitored => config.server_timeout.map(LivenessConfig::within),
                Link::Unmonitored => Some(LivenessConfig::unmonitored()),
                Link::Local | Link::None => None,
            },
            is_monitored: link == Link::Monitored,
            is_connected: matches!(link, Link::Unmonitored | Link::Local),
        });
        // No transport tells of a link that is up from the start.
        let is_counted = link == Link::Local;
        count_up(false, is_counted);
        Arc::new(Self {
            endpoint,
            config,
            counters,
            notify: Arc::new(DriverNotify::new()),
            state: Aligned(Mutex::new(State::new(session, is_counted))),
            process: Process::current(),
            in_child: OnceLock::new(),
            link,
            watcher: OnceLock::new(),
        })
    }

    /// Reports whether the lock is free, as it is to be while user code runs.
    #[cfg(test)]
    pub(crate) fn is_unlocked(&self) -> bool {
        self.state.0.try_lock().is_ok()
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let state = if self.process.is_this() { &self.state.0 } else { self.state_in_child() };
        // Nothing panics while the lock is held but for lack of memory; the state is whole in any case.
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state of a connection that is closed. That of the parent may be locked for ever, by a thread that is not here.
    #[cold]
    fn state_in_child(&self) -> &Mutex<State> {
        self.in_child.get_or_init(|| {
            let (endpoint, now) = (self.endpoint.clone(), clock::now());
            let mut session = Session::new(client::Config {
                endpoint,
                max_body: self.config.message_size,
                max_calls: self.config.calls,
                liveness: None,
                is_monitored: true,
                is_connected: false,
            });
            session.close(Some(forked("the channel")), now);
            Box::new(Mutex::new(State::new(session, false)))
        })
    }

    /// Calls the session; then wakes tasks and tells events, with the lock released.
    #[inline]
    pub(super) fn with<R>(&self, run: impl FnOnce(&mut Session) -> R) -> R {
        let mut wakers = Vec::new();
        let returned = self.collecting(&mut wakers, run);
        wake(wakers);
        returned
    }

    /// Calls the session; then tells events, with the lock released. The caller wakes tasks, those of other connections
    /// among them.
    #[inline]
    pub(super) fn collecting<R>(&self, wakers: &mut Vec<Waker>, run: impl FnOnce(&mut Session) -> R) -> R {
        let mut state = self.lock();
        let returned = run(&mut state.session);
        self.release_to(state, wakers);
        returned
    }

    /// Lets go of the lock, and tells events. The caller wakes tasks.
    #[inline]
    fn release_to(&self, mut state: MutexGuard<'_, State>, wakers: &mut Vec<Waker>) {
        state.session.take_wakers(wakers);
        if let Some(event) = state.session.poll_event() {
            self.report_events(state, event, wakers);
        }
    }

    /// Returns where it goes.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn link(&self) -> Link {
        self.link
    }

    pub(crate) fn notify(&self) -> &Arc<DriverNotify> {
        &self.notify
    }
}

/// What calls use.
impl Connection {
    /// Lets go of the lock, and wakes the tasks that were collected.
    #[inline]
    pub(super) fn release(mut state: MutexGuard<'_, State>) {
        let mut wakers = Vec::new();
        state.session.take_wakers(&mut wakers);
        drop(state);
        wake(wakers);
    }

    /// Gives a place in the queue back to the next caller, if it is one.
    #[inline]
    pub(crate) fn leave_queue(&self, ticket: &mut Option<Ticket>) {
        if ticket.is_some() {
            self.with(|session| session.leave_queue(ticket));
        }
    }

    /// Queues a ping if there is a connection, past the queue of callers that wait for room. A server that takes no new calls
    /// still answers it. Returns its id.
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
        if !self.process.is_this() {
            return Poll::Ready(Err(Failure::Status(forked("the call").maybe_executed())));
        }
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

/// What a driver uses.
impl Connection {
    /// See [`Session::handle_connected`].
    pub(crate) fn handle_connected(&self, wakers: &mut Vec<Waker>) {
        self.collecting(wakers, Session::handle_connected);
    }

    /// See [`Session::handle_disconnected`]. Closes a local connection, whose server has ended.
    pub(crate) fn handle_disconnected(&self, wakers: &mut Vec<Waker>) {
        let now = clock::now();
        self.collecting(wakers, |session| {
            if self.link == Link::Local {
                // Its server was the only one: the link never comes up again.
                let why = Status::unavailable("the server's task has ended").caused_by(Cause::Closed);
                session.close(Some(why), now);
            } else {
                session.handle_disconnected(now);
            }
        });
    }

    /// See [`Session::handle_lost_message`].
    pub(crate) fn handle_lost_message(&self, wakers: &mut Vec<Waker>) {
        let now = clock::now();
        self.collecting(wakers, |session| session.handle_lost_message(now));
    }

    /// Takes a message from byte `at` on, until `wakers` holds `max_wakes` tasks. Returns where the next record begins, or `None`
    /// if all of it was taken.
    pub(crate) fn handle_message(
        &self,
        batch: &Batch,
        at: usize,
        wakers: &mut Vec<Waker>,
        max_wakes: usize,
        now: Instant,
    ) -> Option<usize> {
        let max_wakes = max_wakes.saturating_sub(wakers.len());
        let (next, answers) = self.collecting(wakers, |session| {
            let waiting = session.waiting_bytes();
            let next = session.handle_message(batch, at, max_wakes, now);
            (next, session.waiting_bytes() != waiting)
        });
        if answers {
            self.notify.notify();
        }
        next
    }

    /// See [`Session::handle_part`].
    pub(crate) fn handle_part(&self) {
        self.lock().session.handle_part();
    }

    /// See [`Session::handle_unreadable`].
    pub(crate) fn handle_unreadable(&self, what: &Malformed, wakers: &mut Vec<Waker>) {
        let now = clock::now();
        self.collecting(wakers, |session| session.handle_unreadable(what, now));
        self.notify.notify();
    }

    /// Ends what is out of time. Returns when to look again.
    pub(crate) fn handle_timeout(&self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Instant> {
        let mut state = self.lock();
        let waiting = state.session.waiting_bytes();
        state.session.handle_timeout(now);
        let (next, answers) = (state.session.poll_timeout(), state.session.waiting_bytes() != waiting);
        state.driver_looks_at = next;
        self.release_to(state, wakers);
        if answers {
            self.notify.notify();
        }
        next
    }

    /// Returns the next message to send.
    #[inline]
    pub(crate) fn poll_transmit(&self, wakers: &mut Vec<Waker>) -> Option<Message> {
        self.collecting(wakers, Session::poll_transmit)
    }

    /// Takes a message back that the transport had no room for.
    pub(crate) fn return_transmit(&self, message: Message) {
        self.lock().session.return_transmit(message);
    }

    /// Returns the number of calls that have not ended.
    pub(crate) fn open_calls(&self) -> usize {
        self.lock().session.open_calls()
    }

    /// Returns what is left to do besides sending and receiving.
    pub(crate) fn next_action(&self) -> DriverAction {
        let mut state = self.lock();
        if state.session.is_done() {
            DriverAction::End
        } else if std::mem::take(&mut state.must_renew) {
            DriverAction::Renew
        } else {
            DriverAction::Wait
        }
    }

    /// Closes the connection if nothing is left for its driver to do. Returns whether that is so: a ping may have been queued since
    /// [`DriverAction::End`].
    pub(crate) fn end(&self, wakers: &mut Vec<Waker>) -> bool {
        let now = clock::now();
        let mut state = self.lock();
        let is_done = state.session.is_done();
        if is_done {
            state.has_retired |= state.session.phase() == Phase::Retiring;
            state.session.close(None, now);
        }
        self.release_to(state, wakers);
        is_done
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
