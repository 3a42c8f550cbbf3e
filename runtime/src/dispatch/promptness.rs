//! [`Promptness`]: whether the handlers of a method let go of their thread soon.
//!
//! A handler is begun by the task that received its call, and polled there once. One that blocks or computes in that poll holds up
//! all that this task has to do: the other calls of its connection, or, with libzmq, of its server. So handlers that were not
//! prompt are begun on threads of their own from then on.
//!
//! Reading the clock twice for each call would cost a good part of what a short one does. So only the first handlers of a method
//! are timed. After these, the driver times each portion of calls as a whole; if one takes long, all methods are timed again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Maximum time for which a handler may keep the task that begins it: some hundred times what a thread for it costs.
const MAX_IN_PLACE: Duration = Duration::from_millis(1);

/// A handler that takes longer than [`MAX_IN_PLACE`] once may have been interrupted by the system; not so one that takes this long.
const CERTAINLY_LATE: Duration = Duration::from_millis(50);

/// Maximum time that a portion of calls may take until the handlers of each are timed.
const MAX_PORTION: Duration = MAX_IN_PLACE;

/// Number of handlers in a row that must be prompt before those of a method are begun without being timed.
const WATCHED: u32 = 16;

/// Number of handlers in a row that must be prompt, on threads of their own, before those of a method are begun in place again.
const APART: u32 = 64;

/// Marks, in [`Promptness`], that handlers are begun on threads of their own.
const IS_APART: u32 = 1 << 31;
/// Marks that the last handler was late, and that the next one decides.
const WAS_LATE: u32 = 1 << 30;

/// What is known of a method: the number of handlers that must still be prompt, and whether they are begun in place meanwhile. 0 if
/// they are trusted. Handlers of several threads may count as one: the number need not be exact.
#[derive(Debug)]
pub(super) struct Promptness(AtomicU32);

/// Where a handler begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// In place.
    Trusted,
    /// In place, and timed: [`Promptness::took`].
    Timed,
    /// On a thread of its own, and timed.
    Apart,
}

impl Promptness {
    /// Creates what is known of a method that was never called.
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(WATCHED))
    }

    /// Returns where the next handler begins.
    #[inline]
    pub(super) fn beginning(&self) -> Beginning {
        match self.0.load(Ordering::Relaxed) {
            0 => Beginning::Trusted,
            left if left & IS_APART == 0 => Beginning::Timed,
            _ => Beginning::Apart,
        }
    }

    /// Takes the time for which a handler has kept the task that has begun it.
    pub(super) fn took(&self, time: Duration) {
        let known = self.0.load(Ordering::Relaxed);
        let is_certain = time > CERTAINLY_LATE || known & (IS_APART | WAS_LATE) != 0;
        let next = match known & !WAS_LATE {
            _ if time > MAX_IN_PLACE && is_certain => IS_APART | APART,
            _ if time > MAX_IN_PLACE => WAS_LATE | WATCHED,
            left if left == IS_APART | 1 => WATCHED,
            left => left.saturating_sub(1),
        };
        self.0.store(next, Ordering::Relaxed);
    }

    /// Has the next handlers of a method timed, if they were trusted.
    fn suspect(&self) {
        let _ = self.0.compare_exchange(0, WATCHED, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Takes the time of a portion of calls.
pub(super) fn portion_took<'a>(time: Duration, methods: impl Iterator<Item = &'a Promptness>) {
    if time > MAX_PORTION {
        methods.for_each(Promptness::suspect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(10);
    const LATE: Duration = Duration::from_millis(5);

    #[test]
    fn a_method_is_timed_until_it_is_trusted_and_again_after_a_portion_that_took_long() {
        let method = Promptness::new();
        for _ in 0..WATCHED {
            assert_eq!(method.beginning(), Beginning::Timed);
            method.took(SOON);
        }
        assert_eq!(method.beginning(), Beginning::Trusted);
        portion_took(SOON, std::iter::once(&method));
        assert_eq!(method.beginning(), Beginning::Trusted);
        portion_took(LATE, std::iter::once(&method));
        assert_eq!(method.beginning(), Beginning::Timed);
    }

    #[test]
    fn a_method_that_was_late_has_threads_of_its_own_until_it_was_prompt_for_long() {
        let method = Promptness::new();
        method.took(2 * CERTAINLY_LATE);
        for _ in 1..APART {
            assert_eq!(method.beginning(), Beginning::Apart);
            method.took(SOON);
        }
        method.took(LATE);
        for _ in 0..APART {
            assert_eq!(method.beginning(), Beginning::Apart);
            portion_took(LATE, std::iter::once(&method));
            method.took(SOON);
        }
        assert_eq!(method.beginning(), Beginning::Timed);
    }

    #[test]
    fn a_handler_that_the_system_has_interrupted_decides_nothing_by_itself() {
        let method = Promptness::new();
        for _ in 0..3 {
            method.took(LATE);
            assert_eq!(method.beginning(), Beginning::Timed);
            method.took(SOON);
        }
        method.took(LATE);
        method.took(LATE);
        assert_eq!(method.beginning(), Beginning::Apart);
    }
}
