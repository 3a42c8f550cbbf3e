//! Lints about the spelling of names. Other spellings work as well, but readers expect these.

use super::context::{Context, Findings};
use crate::ast::Name;
use crate::check::places::Place;
use crate::check::subjects::{Node, Subject};
use crate::resolve::BUILTINS;
use crate::source::Span;

/// Reports types, services, values and variants that are not `PascalCase`.
pub(super) fn pascal_case(context: &Context, findings: &mut Findings) {
    for subject in &context.subjects {
        let name = subject.name();
        // A declaration named like a built-in type is an error of its own.
        let is_declaration = matches!(subject.node, Node::Item(_));
        if is_type(subject.place) && !is_pascal(name) && !(is_declaration && BUILTINS.contains(&name)) {
            styled(findings, name, subject.span(), "PascalCase", &to_pascal(name));
        }
    }
}

/// Reports fields, methods, parameters and import aliases that are not `snake_case`.
pub(super) fn snake_case(context: &Context, findings: &mut Findings) {
    let has_capitals = |name: &str| name.bytes().any(|byte| byte.is_ascii_uppercase());
    for subject in context.subjects.iter().filter(|subject| is_member(subject.place)) {
        if has_capitals(subject.name()) {
            styled(findings, subject.name(), subject.span(), "snake_case", &to_snake(subject.name()));
        }
    }
    let imports = context.model.program.files.iter().flat_map(|file| &file.imports);
    for Name { text, span } in imports.filter_map(|import| import.alias.as_ref()) {
        if has_capitals(text) {
            styled(findings, text, *span, "snake_case", &to_snake(text));
        }
    }
}

/// Reports constants that are not `UPPER_SNAKE`.
pub(super) fn upper_snake_case(context: &Context, findings: &mut Findings) {
    let is_wrong = |subject: &&Subject| {
        subject.place == Place::Const && subject.name().bytes().any(|byte| byte.is_ascii_lowercase())
    };
    for subject in context.subjects.iter().filter(is_wrong) {
        let better = to_snake(subject.name()).to_uppercase();
        styled(findings, subject.name(), subject.span(), "UPPER_SNAKE", &better);
    }
}

/// Reports packages that are not in lower case.
pub(super) fn lower_case_package(context: &Context, findings: &mut Findings) {
    for package in context.model.program.files.iter().filter_map(|file| file.package.as_ref()) {
        let text = package.path.text();
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let message = format!("the package `{text}` is not in lower case");
            findings.add(package.path.span, message, format!("write `{}`", text.to_lowercase()));
        }
    }
}

fn is_type(place: Place) -> bool {
    !is_member(place) && !matches!(place, Place::Package | Place::Const)
}

fn is_member(place: Place) -> bool {
    use Place::{EventField, Field, Oneway, Parameter, Rpc, StreamParameter};
    matches!(place, Field | EventField | Rpc | Oneway | Parameter | StreamParameter)
}

fn is_pascal(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.contains('_')
}

fn styled(findings: &mut Findings, name: &str, span: Span, case: &str, better: &str) {
    let is_name = better.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let help = if !is_name || better == name {
        "give it a name of letters".to_owned()
    } else {
        format!("write `{better}`")
    };
    findings.add(span, format!("`{name}` is not in `{case}`"), help);
}

fn to_pascal(text: &str) -> String {
    let words = text.split('_').filter(|word| !word.is_empty());
    let shouts = text.bytes().all(|byte| !byte.is_ascii_lowercase());
    words
        .map(|word| {
            word[..1].to_uppercase() + &if shouts { word[1..].to_lowercase() } else { word[1..].to_owned() }
        })
        .collect()
}

pub(super) fn to_snake(text: &str) -> String {
    let mut snake = String::new();
    let letters = text.as_bytes();
    for (at, letter) in letters.iter().enumerate() {
        if letter.is_ascii_uppercase() && starts_word(&letters[..at], &letters[at + 1..]) {
            snake.push('_');
        }
        snake.push(char::from(letter.to_ascii_lowercase()));
    }
    snake
}

/// Reports whether a capital between these starts a word: it follows a small letter or a digit, or is the last of several
/// capitals and the first of a word, as the `S` in `HTTPServer`. The `D` in `userIDs` is neither.
fn starts_word(before: &[u8], after: &[u8]) -> bool {
    let is_plural = matches!(after, [b's'] | [b's', b'A'..=b'Z' | b'_' | b'0'..=b'9', ..]);
    match (before.last(), after.first()) {
        (Some(last), _) if last.is_ascii_lowercase() || last.is_ascii_digit() => true,
        (Some(last), Some(next)) => last.is_ascii_uppercase() && next.is_ascii_lowercase() && !is_plural,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!(to_pascal("trade_of_day"), "TradeOfDay");
        assert_eq!(to_pascal("BUY_NOW"), "BuyNow");
        assert_eq!(to_pascal("HTTP_server"), "HTTPServer");
        assert_eq!(to_snake("tradeOfDay"), "trade_of_day");
        assert_eq!(to_snake("HTTPServer2Go"), "http_server2_go");
        assert_eq!(to_snake("WorkflowIDSuffix"), "workflow_id_suffix");
        assert_eq!(to_snake("userIDs"), "user_ids");
        assert_eq!(to_snake("userIDsOfAll"), "user_ids_of_all");
        assert_eq!(to_snake("ABTest"), "ab_test");
        assert_eq!(to_snake("MAX_SIZE"), "max_size");
    }
}
