//! Bytes to JSON: the bytes are read straight through, by what the schema expects at each place.
//!
//! Every form that readers must take is read, since [`Reader`] is that of generated code: structs as arrays and as maps from numbers or
//! names, and numbers in any width.

mod structure;
mod union;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::time::Duration;

use rmpv::Value;
use zsvc_idl::schema::{Builtin, EnumValue, Flag, Schema, Type, TypeKind};
use zsvc_proto::codec::dynamic::{Scalar, Uuid, write_any};
use zsvc_proto::codec::{Decode, DecodeError, Form as _, Nanoseconds, Reader, Timestamp};

use crate::bounds::Measure;
use crate::codec::MAX_LEVELS;
use crate::lookup::Lookup;
use crate::shape::Shape;
use crate::text::Text;

/// Returns the JSON of a value that is all of some bytes.
pub(crate) fn decode<'s>(
    schema: &'s Schema,
    shape: Shape<'s>,
    bytes: &[u8],
    max_memory: usize,
    text: Text,
) -> Result<String, DecodeError> {
    let mut decoder = Decoder { schema, text, names: Lookup::default(), numbers: Lookup::default() };
    let mut reader = Reader::of_bytes(bytes, max_memory);
    match shape {
        Shape::Type(ty) => decoder.value(ty, &mut reader).map(drop)?,
        Shape::Parameters(fields) => decoder.structure(fields, &mut reader)?,
        Shape::Errors(errors) => decoder.thrown(errors, &mut reader)?,
        Shape::Nothing => {
            reader.skipped()?;
            decoder.text.value(&Value::Nil)?;
        }
    }
    if reader.has_ended() { Ok(decoder.text.finish()) } else { Err(DecodeError::more_bytes()) }
}

/// Checks that bytes are of a shape, and their fields within their bounds, without a text: it takes no more time and memory than to
/// read them.
pub(crate) fn check<'s>(
    schema: &'s Schema,
    shape: Shape<'s>,
    bytes: &[u8],
    max_memory: usize,
) -> Result<(), DecodeError> {
    decode(schema, shape, bytes, max_memory, Text::dropped()).map(drop)
}

struct Decoder<'s> {
    schema: &'s Schema,
    /// Dropped where the bytes are only checked; bounds are looked at then, and no default values.
    text: Text,
    names: Lookup<&'s str>,
    numbers: Lookup<i64>,
}

/// Texts that have come, each as a number that can not be foreseen.
#[derive(Default)]
struct Seen {
    hashers: [RandomState; 2],
    texts: HashSet<[u64; 2]>,
}

impl Seen {
    /// Notes a text. Returns whether it is new.
    fn insert(&mut self, text: &[u8]) -> bool {
        self.texts.insert(self.hashers.each_ref().map(|hasher| hasher.hash_one(text)))
    }
}

impl<'s> Decoder<'s> {
    /// Writes a value. Returns what bounds are about.
    fn value(&mut self, ty: &'s Type, reader: &mut Reader<'_>) -> Result<Measure, DecodeError> {
        match self.schema.resolved(ty) {
            Type::Builtin(Builtin::Value) => self.any(reader)?,
            Type::Builtin(builtin) => return self.scalar(*builtin, reader),
            Type::List(element) => return self.list(element, reader),
            Type::Set(element) => return self.set(element, reader),
            Type::Map(key, value) => return self.map(key, value, reader),
            Type::Optional(_) if reader.take_nil() => self.text.value(&Value::Nil)?,
            Type::Optional(inner) => return self.value(inner, reader),
            Type::Named(id) => match &self.schema.definition(*id).kind {
                TypeKind::Struct(structure) => self.structure(&structure.fields, reader)?,
                TypeKind::Enum(values) => {
                    let number = i32::decode(reader)?;
                    if !self.text.is_dropped() {
                        let named = self.enumeration(values, number);
                        self.text.value(&named)?;
                    }
                }
                TypeKind::Flags(flags) => {
                    let bits = u64::decode(reader)?;
                    if !self.text.is_dropped() {
                        self.text.value(&set_of_flags(flags, bits))?;
                    }
                }
                TypeKind::Union(variants) | TypeKind::Error(variants) => self.union(variants, reader)?,
                TypeKind::Alias(target) => return self.value(target, reader),
            },
        }
        Ok(Measure::Other)
    }

