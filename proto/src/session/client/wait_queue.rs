//! [`WaitQueue`]: callers that wait for room on a connection, the longest first.

use std::collections::BTreeMap;
use std::task::{Context, Waker};
use std::time::Instant;

use super::Session;

/// A caller's place in the queue. Callers are served in the order of their tickets.
pub type Ticket = u64;

/// Callers by their tickets.
#[derive(Debug, Default)]
pub(super) struct WaitQueue {
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    deadline: Option<Instant>,
}

impl WaitQueue {
    /// Reports whether no other caller came before this one.
    #[inline]
    pub(super) fn is_first(&self, ticket: Option<Ticket>) -> bool {
        self.waiting.first_key_value().is_none_or(|(first, _)| Some(*first) == ticket)
    }

    /// Puts the caller into the queue, at its old place if it has a ticket.
    pub(super) fn join(
        &mut self,
        context: &Context<'_>,
        ticket: &mut Option<Ticket>,
        deadline: Option<Instant>,
    ) {
        let number = *ticket.get_or_insert(self.next_ticket);
        self.next_ticket = self.next_ticket.max(number + 1);
        self.waiting.insert(number, Waiting { waker: context.waker().clone(), deadline });
    }

    /// Removes a caller that waits no longer.
    #[inline]
    pub(super) fn leave(&mut self, ticket: &mut Option<Ticket>) {
        if let Some(ticket) = ticket.take() {
            self.waiting.remove(&ticket);
        }
    }

    /// Returns the caller that has waited the longest.
    #[inline]
    pub(super) fn first(&self) -> Option<&Waker> {
        self.waiting.first_key_value().map(|(_, first)| &first.waker)
    }

    /// Collects all callers, because waiting may be in vain.
    pub(super) fn collect_all(&self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.waiting.values().map(|waiting| waiting.waker.clone()));
    }

    /// Collects the callers whose time to wait is up.
    pub(super) fn collect_late(&self, now: Instant, wakers: &mut Vec<Waker>) {
        let waiting_late =
            self.waiting.values().filter(|waiting| waiting.deadline.is_some_and(|at| at <= now));
        wakers.extend(waiting_late.map(|waiting| waiting.waker.clone()));
    }

    /// Returns when the time to wait is up, of each caller that has such a time.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = Instant> {
        self.waiting.values().filter_map(|waiting| waiting.deadline)
    }
}

impl Session {
    /// Returns the number of callers that wait for room.
    #[must_use]
    pub fn queued_callers(&self) -> usize {
        self.queue.waiting.len()
    }
}
