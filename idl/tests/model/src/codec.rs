//! Encodes and decodes values by a schema alone, as the chapter *Values* of docs/protocol.md says.

use std::collections::BTreeSet;

use rmpv::Value as Raw;
use zsvc_idl::schema::{
    Builtin, Field, Literal, Payload, Range, Schema, Thrown, Type, TypeId, TypeKind, Variant,
};

use crate::value::{Value, holds_float, integer, limits, order};

/// Why bytes are not a value of the type.
pub type Refusal = String;

/// Returns the bytes of a value.
///
/// # Panics
/// Never: a vector takes any bytes.
#[must_use]
pub fn bytes(raw: &Raw) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, raw).expect("a vector takes any bytes");
    bytes
}

/// Returns the value that bytes hold.
pub fn parsed(mut bytes: &[u8]) -> Result<Raw, Refusal> {
    rmpv::decode::read_value(&mut bytes).map_err(|error| error.to_string())
}

/// Returns a value of a type as MessagePack.
#[must_use]
pub fn write(schema: &Schema, ty: &Type, value: &Value) -> Raw {
    match (schema.resolved(ty), value) {
        (_, Value::Absent | Value::Nothing) => Raw::Nil,
        (Type::Optional(inner), value) => write(schema, inner, value),
        (Type::Builtin(builtin), value) => write_builtin(*builtin, value),
        (Type::List(element) | Type::Set(element), Value::List(elements)) => {
            Raw::Array(elements.iter().map(|value| write(schema, element, value)).collect())
        }
        (Type::Map(key_type, value_type), Value::Map(entries)) => {
            let entry = |(key, value): &(Value, Value)| {
                (write(schema, key_type, key), write(schema, value_type, value))
            };
            Raw::Map(entries.iter().map(entry).collect())
        }
        (Type::Named(id), value) => match (&schema.definition(*id).kind, value) {
            (TypeKind::Struct(structure), value) => write_fields(schema, &structure.fields, value),
            (_, Value::Enum(number)) => (*number).into(),
            (_, Value::Flags(bits)) => (*bits).into(),
            (TypeKind::Union(variants) | TypeKind::Error(variants), value) => {
                write_union(schema, variants, value)
            }
            _ => Raw::Nil,
        },
        (Type::List(_) | Type::Set(_) | Type::Map(..), _) => Raw::Nil,
    }
}

fn write_builtin(builtin: Builtin, value: &Value) -> Raw {
    match value {
        Value::Bool(value) => Raw::Boolean(*value),
        Value::Integer(value) => match u64::try_from(*value) {
            Ok(value) => value.into(),
            Err(_) => i64::try_from(*value).unwrap_or(i64::MIN).into(),
        },
        #[allow(clippy::cast_possible_truncation, reason = "it was made from one")]
        Value::Float(value) if builtin == Builtin::F32 => Raw::F32(*value as f32),
        Value::Float(value) => Raw::F64(*value),
        Value::String(value) => value.as_str().into(),
        Value::Bytes(value) => Raw::Binary(value.clone()),
        Value::Timestamp(seconds, nanoseconds) => Raw::Ext(-1, write_timestamp(*seconds, *nanoseconds)),
        Value::Duration(nanoseconds) => (*nanoseconds).into(),
        Value::Uuid(value) => Raw::Binary(value.to_vec()),
        Value::Any(value) => value.clone(),
        _ => Raw::Nil,
    }
}

/// Returns the shortest of the three forms of a timestamp that hold it.
fn write_timestamp(seconds: i64, nanoseconds: u32) -> Vec<u8> {
    match (u64::try_from(seconds), u32::try_from(seconds)) {
        (_, Ok(seconds)) if nanoseconds == 0 => seconds.to_be_bytes().to_vec(),
        (Ok(seconds), _) if seconds < 1 << 34 => {
            (u64::from(nanoseconds) << 34 | seconds).to_be_bytes().to_vec()
        }
        _ => [&nanoseconds.to_be_bytes()[..], &seconds.to_be_bytes()[..]].concat(),
    }
}

