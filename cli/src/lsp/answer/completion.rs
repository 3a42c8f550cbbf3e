//! What may be typed at a position: keywords where they start something, types in scope, attributes, free numbers, files.
//! Values are in [`super::values`].

use ls_types::{
    CompletionItem, CompletionItemKind, CompletionItemTag, CompletionList, CompletionTextEdit, Documentation,
    MarkupContent, MarkupKind, Position, Range, TextEdit,
};
use zsvc_idl::analysis::cursor::{Cursor, Expected, cursor};
use zsvc_idl::analysis::language::{self, Site};
use zsvc_idl::analysis::{Definition, DefinitionId, DefinitionKind};
use zsvc_idl::source::Span;

use super::super::position::offset;
use super::super::workspace::{View, Workspace, folder_of};
use super::hover;

/// Maximum number of items. Past it the client asks again as the user types on.
const MAX_ITEMS: usize = 2_000;

/// Returns what may be typed.
pub(in crate::lsp) fn completion(
    workspace: &mut Workspace,
    path: &str,
    position: Position,
) -> Option<CompletionList> {
    let encoding = workspace.encoding;
    let view = workspace.view(path)?;
    let lines = view.lines(encoding);
    let byte = lines.byte(position);
    let cursor = cursor(view.text(), byte);
    let range = lines.range(cursor.typed.clone());
    let mut items = Items { view: &view, range, found: Vec::new() };
    match &cursor.expected {
        Expected::Nothing => {}
        Expected::Start(site) => items.keywords(*site),
        Expected::Type { stream } => items.types(*stream, &cursor),
        Expected::Error => {
            items.named(&[], |it| matches!(it.kind, DefinitionKind::Error | DefinitionKind::Alias));
        }
        Expected::Service => items.named(&[], |it| it.kind == DefinitionKind::Service),
        Expected::Word(words) => words.iter().for_each(|word| items.keyword(word)),
        Expected::Number => items.number(&cursor),
        Expected::Attribute(site) => items.attributes(*site),
        Expected::Argument { attribute, value } => {
            if let Some(value) = value {
                items.arguments(attribute, value, &cursor);
            }
        }
        Expected::Value(value) => items.constant(value, &cursor),
        Expected::Import => {
            let files = workspace.project_files(path);
            let include = workspace.surroundings(path).include.clone();
            items.files(&importable(path, &files, &include));
        }
    }
    let mut found = items.found;
    let is_incomplete = found.len() > MAX_ITEMS;
    found.truncate(MAX_ITEMS);
    Some(CompletionList { is_incomplete, items: found })
}

/// Returns what a file may write to import others: their paths from its own folder, or from an include path.
fn importable(path: &str, files: &[String], include: &[String]) -> Vec<String> {
    let own = folder_of(path).to_owned();
    let folders: Vec<&String> = std::iter::once(&own).chain(include).collect();
    let from = |file: &String| {
        folders
            .iter()
            .find_map(|folder| file.strip_prefix(folder.as_str())?.strip_prefix('/').map(str::to_owned))
    };
    files.iter().filter(|file| *file != path).filter_map(from).collect()
}

pub(super) struct Items<'a> {
    pub(super) view: &'a View,
    /// What is replaced: the word or path that has been typed.
    range: Range,
    found: Vec<CompletionItem>,
}

