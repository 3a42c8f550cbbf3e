//! Collects diagnostics, bounds their number, and sorts them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Diagnostic, Severity, codes};
use crate::source::{FileId, Span};

/// Maximum number of errors, and of warnings, that are reported for one file. The rest is counted.
const MAX_PER_FILE: usize = 100;

/// The diagnostics so far. At most [`MAX_PER_FILE`] of one file and code are kept: rules report in the order of the
/// text, so these suffice to find the first ones over all codes, and a file of millions of mistakes costs little.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    kept: Vec<Diagnostic>,
    counts: BTreeMap<(Option<FileId>, Code), usize>,
    /// The lints that are errors in this run; applies to all diagnostics of a code.
    denied: BTreeSet<Code>,
}

impl Report {
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        let file = diagnostic.primary.as_ref().map(|label| label.span.file);
        let count = self.counts.entry((file, diagnostic.code)).or_default();
        *count += 1;
        if diagnostic.severity() != diagnostic.code.severity() {
            self.denied.insert(diagnostic.code);
        }
        if *count <= MAX_PER_FILE || file.is_none() {
            self.kept.push(diagnostic);
        }
    }

    /// Adds like [`Self::add`], for a diagnostic of this file and code, which is only made if it is kept.
    pub(crate) fn add_with(&mut self, file: FileId, code: Code, make: impl FnOnce(Code) -> Diagnostic) {
        if self.is_full(file, code) {
            self.count(file, code);
        } else {
            self.add(make(code));
        }
    }

    /// Counts one more that is not kept, if [`Self::is_full`].
    pub(crate) fn count(&mut self, file: FileId, code: Code) {
        *self.counts.entry((Some(file), code)).or_default() += 1;
    }

    /// Reports whether no more of this code and file are kept, so that computing a costly help would be wasted.
    pub(crate) fn is_full(&self, file: FileId, code: Code) -> bool {
        self.counts.get(&(Some(file), code)).is_some_and(|count| *count >= MAX_PER_FILE)
    }

    /// Adds all of another report, which is about a file that this one has nothing of.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.kept.extend(other.kept.iter().cloned());
        for (place, count) in &other.counts {
            *self.counts.entry(*place).or_default() += count;
        }
        self.denied.extend(&other.denied);
    }

    fn severity(&self, code: Code) -> Severity {
        if self.denied.contains(&code) { Severity::Error } else { code.severity() }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.counts.keys().any(|(_, code)| self.severity(*code) == Severity::Error)
    }

    /// Returns the diagnostics sorted by file and position; those without a place come first. Past the limit, one
    /// diagnostic tells how many more there are.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let totals = self.totals();
        self.kept.sort_by_key(|diagnostic| (place(diagnostic), diagnostic.code));
        let mut told: BTreeMap<(Option<FileId>, Severity), usize> = BTreeMap::new();
        let mut finished: Vec<Diagnostic> = Vec::new();
        for diagnostic in self.kept {
            let file = diagnostic.primary.as_ref().map(|label| label.span.file);
            let count = told.entry((file, diagnostic.severity())).or_default();
            *count += 1;
            if *count <= MAX_PER_FILE || file.is_none() {
                finished.push(diagnostic);
            }
        }
        for ((file, severity), total) in totals.into_iter().filter(|(_, total)| *total > MAX_PER_FILE) {
            insert_rest(&mut finished, file, severity, total - MAX_PER_FILE);
        }
        finished
    }

    fn totals(&self) -> BTreeMap<(FileId, Severity), usize> {
        let mut totals = BTreeMap::new();
        for ((file, code), count) in &self.counts {
            if let Some(file) = file {
                *totals.entry((*file, self.severity(*code))).or_default() += count;
            }
        }
        totals
    }
}

fn place(diagnostic: &Diagnostic) -> Option<Span> {
    diagnostic.primary.as_ref().map(|label| label.span)
}

/// Inserts "N more" after the last diagnostic of its kind.
fn insert_rest(diagnostics: &mut Vec<Diagnostic>, file: FileId, severity: Severity, rest: usize) {
    let is_of = |diagnostic: &Diagnostic| {
        diagnostic.severity() == severity && place(diagnostic).is_some_and(|span| span.file == file)
    };
    let Some(last) = diagnostics.iter().rposition(is_of) else { return };
    let Some(span) = place(&diagnostics[last]) else { return };
    let (code, what) = match severity {
        Severity::Error => (codes::MORE_ERRORS, "error"),
        Severity::Warning => (codes::MORE_WARNINGS, "warning"),
    };
    let plural = if rest == 1 { "" } else { "s" };
    let more = Diagnostic::new(code, format!("{rest} more {what}{plural} in this file"))
        .at(span.after(), format!("the last {what} that is shown"))
        .help("mend these first: the rest may go with them");
    diagnostics.insert(last + 1, more);
}
