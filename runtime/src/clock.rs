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

/// A time that a call waits for. Users await calls wherever they like: where no runtime is, a task of the channel's waits.
pub(crate) enum Timer {
    Here(Pin<Box<Sleep>>),
    Elsewhere(JoinHandle<()>),
}

impl Timer {
    /// Creates a timer for a channel that was connected in `runtime`.
    pub(crate) fn until(at: Instant, runtime: Option<&Handle>) -> Self {
        let at = tokio::time::Instant::from_std(at);
        match runtime {
            Some(runtime) if Handle::try_current().is_err() => {
                Self::Elsewhere(runtime.spawn(async move { sleep_until(at).await }))
            }
            _ => Self::Here(Box::pin(sleep_until(at))),
        }
    }

    /// Is ready once the time is there.
    ///
    /// # Errors
    /// The channel's runtime has ended.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match self {
            Self::Here(sleep) => sleep.as_mut().poll(context).map(Ok),
            Self::Elsewhere(task) => {
                Pin::new(task).poll(context).map(|ended| ended.map_err(|_| runtime_ended().not_sent()))
            }
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Self::Elsewhere(task) = self {
            task.abort();
        }
    }
}
