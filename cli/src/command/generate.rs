//! `zsvc gen FILE… --out DIR [--check]`

use std::path::{Path, PathBuf};

use clap::Args;
use zsvc_codegen::{Choices, Freshness, Placement, freshness, generate, reason, update};

use super::Outcome;
use super::inputs::Inputs;
use super::report::Report;

/// The arguments of `gen`.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    inputs: Inputs,
    /// The folder to write `mod.rs` into; made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Writes nothing, and fails if what is there is not what would be written.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    report: Report,
}

impl Generate {
    /// Generates, and writes or compares. A file that holds the right text already is left alone.
    pub(crate) fn run(self) -> Outcome {
        let (schema, sources) = match self.inputs.compile(self.report) {
            Ok(compiled) => compiled,
            Err(outcome) => return outcome,
        };
        let path = self.out.join("mod.rs");
        let text = generate(&schema, &Choices::default(), &sources, Placement::Module);
        if self.check { compare(&path, &text, self.report) } else { write(&path, &text, self.report) }
    }
}

fn compare(path: &Path, text: &str, report: Report) -> Outcome {
    let shown = path.display();
    let again = "generate it again with the same command, without `--check`";
    match freshness(path, text) {
        Ok(Freshness::Current) => Outcome::Fine,
        Ok(Freshness::Stale) => {
            report.error(&format!("`{shown}` is stale: its .svc files say something else by now"), again);
            Outcome::Wrong
        }
        Ok(Freshness::Missing) => {
            report.error(&format!("`{shown}` is missing"), again);
            Outcome::Wrong
        }
        Err(error) => {
            report.error(
                &format!("`{shown}` can't be read: {}", reason(&error)),
                "check the path and who may read it",
            );
            Outcome::Unusable
        }
    }
}

fn write(path: &Path, text: &str, report: Report) -> Outcome {
    match update(path, text) {
        Ok(()) => Outcome::Fine,
        Err(error) => {
            let message = format!("`{}` can't be written: {}", path.display(), reason(&error));
            report.error(&message, "check the path and who may write there");
            Outcome::Unusable
        }
    }
}