    fn scalar(&mut self, builtin: Builtin, reader: &mut Reader<'_>) -> Result<Measure, DecodeError> {
        let value = scalar(builtin, reader)?;
        if self.text.is_dropped() {
            return Ok(measure(&value));
        }
        self.text.value(&for_people(builtin, value)?)?;
        Ok(Measure::Other)
    }

    /// Writes a `value`, whose escapes nest as the rest does.
    fn any(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let value = Value::decode(reader)?;
        if self.text.is_dropped() {
            return Ok(());
        }
        let levels = MAX_LEVELS.saturating_sub(self.text.depth());
        self.text.value(&write_any(value, levels)?)
    }

    fn list(&mut self, element: &'s Type, reader: &mut Reader<'_>) -> Result<Measure, DecodeError> {
        let Some(length) = reader.enter_array()? else {
            let numbers = reader.take_bytes_as_list()?;
            return self.list(element, &mut reader.inside(&numbers));
        };
        self.text.open(b'[');
        for index in 0..length {
            self.text.next(index == 0)?;
            self.value(element, reader).map_err(|error| error.in_element(index))?;
        }
        self.text.close(b']', length == 0);
        reader.leave_value();
        Ok(Measure::Length(length))
    }

    fn set(&mut self, element: &'s Type, reader: &mut Reader<'_>) -> Result<Measure, DecodeError> {
        let Some(length) = reader.enter_array()? else {
            return Err(reader.instead_of("a list without repeats"));
        };
        let mut seen = Seen::default();
        self.text.open(b'[');
        for index in 0..length {
            self.text.next(index == 0)?;
            let start = self.text.len();
            self.text.hold();
            self.value(element, reader).map_err(|error| error.in_element(index))?;
            if !seen.insert(self.text.since(start)) {
                return Err(DecodeError::told("this element is in the set already").in_element(index));
            }
            self.text.release(start);
        }
        self.text.close(b']', length == 0);
        reader.leave_value();
        Ok(Measure::Length(length))
    }

    /// Writes a map. A key that is sent twice has its last value: what was written for the key before is taken out in the end. Each value
    /// is decoded once, or a map within maps within maps would take time without end.
    fn map(
        &mut self,
        key: &'s Type,
        value: &'s Type,
        reader: &mut Reader<'_>,
    ) -> Result<Measure, DecodeError> {
        let Some(length) = reader.enter_map()? else { return Err(reader.instead_of("a map")) };
        if self.text.is_dropped() {
            return self.checked_map((key, value), length, reader);
        }
        let (mut entries, mut places) = (Vec::<Range<usize>>::new(), HashMap::new());
        self.text.open(b'{');
        let start = self.text.len();
        for index in 0..length {
            let name = self.key(key, reader)?;
            self.text.next(index == 0)?;
            let before = self.text.len();
            self.text.key(&name);
            let place = *places.entry(self.text.since(before).to_vec()).or_insert(entries.len());
            self.text.colon();
            self.value(value, reader).map_err(|error| error.in_entry(&shown(&name)))?;
            let written = before..self.text.len();
            match entries.get_mut(place) {
                Some(known) => *known = written,
                None => entries.push(written),
            }
        }
        if entries.len() < length {
            self.text.keep(start, &entries);
        }
        self.text.close(b'}', length == 0);
        reader.leave_value();
        Ok(Measure::Other)
    }

    /// Reads a map of which nothing is to be written. Each of its values has to be right, those that another one replaces as well.
    fn checked_map(
        &mut self,
        (key, value): (&'s Type, &'s Type),
        length: usize,
        reader: &mut Reader<'_>,
    ) -> Result<Measure, DecodeError> {
        let mut seen = Seen::default();
        self.text.open(b'{');
        for _ in 0..length {
            let name = self.key(key, reader)?;
            let start = self.text.len();
            self.text.hold();
            self.text.key(&name);
            seen.insert(self.text.since(start));
            self.text.release(start);
            self.value(value, reader).map_err(|error| error.in_entry(&shown(&name)))?;
        }
        self.text.close(b'}', length == 0);
        reader.leave_value();
        Ok(Measure::Length(seen.texts.len()))
    }

