//! The `zsvc` command: checks `.svc` files and generates Rust from them.
//!
//! Turns arguments into an exit status; the subcommands are in [`command`].

mod command;
#[cfg(feature = "import")]
mod import;
mod init;
#[cfg(feature = "lsp")]
mod lsp;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Arguments::parse().run().into()
}
