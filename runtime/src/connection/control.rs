//! What a channel does to a connection: chooses it, reads how it is, and ends it.

use std::task::Waker;
use std::time::Instant;

use super::connection::{Connection, Link};
use crate::clock::{self, runtime_ended};
use crate::session::client::{HealthState, Phase, Session};
use crate::status::Status;

/// What a channel asks of its connections, and has them do.
impl Connection {
    /// Reports whether anything was ever sent over it.
    pub(crate) fn was_used(&self) -> bool {
        self.lock().session.was_used()
    }

    /// Reports whether it will never take a call again, while its channel may.
    pub(crate) fn is_retiring(&self) -> bool {
        self.link() != Link::None && matches!(self.lock().session.phase(), Phase::Retiring | Phase::Closed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().session.phase() == Phase::Closed
    }

    /// Reports whether it has ended by itself, since its address was no longer the channel's. Its calls have ended before.
    pub(crate) fn has_retired(&self) -> bool {
        self.lock().has_retired
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
    pub(super) fn mark_chosen(&self, now: Instant) {
        self.lock().session.mark_chosen(now);
    }

    /// Calls the session to read what a channel shows of it.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Session) -> R) -> R {
        read(&self.lock().session)
    }

    /// Collects the callers that wait here, because another connection is up. `is_known`: its name has led to a server.
    pub(super) fn collect_waiting(&self, is_known: bool, wakers: &mut Vec<Waker>) {
        self.collecting(wakers, |session| {
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

    /// Closes the connection as its driver ends: for good, or with its runtime if it was not closed before. A driver may also panic,
    /// by a user's waker.
    pub(crate) fn close_with_runtime(&self) {
        self.close_now((!std::thread::panicking()).then(runtime_ended));
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

    /// Says that a try to connect has failed, and why. Collects the tasks that wait for that.
    pub(crate) fn handle_unreachable(&self, why: impl Into<String>, wakers: &mut Vec<Waker>) {
        self.collecting(wakers, |session| session.handle_unreachable(why));
    }

    /// Says how far a try to connect has come.
    pub(crate) fn handle_underway(&self, what: &str) {
        self.lock().session.handle_underway(what);
    }

    /// Returns why there is no connection, if a try to connect has failed since it was last up.
    pub(crate) fn failure(&self) -> Option<Status> {
        self.lock().session.failure()
    }

    /// Reports whether a name has led to addresses, so that it is these that count.
    pub(crate) fn is_found_name(&self) -> bool {
        self.link() == Link::None && self.lock().session.trouble().is_none()
    }

    /// Says that nothing is known to keep it from coming up. Returns whether something was.
    pub(crate) fn clear_trouble(&self) -> bool {
        self.lock().session.clear_trouble()
    }
}
