//! Renders a diagnostic as text, with the lines that it is about. The only module that knows annotate-snippets.
//!
//! The library is passed a few lines and never a whole file, so the cost of a message does not depend on the size of
//! the file; of a very long line it gets only the part around the place.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Label, Severity};
use crate::source::{FileId, Location, SourceFile, SourceMap};

/// Maximum distance, in lines, of places of one file that are shown in one excerpt.
const MAX_EXCERPT_GAP_LINES: usize = 6;
/// Maximum length of a line in bytes; a longer line is cut.
const MAX_LINE_BYTES: usize = 4_000;
/// Number of bytes of a cut line that are shown before the place; twice as many are shown from it on.
const CUT_LINE_CONTEXT_BYTES: usize = 60;
/// Maximum length of a message, label or help in characters; a longer one is cut, since a name may have a million.
const MAX_TEXT: usize = 1_000;

/// Whether the text has ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderStyle {
    /// Without colours.
    Plain,
    /// With colours, for a terminal.
    Coloured,
}

/// What a diagnostic is headed by: `error`, `warning`, or a kind of change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heading {
    pub(crate) name: &'static str,
    /// The severity that decides its looks; `None` for a mere note.
    pub(crate) severity: Option<Severity>,
}

impl Heading {
    fn of(diagnostic: &Diagnostic) -> Self {
        let severity = diagnostic.severity();
        let name = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self { name, severity: Some(severity) }
    }

    fn level(self) -> Level<'static> {
        let level = match self.severity {
            Some(Severity::Error) => Level::ERROR,
            Some(Severity::Warning) => Level::WARNING,
            None => Level::NOTE,
        };
        level.with_name(self.name)
    }
}

/// Renders a diagnostic for people, as several lines without a line break at the end.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap, style: RenderStyle) -> String {
    render_as(diagnostic, Heading::of(diagnostic), &[], sources, style)
}

