//! Values and bounds written in a schema, as Python expressions.

use zsvc_idl::schema::{Literal, Range, Type, TypeId, TypeKind};

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
        Literal::Flags(id, bits) => flags(site, *id, *bits),
        Literal::Bytes(bytes) => self::bytes(bytes),
        Literal::Empty => match resolved(site, ty) {
            Type::Map(..) => "{}",
            Type::Set(_) => "set()",
            _ => "[]",
        }
        .to_owned(),
        Literal::List(values) => format!("[{}]", elements(site, ty, values)),
        Literal::Set(values) => format!("{{{}}}", elements(site, ty, values)),
        Literal::Map(entries) => {
            let Type::Map(key_type, value_type) = resolved(site, ty) else { return String::new() };
            let entry = |(key, it): &(Literal, Literal)| {
                format!("{}: {}", self::value(site, key_type, key), self::value(site, value_type, it))
            };
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Literal::Struct(id, values) => structure(site, *id, values),
    }
}

/// Returns a type without aliases and optionals around it.
fn resolved<'a>(site: &Site<'a>, ty: &'a Type) -> &'a Type {
    match site.generation.schema.resolved(ty) {
        Type::Optional(inner) => site.generation.schema.resolved(inner),
        ty => ty,
    }
}

fn elements(site: &Site<'_>, ty: &Type, values: &[Literal]) -> String {
    let (Type::List(element) | Type::Set(element)) = resolved(site, ty) else { return String::new() };
    values.iter().map(|it| value(site, element, it)).collect::<Vec<_>>().join(", ")
}

/// Returns a struct; what is absent is left out.
fn structure(site: &Site<'_>, id: TypeId, values: &[Option<Literal>]) -> String {
    let names = site.own(id);
    let TypeKind::Struct(structure) = &site.generation.schema.definition(id).kind else {
        return String::new();
    };
    let fields = structure.fields.iter().zip(&names.members).zip(values);
    let given: Vec<String> = fields
        .filter_map(|((field, name), it)| Some(format!("{name}={}", value(site, &field.ty, it.as_ref()?))))
        .collect();
    format!("{}({})", site.path(id, &names.name), given.join(", "))
}

/// Returns bytes between quotes.
fn bytes(bytes: &[u8]) -> String {
    format!("b\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'"))
}

/// Reports whether a value names no type.
pub(crate) fn is_plain(literal: &Literal) -> bool {
    match literal {
        Literal::EnumValue(..) | Literal::Flags(..) | Literal::Struct(..) => false,
        Literal::List(values) | Literal::Set(values) => values.iter().all(is_plain),
        Literal::Map(entries) => entries.iter().all(|(key, value)| is_plain(key) && is_plain(value)),
        _ => true,
    }
}

/// Reports whether a program could change a value that it has.
pub(crate) fn is_mutable(literal: &Literal) -> bool {
    use Literal::{Empty, List, Map, Set, Struct};
    matches!(literal, Empty | List(_) | Set(_) | Map(_) | Struct(..))
}

/// Reports whether a value is made of types of other packages, whose modules may be half imported when a class is made.
pub(crate) fn needs_others(site: &Site<'_>, literal: &Literal) -> bool {
    match literal {
        Literal::EnumValue(id, _) | Literal::Flags(id, _) => !site.is_own(*id),
        Literal::List(values) | Literal::Set(values) => values.iter().any(|it| needs_others(site, it)),
        Literal::Map(entries) => {
            entries.iter().any(|(key, it)| needs_others(site, key) || needs_others(site, it))
        }
        Literal::Struct(id, values) => {
            !site.is_own(*id) || values.iter().flatten().any(|it| needs_others(site, it))
        }
        _ => false,
    }
}

fn flags(site: &Site<'_>, id: TypeId, bits: u64) -> String {
    let names = site.own(id);
    let TypeKind::Flags(flags) = &site.generation.schema.definition(id).kind else { return String::new() };
    let set = flags.iter().zip(&names.members).filter(|(flag, _)| bits & flag.bit() != 0);
    let set: Vec<String> =
        set.map(|(_, member)| site.path(id, &format!("{}.{member}", names.name))).collect();
    if set.is_empty() { site.path(id, &format!("{}(0)", names.name)) } else { set.join(" | ") }
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
        _ if is_mutable(literal) => format!("lambda: {}", value(site, ty, literal)),
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

/// Returns a text of several lines as it is written with three quotes. Of quotes in a row, all but the last are escaped, and one at
/// the end.
pub(crate) fn block(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| escaped(line).replace("\\\"", "\"")).collect();
    let mut out = String::from("\"\"\"\\\n");
    let text = lines.join("\n");
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' && letters.peek().is_none_or(|next| *next == '"') {
            out.push('\\');
        }
        out.push(letter);
    }
    out + "\"\"\""
}

/// Returns a letter as an escape with a number of digits.
fn escape(kind: char, digits: usize, letter: char) -> String {
    format!("\\{kind}{:0digits$x}", u32::from(letter))
}
