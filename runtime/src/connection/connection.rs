//! [`Connection`]: the session of one connection, and the lock that its calls and its driver share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::Instant;

use super::config::Config;
use super::counters::ChannelCounters;
use crate::clock;
use crate::flow::wake;
use crate::flush::{DriverNotify, FlushPolicy};
use crate::session::client::{self, Event, HealthState, Liveness, Phase, Session};
use crate::status::Status;
use crate::telemetry::{End, Up};

/// One connection to a server.
///
/// Each method locks the session, calls it, and lets go of the lock before tasks are woken and events are told: both may run user code.
#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: String,
    pub(super) config: Config,
    pub(super) counters: Arc<ChannelCounters>,
    pub(super) notify: Arc<DriverNotify>,
    state: Aligned<Mutex<State>>,
    link: Link,
    /// What is told of the connection's events: its channel.
    watcher: OnceLock<Weak<dyn Watcher>>,
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
    /// Counts the connection as up, where the transport tells.
    up: Option<Up>,
}

/// What hears of a connection's events. No lock is held.
pub(super) trait Watcher: std::fmt::Debug + Send + Sync {
    /// The connection is up.
    fn connected(&self, connection: &Connection);
    /// Something is different that a channel shows of its connections.
    fn changed(&self);
}

/// How a connection learns whether its server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// The transport tells when it is up, and when it is lost.
    Monitored,
    /// The transport tells nothing: it counts as up, and the server is asked.
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
                Link::Monitored => config.server_timeout.map(Liveness::within),
                Link::Unmonitored => Some(Liveness::unmonitored()),
                Link::Local | Link::None => None,
            },
            is_monitored: link == Link::Monitored,
            is_connected: matches!(link, Link::Unmonitored | Link::Local),
        });
        let flush = FlushPolicy::new(clock::now());
        Arc::new(Self {
            endpoint,
            config,
            counters,
            notify: Arc::new(DriverNotify::new()),
            state: Aligned(Mutex::new(State { flush, session, must_renew: false, up: None })),
            link,
            watcher: OnceLock::new(),
        })
    }

    /// Sets what is told of the connection's events. Only the first time counts.
    pub(super) fn tell(&self, watcher: Weak<dyn Watcher>) {
        let _ = self.watcher.set(watcher);
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held but for lack of memory; the state is whole in any case.
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the session; then wakes tasks and tells events, with the lock released.
    #[inline]
    pub(super) fn with<R>(&self, run: impl FnOnce(&mut Session) -> R) -> R {
        let mut wakers = Vec::new();
        let returned = self.collecting(&mut wakers, run);
        wake(wakers);
        returned
    }

    /// Calls the session; then tells events, with the lock released. The caller wakes tasks.
    #[inline]
    pub(super) fn collecting<R>(&self, wakers: &mut Vec<Waker>, run: impl FnOnce(&mut Session) -> R) -> R {
        let mut state = self.lock();
        let returned = run(&mut state.session);
        state.session.take_wakers(wakers);
        if let Some(event) = state.session.poll_event() {
            self.tell_events(state, event);
        }
        returned
    }

    #[cold]
    fn tell_events(&self, mut state: MutexGuard<'_, State>, first: Event) {
        let mut events = vec![first];
        events.extend(std::iter::from_fn(|| state.session.poll_event()));
        for event in &events {
            match event {
                Event::Connected { .. } => {
                    state.up = (self.link == Link::Monitored).then(|| Up::new(End::Client));
                }
                Event::Disconnected => state.up = None,
                Event::Renew => state.must_renew = true,
                _ => {}
            }
        }
        drop(state);
        let watcher = self.watcher.get().and_then(Weak::upgrade);
        for event in events {
            match event {
                Event::Dropped { reason, count } => self.counters.drops(reason, count),
                Event::Renew => self.notify.notify(),
                Event::Connected { again } => {
                    if again {
                        self.counters.reconnected();
                    }
                    if let Some(watcher) = &watcher {
                        watcher.connected(self);
                        watcher.changed();
                    }
                }
                Event::Disconnected | Event::Changed | _ => {
                    if let Some(watcher) = &watcher {
                        watcher.changed();
                    }
                }
            }
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

/// What a channel asks of its connections, and has them do.
impl Connection {
    /// Reports whether anything was ever sent over it.
    pub(crate) fn was_used(&self) -> bool {
        self.lock().session.was_used()
    }

    /// Reports whether it will never take a call again, while its channel may.
    pub(crate) fn is_retiring(&self) -> bool {
        self.link != Link::None && matches!(self.lock().session.phase(), Phase::Retiring | Phase::Closed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().session.phase() == Phase::Closed
    }

    /// Reports whether one-way calls may have been lost with a connection.
    pub(crate) fn has_lost_one_way(&self) -> bool {
        self.lock().session.has_lost_one_way()
    }

    /// Returns how good a choice it is, the least being the best, or `None` if it takes no calls.
    pub(crate) fn rank(&self, now: Instant) -> Option<(HealthState, usize)> {
        self.lock().session.rank(now)
    }

    /// Says that it was chosen for a call.
    pub(super) fn chosen(&self, now: Instant) {
        self.lock().session.chosen(now);
    }

    /// Calls the session to read what a channel shows of it.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Session) -> R) -> R {
        read(&self.lock().session)
    }

    /// Wakes the callers that wait here, because another connection is up. `is_known`: its name has led to a server.
    pub(super) fn wake_waiting(&self, is_known: bool) {
        self.with(|session| {
            if is_known {
                session.mark_up();
            }
            if session.phase() != Phase::Ready {
                session.wake_queue();
            }
        });
    }

    /// Takes nothing more, and ends once what is queued has left and the calls in flight have ended.
    pub(crate) fn close_when_sent(&self) {
        self.with(Session::close_when_sent);
        self.notify.notify();
    }

    /// Takes nothing more, ends the calls in flight, and ends once the server was told.
    pub(crate) fn close_and_cancel(&self) {
        let now = clock::now();
        self.with(|session| session.close_and_cancel(now));
        self.notify.notify();
    }

    /// Takes nothing more, sends nothing more, and ends the calls in flight: `why`, or because the channel is closed.
    pub(crate) fn close_now(&self, why: Option<Status>) {
        let now = clock::now();
        self.with(|session| session.close(why, now));
        self.notify.notify();
    }

    /// Takes no new calls, and ends once it is idle.
    pub(crate) fn retire(&self) {
        self.with(Session::retire);
        self.notify.notify();
    }

    /// Sets what keeps the connection from coming up.
    pub(crate) fn set_trouble(&self, why: impl Into<String>) {
        self.lock().session.set_trouble(why);
    }

    /// Says that nothing is known to keep it from coming up. Returns whether something was.
    pub(crate) fn clear_trouble(&self) -> bool {
        self.lock().session.clear_trouble()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
