//! [`Queue`]: calls that wait until fewer run, for servers that bound how many do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::limits::Concurrency;
use crate::bell::Bell;

/// Calls in the order in which they came, and how many run.
pub(super) struct Queue<T> {
    limit: Concurrency,
    waiting: VecDeque<Entry<T>>,
    running: Arc<Running>,
}

struct Entry<T> {
    deadline: Option<Instant>,
    call: T,
}

#[derive(Debug)]
struct Running {
    count: AtomicUsize,
    bell: Arc<Bell>,
}

/// A call that runs. Dropped, there is room for another, and the server's owner is told.
#[derive(Debug)]
pub(super) struct Permit(Arc<Running>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.bell.ring();
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
    pub(super) fn new(limit: Concurrency, bell: Arc<Bell>) -> Self {
        let running = Arc::new(Running { count: AtomicUsize::new(0), bell });
        Self { limit, waiting: VecDeque::new(), running }
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

    /// Whether one more may wait, those aside that are over by now.
    pub(super) fn has_room(&mut self, is_over: impl Fn(&T) -> bool) -> bool {
        if self.waiting.len() >= self.limit.queued {
            self.waiting.retain(|entry| !is_over(&entry.call));
        }
        self.waiting.len() < self.limit.queued
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
