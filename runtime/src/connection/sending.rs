//! [`SendPermit`]: how calls get room on a connection, and how what they send leaves: by the driver, or by the caller itself.

use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use tokio::task::coop::{RestoreOnPending, poll_proceed};

use super::connection::{Connection, State};
use crate::flow::wake;
use crate::flush::{CallerSender, Flush, SentByCaller, yield_to_driver};
use crate::metadata::Metadata;
use crate::session::Deadline;
use crate::session::client::{CallRecord, NewCall, Ticket, Wait};
use crate::status::Status;
use crate::telemetry::{self, End};

/// Room for one call. It holds the connection's lock: to be used at once.
#[must_use]
pub(crate) struct SendPermit<'a> {
    connection: &'a Connection,
    state: MutexGuard<'a, State>,
}

impl Connection {
    /// Waits for room.
    ///
    /// # Errors
    /// Time ran out, the connection takes nothing more, or there is none and the call does not wait. In any case
    /// nothing was sent.
    pub(crate) fn poll_ready(
        &self,
        context: &mut Context<'_>,
        ticket: &mut Option<Ticket>,
        wait: Wait,
        now: Instant,
    ) -> Poll<Result<SendPermit<'_>, Status>> {
        // A task that sends without ever waiting, or tries again at once what was refused, would starve its thread's other tasks,
        // and with them perhaps the driver.
        let budget: RestoreOnPending = ready!(poll_proceed(context));
        let mut state = self.lock();
        if let Err(status) = state.session.check_ready(ticket, wait, now) {
            budget.made_progress();
            Self::release(state);
            return Poll::Ready(Err(status));
        }
        let State { flush, session, .. } = &mut *state;
        if flush.must_yield(now, session.has_waiting()) {
            Self::release(state);
            self.notify.notify();
            yield_to_driver(context);
            return Poll::Pending;
        }
        let deadline = wait.deadline.map(|deadline| deadline.at);
        if session.poll_room(context, ticket, deadline, now).is_pending() {
            Self::release(state);
            self.notify.notify();
            return Poll::Pending;
        }
        budget.made_progress();
        Poll::Ready(Ok(SendPermit { connection: self, state }))
    }

    /// Has new records sent, and lets go of the lock. Where several calls are in flight, more of their tasks may be about to go
    /// on, and what they send is to go with this.
    #[inline]
    pub(super) fn hand_over(&self, mut state: MutexGuard<'_, State>) {
        let mut wakers = Vec::new();
        let open_calls = state.session.open_calls();
        let when = state.flush.of_client(open_calls);
        state.session.take_wakers(&mut wakers);
        let is_done = if when == Flush::ByCaller {
            self.send_by_caller(state, &mut wakers)
        } else {
            drop(state);
            false
        };
        if !is_done {
            self.notify.flush(when);
        }
        wake(wakers);
    }

    /// Sends what waits from the task of a caller, if the driver sleeps, and lets go of the lock. Returns whether nothing is left
    /// for the driver to do.
    ///
    /// A driver that sleeps has sent all that it took. One that is woken meanwhile waits for the lock before it takes more, and
    /// by then its transport has the message.
    fn send_by_caller(&self, state: MutexGuard<'_, State>, wakers: &mut Vec<Waker>) -> bool {
        if !self.notify.is_asleep() {
            return false;
        }
        let Some(sender) = state.caller_sender.clone() else { return false };
        let (mut state, mut is_all, mut bytes) = (Some(state), false, 0);
        let sent = sender.send_if_idle(&mut || {
            let mut state = state.take()?;
            let message = state.session.poll_transmit()?;
            state.session.take_wakers(wakers);
            is_all = !state.session.has_waiting() && !state.is_due_before_the_driver_looks();
            bytes = message.len();
            Some(message)
        });
        if sent == SentByCaller::Busy {
            return false;
        }
        telemetry::sent(End::Client, bytes);
        is_all && sent == SentByCaller::Whole
    }

    /// Sets what callers may send by. The driver does: when the connection comes up, and when it is lost.
    pub(crate) fn set_caller_sender(&self, sender: Option<Arc<dyn CallerSender>>) {
        let before = std::mem::replace(&mut self.lock().caller_sender, sender);
        // With the lock released, since it may own a socket.
        drop(before);
    }
}

impl State {
    /// Reports whether something is out of time before the driver looks, if it sleeps on.
    fn is_due_before_the_driver_looks(&self) -> bool {
        match (self.session.poll_timeout(), self.driver_looks_at) {
            (Some(due), Some(looks_at)) => due < looks_at,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

impl SendPermit<'_> {
    /// Sends a call. Returns its id.
    #[inline]
    pub(crate) fn call(mut self, call: NewCall<'_>, record: CallRecord<'_>, now: Instant) -> u32 {
        let id = self.state.session.begin_call(call, record, now);
        self.connection.hand_over(self.state);
        id
    }

    /// Sends a one-way call.
    #[inline]
    pub(crate) fn one_way(
        mut self,
        deadline: Option<Deadline>,
        metadata: &Metadata,
        record: CallRecord<'_>,
        now: Instant,
    ) {
        self.state.session.begin_one_way(deadline, metadata, record, now);
        self.connection.hand_over(self.state);
    }

    /// Sends a one-way call, and behind it a ping by the same connection, whose pong proves that the server has read the call.
    /// Returns the id of the ping.
    pub(crate) fn one_way_and_ping(
        mut self,
        deadline: Option<Deadline>,
        metadata: &Metadata,
        record: CallRecord<'_>,
        now: Instant,
    ) -> u32 {
        self.state.session.begin_one_way(deadline, metadata, record, now);
        self.ping(deadline, now)
    }

    /// Sends a ping. Returns its id.
    pub(crate) fn ping(mut self, deadline: Option<Deadline>, now: Instant) -> u32 {
        let id = self.state.session.begin_ping(deadline, now);
        self.connection.hand_over(self.state);
        id
    }
}
