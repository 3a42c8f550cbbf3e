//! Tokens, flat on one line, and what is to be known of them to break that line.
//!
//! Made in [`super::flatten`].
//!
//! **Places in the line are widths**: how much room some tokens take is a subtraction, however many they are.

use super::spacing::Seen;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Keyword,
    Literal,
    Lifetime,
    Operator,
    /// A whole line of documentation, with its marker.
    Docs,
    Open(Bracket),
    Close(Bracket),
}

/// What holds other tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bracket {
    Parenthesis,
    Square,
    Brace,
    Angle,
    /// Angles that bring names, after `impl` or `for`. A path that follows is another.
    Binder,
}

/// A token on the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it starts on the line.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// The place of the bracket that closes this one; for all else its own.
    pub(super) close: usize,
    /// Whether it is the last of a field, an argument, a statement, an item.
    pub(super) ends_piece: bool,
    /// For an opening bracket: whether the last piece gets a comma when each has a line of its own.
    pub(super) is_list: bool,
    /// Number of tokens, up to and including this one, that can't be on one line with others.
    pub(super) breaks: usize,
}

/// All tokens of some items.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) line: String,
    pub(super) tokens: Vec<Token>,
}

impl Tokens {
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn at(&self, index: usize) -> &Token {
        &self.tokens[index]
    }

    /// Returns the text of a token.
    pub(super) fn text(&self, index: usize) -> &str {
        let token = self.at(index);
        &self.line[token.start..token.end]
    }

    /// Returns the text from one token up to another, on one line.
    pub(super) fn flat(&self, from: usize, to: usize) -> &str {
        if from == to { "" } else { &self.line[self.at(from).start..self.at(to - 1).end] }
    }

    /// Reports whether the tokens from one up to another can't be on one line.
    pub(super) fn breaks(&self, from: usize, to: usize) -> bool {
        let before = from.checked_sub(1).map_or(0, |index| self.at(index).breaks);
        from != to && self.at(to - 1).breaks > before
    }

    /// Returns a token's kind and text.
    pub(super) fn seen(&self, index: usize) -> Seen<'_> {
        (self.at(index).kind, self.text(index))
    }

    pub(super) fn last(&self) -> Option<&Token> {
        self.tokens.last()
    }

    pub(super) fn ends_with(&self, operator: &str) -> bool {
        self.len().checked_sub(1).is_some_and(|last| self.text(last) == operator)
    }

    /// Reports whether a word follows a place, outside of brackets that are closed again.
    pub(super) fn has_between(&self, from: usize, word: &str) -> bool {
        let mut index = from;
        while index < self.len() {
            if self.text(index) == word {
                return true;
            }
            index = self.at(index).close + 1;
        }
        false
    }

    /// Reports whether angle brackets that follow would be generic parameters.
    pub(super) fn ends_with_binder(&self) -> bool {
        let is_keyword = self.last().is_some_and(|last| last.kind == Kind::Keyword);
        is_keyword && (self.ends_with("impl") || self.ends_with("for"))
    }

    /// Removes a comma at the end.
    pub(super) fn drop_comma(&mut self) {
        if self.ends_with(",")
            && let Some(comma) = self.tokens.pop()
        {
            self.line.truncate(comma.start);
        }
    }

    /// Reports whether a space stands before a token on the line.
    pub(super) fn is_spaced(&self, index: usize) -> bool {
        index > 0 && self.at(index - 1).end < self.at(index).start
    }
}
