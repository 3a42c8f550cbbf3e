//! `zsvc man DIR`

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use zsvc_codegen::reason;

use super::report::Report;
use super::{Arguments, Outcome};

/// The arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write into, made if it is not there.
    #[arg(value_name = "DIR")]
    out: PathBuf,
}

impl Man {
    /// Writes the manual pages of the command, and of each subcommand.
    pub(crate) fn run(&self) -> Outcome {
        let written = std::fs::create_dir_all(&self.out)
            .and_then(|()| clap_mangen::generate_to(Arguments::command(), &self.out));
        match written {
            Ok(()) => Outcome::Fine,
            Err(error) => {
                let message =
                    format!("manual pages can't be written to `{}`: {}", self.out.display(), reason(&error));
                Report::default().error(&message, "check the path and its permissions");
                Outcome::Unusable
            }
        }
    }
}
