//! Renders types and values as they are written in a file, for messages.

use crate::schema::{Literal, Range, Schema, Type, TypeId, TypeKind};

/// Returns a type, with the last name of what is declared.
pub(super) fn ty(schema: &Schema, ty: &Type) -> String {
    spelled(ty, &|id| schema.definition(id).name.clone())
}

/// Returns two types, with full names if they would look the same otherwise.
pub(super) fn types(old: (&Schema, &Type), new: (&Schema, &Type)) -> (String, String) {
    let short = (ty(old.0, old.1), ty(new.0, new.1));
    if short.0 != short.1 {
        return short;
    }
    let full = |(schema, ty): (&Schema, &Type)| spelled(ty, &|id| full_name(schema, id));
    (full(old), full(new))
}

/// Returns the full name: `market.v1.Trade`.
pub(super) fn full_name(schema: &Schema, id: TypeId) -> String {
    let definition = schema.definition(id);
    format!("{}.{}", schema.package(definition.package).full_name(), definition.name)
}

fn spelled(ty: &Type, name: &dyn Fn(TypeId) -> String) -> String {
    match ty {
        Type::Builtin(builtin) => builtin.keyword().to_owned(),
        Type::List(element) => format!("list<{}>", spelled(element, name)),
        Type::Set(element) => format!("set<{}>", spelled(element, name)),
        Type::Map(key, value) => {
            format!("map<{}, {}>", spelled(key, name), spelled(value, name))
        }
        Type::Optional(inner) => format!("{}?", spelled(inner, name)),
        Type::Named(id) => name(*id),
    }
}

/// Returns the noun for a kind of type.
pub(super) fn kind(kind: &TypeKind) -> &'static str {
    match kind {
        TypeKind::Alias(_) => "an alias",
        TypeKind::Struct(structure) if structure.event.is_some() => "an event",
        TypeKind::Struct(_) => "a struct",
        TypeKind::Enum(_) => "an enum",
        TypeKind::Flags(_) => "`flags`",
        TypeKind::Union(_) => "a union",
        TypeKind::Error(_) => "an error",
    }
}

/// Returns a value.
pub(super) fn literal(schema: &Schema, literal: &Literal) -> String {
    match literal {
        Literal::Bool(value) => value.to_string(),
        Literal::Integer(value) => value.to_string(),
        Literal::Float(value) => format!("{value:?}"),
        Literal::String(value) => format!("{value:?}"),
        Literal::Duration(value) => format!("{value:?}"),
        Literal::EnumValue(id, index) => match &schema.definition(*id).kind {
            TypeKind::Enum(values) => values.get(*index).map_or_else(String::new, |value| value.name.clone()),
            _ => String::new(),
        },
        Literal::Flags(id, bits) => match &schema.definition(*id).kind {
            TypeKind::Flags(flags) => {
                let set = flags.iter().filter(|flag| bits & flag.bit() != 0);
                let names: Vec<&str> = set.map(|flag| flag.name.as_str()).collect();
                format!("[{}]", names.join(", "))
            }
            _ => String::new(),
        },
        Literal::Bytes(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
        Literal::Empty => "[]".to_owned(),
        Literal::List(parts) | Literal::Set(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| self::literal(schema, part)).collect();
            format!("[{}]", parts.join(", "))
        }
        Literal::Map(entries) => {
            let entry = |(key, value): &(Literal, Literal)| {
                format!("{}: {}", self::literal(schema, key), self::literal(schema, value))
            };
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Literal::Struct(id, values) => structure(schema, *id, values),
    }
}

/// Returns a struct, without what is absent.
fn structure(schema: &Schema, id: TypeId, values: &[Option<Literal>]) -> String {
    let TypeKind::Struct(structure) = &schema.definition(id).kind else { return String::new() };
    let given = structure.fields.iter().zip(values);
    let given: Vec<String> = given
        .filter_map(|(field, value)| Some(format!("{}: {}", field.name, literal(schema, value.as_ref()?))))
        .collect();
    if given.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", given.join(", ")) }
}

/// Returns bounds; if there are none, `no bounds`.
pub(super) fn range(schema: &Schema, range: Option<&Range>) -> String {
    let Some(range) = range else { return "no bounds".to_owned() };
    let end = |end: &Option<Literal>| end.as_ref().map_or_else(String::new, |end| literal(schema, end));
    let dots = if range.max_exclusive || range.max.is_none() { ".." } else { "..=" };
    format!("`{}{dots}{}`", end(&range.min), end(&range.max))
}
