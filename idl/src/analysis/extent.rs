//! Finds how far declarations and members reach: from their docs to their `;` or `}`.
//!
//! The syntax tree has spans of names only. Words and signs suffice: a declaration that is being typed has an extent, too.

use std::ops::Range;

use crate::parse::{Word, WordKind, all_words};

/// The words of one text.
#[derive(Debug)]
pub struct Extents {
    words: Vec<Word>,
    length: usize,
}

/// How far a declaration or member reaches, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// All of it, with docs and attributes.
    pub whole: Range<usize>,
    /// The same without docs and attributes.
    pub code: Range<usize>,
    /// The part up to its opening brace, or all of it.
    pub head: Range<usize>,
}

impl Extents {
    /// Splits a text into words.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self {
            words: all_words(text).filter(|word| word.kind != WordKind::Comment).collect(),
            length: text.len(),
        }
    }

    /// Returns the extent of what has its name at a byte.
    #[must_use]
    pub fn at(&self, name: usize) -> Extent {
        let at = self.words.partition_point(|word| word.range.start < name).min(self.words.len());
        let first = self.start(at);
        let code = self.without_preamble(first, at);
        let in_parentheses = first > 0 && matches!(self.words[first - 1].kind, WordKind::Sign(b'(' | b','));
        let (last, brace) = self.end(at, in_parentheses);
        let place = |index: usize| self.words.get(index).map_or(self.length, |word| word.range.start);
        let end = self.words.get(last).map_or(self.length, |word| word.range.end);
        let before_brace = brace.and_then(|brace| brace.checked_sub(1));
        let head = before_brace.map_or(end, |before| self.words[before].range.end);
        Extent { whole: place(first)..end, code: place(code)..end, head: place(code)..head }
    }

    /// Returns the index of the first word of what a word belongs to: the first after `;`, `{` or `}`, or, inside of parentheses,
    /// after `(` or `,`.
    fn start(&self, at: usize) -> usize {
        let mut closed = 0_usize;
        let mut index = at;
        while index > 0 {
            match self.words[index - 1].kind {
                WordKind::Sign(b')' | b'>') => closed += 1,
                WordKind::Sign(b'(' | b'<') if closed > 0 => closed -= 1,
                WordKind::Sign(b';' | b'{' | b'}') => break,
                WordKind::Sign(b'(' | b',') if closed == 0 => break,
                _ => {}
            }
            index -= 1;
        }
        index
    }

    /// Returns the index of the first word that is neither docs nor part of an attribute.
    fn without_preamble(&self, first: usize, name: usize) -> usize {
        let mut index = first;
        while index < name {
            match self.words[index].kind {
                WordKind::Doc => index += 1,
                WordKind::Sign(b'@') => index = self.after_attribute(index),
                _ => break,
            }
        }
        index.min(name)
    }

    /// Returns the index after an attribute that starts at an index: `@name`, with what is in parentheses.
    fn after_attribute(&self, at: usize) -> usize {
        let open = at + 2;
        if !self.words.get(open).is_some_and(|word| word.kind == WordKind::Sign(b'(')) {
            return open;
        }
        let mut depth = 0_usize;
        for (index, word) in self.words.iter().enumerate().skip(open) {
            match word.kind {
                WordKind::Sign(b'(') => depth += 1,
                WordKind::Sign(b')') if depth == 1 => return index + 1,
                WordKind::Sign(b')') => depth -= 1,
                _ => {}
            }
        }
        self.words.len()
    }

    /// Returns the index of the last word of what starts with a name, and that of its opening brace.
    fn end(&self, name: usize, in_parentheses: bool) -> (usize, Option<usize>) {
        let (mut braces, mut parentheses, mut first) = (0_usize, 0_usize, None);
        for (index, word) in self.words.iter().enumerate().skip(name) {
            match word.kind {
                WordKind::Sign(b'{') => {
                    first.get_or_insert(index);
                    braces += 1;
                }
                // The end of what surrounds it: its own is missing.
                WordKind::Sign(b'}') if braces == 0 => return (index.saturating_sub(1).max(name), first),
                WordKind::Sign(b'}') => {
                    braces -= 1;
                    // A variant's number follows after its fields.
                    let goes_on =
                        self.words.get(index + 1).is_some_and(|next| next.kind == WordKind::Sign(b'='));
                    if braces == 0 && !goes_on {
                        return (index, first);
                    }
                }
                WordKind::Sign(b';') if braces == 0 => return (index, first),
                WordKind::Sign(b'(' | b'<') => parentheses += 1,
                WordKind::Sign(b')' | b',') if in_parentheses && parentheses == 0 && braces == 0 => {
                    return (index.saturating_sub(1).max(name), first);
                }
                WordKind::Sign(b')' | b'>') => parentheses = parentheses.saturating_sub(1),
                _ => {}
            }
        }
        (self.words.len().saturating_sub(1), first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(text: &str, name: &str) -> [String; 3] {
        let at = text.find(name).expect("the name is in the text");
        let extent = Extents::of(text).at(at);
        [extent.whole, extent.code, extent.head].map(|range| text[range].to_owned())
    }

    const TEXT: &str = "package a;\n/// One.\n@meta(\"(\", \"b\") struct One { /// Two.\n two: map<u8, string> = 1; }\n\
                        union U { A { four: u8 = 1; } = 1; }\nservice S { rpc five(@len(1) six: list<u8>, seven: u8) -> u8; }\n";

    #[test]
    fn a_declaration_reaches_from_its_docs_to_its_brace() {
        let [whole, code, head] = extent(TEXT, "One {");
        assert!(whole.starts_with("/// One.") && whole.ends_with("= 1; }"), "{whole}");
        assert_eq!(code.lines().next(), Some("struct One { /// Two."));
        assert_eq!(head, "struct One");
    }

    #[test]
    fn a_member_reaches_to_its_semicolon() {
        assert_eq!(
            extent(TEXT, "two"),
            [
                "/// Two.\n two: map<u8, string> = 1;",
                "two: map<u8, string> = 1;",
                "two: map<u8, string> = 1;"
            ]
        );
        assert_eq!(extent(TEXT, "A {")[0], "A { four: u8 = 1; } = 1;");
        assert_eq!(extent(TEXT, "five")[2], "rpc five(@len(1) six: list<u8>, seven: u8) -> u8;");
    }

    #[test]
    fn a_parameter_reaches_to_its_comma() {
        assert_eq!(extent(TEXT, "six"), ["@len(1) six: list<u8>", "six: list<u8>", "six: list<u8>"]);
        assert_eq!(extent(TEXT, "seven")[0], "seven: u8");
    }

    #[test]
    fn what_is_not_finished_ends_with_the_text() {
        assert_eq!(extent("struct A { b: ", "b")[0], "b:");
        assert_eq!(extent("struct A { b: u8 }", "b")[0], "b: u8");
        assert_eq!(extent("@meta(", "meta")[0], "@meta(");
        assert_eq!(Extents::of("").at(5).whole, 0..0);
    }
}
