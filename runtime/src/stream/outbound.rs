//! The credit that a stream's sender has, and those who wait for more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::status::Status;

/// The sending half of a stream, between the socket's owner, which hears of credit, and [`super::Sink`].
#[derive(Debug)]
pub(crate) struct Outbound {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The bytes that may still be sent.
    credit: i64,
    /// The bytes that were.
    sent: u64,
    /// The call is over, and why nothing can be sent any more.
    closed: Option<Status>,
    /// Everyone who waits for credit.
    wakers: Vec<Waker>,
}

impl Outbound {
    /// A stream with so many bytes of credit.
    pub(crate) fn new(credit: u64) -> Self {
        let credit = i64::try_from(credit).unwrap_or(i64::MAX);
        Self { state: Mutex::new(State { credit, sent: 0, closed: None, wakers: Vec::new() }) }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it holds the lock; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes for which credit was taken so far.
    pub(crate) fn sent(&self) -> u64 {
        self.lock().sent
    }

    /// The receiver can take so many bytes more. Whom to wake once no lock is held.
    #[must_use]
    pub(crate) fn grant(&self, bytes: u64) -> Vec<Waker> {
        let mut state = self.lock();
        state.credit = state.credit.saturating_add_unsigned(bytes);
        std::mem::take(&mut state.wakers)
    }

    /// Nothing can be sent any more. Only the first call counts. Whom to wake once no lock is held.
    #[must_use]
    pub(crate) fn close(&self, why: Status) -> Vec<Waker> {
        let mut state = self.lock();
        state.closed.get_or_insert(why);
        std::mem::take(&mut state.wakers)
    }

    /// Takes credit for so many bytes, or waits until there is some.
    #[inline]
    pub(crate) fn poll_take(&self, context: &Context<'_>, bytes: usize) -> Poll<Result<(), Status>> {
        let mut state = self.lock();
        if let Some(why) = &state.closed {
            return Poll::Ready(Err(why.clone()));
        }
        if state.credit > 0 {
            state.credit = state.credit.saturating_sub_unsigned(bytes as u64);
            state.sent += bytes as u64;
            return Poll::Ready(Ok(()));
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}
