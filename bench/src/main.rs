//! Measures zsvc beside a bare libzmq echo: server and client in two processes, rounds interleaved, medians reported.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml -- compare`

mod bare;
mod ours;
mod server;

use std::time::Duration;

use clap::{Parser, Subcommand};

use server::ServerProcess;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures both systems, round after round.
    Compare {
        /// How many rounds.
        #[arg(long, default_value_t = 7)]
        rounds: usize,
        /// How long each measure takes in each round, in milliseconds.
        #[arg(long, default_value_t = 700)]
        millis: u64,
    },
    /// Runs a server, prints its endpoint and serves until its standard input ends.
    #[command(hide = true)]
    Serve {
        /// Which.
        system: System,
    },
    /// Makes calls of zsvc for a profiler to watch: so many in flight.
    Load {
        /// Calls in flight.
        in_flight: usize,
        /// On which runtime.
        #[arg(long, value_enum, default_value_t = System::Zsvc)]
        system: System,
        /// For how long, in seconds.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum System {
    /// zsvc on tokio's multi-thread runtime.
    Zsvc,
    /// zsvc on tokio's current-thread runtime.
    ZsvcCurrent,
    /// DEALER and ROUTER of the `zmq` crate, one message per call.
    Bare,
}

const SYSTEMS: [System; 3] = [System::Bare, System::Zsvc, System::ZsvcCurrent];

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Zsvc => "zsvc, multi-thread",
            Self::ZsvcCurrent => "zsvc, current-thread",
            Self::Bare => "bare libzmq",
        }
    }

    fn measure(self, endpoint: &str, in_flight: usize, time: Duration) -> Sample {
        match self {
            Self::Bare => bare::measure(endpoint, in_flight, time),
            Self::Zsvc | Self::ZsvcCurrent => ours::measure(self, endpoint, in_flight, time),
        }
    }
}

/// What one round of one measure came to.
struct Sample {
    /// Calls per second.
    rate: f64,
    /// The median time of a call, in microseconds.
    median: f64,
}

/// The payload of every call, in bytes.
const PAYLOAD: usize = 64;

fn main() {
    match Arguments::parse().command {
        Command::Compare { rounds, millis } => compare(rounds, Duration::from_millis(millis)),
        Command::Serve { system: System::Bare } => bare::serve(),
        Command::Serve { system } => ours::serve(system),
        Command::Load { in_flight, system, seconds } => {
            let server = ServerProcess::start(system);
            let sample = system.measure(&server.endpoint, in_flight, Duration::from_secs(seconds));
            println!("{:.0} calls/s, median {:.1} µs", sample.rate, sample.median);
        }
    }
}

fn compare(rounds: usize, time: Duration) {
    let servers: Vec<ServerProcess> = SYSTEMS.iter().map(|system| ServerProcess::start(*system)).collect();
    for in_flight in [1, 64, 1_000] {
        let mut rates = vec![Vec::new(); SYSTEMS.len()];
        let mut medians = vec![Vec::new(); SYSTEMS.len()];
        for _ in 0..rounds {
            for (index, (system, server)) in SYSTEMS.iter().zip(&servers).enumerate() {
                let sample = system.measure(&server.endpoint, in_flight, time);
                rates[index].push(sample.rate);
                medians[index].push(sample.median);
            }
        }
        println!("{in_flight} in flight, {PAYLOAD} bytes, median of {rounds} rounds");
        let bare = median(&mut rates[0].clone());
        for (index, system) in SYSTEMS.iter().enumerate() {
            let (rate, p50) = (median(&mut rates[index]), median(&mut medians[index]));
            println!(
                "  {:<22} {:>10.0} calls/s  p50 {:>8.1} µs  {:>5.2} × bare",
                system.name(),
                rate,
                p50,
                rate / bare
            );
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
