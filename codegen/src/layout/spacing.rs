//! Decides where a space stands between two tokens on one line.

use super::tokens::{Bracket, Kind};

/// Words that a space separates from the path, type or expression after them. The roots of paths (`self`) and `await` are
/// not among them.
const KEYWORDS: &[&str] = &[
    "as", "async", "break", "const", "dyn", "else", "enum", "extern", "fn", "for", "if", "impl", "in", "let",
    "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "static", "struct", "trait", "type",
    "unsafe", "use", "where", "while",
];

/// Reports whether a word is a keyword, as far as spaces are concerned.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// A token's kind and text.
pub(super) type Seen<'a> = (Kind, &'a str);

/// Reports whether a space stands between these two. With `glued` the first sticks to the second: a sign rather than an
/// operator, or the first bar of a closure.
pub(super) fn is_spaced(previous: Seen<'_>, next: Seen<'_>, glued: bool) -> bool {
    match (previous.0, next.0) {
        (Kind::Open(Bracket::Brace), Kind::Close(_)) => false,
        (Kind::Open(Bracket::Brace), _) | (_, Kind::Close(Bracket::Brace)) => true,
        (Kind::Open(_), _) | (_, Kind::Close(_)) => false,
        _ if glued => false,
        (Kind::Operator, _) if sticks_to_the_next(previous.1) => false,
        (_, Kind::Open(Bracket::Brace)) => true,
        (_, Kind::Open(Bracket::Angle)) => previous.0 != Kind::Word,
        (_, Kind::Open(Bracket::Binder)) => false,
        (_, Kind::Open(_)) => {
            !(is_operand(previous.0) && previous.0 != Kind::Literal || is_called(previous.1))
        }
        (_, Kind::Operator) => !sticks_to_the_last(previous.0, next.1),
        _ => true,
    }
}

/// Reports whether a value or type may end with this token.
pub(super) fn is_operand(kind: Kind) -> bool {
    matches!(kind, Kind::Word | Kind::Literal | Kind::Close(_))
}

/// Reports whether parentheses follow this keyword or operator without a space.
fn is_called(text: &str) -> bool {
    matches!(text, "fn" | "pub" | "!" | "#" | "?")
}

fn sticks_to_the_next(operator: &str) -> bool {
    matches!(operator, "::" | "." | ".." | "..=" | "&" | "&&" | "#" | "!" | "$")
}

fn sticks_to_the_last(previous: Kind, operator: &str) -> bool {
    match operator {
        "," | ";" | "." | "?" | ":" | "!" => true,
        "::" => matches!(previous, Kind::Word | Kind::Close(Bracket::Angle)),
        ".." | "..=" => is_operand(previous),
        _ => false,
    }
}
