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
    #[command(flatten)]
    report: Report,
}

impl Check {
    /// Reads the files and reports their diagnostics.
    pub(crate) fn run(self) -> Outcome {
        self.check().map_or_else(|outcome| outcome, |()| Outcome::Fine)
    }

    fn check(self) -> Result<(), Outcome> {
        let setting = self.inputs.setting(self.report)?;
        setting.compile(&setting.files()?, &setting.levels(Levels::of_check())).map(|_| ())
    }
}
