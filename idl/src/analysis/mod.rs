//! What an editor asks about files: their diagnostics, and what each name in them means, also while they are wrong.
//!
//! An [`Analyzer`] compiles files as [`crate::compile`] does, without writing a schema, and keeps what it has parsed: a file
//! whose text is as before is not parsed again. The result has the [`Index`]. Positions that have no name yet, where a user is typing,
//! are the matter of [`cursor`], which needs one text alone; [`language`] lists the words of the language.
//!
//! Nothing here does I/O, and nothing knows of a protocol of editors: places are [`Span`](crate::source::Span)s.

pub mod cursor;
mod extent;
mod index;
pub mod language;
mod uses;

pub use extent::{Extent, Extents};
pub use index::{Definition, DefinitionId, DefinitionKind, Import, Index, TypeName, Use, Visible};

use crate::check;
use crate::diagnostic::{Diagnostic, Report};
use crate::lint::{self, Levels};
use crate::load::{self, Loader, Parsed};
use crate::resolve;
use crate::source::SourceMap;

/// Analyzes the same files again and again, and keeps what it has parsed.
#[derive(Debug, Default)]
pub struct Analyzer {
    parsed: Parsed,
}

/// The result of analyzing some files.
#[derive(Debug)]
pub struct Analysis {
    /// All diagnostics, as [`crate::compile_with`] reports them.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that was read: the named files, then their imports.
    pub sources: SourceMap,
    /// What names mean.
    pub index: Index,
}

impl Analyzer {
    /// Reads some files and all their imports, as [`crate::compile_with`] does.
    ///
    /// Only files that are new, changed, or at another place in the order of files are parsed, so an analyzer is best used for
    /// one list of files. It holds their texts and trees until the next call.
    pub fn analyze(
        &mut self,
        loader: &dyn Loader,
        files: &[String],
        include_paths: &[String],
        levels: &Levels,
    ) -> Analysis {
        let mut report = Report::default();
        let program = load::load_again(loader, files, include_paths, &mut report, &mut self.parsed);
        let model = resolve::resolve(&program, &mut report);
        check::check(&model, &mut report);
        lint::lint(&model, levels, &mut report);
        let index = index::index(&model);
        let sources = self.parsed.keep(program);
        Analysis { diagnostics: report.finish(), sources, index }
    }
}
