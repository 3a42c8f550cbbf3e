//! Formats a file in the style of the language.

use ls_types::TextEdit;
use zsvc_idl::format;

use super::super::position::Lines;
use super::super::workspace::Workspace;

/// Returns the edit that brings a file into the style, of as few lines as there are between the first and the last that differ;
/// `None` if it is in the style, and also if it can't be parsed: its diagnostics tell why.
pub(in crate::lsp) fn formatting(workspace: &Workspace, path: &str) -> Option<TextEdit> {
    let formatting = format(&workspace.documents, path);
    let after = formatting.text?;
    let before = formatting.sources.files().first()?.text();
    let same = |(one, other): &(&str, &str)| one == other;
    let lines = || before.split_inclusive('\n').zip(after.split_inclusive('\n'));
    let start: usize = lines().take_while(same).map(|(line, _)| line.len()).sum();
    let (before_rest, after_rest) = (&before[start..], &after[start..]);
    let ends = before_rest.split_inclusive('\n').rev().zip(after_rest.split_inclusive('\n').rev());
    let end: usize = ends.take_while(same).map(|(line, _)| line.len()).sum();
    let replaced = start..before.len() - end;
    let text = &after[start..after.len() - end];
    if replaced.is_empty() && text.is_empty() {
        return None;
    }
    let range = Lines::of(before, workspace.encoding).range(replaced);
    Some(TextEdit::new(range, text.to_owned()))
}
