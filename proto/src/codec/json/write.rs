//! From the form of the wire to one with names.

use std::collections::BTreeMap;

use rmpv::Value;

use super::description::{Definition, Description, Field, Payload, Type, Variant};
use super::found::{Levels, unexpected};
use super::members::Members;
use super::{any, scalars};
use crate::codec::error::DecodeError;
use crate::codec::union::LEAST_POSITION;

/// Returns a value with names from what a type is on the wire.
pub(in crate::codec) fn write(description: &Description, value: Value) -> Result<Value, DecodeError> {
    named(description, value, Levels::TO_WRITE)
}

fn named(description: &Description, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    match description.definition()? {
        Definition::Struct(fields) => structure(fields, value, levels.enter()?),
        Definition::Enum(values) => Ok(enumeration(values, value)),
        Definition::Flags(flags) => set_of_flags(flags, &value),
        Definition::Union(variants) => union(variants, value, levels.enter()?),
        Definition::Errors(errors) => thrown(errors, value, levels.enter()?),
    }
}

fn typed(ty: &Type, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    match ty {
        Type::Optional(_) if value.is_nil() => Ok(value),
        Type::Optional(inner) => typed(inner, value, levels),
        Type::Value => any::write(value, levels),
        Type::List(element) => list(element, value, levels.enter()?),
        Type::Map(key, element) => map(key, element, value, levels.enter()?),
        Type::Named(description) => named(description, value, levels),
        _ => scalars::write(ty, value),
    }
}

/// Leaves absent fields out. A type of a user's in the place of a struct may write names itself.
fn structure(fields: &Members<Field>, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let mut values: BTreeMap<usize, Value> = match value {
        Value::Array(values) => (1..).zip(values).collect(),
        Value::Map(entries) => {
            entries.into_iter().filter_map(|(key, value)| Some((number_of(fields, &key)?, value))).collect()
        }
        value => return Err(unexpected(&value, "a struct")),
    };
    let mut entries = Vec::with_capacity(fields.len());
    for field in fields.iter() {
        let Some(value) = values.remove(&field.number) else { continue };
        if value.is_nil() && field.ty != Type::Value {
            continue;
        }
        let value = typed(&field.ty, value, levels).map_err(|error| error.inside(field.name))?;
        entries.push((field.name.into(), value));
    }
    Ok(Value::Map(entries))
}

/// Returns the number of a field by a key of a map, which is its number or its name.
fn number_of(fields: &Members<Field>, key: &Value) -> Option<usize> {
    let by_name = |name| fields.named(name).map(|field| field.number);
    match key.as_u64() {
        Some(number) => usize::try_from(number).ok(),
        None => key.as_str().and_then(by_name),
    }
}

/// Returns the name of a number, or the number if this side has no name for it.
fn enumeration(values: &Members<(&'static str, i32)>, value: Value) -> Value {
    let known = value.as_i64().and_then(|number| values.numbered(number));
    known.map_or(value, |(name, _)| (*name).into())
}

/// Returns the names of the flags that are set, then the numbers of those that this side has no name for.
fn set_of_flags(flags: &[(&'static str, i32)], value: &Value) -> Result<Value, DecodeError> {
    let Some(bits) = value.as_u64() else { return Err(unexpected(value, "a set of flags")) };
    let is_set = |number: i32| bits >> number & 1 == 1;
    let known = flags.iter().filter(|(_, number)| is_set(*number)).map(|(name, _)| Value::from(*name));
    let is_known = |number: i32| flags.iter().any(|(_, known)| *known == number);
    let unknown = (0..=63).filter(|number| is_set(*number) && !is_known(*number)).map(Value::from);
    Ok(Value::Array(known.chain(unknown).collect()))
}

fn union(variants: &Members<Variant>, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let Value::Array(parts) = value else { return Err(unexpected(&value, "a union")) };
    let mut parts = parts.into_iter();
    let (number, value) = (parts.next().unwrap_or(Value::Nil), parts.next().unwrap_or(Value::Nil));
    let known = number.as_i64().and_then(|number| variants.numbered(number));
    let Some(variant) = known else {
        return Ok(Value::Map(vec![(format!("#{number}").into(), any::write(value, levels)?)]));
    };
    let value = match &variant.payload {
        Payload::Nothing => return Ok(variant.name.into()),
        Payload::Type(ty) => typed(ty, value, levels)?,
        Payload::Fields(fields) => {
            let levels = levels.enter()?;
            if value.is_nil() { Value::Map(Vec::new()) } else { structure(fields, value, levels)? }
        }
    };
    Ok(Value::Map(vec![(variant.name.into(), value)]))
}

/// Names the error, also the first, which has no number on the wire: names of its variants may be those of other errors.
fn thrown(errors: &[(&'static str, Type)], value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let number = value.as_array().and_then(|parts| parts.first()).and_then(Value::as_u64);
    let Some(number) = number.filter(|number| *number >= LEAST_POSITION) else {
        let Some((name, ty)) = errors.first() else { return Err(unexpected(&value, "an error")) };
        return Ok(Value::Map(vec![((*name).into(), typed(ty, value, levels)?)]));
    };
    let inner = match value {
        Value::Array(parts) => parts.into_iter().nth(1).unwrap_or(Value::Nil),
        _ => Value::Nil,
    };
    let known = (1_u64..).zip(errors).find(|(position, _)| LEAST_POSITION + position == number);
    let (name, value) = match known {
        Some((_, (name, ty))) => ((*name).to_owned(), typed(ty, inner, levels)?),
        None => (format!("#{number}"), any::write(inner, levels)?),
    };
    Ok(Value::Map(vec![(name.into(), value)]))
}

fn list(element: &Type, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let Value::Array(elements) = value else { return Err(unexpected(&value, "a list")) };
    let elements = elements.into_iter().map(|value| typed(element, value, levels));
    elements.collect::<Result<_, _>>().map(Value::Array)
}

fn map(key: &Type, element: &Type, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let Value::Map(entries) = value else { return Err(unexpected(&value, "a map")) };
    let entries = entries.into_iter().map(|(name, value)| {
        let name = scalars::write_key(typed(key, name, levels)?)?;
        Ok((name, typed(element, value, levels)?))
    });
    entries.collect::<Result<_, _>>().map(Value::Map)
}
