//! The `zsvc` command: checks `.svc` files and generates Rust from them.
//!
//! Here is the way from arguments to an exit status; what each subcommand does is in [`command`].

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Arguments::parse().run().into()
}