/// Returns an array by number, with nil for gaps and for absent values; absent values at the end are left out. If few numbers are
/// in use, returns a map from the numbers of what is present.
#[must_use]
pub fn write_fields(schema: &Schema, fields: &[Field], value: &Value) -> Raw {
    let Value::Struct(values) = value else { return Raw::Nil };
    if is_map(fields) {
        let present = fields.iter().filter_map(|field| {
            let (_, value) = values.iter().find(|(number, _)| *number == field.number)?;
            (!is_absent(schema, field, value)).then(|| (field.number.into(), write(schema, &field.ty, value)))
        });
        return Raw::Map(present.collect());
    }
    let mut array = Vec::new();
    for field in fields {
        let value = values.iter().find(|(number, _)| *number == field.number).map(|(_, value)| value);
        let Some(value) = value.filter(|value| !is_absent(schema, field, value)) else { continue };
        array.resize(usize::from(field.number), Raw::Nil);
        array[usize::from(field.number) - 1] = write(schema, &field.ty, value);
    }
    Raw::Array(array)
}

/// Reports whether a field is not written. What is optional is absent if it is nil; of type `value`, nil is a value.
fn is_absent(schema: &Schema, field: &Field, value: &Value) -> bool {
    let is_nil = matches!(value, Value::Any(Raw::Nil));
    let is_optional = matches!(schema.resolved(&field.ty), Type::Optional(_));
    matches!(value, Value::Absent) || is_nil && is_optional
}

/// Reports whether fields are a map from numbers: one is past 255, or three of four numbers are not in use.
fn is_map(fields: &[Field]) -> bool {
    let last = fields.iter().map(|field| usize::from(field.number)).max().unwrap_or(0);
    last > 255 || fields.len() * 4 < last
}

/// Returns an error of a method by its index among those that the method throws.
#[must_use]
pub fn write_thrown(schema: &Schema, index: usize, thrown: &Thrown, value: &Value) -> Raw {
    let raw = write(schema, &Type::Named(thrown.error), value);
    match Thrown::number(index) {
        None => raw,
        Some(number) => Raw::Array(vec![number.into(), raw]),
    }
}

/// Number of the second error of a method, in the place of a variant's number.
const SECOND_ERROR: u32 = 0x8000_0002;

fn write_union(schema: &Schema, variants: &[Variant], value: &Value) -> Raw {
    let (number, raw) = match value {
        Value::Unknown(number, raw) => (*number, raw.clone()),
        Value::Union(number, value) => {
            let payload =
                variants.iter().find(|variant| variant.number == *number).map(|variant| &variant.payload);
            let raw = match payload {
                None | Some(Payload::Nothing) => Raw::Nil,
                Some(Payload::Type { ty, .. }) => write(schema, ty, value),
                Some(Payload::Fields(fields)) => write_fields(schema, fields, value),
            };
            (*number, raw)
        }
        _ => return Raw::Nil,
    };
    Raw::Array(vec![number.into(), raw])
}

/// A reader of values of a schema.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The schema that resolves types.
    pub schema: &'a Schema,
    /// Whether bounds are checked: servers check them, clients do not.
    pub is_server: bool,
}

