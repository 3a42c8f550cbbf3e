//! `zsvc doc [FILE…] --out DIR`

use std::path::{Path, PathBuf};

use clap::Args;
use zsvc_codegen::reason;
use zsvc_idl::lint::Levels;

use super::Outcome;
use super::inputs::Inputs;
use super::report::Report;
use crate::doc;

/// The arguments of `doc`.
#[derive(Debug, Args)]
pub(crate) struct Doc {
    #[command(flatten)]
    inputs: Inputs,
    /// The folder to write into, made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Title of the site.
    #[arg(long, value_name = "TEXT", default_value = "Services")]
    title: String,
    /// Writes Markdown in place of a site.
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    report: Report,
}

impl Doc {
    /// Writes the documentation of the files.
    pub(crate) fn run(self) -> Outcome {
        self.write().map_or_else(|outcome| outcome, |()| Outcome::Fine)
    }

    fn write(self) -> Result<(), Outcome> {
        let setting = self.inputs.setting(self.report)?;
        let (schema, _) = setting.compile(&setting.files()?, &setting.levels(Levels::of_check()))?;
        let pages =
            if self.markdown { doc::markdown(&schema, &self.title) } else { doc::site(&schema, &self.title) };
        let failed = |path: &Path, error: &std::io::Error| {
            let message = format!("`{}` can't be written: {}", path.display(), reason(error));
            self.report.error(&message, "check the path and its permissions");
            Outcome::Unusable
        };
        std::fs::create_dir_all(&self.out).map_err(|error| failed(&self.out, &error))?;
        for (name, text) in pages {
            let path = self.out.join(name);
            std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }
}
