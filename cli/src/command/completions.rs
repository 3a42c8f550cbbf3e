//! `zsvc completions SHELL`

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Arguments, Outcome};

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Prints what a shell completes the command by.
    pub(crate) fn run(&self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "zsvc", &mut script);
        // A closed stream has no reader.
        let _ = io::stdout().write_all(&script);
        Outcome::Fine
    }
}
