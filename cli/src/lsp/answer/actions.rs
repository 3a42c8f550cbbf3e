//! Quick fixes: what the help of a diagnostic says, where that is known to the letter.

use std::collections::HashMap;

use ls_types::{CodeAction, CodeActionKind, CodeActionOrCommand, Range, TextEdit, WorkspaceEdit};
use zsvc_idl::analysis::Extents;
use zsvc_idl::diagnostic::{Diagnostic, Suggestion};
use zsvc_idl::source::Span;

use super::super::workspace::{View, Workspace};
use super::diagnostics;

/// Maximum number of fixes for one range.
const MAX_ACTIONS: usize = 50;

/// Returns the fixes of the diagnostics that touch a range.
pub(in crate::lsp) fn actions(
    workspace: &mut Workspace,
    path: &str,
    range: Range,
) -> Vec<CodeActionOrCommand> {
    let encoding = workspace.encoding;
    let Some(view) = workspace.view(path) else { return Vec::new() };
    let lines = view.lines(encoding);
    let asked = lines.byte(range.start)..lines.byte(range.end);
    let touches = |span: Span| {
        span.file == view.file && span.range().start <= asked.end && asked.start <= span.range().end
    };
    let told = view.analysis.diagnostics.iter();
    let told = told.filter(|it| it.primary.as_ref().is_some_and(|label| touches(label.span)));
    let fixes = told.filter_map(|diagnostic| {
        let fix = fix(&view, diagnostic)?;
        let shown = diagnostics::one(diagnostic, &view, &lines, &workspace.documents, encoding)?;
        let uri = workspace.documents.uri(path)?;
        let edit = TextEdit::new(lines.range(fix.span.range()), fix.text.clone());
        let changes = HashMap::from([(uri, vec![edit])]);
        Some(CodeActionOrCommand::CodeAction(CodeAction {
            title: title(&view, &fix),
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![shown]),
            edit: Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }),
            is_preferred: Some(true),
            ..CodeAction::default()
        }))
    });
    fixes.take(MAX_ACTIONS).collect()
}

/// Returns what to write.
fn fix(view: &View, diagnostic: &Diagnostic) -> Option<Suggestion> {
    if let Some(suggestion) = &diagnostic.suggestion {
        return (suggestion.span.file == view.file).then(|| suggestion.clone());
    }
    // An import that is there twice or in vain goes as a whole, with its line.
    if !matches!(diagnostic.code.id(), "E0005" | "W0103") {
        return None;
    }
    let span = diagnostic.primary.as_ref()?.span;
    let extent = Extents::of(view.text()).at(span.start as usize).code;
    let rest = &view.text()[extent.end..];
    let line_break = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    let bytes = |at: usize| u32::try_from(at).ok();
    let span = Span { start: bytes(extent.start)?, end: bytes(extent.end + line_break)?, ..span };
    Some(Suggestion { span, text: String::new() })
}

fn title(view: &View, fix: &Suggestion) -> String {
    let there = view.analysis.sources.text(fix.span).trim();
    let shown = |text: &str| diagnostics::cut(text.lines().next().unwrap_or_default().to_owned());
    match (there.is_empty(), fix.text.is_empty()) {
        (true, _) => format!("add `{}`", shown(&fix.text)),
        (false, true) => format!("remove `{}`", shown(there)),
        (false, false) => format!("replace `{}` by `{}`", shown(there), shown(&fix.text)),
    }
}
