//! Formats what is between the declarations of a file: the comments above them, and blank lines.

use super::document::print;
use super::layout::Layout;
use crate::parse::{self, Node, Rule};
use crate::source::FileId;

/// A writer of one declaration after the other.
struct Writer<'a> {
    layout: Layout<'a>,
    written: String,
    /// What was written last; `None` at the start.
    last: Option<Last>,
}

/// What decides the blank lines between two declarations.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Last {
    part: Part,
    /// Whether it has more than one line.
    is_long: bool,
}

/// The kinds of items in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Package,
    Imports,
    Declarations,
}

/// Returns a file in its canonical form, or `None` if the grammar does not accept it.
pub(super) fn formatted(file: FileId, text: &str) -> Option<String> {
    let mut writer = Writer { layout: Layout::new(text), written: String::new(), last: None };
    for node in parse::declarations(file, text) {
        writer.declaration(&node?);
    }
    writer.comments(text.len());
    Some(writer.written)
}

impl Writer<'_> {
    fn declaration(&mut self, node: &Node) {
        let start = node.range.start;
        let above = self.written.len();
        self.comments(start);
        let has_blank_line = self.layout.comments.has_blank_line_before(start);
        let text = print(&self.layout.item(node));
        let this = Last { part: part(node), is_long: text.trim_end().contains('\n') };
        let needs_blank_line =
            self.last.is_some_and(|last| last.part != this.part || last.is_long || this.is_long);
        if has_blank_line {
            self.free_line();
        }
        if needs_blank_line && !has_free_line(&self.written[above..]) {
            self.written.insert(above, '\n');
        }
        self.line(&text);
        self.last = Some(this);
    }

    /// Writes the comments before a byte, each on its line, with blank lines where the author has them.
    fn comments(&mut self, start: usize) {
        while let Some(comment) = self.layout.comments.before(start) {
            if comment.has_blank_line_before {
                self.free_line();
            }
            self.line(comment.text);
        }
    }

    fn line(&mut self, text: &str) {
        self.written.push_str(text);
        self.written.push('\n');
    }

    fn free_line(&mut self) {
        if !self.written.is_empty() {
            self.written.push('\n');
        }
    }
}

/// Reports whether there is a blank line in the text between two declarations.
fn has_free_line(between: &str) -> bool {
    between.starts_with('\n') || between.contains("\n\n")
}

fn part(item: &Node) -> Part {
    let declaration = item.find(Rule::declaration).and_then(|node| node.children.first());
    match declaration.map(|node| node.rule) {
        Some(Rule::package) => Part::Package,
        Some(Rule::import) => Part::Imports,
        _ => Part::Declarations,
    }
}
