//! Gives a definition another name, in all files of the project.
//!
//! The change is tried before it is returned: where it would make a file wrong, or give a name another meaning, it is refused.

use std::collections::{BTreeMap, HashMap};

use ls_types::{
    AnnotatedTextEdit, ChangeAnnotation, DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier,
    Position, PrepareRenameResponse, TextDocumentEdit, TextEdit, WorkspaceEdit,
};
use zsvc_idl::analysis::{Analysis, Analyzer, Definition, DefinitionId, DefinitionKind, language};
use zsvc_idl::diagnostic::{Diagnostic, Severity};
use zsvc_idl::source::{FileId, Span};
use zsvc_idl::{LoadError, Loader};

use super::super::documents::Documents;
use super::super::message::Failure;
use super::super::position::Lines;
use super::super::workspace::{Scope, Workspace, file_at};
use super::{navigation, pointed};

/// Returns what is renamed at a position; `None` if there is nothing.
pub(in crate::lsp) fn prepare(
    workspace: &mut Workspace,
    path: &str,
    position: Position,
) -> Result<Option<PrepareRenameResponse>, Failure> {
    let Some(pointed) = pointed(workspace, path, position) else { return Ok(None) };
    let definition = pointed.view.analysis.index.definition(pointed.definition);
    may_be_renamed(definition)?;
    let range = pointed.view.lines(workspace.encoding).range(pointed.span.range());
    Ok(Some(PrepareRenameResponse::RangeWithPlaceholder { range, placeholder: definition.name.clone() }))
}

fn may_be_renamed(definition: &Definition) -> Result<(), Failure> {
    if definition.kind != DefinitionKind::Package {
        return Ok(());
    }
    Err(Failure::told(format!(
        "the package `{}` is part of the name of each of its methods on the wire, and clients in use call them by it: declare \
         another package beside it",
        definition.name
    )))
}

/// Returns the edits that rename what is at a position.
pub(in crate::lsp) fn rename(
    workspace: &mut Workspace,
    path: &str,
    position: Position,
    name: &str,
    annotates: bool,
) -> Result<WorkspaceEdit, Failure> {
    let nothing = || Failure::told("there is no name to change here");
    let pointed = pointed(workspace, path, position).ok_or_else(nothing)?;
    let (analysis, id) = navigation::in_project(workspace, path, &pointed).ok_or_else(nothing)?;
    let definition = analysis.index.definition(id);
    may_be_renamed(definition)?;
    may_be_name(definition, name)?;
    let effect = effect(definition);
    if let Some(effect) = effect.as_ref().filter(|effect| effect.on_wire && !annotates) {
        let why = &effect.text;
        return Err(Failure::told(format!(
            "{why}; this editor can't ask whether that is meant, so change it by hand"
        )));
    }
    let mut spans: Vec<Span> = navigation::uses(&analysis, id).chain([definition.span]).collect();
    spans.sort_unstable();
    spans.dedup();
    let scope = workspace.scope(path);
    let tried = Tried { analysis: &analysis, documents: &workspace.documents, spans: &spans, name };
    tried.check(&scope, id)?;
    Ok(edit(workspace, &analysis, &spans, name, effect.filter(|_| annotates)))
}

fn may_be_name(definition: &Definition, name: &str) -> Result<(), Failure> {
    if !language::is_name(name) {
        return Err(Failure::told(format!(
            "`{}` is no name: one consists of up to 255 ASCII letters, digits and `_`, and starts with no digit",
            super::diagnostics::cut(name.to_owned())
        )));
    }
    let is_keyword = language::KEYWORDS.iter().any(|keyword| keyword.word == name)
        || language::LITERALS.contains(&name)
        || language::builtin_types().contains(&name);
    let is_member =
        matches!(definition.kind, DefinitionKind::Field | DefinitionKind::Method | DefinitionKind::Parameter);
    if is_keyword && !is_member {
        return Err(Failure::told(format!("`{name}` is a word of the language: choose another name")));
    }
    Ok(())
}

/// What else a new name changes.
struct Effect {
    text: String,
    /// Whether programs in use stop to understand each other.
    on_wire: bool,
}

fn effect(definition: &Definition) -> Option<Effect> {
    let (name, kind) = (&definition.name, definition.kind.described());
    match definition.kind {
        DefinitionKind::Service | DefinitionKind::Method => Some(Effect {
            text: format!(
                "`{name}` is a {kind}, which calls name on the wire: clients and servers in use no longer find it"
            ),
            on_wire: true,
        }),
        DefinitionKind::Field | DefinitionKind::Value | DefinitionKind::Flag | DefinitionKind::Variant => {
            Some(Effect {
                text: format!(
                    "`{name}` is the name of a {kind}, which JSON has: what is written with it is no longer read"
                ),
                on_wire: false,
            })
        }
        _ => None,
    }
}

/// A change that is looked at before it is made.
struct Tried<'a> {
    analysis: &'a Analysis,
    documents: &'a Documents,
    spans: &'a [Span],
    name: &'a str,
}

/// The files of a project, some of them with other texts.
struct Changed<'a> {
    documents: &'a Documents,
    texts: BTreeMap<&'a str, String>,
}

impl Loader for Changed<'_> {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        match self.texts.get(path) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => self.documents.load(path),
        }
    }

    fn identity(&self, path: &str) -> Option<String> {
        self.documents.identity(path)
    }
}

