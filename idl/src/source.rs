//! The texts of the files of one run, and spans into them.
//!
//! Not here: how a file is found and read (`crate::load`), or how a span is shown ([`crate::diagnostic::render`]).

use std::ops::Range;

/// Maximum size of a file in bytes. A larger one is an error before any of it is parsed; the limit is far below what
/// the 32-bit offsets of a [`Span`] can address.
pub const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// A range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset of the byte after the last.
    pub end: u32,
}

/// Index of a file in its source map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// The line and column at which a span starts, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Line number, from 1.
    pub line: usize,
    /// Column, from 1, in Unicode scalar values: a tab, a wide and a combining character each count one, as in editors
    /// and `rustc`.
    pub column: usize,
}

/// One file that was read.
#[derive(Debug, Clone)]
pub struct SourceFile {
    path: String,
    text: String,
    /// Offset of the first byte of each line, ascending; never empty.
    line_starts: Vec<u32>,
    /// The imports that were found, in the order in which they are written.
    imports: Vec<FoundImport>,
}

/// An import of a file, and the file that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundImport {
    /// Span of the path as written, quotes included.
    pub span: Span,
    /// The file.
    pub file: FileId,
}

/// All files of one run, in the order in which they were first named.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl Span {
    /// Returns the span from the start of this one to the end of `other`. Both must be in the same file.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { end: other.end.max(self.end), ..self }
    }

    /// Returns the empty span right after this one.
    #[must_use]
    pub fn after(self) -> Span {
        Span { start: self.end, ..self }
    }

    /// Returns the range of bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl SourceFile {
    fn new(path: String, text: String) -> Self {
        let breaks =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| offset(at + 1));
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { path, text, line_starts, imports: Vec::new() }
    }

    /// Returns the imports that were found, in the order in which they are written. A map that was put together by hand has none.
    #[must_use]
    pub fn imports(&self) -> &[FoundImport] {
        &self.imports
    }

    /// Returns the path under which the file was read.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the text without a byte order mark. Invalid UTF-8 is replaced by U+FFFD.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the index, from 0, of the line that holds a byte.
    pub(crate) fn line_of(&self, at: u32) -> usize {
        self.line_starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// Returns the byte range of the line at an index, from 0, without its line break.
    pub(crate) fn line(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line).map_or(self.text.len(), |start| *start as usize);
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| *next as usize);
        let text = &self.text[start..end];
        let text = text.strip_suffix('\n').unwrap_or(text);
        start..start + text.strip_suffix('\r').unwrap_or(text).len()
    }
}

impl SourceMap {
    /// Adds a file. Its text must not be longer than `u32::MAX` bytes, which [`MAX_FILE_BYTES`] ensures.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(offset(self.files.len()));
        self.files.push(SourceFile::new(path.into(), text.into()));
        id
    }

    /// Says where the imports of a file lead.
    pub(crate) fn set_imports(&mut self, id: FileId, imports: Vec<FoundImport>) {
        self.files[id.0 as usize].imports = imports;
    }

    /// Returns the file of an id.
    ///
    /// # Panics
    /// Panics if the id is from another map.
    #[must_use]
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// Returns all files, in the order of their ids.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Returns the text under a span.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        &self.file(span.file).text[span.range()]
    }

    /// Returns the line and column at which a span starts.
    #[must_use]
    pub fn location(&self, span: Span) -> Location {
        let file = self.file(span.file);
        let line = file.line_of(span.start);
        let before = &file.text[file.line_starts[line] as usize..span.start as usize];
        Location { line: line + 1, column: before.chars().count() + 1 }
    }
}

/// Converts a byte offset. Files are far smaller than 4 GiB, so nothing is ever truncated.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str, at: usize) -> (usize, usize) {
        let mut map = SourceMap::default();
        let file = map.add("a.svc", text);
        let location = map.location(Span { file, start: offset(at), end: offset(at) });
        (location.line, location.column)
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(location("", 0), (1, 1));
        assert_eq!(location("a\tb", 2), (1, 3));
        assert_eq!(location("\u{4f60}x", 3), (1, 2));
        assert_eq!(location("e\u{301}x", 3), (1, 3));
    }

    #[test]
    fn lines_end_with_or_without_a_carriage_return() {
        assert_eq!(location("a\r\nb", 3), (2, 1));
        assert_eq!(location("a\nb\n", 4), (3, 1));
        assert_eq!(location("a\n\n\nb", 4), (4, 1));
    }

    #[test]
    fn a_line_is_told_without_its_break() {
        let file = SourceFile::new(String::new(), "ab\r\ncd\n".to_owned());
        assert_eq!([file.line(0), file.line(1), file.line(2)], [0..2, 4..6, 7..7]);
    }
}
