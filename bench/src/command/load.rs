//! `load`: keeps calls in flight for as long as a profiler needs. Client and server are children of this process.

use std::time::Duration;

use clap::Args;

use super::child::{Drive, Serve};
use crate::Failure;
use crate::load::Window;
use crate::measure::{CALL_TIMEOUT, Measure, Task};
use crate::process::{Child, Server};
use crate::sample::Reading;
use crate::system::System;

/// Keeps calls in flight.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Number of calls in flight: 1, 8, 64 or 1000.
    #[arg(value_parser = measure)]
    in_flight: Measure,
    /// The system to load.
    #[arg(long, value_enum, default_value_t = System::Zsvc)]
    system: System,
    /// Duration in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

fn measure(in_flight: &str) -> Result<Measure, String> {
    match in_flight {
        "1" => Ok(Measure::Latency),
        "8" => Ok(Measure::InFlight8),
        "64" => Ok(Measure::InFlight64),
        "1000" => Ok(Measure::InFlight1000),
        other => Err(format!("`{other}` is not one of 1, 8, 64 and 1000")),
    }
}

/// Starts the server and makes the calls.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let server = Server::start(Serve::command(arguments.system)?)?;
    let length = Duration::from_secs(arguments.seconds);
    let task = Task {
        measure: arguments.in_flight,
        endpoint: server.listening.endpoint.clone(),
        control: server.listening.control,
        server: server.process(),
        window: Window { warm_up: Duration::from_millis(100), length },
    };
    let client = Drive::command(arguments.system, &task)?;
    let readings: Vec<Reading> = Child::start(client)?.rest(CALL_TIMEOUT + 4 * length)?;
    for reading in readings {
        println!("{}: {:.1} {}", reading.name, reading.value, reading.unit);
    }
    Ok(())
}
