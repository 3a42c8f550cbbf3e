//! Benchmarks: measures zsvc, bare libzmq and comparable systems in one run. `README.md` describes what is measured
//! and how.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml -- compare`
//!
//! In reading order: [`command`] runs the subcommands; [`round`] takes one measure of one system once, with a server
//! and a client in separate processes ([`process`]); in the client, [`measure`] defines the measures, [`load`] makes
//! the calls, and [`system`] holds the systems; [`statistics`] turns readings into measurements ([`sample`]), which
//! [`report`] presents.

mod allocator;
mod build_time;
mod command;
mod control;
mod load;
mod measure;
mod process;
mod python;
mod report;
mod round;
mod sample;
mod statistics;
mod system;
mod usage;

/// Generated from `capnp/echo.capnp`. The generated code refers to itself by its path from the crate root.
#[path = "../capnp/echo_capnp.rs"]
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
#[rustfmt::skip]
mod echo_capnp;

use std::process::ExitCode;

use clap::Parser;

/// An error for people to read.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Installed for the whole program, but counts only while allocations are measured.
#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Measures zsvc, bare libzmq and comparable systems.
///
/// Exit status: 0 if everything was measured, however fast; 1 if something could not be measured; 2 if the arguments
/// are wrong.
#[derive(Debug, Parser)]
#[command(name = "zsvc-bench")]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // Each connection needs a file descriptor. If the limit can't be raised, opening thousands of connections reports
    // it.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    command.run().unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })
}
