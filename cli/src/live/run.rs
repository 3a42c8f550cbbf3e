//! Runs a command on a runtime of one thread, until it is done or the user interrupts it.

use std::future::Future;

use super::failure::Failure;
use super::output::Closed;
use crate::command::Outcome;

/// Why a command ends before it is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A failure, to be told.
    Failed(Box<Failure>),
    /// A failure that was told already.
    Told(Outcome),
    /// Its output has no reader any more.
    Closed,
    /// The user has interrupted it.
    Interrupted,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// Runs a command, and tells what failed.
pub(crate) fn run(as_json: bool, command: impl Future<Output = Result<(), Stop>>) -> Outcome {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::unusable(format!("the system gives no runtime: {error}"));
            return failure.help("there may be too many open files").tell(as_json);
        }
    };
    let outcome = match runtime.block_on(command) {
        Ok(()) | Err(Stop::Closed) => Outcome::Fine,
        Err(Stop::Told(outcome)) => outcome,
        Err(Stop::Interrupted) => Outcome::Interrupted,
        Err(Stop::Failed(failure)) => failure.tell(as_json),
    };
    // A thread that reads standard input may wait for it forever.
    runtime.shutdown_background();
    outcome
}

/// Waits for a future, unless the user interrupts it first. The future is dropped then, which cancels its call.
pub(crate) async fn unless_interrupted<T>(future: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    tokio::select! {
        biased;
        result = future => result,
        // Where there are no signals, there is no interruption.
        Ok(()) = tokio::signal::ctrl_c() => Err(Stop::Interrupted),
    }
}
