//! A server of `Ledger` in a separate process, which tests can kill, stop and continue.

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
