//! `zsvc check FILE…`

use clap::Args;

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
    /// Reads the files; what there is to say of them is all that it does.
    pub(crate) fn run(self) -> Outcome {
        self.inputs.compile(self.report).map_or_else(|outcome| outcome, |_| Outcome::Fine)
    }
}