impl Tried<'_> {
    /// Refuses a change after which a file has more errors than before, or names have another meaning.
    fn check(&self, scope: &Scope, id: DefinitionId) -> Result<(), Failure> {
        let changed = Changed { documents: self.documents, texts: self.texts() };
        let after = Analyzer::default().analyze(&changed, &scope.files, &scope.include, &scope.levels);
        if let Some(error) = self.new_error(&after) {
            return Err(Failure::told(format!("`{}` can't be the name: {}", self.name, error)));
        }
        let count = |analysis: &Analysis, id: DefinitionId| navigation::uses(analysis, id).count();
        let renamed = self.found_again(&after, id);
        let is_same = renamed.is_some_and(|renamed| count(&after, renamed) == count(self.analysis, id))
            && after.index.uses.len() == self.analysis.index.uses.len();
        if !is_same {
            let message = format!(
                "`{}` can't be the name: it would take the place of another where it is used",
                self.name
            );
            return Err(Failure::told(message));
        }
        Ok(())
    }

    /// Returns the changed texts by path.
    fn texts(&self) -> BTreeMap<&str, String> {
        let mut texts: BTreeMap<&str, String> = BTreeMap::new();
        // From the end, so that the places before stay.
        for span in self.spans.iter().rev() {
            let file = self.analysis.sources.file(span.file);
            let text = texts.entry(file.path()).or_insert_with(|| file.text().to_owned());
            text.replace_range(span.range(), self.name);
        }
        texts
    }

    /// Returns the message of an error that is there after the change alone.
    fn new_error(&self, after: &Analysis) -> Option<String> {
        let is_error = |diagnostic: &&Diagnostic| diagnostic.severity() == Severity::Error;
        let mut before: Vec<(&str, String)> = Vec::new();
        let told = |diagnostic: &Diagnostic, analysis: &Analysis| {
            let path = diagnostic
                .primary
                .as_ref()
                .map(|label| analysis.sources.file(label.span.file).path().to_owned());
            path.unwrap_or_default()
        };
        for diagnostic in self.analysis.diagnostics.iter().filter(is_error) {
            before.push((diagnostic.code.id(), told(diagnostic, self.analysis)));
        }
        for diagnostic in after.diagnostics.iter().filter(is_error) {
            let found = (diagnostic.code.id(), told(diagnostic, after));
            match before.iter().position(|known| *known == found) {
                Some(known) => {
                    before.swap_remove(known);
                }
                None => return Some(diagnostic.message.clone()),
            }
        }
        None
    }

    /// Returns the renamed definition, whose place has moved by the edits before it in its file.
    fn found_again(&self, after: &Analysis, id: DefinitionId) -> Option<DefinitionId> {
        let span = self.analysis.index.definition(id).span;
        let file: FileId = file_at(after, self.analysis.sources.file(span.file).path())?;
        let before =
            self.spans.iter().filter(|other| other.file == span.file && other.start < span.start).count();
        let length = i64::try_from(self.name.len()).ok()? - i64::from(span.end - span.start);
        let start = u32::try_from(i64::from(span.start) + length * i64::try_from(before).ok()?).ok()?;
        let end = start + u32::try_from(self.name.len()).ok()?;
        after.index.declared_at(Span { file, start, end })
    }
}

/// Returns the edits as the client takes them: by document, with a note on what else they change.
fn edit(
    workspace: &Workspace,
    analysis: &Analysis,
    spans: &[Span],
    name: &str,
    effect: Option<Effect>,
) -> WorkspaceEdit {
    const NOTE: &str = "effect";
    let mut files: BTreeMap<FileId, Vec<Span>> = BTreeMap::new();
    for span in spans {
        files.entry(span.file).or_default().push(*span);
    }
    let edits = |file: &FileId, spans: &[Span]| -> Vec<TextEdit> {
        let lines = Lines::of(analysis.sources.file(*file).text(), workspace.encoding);
        spans.iter().map(|span| TextEdit::new(lines.range(span.range()), name.to_owned())).collect()
    };
    let path = |file: &FileId| analysis.sources.file(*file).path();
    let Some(effect) = effect else {
        let changes = files
            .iter()
            .filter_map(|(file, spans)| Some((workspace.documents.uri(path(file))?, edits(file, spans))));
        let changes: HashMap<_, _> = changes.collect();
        return WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() };
    };
    let changes = files.iter().filter_map(|(file, spans)| {
        let uri = workspace.documents.uri(path(file))?;
        let version = workspace.documents.get(path(file)).map(|document| document.version);
        let annotated = edits(file, spans)
            .into_iter()
            .map(|text_edit| OneOf::Right(AnnotatedTextEdit { text_edit, annotation_id: NOTE.to_owned() }));
        let text_document = OptionalVersionedTextDocumentIdentifier { uri, version };
        Some(TextDocumentEdit { text_document, edits: annotated.collect() })
    });
    let note = ChangeAnnotation {
        label: if effect.on_wire { "breaks calls".to_owned() } else { "changes JSON".to_owned() },
        needs_confirmation: Some(effect.on_wire),
        description: Some(effect.text),
    };
    WorkspaceEdit {
        document_changes: Some(DocumentChanges::Edits(changes.collect())),
        change_annotations: Some(HashMap::from([(NOTE.to_owned(), note)])),
        ..WorkspaceEdit::default()
    }
}
