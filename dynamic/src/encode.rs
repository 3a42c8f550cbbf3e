//! JSON to bytes: the text is read straight through, by what the schema expects at each place.
//!
//! Serde's errors are texts. So the error is kept beside, in [`Encoder::error`], where each level adds its step to the path on the way
//! out; what serde carries only says that there is one.

mod structure;
mod union;
mod visit;

use std::cell::RefCell;
use std::collections::HashSet;

use rmpv::Value;
use serde::Deserialize as _;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess};
use zsvc_idl::schema::{Builtin, EnumValue, Field, Flag, Layout, Schema, Type, TypeKind, Variant};
use zsvc_idl::suggest::nearest;
use zsvc_proto::codec::DecodeError;
use zsvc_proto::codec::dynamic::{Scalar, given_twice, read_any, unknown_name, wrong_type};

use crate::bounds::Measure;
use crate::codec::MAX_LEVELS;
use crate::error::Error;
use crate::lookup::Lookup;
use crate::shape::Shape;

use visit::Slot;

/// Returns the bytes of a JSON text.
pub(crate) fn encode<'s>(
    schema: &'s Schema,
    strict: bool,
    shape: Shape<'s>,
    json: &str,
) -> Result<Vec<u8>, Error> {
    let (error, nearest) = (RefCell::default(), RefCell::default());
    let encoder = Encoder { schema, strict, error, nearest, names: Lookup::default() };
    let mut out = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let slot = Slot { encoder: &encoder, expected: Expected::of(shape), levels: MAX_LEVELS, out: &mut out };
    let read = slot.deserialize(&mut deserializer).and_then(|_| deserializer.end());
    let nearest = encoder.nearest.take();
    match (read, encoder.error.take()) {
        (Ok(()), _) => Ok(out),
        (Err(place), Some(error)) => Err(Error::of(&error).at(&place).near(nearest)),
        (Err(syntax), None) => Err(Error::of_syntax(&syntax)),
    }
}

/// What is read, and what was wrong with it.
pub(super) struct Encoder<'s> {
    schema: &'s Schema,
    strict: bool,
    error: RefCell<Option<DecodeError>>,
    /// The known name that is nearest to an unknown one.
    nearest: RefCell<Option<String>>,
    names: Lookup<&'s str>,
}

