//! The files of both sides in one map, so that a change can be rendered like any diagnostic.

use super::{Change, Kind};
use crate::diagnostic::{Diagnostic, Heading, Label, RenderStyle, Severity, brief_as, render_as};
use crate::source::{FileId, SourceMap, Span, offset};

/// The files of the older side, then those of the newer.
#[derive(Debug, Clone)]
pub struct Sources {
    map: SourceMap,
    /// Number of files of the older side.
    older: u32,
}

impl Sources {
    /// Takes the texts of both sides. `name` returns the display name of a file of the older side, which may have the
    /// same path as one of the newer.
    #[must_use]
    pub fn new(old: &SourceMap, new: &SourceMap, name: impl Fn(&str) -> String) -> Self {
        let mut map = SourceMap::default();
        for file in old.files() {
            map.add(name(file.path()), file.text());
        }
        for file in new.files() {
            map.add(file.path(), file.text());
        }
        Self { map, older: offset(old.files().len()) }
    }

    /// Returns all files. The spans of [`Self::diagnostic`] are into these.
    #[must_use]
    pub fn map(&self) -> &SourceMap {
        &self.map
    }

    /// Returns a change as a diagnostic: the primary place is the newer one, if there is one, and the older is related.
    #[must_use]
    pub fn diagnostic(&self, change: &Change) -> Diagnostic {
        let new = change.new.as_ref().map(|label| self.newer(label));
        let mut diagnostic = Diagnostic::new(change.code, change.message.clone()).help(change.help.clone());
        diagnostic.primary = new.or_else(|| change.old.clone());
        if change.new.is_some() {
            diagnostic.related = Vec::from_iter(change.old.clone());
        }
        diagnostic
    }

    /// Renders a change for people, as several lines without a line break at the end.
    #[must_use]
    pub fn render(&self, change: &Change, style: RenderStyle) -> String {
        let mut notes = vec![change.why.clone()];
        notes.extend(change.effects.who().map(|who| format!("it breaks {who}")));
        render_as(&self.diagnostic(change), heading(change.kind()), &notes, &self.map, style)
    }

    /// Renders a change in one line: `file:line:column: wire[D0308]: message`.
    #[must_use]
    pub fn brief(&self, change: &Change) -> String {
        brief_as(&self.diagnostic(change), heading(change.kind()), &self.map)
    }

    fn newer(&self, label: &Label) -> Label {
        let Span { file: FileId(file), start, end } = label.span;
        Label { span: Span { file: FileId(file + self.older), start, end }, text: label.text.clone() }
    }
}

fn heading(kind: Kind) -> Heading {
    let severity = match kind {
        Kind::Wire => Some(Severity::Error),
        Kind::Risk | Kind::Source => Some(Severity::Warning),
        Kind::Safe => None,
    };
    Heading { name: kind.name(), severity }
}
