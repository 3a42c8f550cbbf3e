//! The `.svc` language: from text to a [`schema::Schema`] in which every name is resolved and every rule holds.
//!
//! The stages, in the order in which a file goes through them: `load` reads it and what it imports, `parse` makes a
//! tree of each, `resolve` finds what each name means, `check` holds the rules against it, `lower` writes the
//! schema. All of them add to one report; a schema comes out only if there is no error in it.
//!
//! Nothing here does any I/O or prints: a [`Loader`] is handed in, and [`diagnostic::render`] gives text back.

mod ast;
mod check;
pub mod compat;
pub mod diagnostic;
mod format;
mod graph;
pub mod lint;
mod load;
mod lower;
mod parse;
mod resolve;
pub mod schema;
mod shape;
pub mod source;
pub mod suggest;
mod value;

pub use format::{Formatting, format};
pub use load::{LoadError, Loader, MemoryLoader};

use diagnostic::{Diagnostic, Report, Severity};
use lint::Levels;
use schema::Schema;
use source::SourceMap;

/// What became of some files.
#[derive(Debug)]
pub struct Compilation {
    /// What they declare; absent exactly if there is an error among the diagnostics.
    pub schema: Option<Schema>,
    /// All there is to say, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that was read: those named, then what they import.
    pub sources: SourceMap,
}

impl Compilation {
    /// There is no schema.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// A file that was named, or that an import leads to, is there but can't be read, or one that was named is not
    /// there: the fault is not in what any file says.
    #[must_use]
    pub fn has_unreadable_file(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.code == diagnostic::UNREADABLE_FILE)
    }
}

/// Compiles some files and all that they import. An import is looked for beside the file that has it, then in each of
/// the include paths.
#[must_use]
pub fn compile(loader: &dyn Loader, files: &[String], include_paths: &[String]) -> Compilation {
    compile_with(loader, files, include_paths, &Levels::of_check())
}

/// As [`compile`], with a say in which lints are looked at, and which of them are errors.
#[must_use]
pub fn compile_with(
    loader: &dyn Loader,
    files: &[String],
    include_paths: &[String],
    levels: &Levels,
) -> Compilation {
    let mut report = Report::default();
    let program = load::load(loader, files, include_paths, &mut report);
    let model = resolve::resolve(&program, &mut report);
    check::check(&model, &mut report);
    lint::lint(&model, levels, &mut report);
    let schema = if report.has_errors() { None } else { lower::lower(&model) };
    if schema.is_none() && !report.has_errors() {
        report.add(lower::contradiction());
    }
    Compilation { schema, diagnostics: report.finish(), sources: program.sources }
}

/// The example of README.md, compiled as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub mod readme {}
