//! The subcommands, one per file, and what they share: arguments, reports and exit statuses.

#[cfg(feature = "live")]
mod bench;
#[cfg(feature = "live")]
mod call;
mod check;
mod completions;
#[cfg(feature = "live")]
mod describe;
mod diff;
#[cfg(feature = "doc")]
mod doc;
#[cfg(feature = "live")]
mod doctor;
mod explain;
mod format;
mod generate;
mod git;
#[cfg(feature = "live")]
mod health;
mod import;
mod init;
pub(crate) mod inputs;
mod keys;
mod lint;
#[cfg(feature = "live")]
mod list;
mod lsp;
mod man;
#[cfg(feature = "live")]
mod mock;
#[cfg(feature = "live")]
mod ping;
pub(crate) mod report;
mod router;
#[cfg(feature = "live")]
mod stats;
#[cfg(feature = "live")]
mod tap;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks .svc files, generates code from them, and talks to the services that they describe.
///
/// Exit status: 0 when all is well, 1 when a .svc file is wrong or not in the style or generated code is stale, or a call ends in
/// an error that its method declares, 2 when the command is used wrongly or a file can't be read or written. Of commands that talk to
/// a server: 3 when a call fails there, 4 when no server is reached, 5 when a deadline passes.
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
  zsvc call METHOD   calls a method of a server
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
    /// Writes the documentation of .svc files, as a site or as Markdown.
    #[cfg(feature = "doc")]
    Doc(doc::Doc),
    /// Writes .proto files anew as .svc files.
    Import(import::Import),
    /// Calls a method of a server, by the schema that the server tells or that files say.
    #[cfg(feature = "live")]
    Call(call::Call),
    /// Prints the services of a server, or of a schema.
    #[cfg(feature = "live")]
    List(list::List),
    /// Prints a service, a method or a type as its schema declares it, with its docs.
    #[cfg(feature = "live")]
    Describe(describe::Describe),
    /// Asks a server for signs of life.
    #[cfg(feature = "live")]
    Ping(ping::Ping),
    /// Prints whether a server, or one of its services, is fit to be called.
    #[cfg(feature = "live")]
    Health(health::Health),
    /// Prints what a server has done, method by method.
    #[cfg(feature = "live")]
    Stats(stats::Stats),
    /// Serves a schema with answers that are made up, or that a script says.
    #[cfg(feature = "live")]
    Mock(mock::Mock),
    /// Makes calls for some time, and prints how long they took.
    #[cfg(feature = "live")]
    Bench(bench::Bench),
    /// Shows what passes between clients and a server, as a proxy between them.
    #[cfg(feature = "live")]
    Tap(tap::Tap),
    /// Looks at the system, the keys and a server, and says what is bad and what to do.
    #[cfg(feature = "live")]
    Doctor(doctor::Doctor),
    /// Creates a pair of keys for encrypted connections, and writes both to files.
    Keygen(keys::Keygen),
    /// Looks at the files of keys.
    Key(keys::Key),
    /// Serves an editor by the Language Server Protocol, over standard input and output.
    Lsp(lsp::Lsp),
    /// Prints a script by which a shell completes this command.
    Completions(completions::Completions),
    /// Writes the manual pages of this command.
    Man(man::Man),
    /// Routes calls from one address to many workers, as a file says.
    Router(router::Router),
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
            #[cfg(feature = "doc")]
            Command::Doc(doc) => doc.run(),
            Command::Import(import) => import.run(),
            #[cfg(feature = "live")]
            Command::Call(call) => call.run(),
            #[cfg(feature = "live")]
            Command::List(list) => list.run(),
            #[cfg(feature = "live")]
            Command::Describe(describe) => describe.run(),
            #[cfg(feature = "live")]
            Command::Ping(ping) => ping.run(),
            #[cfg(feature = "live")]
            Command::Health(health) => health.run(),
            #[cfg(feature = "live")]
            Command::Stats(stats) => stats.run(),
            #[cfg(feature = "live")]
            Command::Mock(mock) => mock.run(),
            #[cfg(feature = "live")]
            Command::Bench(bench) => bench.run(),
            #[cfg(feature = "live")]
            Command::Tap(tap) => tap.run(),
            #[cfg(feature = "live")]
            Command::Doctor(doctor) => doctor.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
            Command::Keygen(keygen) => keygen.run(),
            Command::Key(key) => key.run(),
            Command::Lsp(lsp) => lsp.run(),
            Command::Router(router) => router.run(),
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
    /// A server has answered that a call has failed, other than by an error that the method declares.
    #[cfg(feature = "live")]
    Failed,
    /// No server was reached, or it was lost.
    #[cfg(feature = "live")]
    Unreached,
    /// The deadline of a call has passed.
    #[cfg(feature = "live")]
    Late,
    /// The user has interrupted the command.
    #[cfg(feature = "live")]
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Wrong => 1,
            Outcome::Unusable => 2,
            #[cfg(feature = "live")]
            Outcome::Failed => 3,
            #[cfg(feature = "live")]
            Outcome::Unreached => 4,
            #[cfg(feature = "live")]
            Outcome::Late => 5,
            // As shells have it for a program that ends by SIGINT.
            #[cfg(feature = "live")]
            Outcome::Interrupted => 130,
        })
    }
}
