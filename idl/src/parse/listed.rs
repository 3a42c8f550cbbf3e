//! The words of a text as other modules see them: what surrounds a position, and how far a declaration reaches.

use std::ops::Range;

use super::token::{self, TokenKind};

/// One word, number, string, sign, doc line or comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) kind: WordKind,
    /// Its bytes.
    pub(crate) range: Range<usize>,
}

/// The kinds of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WordKind {
    /// A keyword or name.
    Name,
    Number,
    /// Text in quotes, of which the last may be missing.
    String,
    Doc,
    Comment,
    /// An ASCII sign.
    Sign(u8),
    /// What has no meaning in the language.
    Other,
}

/// Returns all words of a text in order, docs and comments included.
pub(crate) fn all_words(text: &str) -> impl Iterator<Item = Word> {
    token::all(text).map(|token| Word {
        kind: match token.kind {
            TokenKind::Word => WordKind::Name,
            TokenKind::Number => WordKind::Number,
            TokenKind::String | TokenKind::OpenString => WordKind::String,
            TokenKind::Doc => WordKind::Doc,
            TokenKind::Comment => WordKind::Comment,
            TokenKind::Sign(sign) => WordKind::Sign(sign),
            TokenKind::BlockComment | TokenKind::Other => WordKind::Other,
        },
        range: token.start as usize..token.end as usize,
    })
}
