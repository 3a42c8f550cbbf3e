//! Splits a file into declarations, and a declaration's body into members, before the grammar sees them.
//!
//! So one mistake costs one member, the parser never holds more than one declaration, and no text, however deeply it
//! nests, can overflow the recursion of the grammar. A declaration ends with its `;` or `}`, and also where the next
//! one clearly starts (`service Name {`, which is not allowed inside another): a missing brace does not swallow the
//! rest. Where all braces are closed and what starts there may be inside of another, or is indented, it is taken to be.

mod members;

use std::cell::LazyCell;
use std::ops::Range;

use super::hint;
use super::token::{Token, TokenKind};
use crate::ast::{MAX_TYPE_DEPTH, MAX_VALUE_DEPTH};
pub(super) use members::{Member, closes, is_in_brackets, members};

/// One declaration, as a range of the file's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) tokens: Range<usize>,
    /// Index of the innermost brace that is still open at the end, or of the declaration's name if its brace is missing.
    pub(super) unclosed: Option<usize>,
    /// The tokens between the outermost braces.
    pub(super) body: Option<Range<usize>>,
}

/// Returns the declarations of a file, in order; together they cover all of its tokens.
pub(super) fn declarations(text: &str, tokens: &[Token]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let braces = LazyCell::new(|| closing_braces(tokens));
    let mut start = 0;
    while start < tokens.len() {
        let piece = declaration(text, tokens, start, &braces);
        start = piece.tokens.end;
        pieces.push(piece);
    }
    pieces
}

fn declaration(
    text: &str,
    tokens: &[Token],
    start: usize,
    braces: &Braces<impl FnOnce() -> Vec<usize>>,
) -> Piece {
    let first = start + tokens[start..].iter().take_while(|token| token.kind == TokenKind::Doc).count();
    let name = name_before_members(text, &tokens[first..]).map(|name| first + name);
    let mut open: Vec<usize> = Vec::new();
    let mut body = None;
    let mut has_keyword = false;
    // The braces of its value end nothing.
    let is_constant = head(&tokens[first..]).0.is_some_and(|word| word.text(text) == "const");
    // The closing brace up to which what starts like a declaration is inside this one.
    let mut nested_until = 0;
    let mut at = first;
    while at < tokens.len() {
        if at >= nested_until && starts_declaration(text, &tokens[at..]) {
            let is_first = at == first || open.is_empty() && tokens[first].is(b'@');
            if has_keyword || !is_first {
                let outer = open.first().map(|outer| braces[*outer]);
                let is_inside =
                    !is_constant && may_be_nested(text, tokens[at]) || is_indented(text, tokens, first, at);
                let Some(end) = outer.filter(|end| *end > at && is_inside) else {
                    at -= docs_before(tokens, first, at);
                    break;
                };
                nested_until = end;
            }
            has_keyword = true;
        }
        let token = tokens[at];
        if token.is(b'{') {
            open.push(at);
            if !is_constant {
                body.get_or_insert(at + 1..tokens.len());
            }
        } else if token.is(b'}') {
            open.pop();
        }
        at += 1;
        let ends = token.is(b';') || token.is(b'}') && !is_constant;
        if !open.is_empty() || !ends {
            continue;
        }
        if !goes_on(text, tokens, at, name, &mut open, &mut body) {
            break;
        }
    }
    let body_end = if open.is_empty() { at.saturating_sub(1) } else { at };
    let body = body.map(|body: Range<usize>| body.start..body_end.max(body.start));
    Piece { tokens: start..at, unclosed: open.last().copied(), body }
}

/// Reports whether a declaration goes on behind what seems to be its end, because a brace is missing or one too many. Opens then again what
/// is still open.
fn goes_on(
    text: &str,
    tokens: &[Token],
    at: usize,
    name: Option<usize>,
    open: &mut Vec<usize>,
    body: &mut Option<Range<usize>>,
) -> bool {
    match name {
        // An extra brace, or that of a variant whose opening brace is missing.
        Some(name) if body.is_some() && continues_after_brace(text, tokens, at) => {
            open.push(name);
            *body = Some(body_after(tokens, name));
            true
        }
        // The opening brace is missing, since there is a closing one.
        Some(name) if body.is_none() && closes_later(text, &tokens[at..]) => {
            open.push(name);
            *body = Some(body_after(tokens, name));
            true
        }
        Some(_) => false,
        None => tokens[at - 1].is(b'}') && body.is_none() && is_same_line(text, tokens, at),
    }
}

/// For each token, the index of the brace that closes it; 0 for what is no brace or never closed.
type Braces<F> = LazyCell<Vec<usize>, F>;

fn closing_braces(tokens: &[Token]) -> Vec<usize> {
    let mut closing = vec![0; tokens.len()];
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Sign(b'{') => open.push(at),
            TokenKind::Sign(b'}') => {
                if let Some(opened) = open.pop() {
                    closing[opened] = at;
                }
            }
            _ => {}
        }
    }
    closing
}

