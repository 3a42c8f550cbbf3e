//! [`Mailbox`]: what waits for one subscriber, between those who publish and the task that sends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::notice::Notice;
use super::posted::Posted;
use super::queue::{Next, Queue};

/// What waits for one subscriber: events that were published since it has joined.
#[derive(Debug)]
pub struct Mailbox {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: Queue,
    /// Whether the bound was reached and the subscription has ended.
    is_over: bool,
    /// The task that sends; `None` while it has something to do.
    waker: Option<Waker>,
    /// Whether that task waits for events; otherwise it waits for credit, and wants to know only that all is over.
    waits_for_events: bool,
}

/// What has come of publishing an event.
#[derive(Debug, Default)]
pub struct Came {
    /// The tasks to wake, once no lock is held.
    pub wakers: Vec<Waker>,
    /// Number of events that were dropped, of all subscribers together.
    pub dropped: u64,
    /// Number of subscriptions that have ended, since they did not keep up.
    pub ended: u64,
}

/// The subscriber did not keep up, and by its event's `@slow(disconnect)` the subscription has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

impl Mailbox {
    pub(super) fn new(queue: Queue) -> Self {
        let state = State { queue, is_over: false, waker: None, waits_for_events: false };
        Self { state: Mutex::new(state) }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while the lock is held; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event that was published, and adds to `came` what has come of it.
    #[inline]
    pub(super) fn push(&self, posted: &Arc<Posted>, came: &mut Came) {
        let mut state = self.lock();
        if state.is_over {
            return;
        }
        if let Ok(dropped) = state.queue.push(posted) {
            came.dropped += dropped;
        } else {
            state.is_over = true;
            came.ended += 1;
        }
        if state.waits_for_events || state.is_over {
            came.wakers.extend(state.waker.take());
        }
    }

    /// Notes that an event may have been meant for the subscriber that does not come, of which it is told next.
    pub(super) fn note_missed(&self, came: &mut Came) {
        let mut state = self.lock();
        if !state.is_over {
            state.queue.note_missed();
            if state.waits_for_events {
                came.wakers.extend(state.waker.take());
            }
        }
    }

    /// Takes the next notice, as soon as there is one.
    ///
    /// # Errors
    /// The subscription has ended. What had waited is not delivered.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<Result<Notice, TooSlow>> {
        let mut state = self.lock();
        if state.is_over {
            return Poll::Ready(Err(TooSlow));
        }
        if let Some(notice) = state.next() {
            return Poll::Ready(Ok(notice));
        }
        state.wait(context, true);
        Poll::Pending
    }

    /// Is ready once the subscription has ended, for a task that waits for credit.
    pub fn poll_over(&self, context: &Context<'_>) -> Poll<TooSlow> {
        let mut state = self.lock();
        if state.is_over {
            return Poll::Ready(TooSlow);
        }
        state.wait(context, false);
        Poll::Pending
    }
}

impl State {
    fn next(&mut self) -> Option<Notice> {
        self.queue.pop().map(|next| match next {
            Next::Missed(count) => Notice::Missed(count),
            Next::Event(posted) => Notice::Event(posted),
        })
    }

    fn wait(&mut self, context: &Context<'_>, for_events: bool) {
        self.waits_for_events = for_events;
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.waker = Some(context.waker().clone()),
        }
    }
}
