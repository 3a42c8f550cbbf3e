//! What a driver does to its connection: hand in what happens, and take out what is to be sent.

use std::task::Waker;
use std::time::Instant;

use super::connection::{Connection, DriverAction};
use crate::clock;
use crate::session::client::Session;
use crate::wire::{Batch, Malformed, Message};

/// What a driver uses.
impl Connection {
    /// See [`Session::handle_connected`].
    pub(crate) fn handle_connected(&self, wakers: &mut Vec<Waker>) {
        self.collecting(wakers, Session::handle_connected);
    }

    /// See [`Session::handle_disconnected`].
    pub(crate) fn handle_disconnected(&self, wakers: &mut Vec<Waker>) {
        let now = clock::now();
        self.collecting(wakers, |session| session.handle_disconnected(now));
    }

    /// See [`Session::handle_lost_message`].
    pub(crate) fn handle_lost_message(&self, wakers: &mut Vec<Waker>) {
        let now = clock::now();
        self.collecting(wakers, |session| session.handle_lost_message(now));
    }

    /// Takes a message from byte `at` on, until `wakers` holds `max_wakes` tasks. Returns where the next record begins, or `None` if all of it was taken.
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

    /// See [`Session::handle_unreadable`].
    pub(crate) fn handle_unreadable(&self, what: &Malformed, wakers: &mut Vec<Waker>) {
        let now = clock::now();
        self.collecting(wakers, |session| session.handle_unreadable(what, now));
        self.notify.notify();
    }

    /// Ends what is out of time. Returns when to look again.
    pub(crate) fn handle_timeout(&self, now: Instant, wakers: &mut Vec<Waker>) -> Option<Instant> {
        let (next, answers) = self.collecting(wakers, |session| {
            let waiting = session.waiting_bytes();
            session.handle_timeout(now);
            (session.poll_timeout(), session.waiting_bytes() != waiting)
        });
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
}