/// Renders like [`render()`] under another heading, with notes before the help.
pub(crate) fn render_as(
    diagnostic: &Diagnostic,
    heading: Heading,
    notes: &[String],
    sources: &SourceMap,
    style: RenderStyle,
) -> String {
    let mut group = heading
        .level()
        .primary_title(visible(&diagnostic.message))
        .id(diagnostic.code.id())
        .elements(Vec::<Element>::new());
    for excerpt in excerpts(diagnostic, sources) {
        group = excerpt.add_to(group);
    }
    for note in notes {
        group = group.element(Level::NOTE.message(visible(note)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    let renderer = match style {
        RenderStyle::Plain => Renderer::plain(),
        RenderStyle::Coloured => Renderer::styled(),
    };
    renderer.render(&[group])
}

/// Renders a diagnostic in one line, in a form that many editors read: `file:line:column: error[E0301]: message`.
#[must_use]
pub fn brief(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    brief_as(diagnostic, Heading::of(diagnostic), sources)
}

/// Renders like [`brief`] under another heading.
pub(crate) fn brief_as(diagnostic: &Diagnostic, heading: Heading, sources: &SourceMap) -> String {
    let place = diagnostic.primary.as_ref().map(|label| {
        let Location { line, column } = sources.location(label.span);
        format!("{}:{line}:{column}: ", visible(sources.file(label.span.file).path()))
    });
    let place = place.unwrap_or_default();
    format!("{place}{}[{}]: {}", heading.name, diagnostic.code, visible(&diagnostic.message))
}

/// Some lines of one file, and what is marked in them.
struct Excerpt<'a> {
    file: &'a SourceFile,
    id: FileId,
    /// Indices of the first and the last line, from 0, both inclusive.
    lines: (usize, usize),
    marks: Vec<(&'a Label, AnnotationKind)>,
}

/// Groups the places of a diagnostic into excerpts, those near each other together, the primary one's first.
fn excerpts<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Excerpt<'a>> {
    let primary = diagnostic.primary.iter().map(|label| (label, AnnotationKind::Primary));
    let related = diagnostic.related.iter().map(|label| (label, AnnotationKind::Context));
    let mut excerpts: Vec<Excerpt<'a>> = Vec::new();
    for (label, kind) in primary.chain(related) {
        let file = sources.file(label.span.file);
        let line = file.line_of(label.span.start);
        if let Some(excerpt) = excerpts.iter_mut().find(|excerpt| excerpt.takes(label.span.file, line)) {
            excerpt.lines = (excerpt.lines.0.min(line), excerpt.lines.1.max(line));
            excerpt.marks.push((label, kind));
        } else {
            let id = label.span.file;
            excerpts.push(Excerpt { file, id, lines: (line, line), marks: vec![(label, kind)] });
        }
    }
    excerpts
}

impl<'a> Excerpt<'a> {
    fn takes(&self, file: FileId, line: usize) -> bool {
        let is_long = |line| self.file.line(line).len() > MAX_LINE_BYTES;
        let near =
            line + MAX_EXCERPT_GAP_LINES >= self.lines.0 && line <= self.lines.1 + MAX_EXCERPT_GAP_LINES;
        let (first, last) = (self.lines.0.min(line), self.lines.1.max(line));
        self.id == file && near && !(first..=last).any(is_long)
    }

    fn add_to(self, group: Group<'a>) -> Group<'a> {
        if self.file.line(self.lines.0).len() > MAX_LINE_BYTES {
            self.add_cut_line(group)
        } else {
            self.add_lines(group)
        }
    }

    fn add_lines(self, group: Group<'a>) -> Group<'a> {
        let start = self.file.line(self.lines.0).start;
        let end = self.file.line(self.lines.1).end;
        let mut snippet = Snippet::source(&self.file.text()[start..end])
            .line_start(self.lines.0 + 1)
            .path(self.file.path());
        for (label, kind) in &self.marks {
            snippet = snippet.annotation(self.mark(label, *kind, start, end));
        }
        group.element(snippet)
    }

    /// Adds one line, of which only the part around the mark is shown. The position is printed separately, so that its
    /// column is that of the whole line.
    fn add_cut_line(self, mut group: Group<'a>) -> Group<'a> {
        let line = self.file.line(self.lines.0);
        let text = self.file.text();
        for (label, kind) in &self.marks {
            let at = (label.span.start as usize).min(line.end);
            let start = floor_char_boundary(text, at.saturating_sub(CUT_LINE_CONTEXT_BYTES).max(line.start));
            let end = ceil_char_boundary(text, (at + 2 * CUT_LINE_CONTEXT_BYTES).min(line.end));
            let column = text[line.start..at].chars().count() + 1;
            let origin = Origin::path(self.file.path()).line(self.lines.0 + 1).char_column(column);
            let snippet = Snippet::source(&text[start..end]).line_start(self.lines.0 + 1);
            group = group.element(origin).element(snippet.annotation(self.mark(label, *kind, start, end)));
        }
        group
    }

    /// Adds a mark, which never reaches beyond its first line.
    fn mark(
        &self,
        label: &'a Label,
        kind: AnnotationKind,
        start: usize,
        end: usize,
    ) -> annotate_snippets::Annotation<'a> {
        let line = self.file.line(self.file.line_of(label.span.start));
        let span = label.span.range();
        let from = span.start.min(line.end).clamp(start, end);
        let to = span.end.min(line.end).clamp(from, end);
        let annotation = kind.span(from - start..to - start);
        if label.text.is_empty() { annotation } else { annotation.label(visible(&label.text)) }
    }
}

/// Returns `text` without characters that would move a terminal's cursor, and cut to [`MAX_TEXT`].
fn visible(text: &str) -> String {
    let shown = text.char_indices().nth(MAX_TEXT).map_or(text, |(end, _)| &text[..end]);
    let ellipsis = if shown.len() < text.len() { "…" } else { "" };
    shown
        .chars()
        .chain(ellipsis.chars())
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}

/// Returns the last place of `text` up to `at` where a character starts. As `str::floor_char_boundary`, which needs
/// Rust 1.91.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&place| text.is_char_boundary(place)).unwrap_or(0)
}

/// Returns the first place of `text` from `at` on where a character starts, or its end.
fn ceil_char_boundary(text: &str, at: usize) -> usize {
    (at..text.len()).find(|&place| text.is_char_boundary(place)).unwrap_or(text.len())
}