/// Reports whether the token at `at` stands further to the right than the line of an earlier one starts, or after other
/// tokens on its line: what starts there is then meant to be inside.
fn is_indented(text: &str, tokens: &[Token], earlier: usize, at: usize) -> bool {
    let column = |token: &Token| {
        let start = token.start as usize;
        start - text[..start].rfind('\n').map_or(0, |end| end + 1)
    };
    is_same_line(text, tokens, at) || column(&tokens[at]) > column(&tokens[earlier])
}

/// Keywords of the types that may be inside of another.
pub(super) const NESTED: [&str; 4] = ["enum", "flags", "struct", "union"];

/// Reports whether what starts with a keyword may be inside of another declaration.
fn may_be_nested(text: &str, keyword: Token) -> bool {
    NESTED.contains(&keyword.text(text))
}

/// Keywords of declarations with members between braces.
const WITH_MEMBERS: [&str; 7] = ["enum", "error", "event", "flags", "service", "struct", "union"];

/// Returns the index of the declaration's name, if the keyword is one of [`WITH_MEMBERS`] and a token follows the name.
fn name_before_members(text: &str, tokens: &[Token]) -> Option<usize> {
    let (keyword, name) = head(tokens);
    let (keyword, name) = (keyword?, name?);
    let at = tokens.iter().position(|token| *token == name)?;
    (WITH_MEMBERS.contains(&keyword.text(text)) && at + 1 < tokens.len()).then_some(at)
}

/// Returns the range of a body without an opening brace: from after the name, or after the sign that replaces the brace,
/// to the last token of the file.
fn body_after(tokens: &[Token], name: usize) -> Range<usize> {
    let sign = matches!(tokens[name + 1].kind, TokenKind::Sign(sign) if sign != b'@');
    name + 1 + usize::from(sign)..tokens.len()
}

/// Reports whether the declaration continues after a closing brace: what follows is the rest of a member, or another
/// one, and there is another brace to close the declaration.
fn continues_after_brace(text: &str, tokens: &[Token], at: usize) -> bool {
    let is_rest = is_same_line(text, tokens, at) && !starts_loosely(text, &tokens[at..]);
    let rest = &tokens[at..];
    let rest = &rest[preamble(rest)..];
    let is_member = match rest {
        [first, ..] if is_rest => !matches!(first.kind, TokenKind::Sign(b'}' | b'{')),
        [first, second, ..] if first.kind == TokenKind::Word => {
            matches!(first.text(text), "rpc" | "oneway" | "reserved") || second.is(b':') || second.is(b'=')
        }
        [first, ..] => matches!(first.kind, TokenKind::Sign(b'=')),
        [] => false,
    };
    is_member && !starts_loosely(text, rest) && closes_later(text, rest)
}

/// Returns the number of tokens that docs and attributes take.
fn preamble(tokens: &[Token]) -> usize {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            TokenKind::Doc => at += 1,
            TokenKind::Sign(b'@') => {
                at += 2;
                if tokens.get(at).is_some_and(|token| token.is(b'(')) {
                    let ends = |place: usize| {
                        tokens[place].is(b')')
                            || tokens[place].is(b'{') && !follows_in_value(&tokens[place - 1])
                    };
                    at =
                        (at + 1..tokens.len()).find(|place| ends(*place)).map_or(tokens.len(), |end| end + 1);
                }
            }
            _ => break,
        }
    }
    at.min(tokens.len())
}

/// Reports whether a brace is closed that was opened before these tokens, up to where another declaration starts.
fn closes_later(text: &str, tokens: &[Token]) -> bool {
    let rest = tokens.iter().enumerate();
    closing(rest.take_while(|(at, _)| !starts_loosely(text, &tokens[*at..])).map(|(_, token)| token))
        .is_some()
}

/// Reports whether a declaration may start here: what [`starts_declaration`] finds, or a keyword of [`WITH_MEMBERS`] and a
/// word, whatever follows.
fn starts_loosely(text: &str, tokens: &[Token]) -> bool {
    let is_head = matches!(tokens, [first, second, ..]
        if second.kind == TokenKind::Word && WITH_MEMBERS.contains(&first.text(text)));
    is_head || starts_declaration(text, tokens)
}

/// Reports whether a token is on the same line as the one before.
pub(super) fn is_same_line(text: &str, tokens: &[Token], at: usize) -> bool {
    let before = &tokens[at - 1];
    tokens.get(at).is_some_and(|token| !text[before.end as usize..token.start as usize].contains('\n'))
}