    /// Returns the name of a number, or the number if this schema has no name for it.
    fn enumeration(&self, values: &'s [EnumValue], number: i32) -> Value {
        let place = self.numbers.place(values, &number.into(), |value| value.number.into());
        place.map_or_else(|| number.into(), |place| values[place].name.as_str().into())
    }

    fn key(&self, ty: &'s Type, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        match self.schema.resolved(ty) {
            Type::Builtin(builtin) => for_people(*builtin, scalar(*builtin, reader)?),
            Type::Named(id) => match &self.schema.definition(*id).kind {
                TypeKind::Enum(values) => Ok(self.enumeration(values, i32::decode(reader)?)),
                _ => Err(reader.instead_of("the key of a map")),
            },
            _ => Err(reader.instead_of("the key of a map")),
        }
    }
}

/// Returns a key as text.
fn shown(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

/// Reads a value without parts.
fn scalar(builtin: Builtin, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(match builtin {
        Builtin::Bool => bool::decode(reader)?.into(),
        Builtin::U8 => u8::decode(reader)?.into(),
        Builtin::U16 => u16::decode(reader)?.into(),
        Builtin::U32 => u32::decode(reader)?.into(),
        Builtin::U64 => u64::decode(reader)?.into(),
        Builtin::I8 => i8::decode(reader)?.into(),
        Builtin::I16 => i16::decode(reader)?.into(),
        Builtin::I32 => i32::decode(reader)?.into(),
        Builtin::I64 => i64::decode(reader)?.into(),
        Builtin::F32 => f32::decode(reader)?.into(),
        Builtin::F64 => f64::decode(reader)?.into(),
        Builtin::String => String::decode(reader)?.into(),
        Builtin::Bytes => {
            let bytes = reader.take_bin().ok_or_else(|| reader.instead_of("bytes"))?;
            Value::Binary(bytes.to_vec())
        }
        Builtin::Timestamp => Timestamp::decode(reader)?.to_string().into(),
        Builtin::Duration => {
            let duration: Duration = Nanoseconds::decode(reader)?;
            // At most 64 bits of nanoseconds were read.
            u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
        }
        Builtin::Uuid => {
            let id = Uuid::decode(reader)?;
            id.to_string().into()
        }
        Builtin::Value => Value::decode(reader)?,
    })
}

/// Returns what bounds are about of a value without parts.
fn measure(value: &Value) -> Measure {
    match value {
        Value::String(text) => Measure::Length(text.as_str().map_or(0, |text| text.chars().count())),
        Value::Binary(bytes) => Measure::Length(bytes.len()),
        Value::F32(number) => Measure::Short(*number),
        Value::F64(number) => Measure::Long(*number),
        Value::Integer(_) => {
            let number = value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from));
            Measure::Integer(number.unwrap_or_default())
        }
        _ => Measure::Other,
    }
}

/// Returns a value without parts as it is for people.
fn for_people(builtin: Builtin, value: Value) -> Result<Value, DecodeError> {
    match (builtin, Scalar::of(builtin.keyword())) {
        // They are texts already.
        (Builtin::Timestamp | Builtin::Uuid, _) | (_, None) => Ok(value),
        (_, Some(ty)) => ty.write(value),
    }
}

/// Returns the names of the flags that are set, then the numbers of those that this schema has no name for.
fn set_of_flags(flags: &[Flag], bits: u64) -> Value {
    let known = flags.iter().filter(|flag| bits & flag.bit() != 0).map(|flag| flag.name.as_str().into());
    let is_known = |number: u8| flags.iter().any(|flag| flag.number == number);
    let unknown = (0..64).filter(|number| bits >> number & 1 == 1 && !is_known(*number)).map(Value::from);
    Value::Array(known.chain(unknown).collect())
}
