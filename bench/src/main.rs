//! Measures zsvc beside bare libzmq and beside its peers, in one run; `README.md` says what and how.
//!
//! `cargo run --release --manifest-path bench/Cargo.toml -- compare`
//!
//! In reading order: [`command`] does what the arguments say; [`round`] takes one measure of one system once, with a server and a
//! client in processes of their own ([`process`]); in the client, [`measure`] says what is done, [`load`] does it, and [`system`]
//! has the systems; [`statistics`] makes measurements of readings ([`sample`]), which [`report`] shows.

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

/// Made of `capnp/echo.capnp`. Its code looks for itself at the root of the crate.
#[path = "../capnp/echo_capnp.rs"]
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "it is as capnp generates it")]
#[rustfmt::skip]
mod echo_capnp;

use std::process::ExitCode;

use clap::Parser;

/// Why something could not be done, for people to read.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// In the whole program, but it counts only where allocations are the measure.
#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Measures zsvc beside bare libzmq and beside its peers.
///
/// Exit status: 0 when everything was measured, however fast; 1 when something could not be; 2 when the arguments are wrong.
#[derive(Debug, Parser)]
#[command(name = "zsvc-bench")]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // Thousands of connections are files; where no more are allowed, it is told when they are opened.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    command.run().unwrap_or_else(|failure| {
        eprintln!("{failure}");
        ExitCode::FAILURE
    })
}