/// Returns the keyword and the name of a declaration, as far as they can be found without parsing: the first word that
/// belongs to no attribute, and the token after it if that is a word.
pub(super) fn head(tokens: &[Token]) -> (Option<Token>, Option<Token>) {
    let mut parens = 0_usize;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            TokenKind::Sign(b'@') => at += 1,
            TokenKind::Sign(b'(') => parens += 1,
            TokenKind::Sign(b')') => parens = parens.saturating_sub(1),
            TokenKind::Sign(b'{' | b'}' | b';') => break,
            TokenKind::Word if parens == 0 => {
                return (
                    Some(*token),
                    tokens.get(at + 1).copied().filter(|next| next.kind == TokenKind::Word),
                );
            }
            _ => {}
        }
        at += 1;
    }
    (None, None)
}

/// Reports whether a declaration starts here: two names in a row and what must follow them, or `import "…"`. No member
/// looks like that.
fn starts_declaration(text: &str, tokens: &[Token]) -> bool {
    let [first, second, rest @ ..] = tokens else { return false };
    if first.kind != TokenKind::Word {
        return false;
    }
    if second.kind == TokenKind::String {
        return first.text(text) == "import";
    }
    if first.text(text) == "service" && rest.first().is_some_and(|word| word.text(text) == "extends") {
        return second.kind == TokenKind::Word;
    }
    let Some(TokenKind::Sign(sign)) = rest.first().map(|token| token.kind) else { return false };
    let follows = match first.text(text) {
        "struct" | "enum" | "flags" | "union" | "error" | "service" | "event" => sign == b'{',
        "const" => sign == b':',
        "type" => sign == b'=',
        "package" => sign == b'.' || sign == b';',
        _ => false,
    };
    follows && second.kind == TokenKind::Word
}

/// Returns the number of docs right before `at`: they belong to what starts there.
fn docs_before(tokens: &[Token], first: usize, at: usize) -> usize {
    tokens[(first + 1).min(at)..at].iter().rev().take_while(|token| token.kind == TokenKind::Doc).count()
}

/// Reports whether a declaration with members starts here, of this language or another: a keyword, a name and `{`.
fn is_nested(text: &str, tokens: &[Token]) -> bool {
    let [keyword, name, ..] = tokens else { return false };
    let word = keyword.text(text);
    let word = hint::keyword(word).unwrap_or(word);
    keyword.kind == TokenKind::Word && name.kind == TokenKind::Word && WITH_MEMBERS.contains(&word)
}

/// Returns the index of the first brace that is closed but not opened.
pub(super) fn closing<'a>(mut tokens: impl Iterator<Item = &'a Token>) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.position(|token| {
        let opens = usize::from(token.is(b'{'));
        let closes = usize::from(token.is(b'}'));
        let is_lone = closes > depth;
        depth = (depth + opens).saturating_sub(closes);
        is_lone
    })
}

/// Returns the name of the first declaration that nests too deep.
pub(super) fn too_nested(text: &str, tokens: &[Token], most: usize) -> Option<Token> {
    let mut open: Vec<bool> = Vec::new();
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Sign(b'{') => {
                let is_declaration = at >= 2 && is_nested(text, &tokens[at - 2..]);
                open.push(is_declaration);
                depth += usize::from(is_declaration);
                if depth > most {
                    return Some(tokens[at - 1]);
                }
            }
            TokenKind::Sign(b'}') => depth -= usize::from(open.pop() == Some(true)),
            _ => {}
        }
    }
    None
}

/// Reports whether a `{` after this token is that of a value.
fn follows_in_value(before: &Token) -> bool {
    matches!(before.kind, TokenKind::Sign(b'(' | b',' | b':' | b'[' | b'='))
}

/// Returns the first `[` or `{` of a value that nests too deep.
pub(super) fn value_too_deep(tokens: &[Token]) -> Option<Token> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Sign(b'[') => depth += 1,
            TokenKind::Sign(b'{') if at > 0 && follows_in_value(&tokens[at - 1]) => depth += 1,
            TokenKind::Sign(b']' | b'}') => depth = depth.saturating_sub(1),
            TokenKind::Sign(b';') => depth = 0,
            _ => {}
        }
        if depth > MAX_VALUE_DEPTH {
            return Some(*token);
        }
    }
    None
}

/// Returns the first `<` that nests too deep.
pub(super) fn too_deep(tokens: &[Token]) -> Option<Token> {
    let mut depth = 0_usize;
    let mut before = None;
    for token in tokens {
        match token.kind {
            TokenKind::Sign(b'<') => depth += 1,
            TokenKind::Sign(b'>') if before != Some(TokenKind::Sign(b'-')) => depth = depth.saturating_sub(1),
            TokenKind::Sign(b';' | b'{' | b'}') => depth = 0,
            _ => {}
        }
        if depth > MAX_TYPE_DEPTH {
            return Some(*token);
        }
        before = Some(token.kind);
    }
    None
}
