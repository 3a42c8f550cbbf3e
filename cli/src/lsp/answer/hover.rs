//! What a name is: its declaration, its docs, and the Rust type that it becomes.

use ls_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};
use zsvc_codegen::rust_type;
use zsvc_idl::analysis::{Definition, DefinitionKind, Extents, Index, language};
use zsvc_idl::schema::Type;

use super::super::position::offset;
use super::super::workspace::{View, Workspace};
use super::diagnostics::cut;

/// Maximum number of lines of a declaration that are shown whole. Of a longer one its head is.
const MAX_LINES: usize = 25;

/// Returns what is known of the name at a position.
pub(in crate::lsp) fn hover(workspace: &mut Workspace, path: &str, position: Position) -> Option<Hover> {
    let encoding = workspace.encoding;
    let view = workspace.view(path)?;
    let lines = view.lines(encoding);
    let byte = lines.byte(position);
    let index = &view.analysis.index;
    let (text, span) = match index.at(view.file, offset(byte)) {
        Some((id, span)) => (described(&view, index.definition(id)), span.range()),
        None => of_language(view.text(), byte)?,
    };
    let contents = MarkupContent { kind: MarkupKind::Markdown, value: text };
    Some(Hover { contents: HoverContents::Markup(contents), range: Some(lines.range(span)) })
}

fn described(view: &View, definition: &Definition) -> String {
    let mut parts = vec![format!("```svc\n{}\n```", declaration(view, definition))];
    parts.extend(rust(&view.analysis.index, definition).map(|rust| format!("in Rust: `{rust}`")));
    let deprecated = definition.deprecated.as_ref();
    parts.extend(deprecated.map(|why| format!("**Deprecated**: {}", cut(why.clone()))));
    if !definition.docs.is_empty() {
        parts.extend(["---".to_owned(), definition.docs.clone()]);
    }
    parts.join("\n\n")
}

/// Returns the text of a declaration, without its docs.
fn declaration(view: &View, definition: &Definition) -> String {
    let source = view.analysis.sources.file(definition.span.file).text();
    let extent = Extents::of(source).at(definition.span.start as usize);
    let whole = &source[extent.code.clone()];
    let text = match definition.kind {
        DefinitionKind::Package => format!("package {};", definition.name),
        DefinitionKind::ImportAlias => whole.to_owned(),
        _ if whole.lines().count() <= MAX_LINES => unindented(source, extent.code.start, whole),
        _ => format!("{} {{ \u{2026} }}", &source[extent.head]),
    };
    cut(text)
}

/// Returns a text without the indentation of its first line.
fn unindented(source: &str, start: usize, text: &str) -> String {
    let line = source[..start].rfind('\n').map_or(0, |end| end + 1);
    let indent = &source[line..start];
    let indent = if indent.trim().is_empty() { indent } else { "" };
    let lines: Vec<&str> = text.lines().map(|line| line.strip_prefix(indent).unwrap_or(line)).collect();
    lines.join("\n")
}

/// Returns the Rust type or path of a definition, as seen from the module that is generated into.
fn rust(index: &Index, definition: &Definition) -> Option<String> {
    if definition.kind.is_type() && definition.kind != DefinitionKind::Alias
        || definition.kind == DefinitionKind::Service
    {
        return Some(path(&definition.package, &flat(&definition.full_name)));
    }
    let name = |id: zsvc_idl::schema::TypeId| {
        index.types.get(id.0 as usize).map_or_else(String::new, |ty| {
            let name = flat(&ty.name);
            if ty.package == definition.package { name } else { path(&ty.package, &name) }
        })
    };
    match definition.kind {
        DefinitionKind::Package => Some(definition.name.replace('.', "::")),
        DefinitionKind::Method | DefinitionKind::Parameter | DefinitionKind::ImportAlias => {
            let ty = definition.ty.as_ref().filter(|_| definition.kind == DefinitionKind::Parameter)?;
            Some(rust_type(ty, &name))
        }
        // A `string` constant is a text of the program.
        DefinitionKind::Constant => match definition.ty.as_ref()? {
            Type::Builtin(zsvc_idl::schema::Builtin::String) => Some("&'static str".to_owned()),
            ty => Some(rust_type(ty, &name)),
        },
        _ => Some(rust_type(definition.ty.as_ref()?, &name)),
    }
}

/// Returns the name in Rust of a type that may be inside of others.
fn flat(name: &str) -> String {
    name.replace('.', "")
}

fn path(package: &str, name: &str) -> String {
    let package = package.replace('.', "::");
    if package.is_empty() { name.to_owned() } else { format!("{package}::{name}") }
}

/// Returns what is known of a word of the language: a built-in type, or an attribute.
fn of_language(text: &str, byte: usize) -> Option<(String, std::ops::Range<usize>)> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = text.as_bytes()[..byte].iter().rev().take_while(|byte| is_word(byte)).count();
    let after = text.as_bytes()[byte..].iter().take_while(|byte| is_word(byte)).count();
    let range = byte - before..byte + after;
    let word = &text[range.clone()];
    if text[..range.start].ends_with('@') {
        let known = language::attributes().into_iter().find(|known| known.name == word)?;
        return Some((format!("```svc\n{}\n```\n\nbelongs on {}", known.example, known.belongs), range));
    }
    let line = text[..range.start].rfind('\n').map_or(0, |end| end + 1);
    let is_remark = text[line..range.start].contains("//");
    let builtin = zsvc_codegen::rust_builtin(word).filter(|_| !is_remark)?;
    Some((format!("```svc\n{word}\n```\n\nin Rust: `{builtin}`"), range))
}

/// Returns the docs of a definition for a list of completions.
pub(super) fn summary(view: &View, definition: &Definition) -> String {
    described(view, definition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_language_are_known() {
        let at = |text: &str| {
            let byte = text.find('|').expect("a place");
            of_language(&text.replacen('|', "", 1), byte).map(|(text, _)| text)
        };
        assert!(at("a: by|tes = 1").is_some_and(|text| text.contains("`zsvc::Bytes`")));
        assert!(at("@l|en(1)").is_some_and(|text| text.contains("@len(1..=12)")));
        assert!(
            at("@bytes|").is_none()
                && at("// byt|es").is_none()
                && at("|").is_none()
                && at("a| \u{4f60}").is_none()
        );
    }

    #[test]
    fn members_lose_their_indentation() {
        let source = "struct A {\n    b: u8\n        = 1;\n}";
        assert_eq!(unindented(source, 15, &source[15..33]), "b: u8\n    = 1;");
    }
}
