//! [`Queue`]: calls that wait until fewer run, for servers that bound how many do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::limits::Concurrency;
use crate::flush::DriverNotify;

/// How long a full queue is left alone once room was looked for in it.
const FULL: Duration = Duration::from_millis(5);

/// Calls in the order in which they came, and how many run.
pub(super) struct Queue<T> {
    limit: Concurrency,
    waiting: VecDeque<Entry<T>>,
    /// Until when there is no use in looking for calls that need not wait any more.
    full_until: Option<Instant>,
    running: Arc<Running>,
}

struct Entry<T> {
    deadline: Option<Instant>,
    call: T,
}

impl<T> Entry<T> {
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

#[derive(Debug)]
struct Running {
    count: AtomicUsize,
    notify: Arc<DriverNotify>,
}

/// A call that runs. Dropped, there is room for another, and the server's owner is told.
#[derive(Debug)]
pub(super) struct Permit(Arc<Running>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.notify.notify_deferred();
    }
}

/// The next call that has waited.
pub(super) enum Turn<T> {
    /// It may run.
    Run(T, Permit),
    /// Its time was up before its turn came.
    Late(T),
}

impl<T> Queue<T> {
    pub(super) fn new(limit: Concurrency, notify: Arc<DriverNotify>) -> Self {
        let running = Arc::new(Running { count: AtomicUsize::new(0), notify });
        Self { limit, waiting: VecDeque::new(), full_until: None, running }
    }

    fn permit(&self) -> Option<Permit> {
        // Only the server's owner counts up.
        (self.running.count.load(Ordering::Acquire) < self.limit.running).then(|| {
            self.running.count.fetch_add(1, Ordering::AcqRel);
            Permit(Arc::clone(&self.running))
        })
    }

    /// Whether a call that comes now may run: if there is room, and none waits that came before it.
    pub(super) fn may_run(&self) -> Option<Permit> {
        if self.waiting.is_empty() { self.permit() } else { None }
    }

    /// Whether one more may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < self.limit.queued
    }

    /// Where no more may wait, takes out those that are over by now, and those whose time is up, which it hands back. All of
    /// them are looked at, so not for every call that comes: it is when there are too many that it would cost most.
    pub(super) fn make_room(&mut self, now: Instant, is_over: impl Fn(&T) -> bool) -> Vec<T> {
        if self.has_room() || self.full_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.full_until = Some(now + FULL);
        self.waiting.retain(|entry| !is_over(&entry.call));
        let (late, waiting) = self.waiting.drain(..).partition(|entry| entry.is_late(now));
        self.waiting = waiting;
        let late: VecDeque<Entry<T>> = late;
        late.into_iter().map(|entry| entry.call).collect()
    }

    /// Takes a call that may not run yet.
    pub(super) fn push(&mut self, call: T, deadline: Option<Instant>) {
        self.waiting.push_back(Entry { deadline, call });
    }

    /// The next call whose turn has come, or is over.
    pub(super) fn next(&mut self, now: impl Fn() -> Instant) -> Option<Turn<T>> {
        let first = self.waiting.front()?;
        if first.deadline.is_some_and(|deadline| deadline <= now()) {
            return self.waiting.pop_front().map(|entry| Turn::Late(entry.call));
        }
        let permit = self.permit()?;
        self.waiting.pop_front().map(|entry| Turn::Run(entry.call, permit))
    }

    /// Everything that waits.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.waiting.drain(..).map(|entry| entry.call)
    }
}
