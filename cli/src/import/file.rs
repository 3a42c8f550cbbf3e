//! One `.svc` file from one `.proto` file: its package, imports and declarations.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use protox::prost_reflect::prost_types::UninterpretedOption;

use super::comments::Comments;
use super::draft::Draft;
use super::index::{Index, prefix};
use super::literal::string;
use super::source::Source;
use super::unsaid::Said;
use super::{Note, Presence, names};

/// Tags of the parts of a file, which are the first numbers of their paths.
mod tag {
    pub(super) const PACKAGE: i32 = 2;
    pub(super) const DEPENDENCY: i32 = 3;
    pub(super) const MESSAGE: i32 = 4;
    pub(super) const ENUM: i32 = 5;
    pub(super) const SERVICE: i32 = 6;
    pub(super) const EXTENSION: i32 = 7;
    pub(super) const OPTIONS: i32 = 8;
    pub(super) const SYNTAX: i32 = 12;
}

/// A file that was written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// Names of the `.proto` files whose types it uses.
    pub(crate) imports: BTreeSet<String>,
    pub(crate) notes: Vec<Note>,
}

/// The file that is being written.
#[derive(Debug)]
pub(crate) struct File<'a> {
    pub(crate) source: &'a Source,
    pub(crate) index: &'a Index,
    pub(crate) presence: Presence,
    pub(crate) comments: Comments<'a>,
    /// Offsets of the starts of lines.
    lines: Vec<usize>,
    /// Where in the text everything is, by its path in the descriptor.
    spans: BTreeMap<&'a [i32], Vec<Range<usize>>>,
    pub(crate) draft: Draft,
    /// Name of the message that is being written, after those around it; empty between declarations.
    pub(crate) around: String,
    /// Docs of a field whose other comments are written already.
    pub(crate) pending_docs: Vec<String>,
    imports: BTreeSet<String>,
    notes: Vec<Note>,
}

/// A part of the file, with what stands around it.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Path in the descriptor.
    pub(crate) path: Vec<i32>,
    pub(crate) span: Range<usize>,
    /// Where the part before it ends.
    pub(crate) from: usize,
    /// The comments after it, on its last line.
    pub(crate) behind: Vec<String>,
}

/// Returns a file in the language, without layout.
pub(crate) fn write(source: &Source, index: &Index, presence: Presence) -> Written {
    let lines = lines(&source.text);
    let mut file = File {
        source,
        index,
        presence,
        comments: Comments::new(&source.text),
        spans: spans(source, &lines),
        lines,
        draft: Draft::default(),
        around: String::new(),
        pending_docs: Vec::new(),
        imports: BTreeSet::new(),
        notes: Vec::new(),
    };
    let head = file.head();
    // Imports are known when all types were written.
    let above = std::mem::take(&mut file.draft);
    file.declarations(head);
    let below = std::mem::replace(&mut file.draft, above);
    file.import_lines();
    let text = file.draft.into_text() + "\n" + &below.into_text();
    Written { text, imports: file.imports, notes: file.notes }
}

impl<'a> File<'a> {
    /// Returns the place of a part, or an empty one if it has none.
    pub(crate) fn span(&self, path: &[i32]) -> Range<usize> {
        self.all_spans(path).first().cloned().unwrap_or(0..0)
    }

    /// Returns the places of all parts with a path: statements of one kind share it.
    pub(crate) fn all_spans(&self, path: &[i32]) -> &[Range<usize>] {
        self.spans.get(path).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn text(&self, span: Range<usize>) -> &'a str {
        self.source.text.get(span).unwrap_or_default()
    }

    /// Notes that something at a place can't be said.
    pub(crate) fn note(&mut self, at: usize, text: String) {
        let line = self.lines.partition_point(|start| *start <= at);
        self.notes.push(Note { file: self.source.name.clone(), line, text });
    }

    /// Notes that a type of another file is used.
    pub(crate) fn uses(&mut self, file: &str) {
        if file != self.source.name {
            self.imports.insert(file.to_owned());
        }
    }

