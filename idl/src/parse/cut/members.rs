//! Splits a declaration's body into members.

use std::ops::Range;

use super::{is_nested, preamble, starts_declaration};
use crate::parse::token::{Token, TokenKind};

/// One member of a body, as a range of the file's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::parse) struct Member {
    pub(in crate::parse) tokens: Range<usize>,
    /// Index of the keyword, if this is not a member but a declaration.
    pub(in crate::parse) nested: Option<usize>,
}

/// Returns the start of the docs and attributes right before a token, in the tokens from `start` on.
fn preamble_start(tokens: &[Token], start: usize, before: usize) -> usize {
    let mut at = start;
    while at < before {
        let length = preamble(&tokens[at..before]);
        if at + length == before {
            break;
        }
        at += length + 1;
    }
    at.min(before)
}

/// Returns the members of a body: each ends with a `;` that is in no nested braces, a declaration inside the body with its
/// closing brace. What is not finished before a declaration is a member of its own.
pub(in crate::parse) fn members(text: &str, tokens: &[Token], body: Range<usize>) -> Vec<Member> {
    let mut members = Vec::new();
    let (mut start, mut depth, mut nested) = (body.start, 0_usize, None);
    // What closes the parentheses and brackets that are open in this member.
    let mut closing = Vec::new();
    for at in body.clone() {
        let ends = match tokens[at].kind {
            TokenKind::Sign(b'(') => {
                closing.push(b')');
                false
            }
            TokenKind::Sign(b'[') => {
                closing.push(b']');
                false
            }
            TokenKind::Sign(sign @ (b')' | b']')) => {
                closing.pop_if(|close| *close == sign);
                false
            }
            TokenKind::Sign(b'{') => {
                if depth == 0 {
                    nested = at
                        .checked_sub(2)
                        .filter(|keyword| *keyword >= start && is_nested(text, &tokens[*keyword..]));
                    let from = nested.map_or(start, |keyword| preamble_start(tokens, start, keyword));
                    if from > start {
                        members.push(Member { tokens: start..from, nested: None });
                        start = from;
                    }
                }
                depth += 1;
                false
            }
            TokenKind::Sign(b'}') => {
                depth = depth.saturating_sub(1);
                depth == 0 && ends_at_brace(text, &tokens[at + 1..body.end], nested.is_some())
            }
            // In the place of a comma it ends nothing.
            TokenKind::Sign(b';') => {
                let close = closing.last();
                depth == 0 && !close.is_some_and(|close| closes(text, &tokens[at + 1..body.end], *close))
            }
            _ => false,
        };
        if ends {
            closing.clear();
            let nested =
                nested.take().or_else(|| starts_declaration(text, &tokens[start..at]).then_some(start));
            members.push(Member { tokens: start..at + 1, nested });
            start = at + 1;
        }
    }
    if start < body.end {
        members.push(Member { tokens: start..body.end, nested: None });
    }
    members
}

/// Reports whether a member ends with the brace before these tokens: it is a declaration, or a method with a body.
fn ends_at_brace(text: &str, rest: &[Token], is_nested: bool) -> bool {
    match rest {
        [method, name, open, ..] if matches!(method.text(text), "rpc" | "oneway") => {
            name.kind == TokenKind::Word && open.is(b'(')
        }
        [next, ..] => is_nested && !next.is(b'='),
        [] => is_nested,
    }
}

/// Reports whether these tokens start with a bracket that is not closed in them.
pub(in crate::parse) fn is_in_brackets(tokens: &[Token]) -> bool {
    tokens.first().is_some_and(|first| first.is(b'[')) && !tokens.iter().any(|token| token.is(b']'))
}

/// Maximum number of tokens that are searched for a closing sign, so that a huge text of open ones takes no time that is its length squared.
const MAX_SEARCHED: usize = 256;

/// Reports whether this sign closes what was opened before these tokens, in the same member: nothing else is closed before it, and neither a
/// declaration nor a method starts.
pub(in crate::parse) fn closes(text: &str, tokens: &[Token], close: u8) -> bool {
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate().take(MAX_SEARCHED) {
        let rest = &tokens[at..];
        let is_method = matches!(rest, [method, name, paren, ..] if matches!(method.text(text), "rpc" | "oneway")
            && name.kind == TokenKind::Word && paren.is(b'('));
        if is_method || starts_declaration(text, rest) {
            return false;
        }
        match token.kind {
            TokenKind::Sign(sign) if sign == close && open == 0 => return true,
            TokenKind::Sign(b'(' | b'[' | b'{') => open += 1,
            TokenKind::Sign(b')' | b']' | b'}') if open == 0 => return false,
            TokenKind::Sign(b')' | b']' | b'}') => open -= 1,
            _ => {}
        }
    }
    false
}
