//! The clock that sessions are given, and [`Timer`], for futures that users await.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep_until};

use crate::status::{Cause, Status};

/// The longest time of an option, some thirty years. Every clock can be put forward by a few of it.
const LONGEST: Duration = Duration::from_secs(1_000_000_000);
/// The least interval or timeout of an option.
pub(crate) const LEAST: Duration = Duration::from_millis(1);

/// Returns the time that an option stands for: at least the least that works, and none that a clock can't be put forward by.
pub(crate) fn bounded(time: Duration, least: Duration) -> Duration {
    time.clamp(least, LONGEST)
}

/// Returns the time as tokio has it, which a test may have paused.
#[inline]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Returns how a call fails whose channel can't go on, since its runtime has ended.
pub(crate) fn runtime_ended() -> Status {
    let what = "the tokio runtime in which the channel was connected has ended; connect in one that runs on";
    Status::unavailable(what).caused_by(Cause::Closed)
}

/// A time that a call waits for. Users await calls wherever they like: where no runtime is, in another one, which may have no timers,
/// and here after there. Anywhere but in the channel's runtime, a task of that runtime waits.
pub(crate) struct Timer {
    at: tokio::time::Instant,
    /// That of the channel, if it is known.
    runtime: Option<Handle>,
    waits: Waits,
}

enum Waits {
    /// In the channel's runtime, which the future is polled in.
    Here(Pin<Box<Sleep>>),
    Elsewhere(JoinHandle<()>),
}

impl Timer {
    /// Creates a timer for a channel that was connected in `runtime`.
    pub(crate) fn until(at: Instant, runtime: Option<&Handle>) -> Self {
        let at = tokio::time::Instant::from_std(at);
        let waits = match elsewhere(runtime) {
            Some(runtime) => Waits::of_task(at, runtime),
            None => Waits::Here(Box::pin(sleep_until(at))),
        };
        Self { at, runtime: runtime.cloned(), waits }
    }

    /// Is ready once the time is there.
    ///
    /// # Errors
    /// The channel's runtime has ended.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if let Waits::Here(sleep) = &mut self.waits {
            let Some(runtime) = elsewhere(self.runtime.as_ref()) else {
                return sleep.as_mut().poll(context).map(Ok);
            };
            // The future has moved; tokio's timer would panic once its runtime has ended.
            self.waits = Waits::of_task(self.at, runtime);
        }
        let Waits::Elsewhere(task) = &mut self.waits else { return Poll::Pending };
        Pin::new(task).poll(context).map(|ended| ended.map_err(|_| runtime_ended().not_sent()))
    }
}

impl Waits {
    fn of_task(at: tokio::time::Instant, runtime: &Handle) -> Self {
        Self::Elsewhere(runtime.spawn(async move { sleep_until(at).await }))
    }
}

/// Returns a channel's runtime if this is not in it.
fn elsewhere(runtime: Option<&Handle>) -> Option<&Handle> {
    runtime.filter(|runtime| !Handle::try_current().is_ok_and(|here| here.id() == runtime.id()))
}

impl Drop for Waits {
    fn drop(&mut self) {
        if let Self::Elsewhere(task) = self {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use futures_util::FutureExt;
    use tokio::runtime::Builder;

    use super::*;

    /// Time for which a test would hang.
    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_timer_is_made_and_polled_in_any_runtime_and_in_none() {
        let of_channel = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let no_timers = Builder::new_current_thread().build().unwrap();
        let channels = Some(of_channel.handle());
        for made_in in [channels, Some(no_timers.handle()), None] {
            let made = |after: Duration| {
                let _entered = made_in.map(Handle::enter);
                Timer::until(now() + after, channels)
            };
            let mut timer = made(LONG);
            assert!(timer.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            for polled_in in [&of_channel, &no_timers] {
                let mut timer = made(LEAST);
                assert_eq!(polled_in.block_on(poll_fn(|context| timer.poll(context))).map_err(drop), Ok(()));
            }
        }
    }

    #[test]
    fn a_timer_of_a_runtime_that_has_ended_says_so() {
        let of_channel = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let no_timers = Builder::new_current_thread().build().unwrap();
        let channels = of_channel.handle().clone();
        let mut timers = [&of_channel, &no_timers].map(|runtime| {
            runtime.block_on(async {
                let mut timer = Timer::until(now() + LONG, Some(&channels));
                assert!(timer.poll(&mut Context::from_waker(Waker::noop())).is_pending());
                timer
            })
        });
        drop(of_channel);
        for timer in &mut timers {
            let ended = no_timers.block_on(poll_fn(|context| timer.poll(context)));
            assert_eq!(ended.unwrap_err().cause(), Some(Cause::Closed));
        }
        let mut late = Timer::until(now() + LONG, Some(&channels));
        let ended = poll_fn(|context| late.poll(context)).now_or_never();
        assert!(ended.is_some_and(|ended| ended.is_err()), "in no runtime");
    }
}
