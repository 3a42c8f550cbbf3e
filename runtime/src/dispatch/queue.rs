//! [`AdmissionQueue`]: calls that wait until fewer run, in the order in which they came, for servers that bound the number of
//! running calls. The bound is [`MaxRunning`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::flush::DriverNotify;
use crate::peer::MaxRunning;

/// Minimum time between two searches for room in a full queue.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Waiting calls in the order in which they arrived, and the number of running calls.
pub(super) struct AdmissionQueue<T> {
    limit: MaxRunning,
    waiting: VecDeque<Entry<T>>,
    /// Time before which a full queue is not searched again for calls that need not wait any more.
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

/// A call that runs. Dropping this makes room for another, and notifies the driver.
#[derive(Debug)]
pub(super) struct Permit(Arc<Running>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.notify.notify_deferred();
    }
}

/// The calls that [`AdmissionQueue::make_room`] has removed, to be dropped without the lock of the queue.
pub(super) struct Removed<T> {
    /// Calls whose deadline has passed.
    pub(super) late: Vec<T>,
    /// Calls that have ended.
    pub(super) over: Vec<T>,
}

/// The next call from the queue.
pub(super) enum Admitted<T> {
    /// A call that may run.
    Run(T, Permit),
    /// A call whose deadline has passed while it waited.
    Late(T),
}

impl<T> AdmissionQueue<T> {
    pub(super) fn new(limit: MaxRunning, notify: Arc<DriverNotify>) -> Self {
        let running = Arc::new(Running { count: AtomicUsize::new(0), notify });
        Self { limit, waiting: VecDeque::new(), full_until: None, running }
    }

    fn permit(&self) -> Option<Permit> {
        // Counted up under the lock of the queue alone.
        (self.running.count.load(Ordering::Acquire) < self.limit.running).then(|| {
            self.running.count.fetch_add(1, Ordering::AcqRel);
            Permit(Arc::clone(&self.running))
        })
    }

    /// Returns a permit for a new call, if there is room and no earlier call waits.
    pub(super) fn try_admit(&self) -> Option<Permit> {
        if self.waiting.is_empty() { self.permit() } else { None }
    }

    /// Reports whether one more call may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < self.limit.queued
    }

    /// Removes, if the queue is full, the calls that have ended, and those whose deadline has passed. Each search looks at all
    /// calls, and costs most when there are too many: [`FULL_PAUSE`] must pass before the next.
    pub(super) fn make_room(&mut self, now: Instant, is_over: impl Fn(&T) -> bool) -> Removed<T> {
        let mut removed = Removed { late: Vec::new(), over: Vec::new() };
        if self.has_room() || self.full_until.is_some_and(|until| now < until) {
            return removed;
        }
        self.full_until = Some(now + FULL_PAUSE);
        for entry in std::mem::take(&mut self.waiting) {
            if is_over(&entry.call) {
                removed.over.push(entry.call);
            } else if entry.is_late(now) {
                removed.late.push(entry.call);
            } else {
                self.waiting.push_back(entry);
            }
        }
        removed
    }

    /// Adds a call to the end of the queue, or returns it if there is no room.
    pub(super) fn push(&mut self, call: T, deadline: Option<Instant>) -> Result<(), T> {
        if !self.has_room() {
            return Err(call);
        }
        self.waiting.push_back(Entry { deadline, call });
        Ok(())
    }

    /// Takes the next call that may run, or whose deadline has passed.
    pub(super) fn next(&mut self, now: impl Fn() -> Instant) -> Option<Admitted<T>> {
        let first = self.waiting.front()?;
        if first.deadline.is_some_and(|deadline| deadline <= now()) {
            return self.waiting.pop_front().map(|entry| Admitted::Late(entry.call));
        }
        let permit = self.permit()?;
        self.waiting.pop_front().map(|entry| Admitted::Run(entry.call, permit))
    }

    /// Takes every call out of the queue.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.waiting.drain(..).map(|entry| entry.call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_past_those_that_may_wait_comes_back() {
        let limit = MaxRunning { running: 1, queued: 2 };
        let mut queue = AdmissionQueue::new(limit, Arc::new(DriverNotify::new()));
        assert_eq!([1, 2, 3].map(|call| queue.push(call, None)), [Ok(()), Ok(()), Err(3)]);
        assert!(queue.try_admit().is_none(), "others came before");
        let Some(Admitted::Run(first, permit)) = queue.next(Instant::now) else { panic!("it may run") };
        assert!(first == 1 && queue.next(Instant::now).is_none());
        drop(permit);
        assert!(matches!(queue.next(Instant::now), Some(Admitted::Run(2, _))));
    }
}
