//! Where a name is declared, and where it is used.

use std::rc::Rc;

use ls_types::{Location, Position};
use zsvc_idl::analysis::{Analysis, DefinitionId};
use zsvc_idl::source::{FileId, Span};

use super::super::position::offset;
use super::super::workspace::{Workspace, file_at};
use super::{Pointed, location, pointed};

/// Returns where the name at a position is declared; at the path of an import, the start of the file.
pub(in crate::lsp) fn definition(
    workspace: &mut Workspace,
    path: &str,
    position: Position,
) -> Option<Location> {
    let encoding = workspace.encoding;
    if let Some(pointed) = pointed(workspace, path, position) {
        let analysis = &pointed.view.analysis;
        let span = analysis.index.definition(pointed.definition).span;
        return location(analysis, span, &workspace.documents, encoding);
    }
    let view = workspace.view(path)?;
    let byte = offset(view.lines(encoding).byte(position));
    let holds = |span: Span| span.file == view.file && span.start <= byte && byte <= span.end;
    let import = view.analysis.index.imports.iter().find(|import| holds(import.span))?;
    let start = Span { file: import.target?, start: 0, end: 0 };
    location(&view.analysis, start, &workspace.documents, encoding)
}

/// Returns where the name at a position is used, in the whole project.
pub(in crate::lsp) fn references(
    workspace: &mut Workspace,
    path: &str,
    position: Position,
    with_declaration: bool,
) -> Option<Vec<Location>> {
    let encoding = workspace.encoding;
    let pointed = pointed(workspace, path, position)?;
    let (analysis, definition) = in_project(workspace, path, &pointed)?;
    let mut spans: Vec<Span> = uses(&analysis, definition).collect();
    if with_declaration {
        spans.extend(declarations(&analysis, definition));
    }
    spans.sort_unstable();
    let locations =
        spans.into_iter().filter_map(|span| location(&analysis, span, &workspace.documents, encoding));
    Some(locations.collect())
}

/// Returns the places in a file where the name at a position stands, its declaration included.
pub(in crate::lsp) fn highlights(
    workspace: &mut Workspace,
    path: &str,
    position: Position,
) -> Option<Vec<Location>> {
    let encoding = workspace.encoding;
    let pointed = pointed(workspace, path, position)?;
    let analysis = &pointed.view.analysis;
    let spans = uses(analysis, pointed.definition).chain(declarations(analysis, pointed.definition));
    let mut spans: Vec<Span> = spans.filter(|span| span.file == pointed.view.file).collect();
    spans.sort_unstable();
    let found = spans.into_iter().filter_map(|span| location(analysis, span, &workspace.documents, encoding));
    Some(found.collect())
}

/// Returns the analysis of the whole project, and the definition in it that a position points at.
pub(in crate::lsp) fn in_project(
    workspace: &mut Workspace,
    path: &str,
    pointed: &Pointed,
) -> Option<(Rc<Analysis>, DefinitionId)> {
    let own = &pointed.view.analysis;
    let span = own.index.definition(pointed.definition).span;
    let declared_in = own.sources.file(span.file).path().to_owned();
    let analysis = workspace.project(path);
    let file: FileId = file_at(&analysis, &declared_in)?;
    let definition = analysis.index.declared_at(Span { file, ..span })?;
    Some((analysis, definition))
}

/// Returns the spans of all uses of a definition. A package is declared in each of its files, and named by any of them.
pub(in crate::lsp) fn uses(analysis: &Analysis, definition: DefinitionId) -> impl Iterator<Item = Span> {
    let all = same(analysis, definition);
    analysis.index.uses.iter().filter(move |used| all.contains(&used.definition)).map(|used| used.span)
}

fn declarations(analysis: &Analysis, definition: DefinitionId) -> Vec<Span> {
    same(analysis, definition).iter().map(|id| analysis.index.definition(*id).span).collect()
}

/// Returns the definitions that are one thing.
fn same(analysis: &Analysis, definition: DefinitionId) -> Vec<DefinitionId> {
    use zsvc_idl::analysis::DefinitionKind::Package;
    let own = analysis.index.definition(definition);
    if own.kind != Package {
        return vec![definition];
    }
    let all = analysis.index.definitions.iter().enumerate();
    all.filter(|(_, it)| it.kind == Package && it.name == own.name)
        .map(|(index, _)| DefinitionId(index))
        .collect()
}
