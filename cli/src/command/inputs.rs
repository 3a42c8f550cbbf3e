//! The arguments that say which files to read.

use clap::Args;
use zsvc_codegen::Disk;
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;
use zsvc_idl::{Compilation, compile};

use super::Outcome;
use super::report::Report;

/// Which files to read, and where to look for what they import.
#[derive(Debug, Args)]
pub(crate) struct Inputs {
    /// The .svc files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// A folder in which imports are looked for that are not beside the importing file; may be given several times.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    include: Vec<String>,
}

impl Inputs {
    /// Reads the files and says what is to be said about them. Without an error there is a schema.
    pub(crate) fn compile(&self, report: Report) -> Result<(Schema, SourceMap), Outcome> {
        let compilation = compile(&Disk::default(), &self.files, &self.include);
        report.diagnostics(&compilation.diagnostics, &compilation.sources);
        let unusable = compilation.has_unreadable_file();
        match compilation {
            Compilation { schema: Some(schema), sources, .. } => Ok((schema, sources)),
            Compilation { schema: None, .. } if unusable => Err(Outcome::Unusable),
            Compilation { schema: None, .. } => Err(Outcome::Wrong),
        }
    }
}
