//! The handler that is being polled on a thread: calls that it makes inherit its deadline.

use std::cell::Cell;

use tokio::time::Instant;

/// What is being polled on a thread.
#[derive(Clone, Copy)]
enum Polled {
    /// No handler.
    Nothing,
    /// A handler, with its deadline.
    Handler(Option<Instant>),
}

thread_local! {
    static POLLED: Cell<Polled> = const { Cell::new(Polled::Nothing) };
}

/// Returns the deadline that a call made right now inherits.
#[inline]
pub(crate) fn inherited_deadline() -> Option<Instant> {
    match POLLED.get() {
        Polled::Handler(deadline) => deadline,
        Polled::Nothing => None,
    }
}

/// Reports whether a handler is being polled on this thread.
pub(super) fn is_handler_polled() -> bool {
    matches!(POLLED.get(), Polled::Handler(_))
}

/// Runs `poll`, which polls a handler, so that calls made in it inherit `deadline`.
#[inline]
pub(crate) fn with_deadline<R>(deadline: Option<Instant>, poll: impl FnOnce() -> R) -> R {
    /// Restores the outer state, also when a handler panics.
    struct Restore(Polled);
    impl Drop for Restore {
        fn drop(&mut self) {
            POLLED.set(self.0);
        }
    }
    let _restore = Restore(POLLED.replace(Polled::Handler(deadline)));
    poll()
}