    /// Returns parts in the order in which they stand. `start` is where the first may start.
    pub(crate) fn parts(&self, paths: impl IntoIterator<Item = Vec<i32>>, start: usize) -> Vec<Part> {
        let paths: BTreeSet<Vec<i32>> = paths.into_iter().collect();
        let mut found: Vec<(Range<usize>, Vec<i32>)> = Vec::new();
        for path in paths {
            found.extend(self.all_spans(&path).iter().map(|span| (span.clone(), path.clone())));
        }
        found.sort_by_key(|(span, path)| (span.start, path.clone()));
        let mut from = start;
        let parts = found.into_iter().map(|(span, path)| {
            let behind = self.comments.behind(span.end);
            let part = Part { path, from, behind, span: span.clone() };
            from = from.max(span.end);
            part
        });
        parts.collect()
    }

    /// Writes the comments around a part, the last of them as docs.
    pub(crate) fn comments_of(&mut self, part: &Part, inside: Range<usize>) {
        let above = self.comments.above(part.from, part.span.start);
        self.draft.detached(&above);
        let inside = self.comments.inside(inside);
        self.draft.comment(&inside);
        self.draft.docs(&above.docs);
        self.draft.docs(&part.behind);
    }

    /// Writes the comments around a part which is written as something that takes no docs.
    pub(crate) fn plain_comments_of(&mut self, part: &Part) {
        let above = self.comments.above(part.from, part.span.start);
        self.draft.detached(&above);
        self.draft.comment(&above.docs);
        self.draft.comment(&part.behind);
        // Those inside are shown with its text.
        self.comments.inside(part.span.clone());
    }

    /// Writes what stands before a declaration with a body: comments, and what the language can't say of its options. Returns where
    /// the body starts, and what the options say. `name` and `options` are the tags of these parts of the declaration.
    pub(crate) fn head_of(
        &mut self,
        part: &Part,
        name: i32,
        options: i32,
        written: &[UninterpretedOption],
    ) -> (usize, Said) {
        let body = self.body(part, name);
        let behind = self.comments.behind(body);
        let above = self.comments.above(part.from, part.span.start);
        self.draft.detached(&above);
        let said = self.options(&[&part.path[..], &[options]].concat(), written);
        let inside = self.comments.inside(part.span.start..body);
        self.draft.comment(&inside);
        for docs in [&above.docs, &behind, &part.behind] {
            self.draft.docs(docs);
        }
        (body, said)
    }

    /// Returns the place after the brace that opens a part, whose name is at a path.
    pub(crate) fn body(&self, part: &Part, name: i32) -> usize {
        let mut path = part.path.clone();
        path.push(name);
        let after = self.span(&path).end.max(part.span.start);
        let rest = self.text(after..part.span.end);
        rest.find('{').map_or(part.span.end, |at| after + at + 1)
    }

    /// Writes the comments that are left at the end of a block.
    pub(crate) fn rest(&mut self, parts: &[Part], body: usize, end: usize) {
        let last = parts.iter().map(|part| part.span.end).max().unwrap_or(body);
        let rest = self.comments.inside(last..end);
        self.draft.comment(&rest);
    }

    /// Writes what is above the imports. Returns where the declarations start.
    fn head(&mut self) -> usize {
        let file = &self.source.written;
        let syntax = self.parts([vec![tag::SYNTAX]], 0);
        for part in &syntax {
            self.plain_comments_of(part);
        }
        if !syntax.is_empty() {
            self.draft.blank();
        }
        let start = syntax.last().map_or(0, |part| part.span.end);
        let package = self.parts([vec![tag::PACKAGE]], start);
        if let Some(part) = package.first() {
            self.comments_of(part, part.span.clone());
        } else {
            self.note(0, "the file has no package, so it gets one of its own name".to_owned());
        }
        let name = package_name(file.package(), &self.source.name);
        self.draft.line(&format!("package {name};"));
        self.draft.blank();
        let start = package.last().map_or(start, |part| part.span.end);
        let imports = (0..file.dependency.len()).filter_map(|at| i32::try_from(at).ok());
        let imports = self.parts(imports.map(|at| vec![tag::DEPENDENCY, at]), start);
        for part in &imports {
            self.plain_comments_of(part);
        }
        let options = self.all_spans(&[tag::OPTIONS]).iter().map(|span| span.end);
        let end = imports.iter().map(|part| part.span.end).chain(options);
        let first = self.declared().map(|path| self.span(&path).start).filter(|start| *start > 0).min();
        let end = end.filter(|end| first.is_none_or(|first| *end <= first)).max().unwrap_or(start).max(start);
        let above_options = self.comments.above(start, end);
        self.draft.detached(&above_options);
        self.draft.comment(&above_options.docs);
        end
    }

