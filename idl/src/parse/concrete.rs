//! The concrete syntax of a file, every token in its place: the input of [`crate::format`].
//!
//! Unlike the tree of [`crate::ast`] it omits only white space, and nothing is known of it except that the grammar
//! accepts it. Comments are not in it; they are found by their positions.

use std::ops::Range;

use pest::iterators::Pair;

use super::token::{TokenKind, all, comments, tokens};
use super::{Parser, Rule, cut, first_pair};
use crate::diagnostic::Report;
use crate::source::FileId;

/// One grammar rule and the text that it matched. A token has no children; neither has an empty preamble.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) rule: Rule,
    /// Byte range in the file: exact for a token; for anything else it may include space at the end.
    pub(crate) range: Range<usize>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// The depth is that of the grammar, whose only recursion, types, is bounded by [`crate::ast::MAX_TYPE_DEPTH`].
    fn of(pair: Pair<Rule>, base: usize) -> Self {
        let (rule, span) = (pair.as_rule(), pair.as_span());
        let range = base + span.start()..base + span.end();
        Self { rule, range, children: pair.into_inner().map(|pair| Self::of(pair, base)).collect() }
    }

    pub(crate) fn find(&self, rule: Rule) -> Option<&Node> {
        self.children.iter().find(|child| child.rule == rule)
    }
}

/// Returns the declarations of a file, one at a time; `None` for one that the grammar does not accept.
pub(crate) fn declarations(file: FileId, text: &str) -> impl Iterator<Item = Option<Node>> {
    let tokens = tokens(text);
    let mut pieces = cut::declarations(text, &tokens).into_iter();
    // Used only to know whether the grammar may be run; errors are reported by parsing.
    let mut report = Report::default();
    std::iter::from_fn(move || {
        let piece = &tokens[pieces.next()?.tokens];
        let parser = Parser::new(file, text, &tokens, &mut report);
        if parser.obstacle(piece).is_some() {
            return Some(None);
        }
        let (base, text) = parser.text_of(piece);
        Some(first_pair(Rule::one_item, text).ok().map(|pair| Node::of(pair, base)))
    })
}

/// Returns the ranges of a text's comments, docs not included.
pub(crate) fn comment_ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    comments(text).map(|token| token.start as usize..token.end as usize)
}

/// Returns all tokens of a text in order: words, numbers, strings, signs, docs and comments. Commas are left out, since
/// a list may have a trailing one or not.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    all(text).filter(|token| !token.is(b',')).map(|token| match token.kind {
        // White space at the end of a line is not part of them.
        TokenKind::Doc | TokenKind::Comment => token.text(text).trim_ascii_end(),
        _ => token.text(text),
    })
}
