//! Diagnostics as the protocol has them.

use ls_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location, NumberOrString,
    Uri,
};
use zsvc_idl::diagnostic::{self, Label, Severity};
use zsvc_idl::source::{FileId, SourceMap};

use super::super::documents::Documents;
use super::super::position::{Encoding, Lines};
use super::super::workspace::View;

/// Maximum length of a message in bytes. A longer one is cut: a name in it may have a million.
const MAX_MESSAGE_BYTES: usize = 2_000;

/// Name of the source of diagnostics.
pub(in crate::lsp) const SOURCE: &str = "zsvc";

/// Returns the diagnostics of a file. One of another file that also concerns this one, as where both declare the same name, is told
/// here as well: nothing else may lead to it.
pub(in crate::lsp) fn of(view: &View, documents: &Documents, encoding: Encoding) -> Vec<Diagnostic> {
    let analysis = &*view.analysis;
    let shown = Shown { sources: &analysis.sources, documents, encoding };
    let lines = view.lines(encoding);
    let told = analysis.diagnostics.iter().filter_map(|diagnostic| shown.at(diagnostic, view.file, &lines));
    told.collect()
}

/// Returns all diagnostics of some sources about one of their files.
pub(in crate::lsp) fn all(
    diagnostics: &[diagnostic::Diagnostic],
    sources: &SourceMap,
    file: FileId,
    documents: &Documents,
    encoding: Encoding,
) -> Vec<Diagnostic> {
    let shown = Shown { sources, documents, encoding };
    let lines = Lines::of(sources.file(file).text(), encoding);
    diagnostics.iter().filter_map(|diagnostic| shown.at(diagnostic, file, &lines)).collect()
}

/// Returns one diagnostic, if it concerns a file.
pub(in crate::lsp) fn one(
    diagnostic: &diagnostic::Diagnostic,
    view: &View,
    lines: &Lines,
    documents: &Documents,
    encoding: Encoding,
) -> Option<Diagnostic> {
    Shown { sources: &view.analysis.sources, documents, encoding }.at(diagnostic, view.file, lines)
}

struct Shown<'a> {
    sources: &'a SourceMap,
    documents: &'a Documents,
    encoding: Encoding,
}

impl Shown<'_> {
    fn at(&self, diagnostic: &diagnostic::Diagnostic, file: FileId, lines: &Lines) -> Option<Diagnostic> {
        let labels: Vec<&Label> = diagnostic.primary.iter().chain(&diagnostic.related).collect();
        let here = labels.iter().position(|label| label.span.file == file);
        // What has no place concerns the file that was asked for.
        if here.is_none() && !labels.is_empty() {
            return None;
        }
        let range = here.map(|here| lines.range(labels[here].span.range())).unwrap_or_default();
        let others = labels.iter().enumerate().filter(|(index, _)| Some(*index) != here);
        let related = others.filter_map(|(_, label)| self.related(label, file, lines)).collect::<Vec<_>>();
        let mut message = diagnostic.message.clone();
        if let Some(label) =
            here.map(|here| &labels[here].text).filter(|text| !message.contains(text.as_str()))
        {
            message = format!("{message}: {label}");
        }
        if let Some(help) = &diagnostic.help {
            message = format!("{message}\nhelp: {help}");
        }
        Some(Diagnostic {
            range,
            severity: Some(match diagnostic.severity() {
                Severity::Error => DiagnosticSeverity::ERROR,
                Severity::Warning => DiagnosticSeverity::WARNING,
            }),
            code: Some(NumberOrString::String(diagnostic.code.id().to_owned())),
            source: Some(SOURCE.to_owned()),
            message: cut(message),
            related_information: (!related.is_empty()).then_some(related),
            tags: tags(diagnostic.code.id()),
            ..Diagnostic::default()
        })
    }

    fn related(&self, label: &Label, own: FileId, lines: &Lines) -> Option<DiagnosticRelatedInformation> {
        let file = self.sources.file(label.span.file);
        let uri: Uri = self.documents.uri(file.path())?;
        let range = if label.span.file == own {
            lines.range(label.span.range())
        } else {
            Lines::of(file.text(), self.encoding).range(label.span.range())
        };
        let message = if label.text.is_empty() { "here".to_owned() } else { label.text.clone() };
        Some(DiagnosticRelatedInformation { location: Location::new(uri, range), message: cut(message) })
    }
}

/// Returns the tags of findings that editors draw in their own way.
fn tags(code: &str) -> Option<Vec<DiagnosticTag>> {
    match code {
        "W0103" | "W0104" | "W0105" | "E0005" => Some(vec![DiagnosticTag::UNNECESSARY]),
        "W0112" => Some(vec![DiagnosticTag::DEPRECATED]),
        _ => None,
    }
}

/// Shortens a message.
pub(in crate::lsp) fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let mut end = MAX_MESSAGE_BYTES;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('\u{2026}');
    }
    message
}