    fn import_lines(&mut self) {
        let own = names::svc_path(&self.source.name);
        let paths: Vec<String> = self.imports.iter().map(|name| names::svc_path(name)).collect();
        if !paths.is_empty() {
            self.draft.blank();
        }
        for path in paths {
            self.draft.line(&format!("import {};", string(&names::relative(&own, &path))));
        }
    }

    /// Returns the paths of the declarations.
    fn declared(&self) -> impl Iterator<Item = Vec<i32>> + use<> {
        let file = &self.source.written;
        let kinds = [
            (tag::MESSAGE, file.message_type.len()),
            (tag::ENUM, file.enum_type.len()),
            (tag::SERVICE, file.service.len()),
        ];
        let paths = kinds.into_iter().flat_map(|(tag, count)| places(&[tag], count));
        paths.chain([vec![tag::EXTENSION]])
    }

    fn declarations(&mut self, head: usize) {
        let options = self.source.written.options.as_ref();
        let options = options.map_or(&[][..], |options| &options.uninterpreted_option);
        self.file_options(&[tag::OPTIONS], options);
        let (written, resolved) = (&self.source.written, &self.source.resolved);
        let parts = self.parts(self.declared(), head);
        for part in &parts {
            self.draft.blank();
            let place = |at: Option<&i32>| at.and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
            let at = place(part.path.get(1));
            match part.path[0] {
                tag::MESSAGE => {
                    self.message(
                        &prefix(resolved),
                        &resolved.message_type[at],
                        &written.message_type[at],
                        part,
                    );
                }
                tag::ENUM => {
                    self.enumeration(
                        &prefix(resolved),
                        &resolved.enum_type[at],
                        &written.enum_type[at],
                        part,
                    );
                }
                tag::SERVICE => self.service(&resolved.service[at], &written.service[at], part),
                _ => self.unsaid(part, "`extend`"),
            }
        }
        let left = self.comments.inside(head..self.source.text.len());
        self.draft.blank();
        self.draft.comment(&left);
    }
}

/// Returns the paths of parts of one kind.
pub(crate) fn places(path: &[i32], count: usize) -> impl Iterator<Item = Vec<i32>> + use<> {
    let path = path.to_vec();
    let numbers = (0..count).filter_map(|at| i32::try_from(at).ok());
    numbers.map(move |at| path.iter().copied().chain([at]).collect())
}

/// Returns the package of a file, which the language asks for.
pub(crate) fn package_name(package: &str, file: &str) -> String {
    if !package.is_empty() {
        return package.to_owned();
    }
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".proto");
    let name: String = stem
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '_' })
        .collect();
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) { name } else { format!("p{name}") }
}

/// Returns the offsets of the starts of lines.
fn lines(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

/// Returns the place of every part: lines and columns, which are bytes here, as offsets.
fn spans<'a>(source: &'a Source, lines: &[usize]) -> BTreeMap<&'a [i32], Vec<Range<usize>>> {
    let offset = |line: i32, column: i32| {
        let line = usize::try_from(line).ok().and_then(|line| lines.get(line)).copied().unwrap_or(0);
        (line + usize::try_from(column).unwrap_or(0)).min(source.text.len())
    };
    let mut spans: BTreeMap<&[i32], Vec<Range<usize>>> = BTreeMap::new();
    for location in source.written.source_code_info.iter().flat_map(|info| &info.location) {
        let span = match location.span[..] {
            [line, start, end] => offset(line, start)..offset(line, end),
            [line, start, last, end] => offset(line, start)..offset(last, end),
            _ => continue,
        };
        spans.entry(&location.path).or_default().push(span);
    }
    spans
}
