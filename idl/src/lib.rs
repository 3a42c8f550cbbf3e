//! The `.svc` language: compiles text to a [`schema::Schema`] in which every name is resolved and every rule holds.
//!
//! The stages, in order: `load` reads a file and its imports, `parse` makes a syntax tree of each, `resolve` finds what
//! each name means, `check` applies the rules, `lower` writes the schema. All stages add to one report; there is a
//! schema only if the report has no error.
//!
//! Nothing here does I/O or prints: the caller passes a [`Loader`], and [`diagnostic::render`] returns text.

pub mod analysis;
mod ast;
pub mod bundle;
mod characters;
mod check;
pub mod compat;
pub mod diagnostic;
mod format;
mod graph;
mod inherit;
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

/// The result of compiling a set of files.
#[derive(Debug)]
pub struct Compilation {
    /// The schema; `None` exactly if there is an error among the diagnostics.
    pub schema: Option<Schema>,
    /// All diagnostics, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that was read: the named files, then their imports.
    pub sources: SourceMap,
}

impl Compilation {
    /// Reports whether compilation failed, so that there is no schema.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// Reports whether a file could not be read: a named or imported file is unreadable, or a named file does not
    /// exist. The fault is then not in what any file says.
    #[must_use]
    pub fn has_unreadable_file(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.code == diagnostic::UNREADABLE_FILE)
    }
}

/// Compiles some files and all their imports. An import is searched for beside the importing file, then in each of the
/// include paths.
#[must_use]
pub fn compile(loader: &dyn Loader, files: &[String], include_paths: &[String]) -> Compilation {
    compile_with(loader, files, include_paths, &Levels::of_check())
}

/// Compiles like [`compile`], with chosen levels for the lints.
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
