//! [`FlushPolicy`]: when a driver hears of a new record.

use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

/// Time that records may wait for a driver before their senders yield to it: the driver may be waiting for the sender's thread.
pub(super) const OVERDUE_AFTER: Duration = Duration::from_millis(1);

/// When new records leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// At once, and from the caller's own task if nothing else is being sent: so the driver sleeps on.
    ByCaller,
    /// At once, by the driver.
    Now,
    /// By the driver, after the other tasks of this thread, so that their records are sent in the same batch.
    Deferred,
}

/// Decides, for one connection or server, when its driver is told of new records. The lock of the records protects it.
#[derive(Debug)]
pub(crate) struct FlushPolicy {
    /// When the records that wait are overdue.
    overdue_at: Instant,
    /// Number of records in a row that were alone, up to [`MIN_ALONE`].
    alone: u8,
}

/// Number of records in a row that must have been alone before one leaves by its caller: the first of several calls that are made
/// together waits for the others, as it does where the driver sends it.
const MIN_ALONE: u8 = 4;

impl FlushPolicy {
    pub(crate) fn new(now: Instant) -> Self {
        Self { overdue_at: now + OVERDUE_AFTER, alone: 0 }
    }

    /// Returns when a new record of a client leaves while `calls` are in flight. For a single call that is at once; among
    /// several, and after a one-way call, other tasks may be about to send, too.
    #[inline]
    pub(crate) fn of_client(&mut self, calls: usize) -> Flush {
        if calls != 1 {
            self.alone = 0;
            return Flush::Deferred;
        }
        if self.alone == MIN_ALONE {
            return Flush::ByCaller;
        }
        self.alone += 1;
        Flush::Now
    }

    /// Returns when to tell a server's driver of a new record while `others` calls are in flight: their handlers may be
    /// about to answer, and one batch should hold all answers.
    #[inline]
    pub(crate) fn of_server(others: usize) -> Flush {
        if others == 0 { Flush::Now } else { Flush::Deferred }
    }

    /// Reports whether a sender has to yield to the driver before it queues more, because records have waited for too long
    /// (`is_waiting`: there are any). If so, the time starts again.
    #[inline]
    pub(crate) fn must_yield(&mut self, now: Instant, is_waiting: bool) -> bool {
        let is_overdue = is_waiting && now >= self.overdue_at;
        if is_overdue || !is_waiting {
            self.overdue_at = now + OVERDUE_AFTER;
        }
        is_overdue
    }
}

/// Has the task woken once its thread has nothing else to do, or has run some dozens of tasks.
pub(crate) fn yield_to_driver(context: &Context<'_>) {
    // The first poll does all of it: outside of a runtime it wakes at once.
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(context.waker()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_yields_once_records_have_waited_and_then_again_after_as_long() {
        let start = Instant::now();
        let mut policy = FlushPolicy::new(start);
        let late = start + OVERDUE_AFTER;
        assert!(!policy.must_yield(start, true));
        assert!(!policy.must_yield(late, false), "nothing waits");
        assert!(!policy.must_yield(late, true), "the time counts from when something waits");
        assert!(policy.must_yield(late + OVERDUE_AFTER, true));
        assert!(!policy.must_yield(late + OVERDUE_AFTER, true));
        assert!(policy.must_yield(late + 2 * OVERDUE_AFTER, true));
    }

    #[test]
    fn a_single_call_waits_for_no_company() {
        let mut policy = FlushPolicy::new(Instant::now());
        let mut of_clients = |calls: [usize; 6]| calls.map(|calls| policy.of_client(calls));
        let (now, by_caller, deferred) = (Flush::Now, Flush::ByCaller, Flush::Deferred);
        assert_eq!(of_clients([1, 2, 1, 0, 1, 1]), [now, deferred, now, deferred, now, now]);
        assert_eq!(of_clients([1, 1, 1, 1, 2, 1]), [now, now, by_caller, by_caller, deferred, now]);
        assert_eq!([0, 1].map(FlushPolicy::of_server), [Flush::Now, Flush::Deferred]);
    }
}