impl Reader<'_> {
    /// Reads a value of a type.
    pub fn read(self, ty: &Type, raw: &Raw) -> Result<Value, Refusal> {
        match self.schema.resolved(ty) {
            Type::Optional(_) if raw.is_nil() => Ok(Value::Absent),
            Type::Optional(inner) => self.read(inner, raw),
            Type::Builtin(builtin) => read_builtin(*builtin, raw),
            Type::List(element) => {
                let elements = raw.as_array().ok_or("no list")?;
                elements.iter().map(|raw| self.read(element, raw)).collect::<Result<_, _>>().map(Value::List)
            }
            Type::Set(element) => {
                let elements = raw.as_array().ok_or("no set")?;
                let elements = elements.iter().map(|raw| self.read(element, raw));
                let elements = elements.collect::<Result<Vec<_>, _>>()?;
                let is_twice = |(index, it): (usize, &Value)| elements[..index].contains(it);
                if elements.iter().enumerate().any(is_twice) {
                    return Err("an element twice".to_owned());
                }
                Ok(Value::List(elements))
            }
            Type::Map(key, value) => {
                let entries = raw.as_map().ok_or("no map")?;
                let entries = entries
                    .iter()
                    .map(|(raw_key, raw)| Ok((self.read(key, raw_key)?, self.read(value, raw)?)));
                entries.collect::<Result<_, Refusal>>().map(Value::Map)
            }
            Type::Named(id) => match &self.schema.definition(*id).kind {
                TypeKind::Struct(structure) => self.fields(&structure.fields, raw),
                TypeKind::Enum(_) => match raw.as_i64() {
                    Some(number) if i32::try_from(number).is_ok() => Ok(Value::Enum(number)),
                    _ => Err("no number of a value".to_owned()),
                },
                TypeKind::Flags(_) => {
                    raw.as_u64().map(Value::Flags).ok_or_else(|| "no bits of flags".to_owned())
                }
                TypeKind::Union(variants) | TypeKind::Error(variants) => self.union(variants, raw),
                TypeKind::Alias(ty) => self.read(ty, raw),
            },
        }
    }

    /// Reads the fields of a struct, or the parameters of a method.
    pub fn fields(self, fields: &[Field], raw: &Raw) -> Result<Value, Refusal> {
        if let Raw::Map(entries) = raw {
            return self.fields(fields, &by_number(fields, entries)?);
        }
        let elements = raw.as_array().ok_or("no array of fields")?;
        let values = fields.iter().map(|field| {
            let raw = elements.get(usize::from(field.number) - 1).unwrap_or(&Raw::Nil);
            let value = self.field(field, raw).map_err(|refusal| format!("{}: {refusal}", field.name))?;
            Ok((field.number, value))
        });
        values.collect::<Result<_, Refusal>>().map(Value::Struct)
    }

    /// Reads an error of a method: its index, and its value. It is unknown if the method has no error at that index here.
    pub fn thrown(self, errors: &[Thrown], raw: &Raw) -> Result<(usize, Value), Refusal> {
        let elements = raw.as_array().ok_or("no error")?;
        let number = number(elements.first().ok_or("no number of an error")?)?;
        let (index, raw) = match number.checked_sub(SECOND_ERROR) {
            None => (0, raw),
            Some(after) => {
                let after = usize::try_from(after).map_err(|error| error.to_string())?;
                (after + 1, elements.get(1).unwrap_or(&Raw::Nil))
            }
        };
        let value = match errors.get(index) {
            Some(thrown) => self.read(&Type::Named(thrown.error), raw)?,
            None => Value::Unknown(number, raw.clone()),
        };
        Ok((index, value))
    }

    fn field(self, field: &Field, raw: &Raw) -> Result<Value, Refusal> {
        let value = match &field.default {
            Some(default) if raw.is_nil() => literal(self.schema, &field.ty, default),
            _ => self.read(&field.ty, raw)?,
        };
        if self.is_server {
            hold(&value, field.len.as_ref(), field.range.as_ref())?;
        }
        Ok(value)
    }

    fn union(self, variants: &[Variant], raw: &Raw) -> Result<Value, Refusal> {
        let elements = raw.as_array().ok_or("no union")?;
        let number = number(elements.first().ok_or("no number of a variant")?)?;
        let raw = elements.get(1).unwrap_or(&Raw::Nil);
        let Some(variant) = variants.iter().find(|variant| variant.number == number) else {
            return Ok(Value::Unknown(number, raw.clone()));
        };
        let value = match &variant.payload {
            Payload::Nothing => Value::Nothing,
            Payload::Type { ty, .. } => self.read(ty, raw)?,
            Payload::Fields(fields) if raw.is_nil() => self.fields(fields, &Raw::Array(Vec::new()))?,
            Payload::Fields(fields) => self.fields(fields, raw)?,
        };
        Ok(Value::Union(number, Box::new(value)))
    }
}

