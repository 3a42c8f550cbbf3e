//! A file as the grammar sees it, every token in its place: what [`crate::format`] works on.
//!
//! Unlike the tree of [`crate::ast`] it leaves nothing out but space, and nothing is known of it but that the grammar
//! takes it. Comments are told apart from it, by their places.

use std::ops::Range;

use pest::iterators::Pair;

use super::token::{TokenKind, all, comments, tokens};
use super::{Parser, Rule, cut, first_pair};
use crate::diagnostic::Report;
use crate::source::FileId;

/// One rule of the grammar and what it took. A token has no children; neither has a preamble of nothing.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) rule: Rule,
    /// Of a token exactly its bytes in the file; of anything else maybe with space behind them.
    pub(crate) range: Range<usize>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// The depth is that of the grammar, whose only circle, types, is bounded by [`crate::ast::MAX_TYPE_DEPTH`].
    fn of(pair: Pair<Rule>, base: usize) -> Self {
        let (rule, span) = (pair.as_rule(), pair.as_span());
        let range = base + span.start()..base + span.end();
        Self { rule, range, children: pair.into_inner().map(|pair| Self::of(pair, base)).collect() }
    }

    pub(crate) fn find(&self, rule: Rule) -> Option<&Node> {
        self.children.iter().find(|child| child.rule == rule)
    }
}

/// The declarations of a file, one at a time; absent where one is not of the grammar.
pub(crate) fn declarations(file: FileId, text: &str) -> impl Iterator<Item = Option<Node>> {
    let tokens = tokens(text);
    let mut pieces = cut::declarations(text, &tokens).into_iter();
    // Only asked whether the grammar may be asked; what is wrong is told by parsing.
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

/// Where the comments of a text are, docs not among them.
pub(crate) fn comment_ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    comments(text).map(|token| token.start as usize..token.end as usize)
}

/// All that a text says, in order: its words, numbers, strings, signs, docs and comments, without the commas, of which
/// lists may have one more or less.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    all(text).filter(|token| !token.is(b',')).map(|token| match token.kind {
        // Space at the end of a line is no part of them.
        TokenKind::Doc | TokenKind::Comment => token.text(text).trim_ascii_end(),
        _ => token.text(text),
    })
}