/// What is expected at a place.
#[derive(Clone, Copy)]
pub(super) enum Expected<'s> {
    Shape(Shape<'s>),
    /// The value of a field, which may be `null` if that means that it is absent.
    Field(&'s Field),
    /// The value of a variant.
    Payload(&'s Variant),
}

impl<'s> Expected<'s> {
    fn of(shape: Shape<'s>) -> Self {
        Self::Shape(shape)
    }

    fn ty(ty: &'s Type) -> Self {
        Self::Shape(Shape::Type(ty))
    }
}

/// What is expected, with aliases followed.
pub(super) enum Resolved<'s> {
    Optional(&'s Type),
    Scalar(Builtin),
    Any,
    List(&'s Type),
    Set(&'s Type),
    Map(&'s Type, &'s Type),
    Struct(&'s [Field], Layout),
    Enum(&'s [EnumValue]),
    Flags(&'s [Flag]),
    Union(&'s [Variant]),
}

const FIELDS: &str = "an object of fields by name";

impl<'s> Encoder<'s> {
    fn resolve(&self, ty: &'s Type) -> Resolved<'s> {
        match self.schema.resolved(ty) {
            Type::Builtin(Builtin::Value) => Resolved::Any,
            Type::Builtin(builtin) => Resolved::Scalar(*builtin),
            Type::List(element) => Resolved::List(element),
            Type::Set(element) => Resolved::Set(element),
            Type::Map(key, value) => Resolved::Map(key, value),
            Type::Optional(inner) => Resolved::Optional(inner),
            Type::Named(id) => match &self.schema.definition(*id).kind {
                TypeKind::Struct(structure) => {
                    Resolved::Struct(&structure.fields, Layout::of(&structure.fields))
                }
                TypeKind::Enum(values) => Resolved::Enum(values),
                TypeKind::Flags(flags) => Resolved::Flags(flags),
                TypeKind::Union(variants) | TypeKind::Error(variants) => Resolved::Union(variants),
                // Aliases were followed above.
                TypeKind::Alias(_) => Resolved::Any,
            },
        }
    }

    /// Keeps an error, and returns what serde carries of it.
    fn fail<E: serde::de::Error>(&self, error: DecodeError) -> E {
        self.error.replace(Some(error));
        E::custom("")
    }

    /// Adds a step to the path of the error that was kept, if one was: an error of the text has no path.
    fn within<T, E>(
        &self,
        result: Result<T, E>,
        step: impl FnOnce(DecodeError) -> DecodeError,
    ) -> Result<T, E> {
        if result.is_err() {
            let mut error = self.error.borrow_mut();
            *error = error.take().map(step);
        }
        result
    }

    /// Returns the error of a name that is none of those of a type, and keeps the nearest of these.
    fn unknown<'n>(
        &self,
        kind: &str,
        name: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> DecodeError {
        self.nearest.replace(nearest(name, names.clone()).map(str::to_owned));
        unknown_name(kind, name, names)
    }

    fn enter<E: serde::de::Error>(&self, levels: usize) -> Result<usize, E> {
        levels.checked_sub(1).ok_or_else(|| self.fail(DecodeError::nested_too_deep()))
    }

    /// Reads a text, a number or the like.
    fn scalar(
        &self,
        ty: &'s Type,
        value: Value,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, DecodeError> {
        match self.resolve(ty) {
            Resolved::Optional(_) if value.is_nil() => put(out, &value),
            Resolved::Optional(inner) => return self.scalar(inner, value, levels, out),
            Resolved::Any => put(out, &value),
            Resolved::Scalar(builtin) => return scalar(builtin, value, out),
            Resolved::Enum(values) => put(out, &self.enumeration(values, &value)?),
            Resolved::Flags(_) => return Err(wrong_type(&value, "a list of flags")),
            Resolved::Union(variants) => return self.bare(variants, &value, levels, out),
            Resolved::List(_) | Resolved::Set(_) => return Err(wrong_type(&value, "a list")),
            Resolved::Map(..) => return Err(wrong_type(&value, "an object of a map's entries")),
            Resolved::Struct(..) => return Err(wrong_type(&value, FIELDS)),
        }
        Ok(Measure::Other)
    }

    /// Returns the number of a name. A number is taken as it is: one of a newer schema has no name here.
    fn enumeration(&self, values: &'s [EnumValue], value: &Value) -> Result<Value, DecodeError> {
        if let Some(number) = value.as_i64().and_then(|number| i32::try_from(number).ok()) {
            return Ok(number.into());
        }
        let Some(name) = value.as_str() else {
            return Err(wrong_type(value, "the name of an enum's value, or its number"));
        };
        match self.names.place(values, name, |known| known.name.as_str()) {
            Some(place) => Ok(values[place].number.into()),
            None => Err(self.unknown("enum value", name, values.iter().map(|known| known.name.as_str()))),
        }
    }

    /// Reads a set of flags: a list of names and numbers, each once.
    fn flags<'de, A: SeqAccess<'de>>(
        &self,
        flags: &[Flag],
        mut elements: A,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        let (mut bits, mut index) = (0_u64, 0);
        while let Some(element) = elements.next_element::<Value>()? {
            let number = self.flag(flags, &element).map_err(|error| error.in_element(index));
            let bit = 1 << number.map_err(|error| self.fail::<A::Error>(error))?;
            if bits & bit != 0 {
                return Err(self.fail(given_twice("flag", &element.to_string()).in_element(index)));
            }
            bits |= bit;
            index += 1;
        }
        put(out, &bits.into());
        Ok(Measure::Other)
    }

    /// Returns the number of a flag, below 64. A number is taken as it is: one of a newer schema has no name here.
    fn flag(&self, flags: &[Flag], value: &Value) -> Result<u8, DecodeError> {
        let number = value.as_u64().and_then(|number| u8::try_from(number).ok());
        if let Some(number) = number.filter(|number| *number < 64) {
            return Ok(number);
        }
        let Some(name) = value.as_str() else {
            return Err(wrong_type(value, "the name of a flag, or its number from 0 to 63"));
        };
        match flags.iter().find(|known| known.name == name) {
            Some(known) => Ok(known.number),
            None => Err(self.unknown("flag", name, flags.iter().map(|known| known.name.as_str()))),
        }
    }

    fn list<'de, A: SeqAccess<'de>>(
        &self,
        element: &'s Type,
        is_set: bool,
        mut elements: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        let levels = self.enter(levels)?;
        let start = out.len();
        let (mut count, mut known) = (0, HashSet::new());
        loop {
            let before = out.len();
            let slot = Slot { encoder: self, expected: Expected::ty(element), levels, out: &mut *out };
            let read = elements.next_element_seed(slot);
            if self.within(read, |error| error.in_element(count))?.is_none() {
                break;
            }
            if is_set && !known.insert(out[before..].to_vec()) {
                let twice = DecodeError::told("this element is in the set already").in_element(count);
                return Err(self.fail(twice));
            }
            count += 1;
        }
        let header = |header: &mut Vec<u8>, count| rmp::encode::write_array_len(header, count).is_ok();
        self.begin(out, start, count, header)?;
        Ok(Measure::Length(count))
    }

    fn map<'de, A: MapAccess<'de>>(
        &self,
        (key, value): (&'s Type, &'s Type),
        mut entries: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        let levels = self.enter(levels)?;
        let start = out.len();
        let (mut count, mut known) = (0, HashSet::new());
        while let Some(text) = entries.next_key::<String>()? {
            let before = out.len();
            let written = self.key(key, &text, out).map_err(|error| error.in_entry(&text));
            written.map_err(|error| self.fail::<A::Error>(error))?;
            // Two texts may be one key: a uuid in capitals, the name of an enum's value and its number.
            if !known.insert(out[before..].to_vec()) {
                return Err(self.fail(given_twice("key", &text)));
            }
            let slot = Slot { encoder: self, expected: Expected::ty(value), levels, out: &mut *out };
            self.within(entries.next_value_seed(slot), |error| error.in_entry(&text))?;
            count += 1;
        }
        let header = |header: &mut Vec<u8>, count| rmp::encode::write_map_len(header, count).is_ok();
        self.begin(out, start, count, header)?;
        Ok(Measure::Length(count))
    }

    fn key(&self, ty: &'s Type, text: &str, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let key = match self.resolve(ty) {
            Resolved::Enum(values) => {
                let number = Scalar::of("i32").and_then(|ty| ty.read_key(text).ok());
                self.enumeration(values, &number.unwrap_or_else(|| text.into()))?
            }
            Resolved::Scalar(builtin) => match Scalar::of(builtin.keyword()) {
                Some(ty) => ty.read_key(text)?,
                None => text.into(),
            },
            // No other type is a key.
            _ => text.into(),
        };
        put(out, &key);
        Ok(())
    }

    /// Puts the header of a list or a map in front of what was written since a position.
    fn begin<E: serde::de::Error>(
        &self,
        out: &mut Vec<u8>,
        start: usize,
        count: usize,
        write: impl FnOnce(&mut Vec<u8>, u32) -> bool,
    ) -> Result<(), E> {
        let mut header = Vec::with_capacity(5);
        let is_written = u32::try_from(count).is_ok_and(|count| write(&mut header, count));
        if !is_written {
            return Err(
                self.fail(DecodeError::told(format_args!("{count} elements are too many for a message")))
            );
        }
        out.splice(start..start, header);
        Ok(())
    }

    /// Reads a list or an object in the place of a `value`.
    fn any<E: serde::de::Error>(
        &self,
        value: Result<Value, E>,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, E> {
        let value = read_any(value?, levels).map_err(|error| self.fail::<E>(error))?;
        put(out, &value);
        Ok(Measure::Other)
    }

    fn any_list<'de, A: SeqAccess<'de>>(
        &self,
        elements: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        self.any(Value::deserialize(SeqAccessDeserializer::new(elements)), levels, out)
    }

    fn any_object<'de, A: MapAccess<'de>>(
        &self,
        entries: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        self.any(Value::deserialize(MapAccessDeserializer::new(entries)), levels, out)
    }
}

/// Reads a value without parts.
fn scalar(builtin: Builtin, value: Value, out: &mut Vec<u8>) -> Result<Measure, DecodeError> {
    let Some(ty) = Scalar::of(builtin.keyword()) else { return Ok(Measure::Other) };
    let read = ty.read(value)?;
    put(out, &read);
    Ok(match &read {
        Value::String(text) => Measure::Length(text.as_str().map_or(0, |text| text.chars().count())),
        Value::Binary(bytes) => Measure::Length(bytes.len()),
        Value::F32(number) => Measure::Short(*number),
        Value::F64(number) => Measure::Long(*number),
        Value::Integer(_) => {
            let number = read.as_u64().map(i128::from).or_else(|| read.as_i64().map(i128::from));
            Measure::Integer(number.unwrap_or_default())
        }
        _ => Measure::Other,
    })
}

/// Appends a value.
pub(super) fn put(out: &mut Vec<u8>, value: &Value) {
    // A vector takes whatever is written to it.
    let _ = rmpv::encode::write_value(out, value);
}