/// Converts a map from numbers or names of fields to the array that means the same. Unknown ones are skipped. The first key tells which
/// of the two it is; numbers ascend, and no name is given twice.
fn by_number(fields: &[Field], entries: &[(Raw, Raw)]) -> Result<Raw, Refusal> {
    let is_numbered = entries.first().is_some_and(|(key, _)| key.is_i64() || key.is_u64());
    let (mut array, mut last, mut names) = (Vec::new(), 0, BTreeSet::new());
    for (key, value) in entries {
        match (is_numbered, key.as_u64(), key.as_str()) {
            (true, Some(number), _) if number > last => last = number,
            (true, ..) => return Err(format!("{key} after the field number {last}")),
            (false, _, Some(name)) if names.insert(name) => {}
            (false, ..) => return Err(format!("{key} is no name, or there twice")),
        }
        let is_field = |field: &&Field| match key.as_u64() {
            Some(number) => number == u64::from(field.number),
            None => key.as_str() == Some(field.name.as_str()),
        };
        if let Some(field) = fields.iter().find(is_field) {
            let at = usize::from(field.number);
            array.resize(at.max(array.len()), Raw::Nil);
            array[at - 1] = value.clone();
        }
    }
    Ok(Raw::Array(array))
}

fn number(raw: &Raw) -> Result<u32, Refusal> {
    raw.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| "no number".to_owned())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as a reader of floats does")]
fn read_builtin(builtin: Builtin, raw: &Raw) -> Result<Value, Refusal> {
    let value = match builtin {
        Builtin::Value => Some(Value::Any(raw.clone())),
        Builtin::Bool => raw.as_bool().map(Value::Bool),
        Builtin::F32 => raw.as_f64().map(|value| Value::Float(f64::from(value as f32))),
        Builtin::F64 => raw.as_f64().map(Value::Float),
        Builtin::String => raw.as_str().map(|text| Value::String(text.to_owned())),
        Builtin::Bytes => binary(raw).map(|bytes| Value::Bytes(bytes.to_vec())),
        Builtin::Timestamp => read_timestamp(raw),
        Builtin::Duration => raw.as_u64().map(Value::Duration),
        Builtin::Uuid => binary(raw).and_then(|bytes| bytes.try_into().ok()).map(Value::Uuid),
        integer => {
            let (least, most) = limits(integer);
            let number = raw.as_u64().map(i128::from).or_else(|| raw.as_i64().map(i128::from));
            number.filter(|number| (least..=most).contains(number)).map(Value::Integer)
        }
    };
    value.ok_or_else(|| format!("{raw} is no {builtin:?}"))
}

fn binary(raw: &Raw) -> Option<&[u8]> {
    match raw {
        Raw::Binary(bytes) => Some(bytes),
        _ => None,
    }
}

fn read_timestamp(raw: &Raw) -> Option<Value> {
    let Raw::Ext(-1, bytes) = raw else { return None };
    match bytes.len() {
        4 => Some(Value::Timestamp(u32::from_be_bytes(bytes.as_slice().try_into().ok()?).into(), 0)),
        8 => {
            let both = u64::from_be_bytes(bytes.as_slice().try_into().ok()?);
            let seconds = i64::try_from(both & ((1 << 34) - 1)).ok()?;
            Some(Value::Timestamp(seconds, u32::try_from(both >> 34).ok()?))
        }
        12 => {
            let nanoseconds = u32::from_be_bytes(bytes[..4].try_into().ok()?);
            Some(Value::Timestamp(i64::from_be_bytes(bytes[4..].try_into().ok()?), nanoseconds))
        }
        _ => None,
    }
}

