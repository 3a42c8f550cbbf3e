//! Formats `.svc` files in one canonical style: the words and comments stay, white space changes.
//!
//! docs/language.md documents the style under "Format". A file goes from [`crate::parse`]'s tokens through [`layout`],
//! which says where lines may end, to [`document`], which says where they do; [`file`] writes what is between
//! declarations. Before the result is returned, it is checked that no token was lost.

mod comments;
mod document;
mod file;
mod layout;

use crate::diagnostic::{self, Diagnostic, Report};
use crate::load::{self, Loader};
use crate::parse;
use crate::source::{FileId, SourceMap, Span};

/// The result of formatting one file.
#[derive(Debug)]
pub struct Formatting {
    /// The file in the canonical style; `None` exactly if it can't be parsed.
    pub text: Option<String>,
    /// Why there is no text: what [`crate::compile`] reports about the form of the file. Otherwise empty.
    pub diagnostics: Vec<Diagnostic>,
    /// The file, unless it does not exist.
    pub sources: SourceMap,
}

impl Formatting {
    /// Reports whether the file can't be read, so that the fault is not in what it says.
    #[must_use]
    pub fn has_unreadable_file(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.code == diagnostic::UNREADABLE_FILE)
    }
}

/// Formats one file. Names need not be known and rules need not hold, but the grammar must accept it. Formatting is
/// idempotent and does not change what a file means.
#[must_use]
pub fn format(loader: &dyn Loader, path: &str) -> Formatting {
    let mut report = Report::default();
    let mut sources = SourceMap::default();
    let file = load::one(loader, path, &mut sources, &mut report);
    let text = file.and_then(|file| formatted(file, sources.file(file).text(), &mut report));
    Formatting { text, diagnostics: report.finish(), sources }
}

fn formatted(file: FileId, text: &str, report: &mut Report) -> Option<String> {
    let Some(formatted) = file::formatted(file, text) else {
        parse::parse(file, text, report);
        if !report.has_errors() {
            report.add(contradiction(file, "what can't be formatted has no mistake of form"));
        }
        return None;
    };
    // White space, and commas at the ends of lists, may differ.
    if !parse::words(text).eq(parse::words(&formatted)) {
        report.add(contradiction(file, "formatting would change more than space"));
        return None;
    }
    Some(formatted)
}

/// Returns the diagnostic of an internal error, which is never the user's fault. The file stays as it is.
fn contradiction(file: FileId, message: &str) -> Diagnostic {
    Diagnostic::new(diagnostic::CONTRADICTION, message)
        .at(Span { file, start: 0, end: 0 }, "")
        .help("this is a mistake of the formatter: please report it, with the file")
}
