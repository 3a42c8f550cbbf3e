//! From a form with names to that of the wire.
//!
//! What can't be read is told with its path. A variant adds no step to a path, as in errors of the wire.

use std::collections::{BTreeMap, BTreeSet};

use rmpv::Value;

use super::description::{Definition, Description, Field, Payload, Type, Variant};
use super::found::{Levels, unexpected, unknown};
use super::members::Members;
use super::options::is_strict;
use super::{any, scalars};
use crate::codec::error::DecodeError;
use crate::codec::path::{index_step, key_step};
use crate::codec::union::LEAST_POSITION;

/// Returns what a type is on the wire from a value with names.
pub(in crate::codec) fn read(description: &Description, value: Value) -> Result<Value, DecodeError> {
    named(description, value, Levels::TO_READ)
}

fn named(description: &Description, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    match description.definition()? {
        Definition::Struct(fields) => match value {
            Value::Map(entries) => structure(fields, entries, levels.enter()?),
            value => Err(unexpected(&value, "an object of fields by name")),
        },
        Definition::Enum(values) => enumeration(values, &value),
        Definition::Flags(flags) => set_of_flags(flags, value),
        Definition::Union(variants) => union(variants, value, levels.enter()?),
        Definition::Errors(errors) => thrown(errors, value, levels.enter()?),
    }
}

fn typed(ty: &Type, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    match ty {
        Type::Optional(_) if value.is_nil() => Ok(value),
        Type::Optional(inner) => typed(inner, value, levels),
        Type::Value => any::read(value, levels),
        Type::List(element) => list(element, value, levels.enter()?),
        Type::Map(key, element) => map(key, element, value, levels.enter()?),
        Type::Named(description) => named(description, value, levels),
        _ => scalars::read(ty, value),
    }
}

fn structure(
    fields: &Members<Field>,
    entries: Vec<(Value, Value)>,
    levels: Levels,
) -> Result<Value, DecodeError> {
    let mut values: BTreeMap<usize, Value> = BTreeMap::new();
    let mut given = BTreeSet::new();
    for (key, value) in entries {
        let Some(name) = key.as_str() else { return Err(unexpected(&key, "the name of a field")) };
        let Some(field) = fields.named(name) else {
            if is_strict() {
                return Err(unknown("field", name, fields.names()));
            }
            continue;
        };
        if !given.insert(field.number) {
            return Err(scalars::twice("field", name));
        }
        // Null and absence mean the same, and a field that must be there has to say which type it has.
        if value.is_nil() && !field.is_required() {
            continue;
        }
        let value = typed(&field.ty, value, levels).map_err(|error| error.inside(field.name))?;
        values.insert(field.number, value);
    }
    if let Some(missing) = fields.iter().find(|field| field.is_required() && !given.contains(&field.number)) {
        return Err(DecodeError::missing(missing.name));
    }
    let last = values.last_key_value().map_or(0, |(number, _)| *number);
    if last > MAX_ARRAY {
        return Ok(Value::Map(values.into_iter().map(|(number, value)| (number.into(), value)).collect()));
    }
    let mut array = vec![Value::Nil; last];
    for (number, value) in values {
        array[number - 1] = value;
    }
    Ok(Value::Array(array))
}

/// Maximum number of a field of a struct that is made an array, and not a map from numbers. Readers take either.
const MAX_ARRAY: usize = 255;