/// Returns the value of a default.
#[must_use]
pub fn literal(schema: &Schema, ty: &Type, literal: &Literal) -> Value {
    match literal {
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Integer(value) => Value::Integer(*value),
        Literal::Float(value) => Value::Float(*value),
        Literal::String(value) => Value::String(value.clone()),
        Literal::Duration(value) => Value::Duration(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX)),
        Literal::EnumValue(id, index) => match &schema.definition(*id).kind {
            TypeKind::Enum(values) => Value::Enum(values[*index].number.into()),
            _ => Value::Nothing,
        },
        Literal::Flags(_, bits) => Value::Flags(*bits),
        Literal::Bytes(value) => Value::Bytes(value.clone()),
        Literal::List(values) => Value::List(parts(schema, ty, values)),
        Literal::Set(values) => {
            let mut elements = parts(schema, ty, values);
            elements.sort_by(order);
            Value::List(elements)
        }
        Literal::Map(entries) => {
            let Type::Map(key, value) = inner(schema, ty) else { return Value::Nothing };
            let entry = |(one, other): &(Literal, Literal)| {
                (self::literal(schema, key, one), self::literal(schema, value, other))
            };
            let mut entries: Vec<_> = entries.iter().map(entry).collect();
            entries.sort_by(|(one, _), (other, _)| order(one, other));
            Value::Map(entries)
        }
        Literal::Struct(id, values) => structure(schema, *id, values),
        Literal::Empty if matches!(schema.resolved(ty), Type::Map(..)) => Value::Map(Vec::new()),
        Literal::Empty => Value::List(Vec::new()),
    }
}

/// Returns a type without aliases and optionals around it.
fn inner<'a>(schema: &'a Schema, ty: &'a Type) -> &'a Type {
    match schema.resolved(ty) {
        Type::Optional(inner) => schema.resolved(inner),
        ty => ty,
    }
}

fn parts(schema: &Schema, ty: &Type, values: &[Literal]) -> Vec<Value> {
    match inner(schema, ty) {
        Type::List(element) | Type::Set(element) => {
            values.iter().map(|value| literal(schema, element, value)).collect()
        }
        _ => Vec::new(),
    }
}

fn structure(schema: &Schema, id: TypeId, values: &[Option<Literal>]) -> Value {
    let TypeKind::Struct(structure) = &schema.definition(id).kind else { return Value::Nothing };
    let given = structure.fields.iter().zip(values).map(|(field, value)| {
        let value = match value {
            Some(value) => literal(schema, &field.ty, value),
            None if matches!(schema.resolved(&field.ty), Type::Optional(_)) => Value::Absent,
            None => Value::Any(Raw::Nil),
        };
        (field.number, value)
    });
    Value::Struct(given.collect())
}

/// Checks a value against bounds.
fn hold(value: &Value, len: Option<&Range>, range: Option<&Range>) -> Result<(), Refusal> {
    let length = match value {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(elements) => elements.len(),
        Value::Map(entries) => entries.len(),
        Value::Integer(number) => return inside(*number, range),
        Value::Float(number) if holds_float(range, *number) => return Ok(()),
        Value::Float(number) => return Err(format!("{number} is out of bounds")),
        _ => return Ok(()),
    };
    inside(i128::try_from(length).unwrap_or(i128::MAX), len)
}

fn inside(number: i128, range: Option<&Range>) -> Result<(), Refusal> {
    let Some(range) = range else { return Ok(()) };
    let above = integer(range.min.as_ref()).is_none_or(|min| number >= min);
    let below = integer(range.max.as_ref()).is_none_or(|max| number <= max);
    if above && below { Ok(()) } else { Err(format!("{number} is out of bounds")) }
}
