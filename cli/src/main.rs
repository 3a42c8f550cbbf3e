//! The `zsvc` command: checks `.svc` files and generates Rust from them.
//!
//! Turns arguments into an exit status; the subcommands are in [`command`].

#[cfg(feature = "live")]
mod bench;
mod command;
#[cfg(feature = "doc")]
mod doc;
#[cfg(feature = "live")]
mod doctor;
#[cfg(feature = "import")]
mod import;
mod init;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "lsp")]
mod lsp;
#[cfg(feature = "live")]
mod mock;
#[cfg(feature = "router")]
mod router;
#[cfg(feature = "live")]
mod tap;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::Arguments::parse().run().into()
}