/// Returns the number of a name. A number is taken as it is: one of a newer schema has no name here.
fn enumeration(values: &Members<(&'static str, i32)>, value: &Value) -> Result<Value, DecodeError> {
    if let Some(number) = value.as_i64().and_then(|number| i32::try_from(number).ok()) {
        return Ok(number.into());
    }
    let Some(name) = value.as_str() else {
        return Err(unexpected(value, "the name of an enum's value, or its number"));
    };
    match values.named(name) {
        Some((_, number)) => Ok((*number).into()),
        None => Err(unknown("enum value", name, values.names())),
    }
}

/// Returns the bits of a list of names and numbers. A number is taken as it is: one of a newer schema has no name here.
fn set_of_flags(flags: &[(&'static str, i32)], value: Value) -> Result<Value, DecodeError> {
    let Value::Array(elements) = value else { return Err(unexpected(&value, "a list of flags")) };
    let mut bits = 0_u64;
    for (index, element) in elements.iter().enumerate() {
        let bit = 1 << flag(flags, element).map_err(|error| error.inside(&index_step(index)))?;
        if bits & bit != 0 {
            return Err(scalars::twice("flag", &element.to_string()).inside(&index_step(index)));
        }
        bits |= bit;
    }
    Ok(bits.into())
}

/// Returns the number of a flag.
fn flag(flags: &[(&'static str, i32)], value: &Value) -> Result<i32, DecodeError> {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    if let Some(number) = number.filter(|number| (0..=63).contains(number)) {
        return Ok(number);
    }
    let Some(name) = value.as_str() else {
        return Err(unexpected(value, "the name of a flag, or its number from 0 to 63"));
    };
    match flags.iter().find(|(known, _)| *known == name) {
        Some((_, number)) => Ok(*number),
        None => Err(unknown("flag", name, flags.iter().map(|(name, _)| *name))),
    }
}

/// Reads a variant's name alone, or an object of its name and its value.
fn union(variants: &Members<Variant>, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    const EXPECTED: &str = "the name of a variant, or an object of its name and its value";
    let (name, value) = match value {
        Value::String(name) => (Value::String(name), None),
        Value::Map(entries) => match <[(Value, Value); 1]>::try_from(entries) {
            Ok([(name, value)]) => (name, Some(value)),
            Err(entries) => {
                let names = entries.len();
                return Err(DecodeError::new(&format_args!(
                    "an object of {names} names, expected {EXPECTED}"
                )));
            }
        },
        value => return Err(unexpected(&value, EXPECTED)),
    };
    let Some(name) = name.as_str() else { return Err(unexpected(&name, "the name of a variant")) };
    if let Some(number) = name.strip_prefix('#') {
        return by_number(number, value.unwrap_or(Value::Nil), levels);
    }
    match variants.named(name) {
        Some(variant) => {
            let value = payload(variant, value.unwrap_or(Value::Nil), levels)?;
            Ok(Value::Array(vec![variant.number.into(), value]))
        }
        None => Err(unknown("variant", name, variants.names())),
    }
}

/// Reads a variant of a newer schema, as one that does not know it has written it: its value in the form of the wire.
fn by_number(number: &str, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let parsed = scalars::parse_integer(number).and_then(|number| u32::try_from(number).ok());
    let Some(number) = parsed else {
        return Err(DecodeError::new(&format_args!(
            "`#{}` is no number of a variant",
            crate::text::cut(number, 40)
        )));
    };
    Ok(Value::Array(vec![number.into(), any::read(value, levels)?]))
}

/// Reads an object of an error's name and the error.
fn thrown(errors: &[(&'static str, Type)], value: Value, levels: Levels) -> Result<Value, DecodeError> {
    const EXPECTED: &str = "an object of an error's name and the error";
    let Value::Map(entries) = value else { return Err(unexpected(&value, EXPECTED)) };
    let Ok([(name, value)]) = <[(Value, Value); 1]>::try_from(entries) else {
        return Err(DecodeError::new(&format_args!("an object of other than one name, expected {EXPECTED}")));
    };
    let Some(name) = name.as_str() else { return Err(unexpected(&name, "the name of an error")) };
    let position = name.strip_prefix('#').filter(|number| {
        scalars::parse_integer(number).is_some_and(|number| number >= LEAST_POSITION.into())
    });
    if let Some(number) = position {
        return by_number(number, value, levels);
    }
    match (1_u64..).zip(errors).find(|(_, (known, _))| *known == name) {
        Some((1, (_, ty))) => typed(ty, value, levels),
        Some((position, (_, ty))) => {
            let number = LEAST_POSITION + position;
            Ok(Value::Array(vec![number.into(), typed(ty, value, levels)?]))
        }
        None => Err(unknown("error", name, errors.iter().map(|(name, _)| *name))),
    }
}

fn payload(variant: &Variant, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    match (&variant.payload, value) {
        (Payload::Nothing, value) if !value.is_nil() && is_strict() => {
            Err(DecodeError::new(&format_args!("variant `{}` has no value", variant.name)))
        }
        (Payload::Nothing, _) => Ok(Value::Nil),
        (Payload::Type(ty), Value::Nil) if !ty.may_be_absent() => {
            Err(DecodeError::new(&format_args!("variant `{}` comes without its value", variant.name)))
        }
        (Payload::Type(ty), value) => typed(ty, value, levels),
        (Payload::Fields(fields), Value::Nil) => structure(fields, Vec::new(), levels),
        (Payload::Fields(fields), Value::Map(entries)) => structure(fields, entries, levels.enter()?),
        (Payload::Fields(_), value) => Err(unexpected(&value, "an object of fields by name")),
    }
}

fn list(element: &Type, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let Value::Array(elements) = value else { return Err(unexpected(&value, "a list")) };
    let elements = elements.into_iter().enumerate().map(|(index, value)| {
        typed(element, value, levels).map_err(|error| error.inside(&index_step(index)))
    });
    elements.collect::<Result<_, _>>().map(Value::Array)
}

fn map(key: &Type, element: &Type, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let Value::Map(entries) = value else { return Err(unexpected(&value, "an object of a map's entries")) };
    let mut given = BTreeSet::new();
    let mut read = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        let Some(text) = name.as_str().map(str::to_owned) else {
            return Err(unexpected(&name, "the key of a map"));
        };
        let inside = |error: DecodeError| error.inside(&key_step(&text));
        let key = read_key(key, name, levels).map_err(inside)?;
        // Two texts may be one key: a uuid in capitals, the name of an enum's value and its number.
        if !given.insert(key.to_string()) {
            return Err(scalars::twice("key", &text));
        }
        read.push((key, typed(element, value, levels).map_err(inside)?));
    }
    Ok(Value::Map(read))
}

fn read_key(ty: &Type, key: Value, levels: Levels) -> Result<Value, DecodeError> {
    let Type::Named(description) = ty else { return scalars::read_key(ty, key) };
    let number = key.as_str().and_then(scalars::parse_integer).and_then(|number| i32::try_from(number).ok());
    named(description, number.map_or(key, Value::from), levels)
}
