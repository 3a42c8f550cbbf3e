//! Where a space stands between two tokens on one line.

use super::tokens::{Bracket, Kind};

/// Words before a path, a type or an expression, which a space divides from it. The roots of paths (`self`) and
/// `await` are none of them.
const KEYWORDS: &[&str] = &[
    "as", "async", "break", "const", "dyn", "else", "enum", "extern", "fn", "for", "if", "impl", "in", "let",
    "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "static", "struct", "trait", "type",
    "unsafe", "use", "where", "while",
];

/// Whether a word is a keyword, for the sake of spaces.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// A token and the text of it.
pub(super) type Seen<'a> = (Kind, &'a str);

/// Whether a space stands between these two. `glued` says that the first sticks to whatever follows: a sign rather than
/// an operation, the first bar of a closure.
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

/// Whether a value or type may end with this token.
pub(super) fn is_operand(kind: Kind) -> bool {
    matches!(kind, Kind::Word | Kind::Literal | Kind::Close(_))
}

/// Keywords and operators that parentheses follow without a space.
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
