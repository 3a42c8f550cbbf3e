//! The subcommands, one per file, and what they share: arguments, reports and exit statuses.

mod check;
mod diff;
mod explain;
mod format;
mod generate;
mod git;
mod import;
mod init;
mod inputs;
mod keys;
mod lint;
mod lsp;
mod report;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks .svc files and generates Rust from them.
///
/// Exit status: 0 when all is well, 1 when a .svc file is wrong or not in the style or generated code is stale, 2 when
/// the command is used wrongly or a file can't be read or written.
#[derive(Debug, Parser)]
#[command(name = "zsvc", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What `zsvc` alone prints: where to begin.
const BEGIN: &str = "\
zsvc: services over ZeroMQ, from .svc files

  zsvc init NAME     writes a new crate with a service
  zsvc check FILE    reports what is wrong with a .svc file
  zsvc fmt FILE      writes it in the one style
  zsvc diff OLD NEW  reports which programs a change breaks
  zsvc explain CODE  explains a diagnostic

`zsvc help` lists all commands.
";

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes a new crate with a service, its server, a client and a test.
    Init(init::Init),
    /// Checks .svc files and all that they import; prints nothing when all is well.
    Check(check::Check),
    /// Reports what in .svc files is allowed but better done otherwise.
    Lint(lint::Lint),
    /// Generates Rust from .svc files and all that they import.
    Gen(generate::Generate),
    /// Writes .svc files in the one style of the language, or reports which are not in it.
    Fmt(format::Format),
    /// Reports what changes from older .svc files to newer ones, and which programs it breaks.
    Diff(diff::Diff),
    /// Writes .proto files anew as .svc files.
    Import(import::Import),
    /// Creates a pair of keys for encrypted connections, and writes both to files.
    Keygen(keys::Keygen),
    /// Looks at the files of keys.
    Key(keys::Key),
    /// Serves an editor by the Language Server Protocol, over standard input and output.
    Lsp(lsp::Lsp),
    /// Prints why there is a rule and what to do, with a wrong and a right example.
    Explain(explain::Explain),
}

impl Arguments {
    /// Runs the subcommand.
    pub(crate) fn run(self) -> Outcome {
        let Some(command) = self.command else {
            // A closed stream has no reader.
            let _ = std::io::stderr().write_all(BEGIN.as_bytes());
            return Outcome::Unusable;
        };
        match command {
            Command::Init(init) => init.run(),
            Command::Check(check) => check.run(),
            Command::Lint(lint) => lint.run(),
            Command::Gen(generate) => generate.run(),
            Command::Fmt(format) => format.run(),
            Command::Diff(diff) => diff.run(),
            Command::Import(import) => import.run(),
            Command::Keygen(keygen) => keygen.run(),
            Command::Key(key) => key.run(),
            Command::Lsp(lsp) => lsp.run(),
            Command::Explain(explain) => explain.run(),
        }
    }
}

/// The result of a command: an exit status. Of several the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// What a `.svc` file says is wrong, or generated code is stale.
    Wrong,
    /// A file can't be read or written. Wrong arguments, which clap finds, end with the same status.
    Unusable,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Wrong => 1,
            Outcome::Unusable => 2,
        })
    }
}
