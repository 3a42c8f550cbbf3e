//! Users' code whose panic is returned as a value: [`caught`], and [`Caught`] for a future.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The error of code that panicked. The panic hook has printed the message by then.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Runs users' code. Whatever it was given must not be used again after a panic.
#[inline]
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        // What the code has panicked with is the user's, too, and may panic as it is dropped. That value is not dropped: it could go on
        // for ever.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        Panicked
    })
}

/// A future of users' code. A panic ends this future alone, and is returned as [`Panicked`]; one as the future is dropped goes no further,
/// either.
pub(crate) struct Caught<F>(Option<F>);

impl<F> Caught<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(future))
    }
}

impl<F> Drop for Caught<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        // The panic hook has told of it, and nothing waits to hear of it.
        caught(|| drop(future)).ok();
    }
}

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The future is dropped after a panic, and not polled again.
        let Some(future) = &mut self.0 else { return Poll::Ready(Err(Panicked)) };
        match caught(|| Pin::new(future).poll(context)) {
            Ok(poll) => poll.map(Ok),
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics as it is dropped, with another of its kind that does, too.
    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_panic_with_a_value_that_panics_as_it_is_dropped_is_one_panic() {
        assert_eq!(caught(|| 7), Ok(7));
        for bombs in 0..4 {
            assert_eq!(caught(|| std::panic::panic_any(Bomb(bombs))), Err::<(), _>(Panicked));
        }
    }

    #[test]
    fn a_future_that_panics_as_it_is_dropped_is_dropped_all_the_same() {
        let bomb = Bomb(1);
        let mut caught = Caught::new(Box::pin(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        }));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut caught).poll(&mut context).is_pending());
        drop(caught);
    }
}
