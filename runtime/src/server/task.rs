//! [`Task`]: what a server does beside its calls, for as long as it serves: started with it, drained with it, and started again where it
//! fails.

use std::fmt::{self, Display};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::caught::{Caught, Panicked};
use crate::connection::Retry;
use crate::context::Draining;
use crate::telemetry;

/// What a server does beside its calls: polls a feed, writes a journal, publishes the time. See [`ServerBuilder::task`](crate::ServerBuilder::task).
pub struct Task {
    name: String,
    run: Box<dyn Fn(Draining) -> Run + Send + Sync>,
    is_fatal: bool,
    /// The longest pause before the task is started again, at first and in the end.
    pauses: (Duration, Duration),
}

/// One run of a task.
type Run = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// How a run of a task may end: with `()`, or with a `Result<(), E>` whose error can be shown.
pub trait TaskEnd: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), String>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
}

impl TaskEnd for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> TaskEnd for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

impl Task {
    /// Creates a task with a name, for the log and for errors. `run` is called once the server serves, and again after each failure: it
    /// returns what the task does, and is given a signal that the server drains, at which the task should end.
    ///
    /// A run that ends with `()` or `Ok` is done for good. One that ends with an error, or panics, is told in the log, and started again
    /// after a random pause of up to 100 ms, whose bound doubles with each failure in a row up to 30 s. A run that lasted for longer than
    /// the longest pause begins a new row.
    pub fn new<F, R, E>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(Draining) -> R + Send + Sync + 'static,
        R: Future<Output = E> + Send + 'static,
        E: TaskEnd,
    {
        let run = Box::new(move |draining| -> Run {
            let run = run(draining);
            Box::pin(async move { run.await.into_result() })
        });
        let pauses = (Duration::from_millis(100), Duration::from_secs(30));
        Self { name: name.into(), run, is_fatal: false, pauses }
    }

    /// Has the server end where the task fails: it drains, and then returns [`ServeError::Task`](crate::ServeError::Task).
    #[must_use]
    pub fn fatal(mut self) -> Self {
        self.is_fatal = true;
        self
    }

    /// Sets the longest pause before the task is started again, after the first failure and after many.
    #[must_use]
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.pauses = (first, longest.max(first));
        self
    }

    /// Runs the task until it is done, or, if it is fatal, until it fails.
    async fn supervise(self, draining: Draining) -> Result<(), Failed> {
        let Self { name, run, is_fatal, pauses } = self;
        let retry = Retry::default().pauses(pauses.0, pauses.1);
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            let why = match started(&*run, draining.clone()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(why)) => why,
                Err(Panicked) => "it panicked".to_owned(),
            };
            if is_fatal {
                return Err(Failed { task: name, reason: why });
            }
            // Nothing is begun that would be stopped at once.
            if draining.has_begun() {
                return Ok(());
            }
            failures = if began.elapsed() > pauses.1 { 1 } else { failures.saturating_add(1) };
            let pause = retry.pause(failures, None).unwrap_or(pauses.1);
            telemetry::task_failed(&name, &why, pause);
            if tokio::time::timeout(pause, draining.clone().wait()).await.is_ok() {
                return Ok(());
            }
        }
    }
}

/// Starts a run, which may panic before it is a future.
async fn started(
    run: &(dyn Fn(Draining) -> Run + Send + Sync),
    draining: Draining,
) -> Result<Result<(), String>, Panicked> {
    let run = crate::caught::caught(|| run(draining))?;
    Caught::new(run).await
}

/// A fatal task has failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) task: String,
    pub(super) reason: String,
}

/// The tasks of a server that serves. Dropping it drops them.
pub(super) struct Tasks(JoinSet<Result<(), Failed>>);

impl Tasks {
    /// Starts tasks, in the runtime of their server.
    pub(super) fn start(tasks: Vec<Task>, draining: &Draining, runtime: &tokio::runtime::Handle) -> Self {
        let mut set = JoinSet::new();
        for task in tasks {
            set.spawn_on(task.supervise(draining.clone()), runtime);
        }
        Self(set)
    }

    /// Waits until a fatal one has failed; for ever, if none does.
    pub(super) async fn failed(&mut self) -> Failed {
        while let Some(ended) = self.0.join_next().await {
            if let Ok(Err(failed)) = ended {
                return failed;
            }
        }
        std::future::pending().await
    }

    /// Waits until all have ended, for this long at most; then the rest is dropped. Returns the first fatal one that has failed
    /// meanwhile.
    pub(super) async fn end(self, runtime: &tokio::runtime::Handle, limit: Duration) -> Option<Failed> {
        let Self(mut set) = self;
        let (sender, mut failed) = oneshot::channel();
        let all = async move {
            let mut sender = Some(sender);
            while let Some(ended) = set.join_next().await {
                if let Ok(Err(failed)) = ended {
                    let _ = sender.take().map(|sender| sender.send(failed));
                }
            }
        };
        // A task, since the server may be awaited outside of any runtime, where nothing can be waited for by the clock.
        let mut waits = JoinSet::new();
        waits.spawn_on(async move { tokio::time::timeout(limit, all).await }, runtime);
        waits.join_next().await;
        failed.try_recv().ok()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("is_fatal", &self.is_fatal)
            .finish_non_exhaustive()
    }
}
