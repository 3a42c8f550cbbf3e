//! The subcommands. `serve`, `drive`, `hold` and `hold-raw` are internal: they are the processes that `compare` starts.

mod child;
mod compare;
mod crowd;
mod events;
mod half_open;
mod load;
mod plan;
mod shared;
mod wakes;

use std::process::ExitCode;

use clap::Subcommand;

use crate::Failure;

pub(crate) use child::{Drive, Hold, Serve};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures all systems side by side.
    Compare(compare::Arguments),
    /// Keeps calls in flight while a profiler runs.
    Load(load::Arguments),
    /// Holds very many connections to one server.
    Crowd(crowd::Arguments),
    /// Begins handshakes that never end, and measures calls before and meanwhile.
    HalfOpen(half_open::Arguments),
    /// Publishes events to many subscribers.
    Events(events::Arguments),
    /// Publishes as many events as it is told by standard input.
    #[command(hide = true)]
    PublishEvents(events::Publish),
    /// Subscribes, and says how many events have arrived.
    #[command(hide = true)]
    SubscribeEvents(events::Subscribe),
    /// Compares types of one crate with those that another shares.
    Shared(shared::Arguments),
    /// Measures the cost of waking tasks with tokio alone.
    Wakes(wakes::Arguments),
    /// Runs a server: prints its endpoint, and serves until standard input ends.
    #[command(hide = true)]
    Serve(child::Serve),
    /// Runs a client: takes one measure, and prints the readings.
    #[command(hide = true)]
    Drive(child::Drive),
    /// Holds idle connections until standard input ends.
    #[command(hide = true)]
    Hold(child::Hold),
    /// Holds connections that are made by hand, until standard input ends.
    #[command(hide = true)]
    HoldRaw(child::HoldRaw),
}

impl Command {
    /// Runs the subcommand.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Compare(arguments) => compare::run(&arguments),
            Self::Load(arguments) => done(load::run(&arguments)),
            Self::Crowd(arguments) => done(crowd::run(&arguments)),
            Self::HalfOpen(arguments) => done(half_open::run(&arguments)),
            Self::Events(arguments) => done(events::run(&arguments)),
            Self::PublishEvents(arguments) => done(arguments.run()),
            Self::SubscribeEvents(arguments) => done(arguments.run()),
            Self::Shared(arguments) => done(shared::run(&arguments)),
            Self::Wakes(arguments) => done(wakes::run(&arguments)),
            Self::Serve(arguments) => done(arguments.run()),
            Self::Drive(arguments) => done(arguments.run()),
            Self::Hold(arguments) => done(arguments.run()),
            Self::HoldRaw(arguments) => done(arguments.run()),
        }
    }
}

fn done(result: Result<(), Failure>) -> Result<ExitCode, Failure> {
    result.map(|()| ExitCode::SUCCESS)
}