impl Items<'_> {
    pub(super) fn add(&mut self, label: &str, kind: CompletionItemKind, item: CompletionItem) {
        let edit = TextEdit::new(self.range, item.insert_text.clone().unwrap_or_else(|| label.to_owned()));
        self.found.push(CompletionItem {
            label: label.to_owned(),
            kind: Some(kind),
            text_edit: Some(CompletionTextEdit::Edit(edit)),
            insert_text: None,
            ..item
        });
    }

    pub(super) fn keyword(&mut self, word: &str) {
        self.add(word, CompletionItemKind::KEYWORD, CompletionItem::default());
    }

    fn keywords(&mut self, site: Site) {
        for keyword in language::KEYWORDS.iter().filter(|keyword| keyword.starts.contains(&site)) {
            self.keyword(keyword.word);
        }
    }

    fn types(&mut self, stream: bool, cursor: &Cursor) {
        self.named(&self.around(cursor), |it| it.kind.is_type() && it.kind != DefinitionKind::Error);
        if stream {
            self.keyword("stream");
        }
        for word in language::builtin_types() {
            let detail = zsvc_codegen::rust_builtin(word).map(|rust| format!("in Rust: {rust}"));
            let item =
                CompletionItem { detail, sort_text: Some(format!("~{word}")), ..CompletionItem::default() };
            self.add(word, CompletionItemKind::KEYWORD, item);
        }
    }

    /// Returns the declarations around a position.
    pub(super) fn around(&self, cursor: &Cursor) -> Vec<DefinitionId> {
        let innermost = cursor.container.and_then(|byte| self.declared_at(byte));
        let index = &self.view.analysis.index;
        std::iter::successors(innermost, |id| index.definition(*id).container).collect()
    }

    /// Adds what the file can name inside of some declarations, of some kinds.
    pub(super) fn named(&mut self, around: &[DefinitionId], wanted: impl Fn(&Definition) -> bool) {
        let view = self.view;
        for visible in view.analysis.index.visible.iter().filter(|visible| visible.file == view.file) {
            for id in &visible.definitions {
                let definition = view.analysis.index.definition(*id);
                if wanted(definition) && self.found.len() <= MAX_ITEMS {
                    // What is inside of a declaration around it needs no more than its name.
                    let label = match definition.container.filter(|outer| around.contains(outer)) {
                        Some(_) => definition.name.clone(),
                        None => format!("{}{}", visible.prefix, definition.full_name),
                    };
                    self.definition(&label, definition);
                }
            }
        }
    }

    pub(super) fn definition(&mut self, label: &str, definition: &Definition) {
        let item = self.described(definition);
        self.add(label, kind(definition.kind), item);
    }

    /// Returns an item with what is known of a definition.
    pub(super) fn described(&self, definition: &Definition) -> CompletionItem {
        let documentation =
            MarkupContent { kind: MarkupKind::Markdown, value: hover::summary(self.view, definition) };
        CompletionItem {
            detail: Some(definition.kind.described().to_owned()),
            documentation: Some(Documentation::MarkupContent(documentation)),
            tags: definition.deprecated.as_ref().map(|_| vec![CompletionItemTag::DEPRECATED]),
            ..CompletionItem::default()
        }
    }

    /// Adds the number that the next member of the declaration gets.
    fn number(&mut self, cursor: &Cursor) {
        let Some(container) = cursor.container.and_then(|byte| self.declared_at(byte)) else { return };
        if let Some(free) = self.view.analysis.index.definition(container).free_number {
            let detail = Some("the next free number".to_owned());
            self.add(
                &free.to_string(),
                CompletionItemKind::VALUE,
                CompletionItem { detail, ..CompletionItem::default() },
            );
        }
    }

    fn attributes(&mut self, site: Site) {
        for attribute in language::attributes_at(site) {
            let documentation =
                format!("```svc\n{}\n```\n\nbelongs on {}", attribute.example, attribute.belongs);
            let documentation = MarkupContent { kind: MarkupKind::Markdown, value: documentation };
            let item = CompletionItem {
                detail: Some(attribute.example.to_owned()),
                documentation: Some(Documentation::MarkupContent(documentation)),
                ..CompletionItem::default()
            };
            self.add(attribute.name, CompletionItemKind::PROPERTY, item);
        }
    }

    fn files(&mut self, paths: &[String]) {
        for path in paths {
            self.add(path, CompletionItemKind::FILE, CompletionItem::default());
        }
    }

    /// Returns what is declared in this file by the name that starts at a byte.
    fn declared_at(&self, byte: usize) -> Option<DefinitionId> {
        let index = &self.view.analysis.index;
        let at = |span: Span| span.start == offset(byte);
        let mut declared = index.declared_in(self.view.file);
        declared.find(|(_, definition)| at(definition.span)).map(|(id, _)| id)
    }
}

fn kind(kind: DefinitionKind) -> CompletionItemKind {
    match kind {
        DefinitionKind::Constant => CompletionItemKind::CONSTANT,
        DefinitionKind::Enum | DefinitionKind::Flags => CompletionItemKind::ENUM,
        DefinitionKind::Value | DefinitionKind::Flag | DefinitionKind::Variant => {
            CompletionItemKind::ENUM_MEMBER
        }
        DefinitionKind::Struct => CompletionItemKind::STRUCT,
        DefinitionKind::Event => CompletionItemKind::EVENT,
        DefinitionKind::Service => CompletionItemKind::INTERFACE,
        DefinitionKind::Package | DefinitionKind::ImportAlias => CompletionItemKind::MODULE,
        DefinitionKind::Field | DefinitionKind::Parameter => CompletionItemKind::FIELD,
        DefinitionKind::Method => CompletionItemKind::METHOD,
        DefinitionKind::Alias | DefinitionKind::Union | DefinitionKind::Error => CompletionItemKind::CLASS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_folders_that_are_searched() {
        let files = ["/p/a/one.svc", "/p/a/two.svc", "/p/b/three.svc", "/q/four.svc"].map(str::to_owned);
        let found = importable("/p/a/one.svc", &files, &["/p".to_owned()]);
        assert_eq!(found, ["two.svc", "b/three.svc"]);
    }
}
