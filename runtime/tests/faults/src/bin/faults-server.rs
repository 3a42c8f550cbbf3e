//! A server of `Ledger` in a process of its own, for tests that do to it what happens to processes.

use clap::Parser;
use zsvc_faults::Serving;

/// Serves `Ledger`.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    serving: Serving,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Arguments::parse().serving.run()
}
