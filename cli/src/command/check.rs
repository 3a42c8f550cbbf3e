//! `zsvc check [FILE…]`

use clap::Args;
use zsvc_idl::lint::Levels;

use super::Outcome;
use super::inputs::Inputs;
use super::report::Report;

/// The arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    inputs: Inputs,
    /// The path that standard input, `-`, stands for: it is shown in messages, and imports are looked for beside it.
    #[arg(long, value_name = "FILE")]
    stdin_path: Option<String>,
    #[command(flatten)]
    report: Report,
}

impl Check {
    /// Reads the files and reports their diagnostics.
    pub(crate) fn run(self) -> Outcome {
        self.check().map_or_else(|outcome| outcome, |()| Outcome::Fine)
    }

    fn check(self) -> Result<(), Outcome> {
        let setting = self.inputs.setting(self.report)?.with_stdin(self.stdin_path)?;
        setting.compile(&setting.files()?, &setting.levels(Levels::of_check())).map(|_| ())
    }
}
