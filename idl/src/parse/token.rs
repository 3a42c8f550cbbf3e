//! Splits a file into words and signs by hand in one pass: just enough to cut the text into declarations and members
//! ([`super::cut`]), to tell what was found where something else was expected ([`super::expected`]), and to find
//! comments, which the grammar skips ([`super::concrete`]).
//!
//! Not a second parser: only the grammar knows what a declaration means.

use crate::source::offset;

/// One word, number, string, sign, doc line or comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    Number,
    String,
    /// A string that is not closed on its line.
    OpenString,
    Doc,
    /// A comment from `//` to the end of its line.
    Comment,
    /// `/* … */`, which is not a comment in this language; only `/*` if it is not closed.
    BlockComment,
    /// An ASCII sign.
    Sign(u8),
    /// A character that has no meaning in this language.
    Other,
}

/// Returns all tokens of a text except comments, in order.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    all(text).filter(|token| token.kind != TokenKind::Comment).collect()
}

/// Returns the comments of a text, in order.
pub(super) fn comments(text: &str) -> impl Iterator<Item = Token> {
    all(text).filter(|token| token.kind == TokenKind::Comment)
}

/// Returns all tokens of a text, in order.
pub(super) fn all(text: &str) -> impl Iterator<Item = Token> {
    let last_comment_end = text.rfind("*/").unwrap_or(0);
    let mut at = 0;
    std::iter::from_fn(move || {
        at += count(&text.as_bytes()[at..], |byte| byte.is_ascii_whitespace());
        let start = at;
        let (kind, mut length) = next_token(text.get(start..).filter(|rest| !rest.is_empty())?);
        if kind == TokenKind::BlockComment && start < last_comment_end {
            length = text[start..].find("*/").map_or(length, |end| end + 2);
        }
        at += length;
        Some(Token { kind, start: offset(start), end: offset(at) })
    })
}

/// Returns the kind of the first token of `rest`, and its length, at least 1.
fn next_token(rest: &str) -> (TokenKind, usize) {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b'"' => string(bytes),
        // Bytes.
        b'b' if bytes.starts_with(b"b\"") => {
            let (kind, length) = string(&bytes[1..]);
            (kind, length + 1)
        }
        b'/' if bytes.starts_with(b"//") => comment(bytes),
        b'/' if bytes.starts_with(b"/*") => (TokenKind::BlockComment, 2),
        b'0'..=b'9' => (TokenKind::Number, number_length(bytes)),
        byte if is_word(byte) => (TokenKind::Word, count(bytes, is_word)),
        byte if byte.is_ascii() => (TokenKind::Sign(byte), 1),
        _ => (TokenKind::Other, rest.chars().next().map_or(1, char::len_utf8)),
    }
}

fn string(bytes: &[u8]) -> (TokenKind, usize) {
    let mut at = 1;
    loop {
        match bytes.get(at) {
            Some(b'"') => return (TokenKind::String, at + 1),
            Some(b'\\') if bytes.get(at + 1).is_some_and(|next| *next != b'\n') => at += 2,
            None | Some(b'\n') => return (TokenKind::OpenString, at),
            Some(_) => at += 1,
        }
    }
}

fn comment(bytes: &[u8]) -> (TokenKind, usize) {
    let length = count(bytes, |byte| byte != b'\n');
    let is_doc = bytes.starts_with(b"///") && bytes.get(3) != Some(&b'/');
    (if is_doc { TokenKind::Doc } else { TokenKind::Comment }, length)
}

/// Returns the length of a number, as the grammar's `number` without its sign.
fn number_length(bytes: &[u8]) -> usize {
    let whole = number_part(bytes);
    match bytes.get(whole..) {
        Some([b'.', digit, ..]) if digit.is_ascii_digit() => whole + 1 + number_part(&bytes[whole + 1..]),
        _ => whole,
    }
}

fn number_part(bytes: &[u8]) -> usize {
    let mut at = count(bytes, is_word);
    while let Some([b'e' | b'E', b'+' | b'-', digit]) = bytes.get(at.saturating_sub(1)..at + 2)
        && digit.is_ascii_digit()
    {
        at += 1 + count(&bytes[at + 1..], is_word);
    }
    at
}

fn count(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !belongs(*byte)).unwrap_or(bytes.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Token {
    pub(super) fn is(self, sign: u8) -> bool {
        self.kind == TokenKind::Sign(sign)
    }

    pub(super) fn text(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text(text)).collect()
    }

    #[test]
    fn numbers_end_where_a_range_starts() {
        assert_eq!(texts("1..=12"), ["1", ".", ".", "=", "12"]);
        assert_eq!(texts("1.5..2e-3"), ["1.5", ".", ".", "2e-3"]);
    }

    #[test]
    fn comments_are_left_out_and_docs_are_not() {
        let text = "a // b\n/// c\n//// d\ne";
        assert_eq!(texts(text), ["a", "/// c", "e"]);
        let comments: Vec<&str> = comments(text).map(|token| token.text(text)).collect();
        assert_eq!(comments, ["// b", "//// d"]);
    }

    #[test]
    fn a_string_ends_with_its_line() {
        assert_eq!(texts("\"a\\\"b\" \"c\nd"), ["\"a\\\"b\"", "\"c", "d"]);
        assert_eq!(texts("\"\\"), ["\"\\"]);
        assert_eq!(texts("b\"\\\"\" b \"c\" b\"d"), ["b\"\\\"\"", "b", "\"c\"", "b\"d"]);
        assert_eq!(texts("\"\u{4f60}\\\u{4f60}"), ["\"\u{4f60}\\\u{4f60}"]);
    }
}
