//! The comments of a file, taken one by one as the words around them are laid out, and the blank lines of its author.

use std::iter::Peekable;
use std::ops::Range;
use std::vec;

use crate::parse;

/// The comments that are not laid out yet, in the order of the text.
pub(super) struct Comments<'a> {
    text: &'a str,
    left: Peekable<vec::IntoIter<Range<usize>>>,
}

/// A comment on its own line.
pub(super) struct Comment<'a> {
    pub(super) text: &'a str,
    /// Whether a blank line comes before it.
    pub(super) has_blank_line_before: bool,
}

impl<'a> Comments<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let all: Vec<_> = parse::comment_ranges(text).collect();
        Self { text, left: all.into_iter().peekable() }
    }

    /// Returns the comment on the same line after a word that ends at a byte.
    pub(super) fn trailing(&mut self, end: usize) -> Option<&'a str> {
        let text = self.text;
        let is_on_line = |comment: &Range<usize>| {
            text.get(end..comment.start)
                .is_some_and(|between| between.bytes().all(|byte| matches!(byte, b' ' | b'\t')))
        };
        let comment = self.left.next_if(is_on_line)?;
        Some(text[comment].trim_ascii_end())
    }

    /// Returns the next comment if it starts before a byte.
    pub(super) fn before(&mut self, start: usize) -> Option<Comment<'a>> {
        let comment = self.left.next_if(|comment| comment.start < start)?;
        Some(Comment {
            has_blank_line_before: self.has_blank_line_before(comment.start),
            text: self.text[comment].trim_ascii_end(),
        })
    }

    /// Reports whether a blank line comes before what starts at a byte.
    pub(super) fn has_blank_line_before(&self, start: usize) -> bool {
        let space = self.text.as_bytes()[..start].iter().rev().take_while(|byte| byte.is_ascii_whitespace());
        space.filter(|byte| **byte == b'\n').count() > 1
    }
}
