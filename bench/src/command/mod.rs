//! What the program can be told to do. `serve`, `drive` and `hold` are for itself: the processes that `compare` starts.

mod child;
mod compare;
mod load;
mod plan;
mod wakes;

use std::process::ExitCode;

use clap::Subcommand;

use crate::Failure;

pub(crate) use child::{Drive, Hold, Serve};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures all systems side by side.
    Compare(compare::Arguments),
    /// Keeps calls in flight for a profiler to watch.
    Load(load::Arguments),
    /// Measures what tokio alone takes for tasks that are woken.
    Wakes(wakes::Arguments),
    /// Is a server: prints where it listens, and serves until its standard input ends.
    #[command(hide = true)]
    Serve(child::Serve),
    /// Is a client: takes one measure, and prints what it has found.
    #[command(hide = true)]
    Drive(child::Drive),
    /// Holds idle connections until its standard input ends.
    #[command(hide = true)]
    Hold(child::Hold),
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Compare(arguments) => compare::run(&arguments),
            Self::Load(arguments) => done(load::run(&arguments)),
            Self::Wakes(arguments) => done(wakes::run(&arguments)),
            Self::Serve(arguments) => done(arguments.run()),
            Self::Drive(arguments) => done(arguments.run()),
            Self::Hold(arguments) => done(arguments.run()),
        }
    }
}

fn done(result: Result<(), Failure>) -> Result<ExitCode, Failure> {
    result.map(|()| ExitCode::SUCCESS)
}
