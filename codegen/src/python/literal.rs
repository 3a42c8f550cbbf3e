//! Values and bounds written in a schema, as Python expressions.

use zsvc_idl::schema::{Literal, Range, Type};

use super::site::Site;

/// Returns a value as an expression.
pub(crate) fn value(site: &Site<'_>, ty: &Type, value: &Literal) -> String {
    match value {
        Literal::Bool(true) => "True".to_owned(),
        Literal::Bool(false) => "False".to_owned(),
        Literal::Integer(number) => integer(*number),
        Literal::Float(number) => format!("{number:?}"),
        Literal::String(text) => string(text),
        Literal::Duration(length) => {
            let ns = i128::try_from(length.as_nanos()).unwrap_or(i128::MAX);
            format!("_z.Duration({})", integer(ns))
        }
        Literal::EnumValue(id, index) => {
            let names = site.own(*id);
            site.path(*id, &format!("{}.{}", names.name, names.members[*index]))
        }
        Literal::Empty => match site.generation.schema.resolved(ty) {
            Type::Map(..) => "{}",
            Type::Set(_) => "set()",
            _ => "[]",
        }
        .to_owned(),
    }
}

/// Returns what makes the value of a field that is absent: a function for values that can be changed.
pub(crate) fn default(site: &Site<'_>, ty: &Type, literal: &Literal) -> String {
    match literal {
        Literal::Empty => match site.generation.schema.resolved(ty) {
            Type::Map(..) => "dict",
            Type::Set(_) => "set",
            _ => "list",
        }
        .to_owned(),
        _ => value(site, ty, literal),
    }
}

/// Returns bounds.
pub(crate) fn bounds(range: &Range) -> String {
    let end = |end: &Option<Literal>| match end {
        Some(Literal::Integer(number)) => integer(*number),
        Some(Literal::Float(number)) => format!("{number:?}"),
        _ => "None".to_owned(),
    };
    let exclusive = if range.max_exclusive { ", exclusive=True" } else { "" };
    format!("_z.Bounds({}, {}{exclusive})", end(&range.min), end(&range.max))
}

/// Returns a number, in groups of three digits if it is long.
pub(crate) fn integer(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let sign = if number < 0 { "-" } else { "" };
    if digits.len() < 6 {
        return format!("{sign}{digits}");
    }
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

/// Returns a string between quotes.
pub(crate) fn string(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Returns text as it stands between quotes. What editors do not show, and what is not ASCII, is kept if it is a letter.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter.is_ascii_graphic() || letter == ' ' || letter.is_alphanumeric() => {
                out.push(letter);
            }
            letter if u32::from(letter) < 0x1_0000 => out += &escape('u', 4, letter),
            letter => out += &escape('U', 8, letter),
        }
    }
    out
}

/// Returns a letter as an escape with a number of digits.
fn escape(kind: char, digits: usize, letter: char) -> String {
    format!("\\{kind}{:0digits$x}", u32::from(letter))
}
