//! Those who wait for room on a connection, the longest first.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

use tokio::time::Instant;

use super::state::Wakers;

/// A line of callers, each by its ticket.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    deadline: Option<Instant>,
}

impl Line {
    /// Nobody else was there before.
    #[inline]
    pub(super) fn is_first(&self, ticket: Option<u64>) -> bool {
        self.waiting.first_key_value().is_none_or(|(first, _)| Some(*first) == ticket)
    }

    /// Stands in line, where the caller already stood if it has a ticket.
    pub(super) fn join(
        &mut self,
        context: &Context<'_>,
        ticket: &mut Option<u64>,
        deadline: Option<Instant>,
    ) {
        let number = *ticket.get_or_insert(self.next_ticket);
        self.next_ticket = self.next_ticket.max(number + 1);
        self.waiting.insert(number, Waiting { waker: context.waker().clone(), deadline });
    }

    /// Takes back the ticket of someone who waits no longer.
    #[inline]
    pub(super) fn leave(&mut self, ticket: &mut Option<u64>) {
        if let Some(ticket) = ticket.take() {
            self.waiting.remove(&ticket);
        }
    }

    /// Who has waited the longest.
    #[inline]
    pub(super) fn first(&self) -> Option<&Waker> {
        self.waiting.first_key_value().map(|(_, first)| &first.waker)
    }

    /// Everyone, because waiting may be in vain.
    pub(super) fn all(&self, wakers: &mut Wakers) {
        wakers.extend(self.waiting.values().map(|waiting| waiting.waker.clone()));
    }

    /// Everyone whose time to wait is up.
    pub(super) fn late(&self, now: Instant, wakers: &mut Wakers) {
        let late = self.waiting.values().filter(|waiting| waiting.deadline.is_some_and(|at| at <= now));
        wakers.extend(late.map(|waiting| waiting.waker.clone()));
    }

    /// When the time to wait is up, of each of them who has such a time.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = Instant> {
        self.waiting.values().filter_map(|waiting| waiting.deadline)
    }
}
