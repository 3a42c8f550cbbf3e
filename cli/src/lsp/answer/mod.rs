//! The answers to a client's requests, one kind per file: functions from an analysis to values of the protocol.

pub(super) mod actions;
pub(super) mod completion;
pub(super) mod diagnostics;
pub(super) mod formatting;
pub(super) mod hover;
pub(super) mod navigation;
pub(super) mod rename;
pub(super) mod symbols;
mod values;

use ls_types::{Location, Position};
use zsvc_idl::analysis::{Analysis, DefinitionId};
use zsvc_idl::source::Span;

use super::documents::Documents;
use super::position::{Encoding, Lines, offset};
use super::workspace::{View, Workspace};

/// A definition, and the name by which it was pointed at.
pub(super) struct Pointed {
    pub(super) view: View,
    pub(super) definition: DefinitionId,
    /// Span of the name under the cursor.
    pub(super) span: Span,
}

/// Returns what a position of a file points at; `None` if there is no name.
pub(super) fn pointed(workspace: &mut Workspace, path: &str, position: Position) -> Option<Pointed> {
    let encoding = workspace.encoding;
    let view = workspace.view(path)?;
    let byte = view.lines(encoding).byte(position);
    let (definition, span) = view.analysis.index.at(view.file, offset(byte))?;
    Some(Pointed { view, definition, span })
}

/// Returns a span as the client names it; `None` if its file has no URI.
pub(super) fn location(
    analysis: &Analysis,
    span: Span,
    documents: &Documents,
    encoding: Encoding,
) -> Option<Location> {
    let file = analysis.sources.file(span.file);
    let range = Lines::of(file.text(), encoding).range(span.range());
    Some(Location::new(documents.uri(file.path())?, range))
}
