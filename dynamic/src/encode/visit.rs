//! [`Slot`]: a place in a text, as serde visits it.

use std::fmt;

use rmpv::Value;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zsvc_idl::schema::{Payload, Type};
use zsvc_proto::codec::DecodeError;
use zsvc_proto::codec::dynamic::wrong_type;

use super::{Encoder, Expected, FIELDS, Resolved, put};
use crate::bounds::Measure;
use crate::shape::Shape;

/// A place in a text: what is expected there, how deep it may nest, and where its bytes go. Nothing is written for `null` in the place
/// of a field that is absent then.
pub(super) struct Slot<'e, 's, 'o> {
    pub(super) encoder: &'e Encoder<'s>,
    pub(super) expected: Expected<'s>,
    pub(super) levels: usize,
    pub(super) out: &'o mut Vec<u8>,
}

impl<'s> Slot<'_, 's, '_> {
    /// Takes what is no list and no object.
    fn plain<E: Error>(self, value: Value) -> Result<Measure, E> {
        let encoder = self.encoder;
        self.plainly(value).map_err(|error| encoder.fail(error))
    }

    fn plainly(self, value: Value) -> Result<Measure, DecodeError> {
        let Self { encoder, expected, levels, out } = self;
        match expected {
            Expected::Shape(Shape::Type(ty)) => encoder.scalar(ty, value, levels, out),
            Expected::Shape(Shape::Parameters(_)) => Err(wrong_type(&value, FIELDS)),
            Expected::Shape(Shape::Errors([only])) => encoder.error_named(only, &value, levels, out),
            Expected::Shape(Shape::Errors(_)) => Err(wrong_type(&value, super::union::EXPECTED_ERROR)),
            Expected::Shape(Shape::Nothing) => nothing(&value, out),
            Expected::Field(field) if value.is_nil() && encoder.may_be_absent(field) => Ok(Measure::Other),
            Expected::Field(field) => encoder.scalar(&field.ty, value, levels, out),
            Expected::Payload(variant) => encoder.payload(variant, value, levels, out),
        }
    }

    /// Returns the type of a list or an object that may be here.
    fn ty(&self) -> Option<&'s Type> {
        match self.expected {
            Expected::Shape(Shape::Type(ty)) => Some(ty),
            Expected::Field(field) => Some(&field.ty),
            Expected::Payload(variant) => match &variant.payload {
                Payload::Type { ty, .. } => Some(ty),
                Payload::Nothing | Payload::Fields(_) => None,
            },
            Expected::Shape(_) => None,
        }
    }

    fn resolved(&self) -> Option<Resolved<'s>> {
        let mut resolved = self.encoder.resolve(self.ty()?);
        while let Resolved::Optional(inner) = resolved {
            resolved = self.encoder.resolve(inner);
        }
        Some(resolved)
    }
}

fn nothing(value: &Value, out: &mut Vec<u8>) -> Result<Measure, DecodeError> {
    if !value.is_nil() {
        return Err(wrong_type(value, "`null`, since the method answers with nothing"));
    }
    put(out, value);
    Ok(Measure::Other)
}

impl<'de> DeserializeSeed<'de> for Slot<'_, '_, '_> {
    type Value = Measure;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Measure, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Slot<'_, '_, '_> {
    type Value = Measure;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Measure, E> {
        self.plain(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Measure, E> {
        self.plain(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Measure, E> {
        self.plain(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Measure, E> {
        self.plain(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Measure, E> {
        self.plain(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Measure, E> {
        self.plain(Value::Nil)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Measure, A::Error> {
        let (encoder, levels) = (self.encoder, self.levels);
        match self.resolved() {
            Some(Resolved::List(element)) => encoder.list(element, false, elements, levels, self.out),
            Some(Resolved::Set(element)) => encoder.list(element, true, elements, levels, self.out),
            Some(Resolved::Flags(flags)) => encoder.flags(flags, elements, self.out),
            Some(Resolved::Any) => encoder.any_list(elements, levels, self.out),
            _ if encoder.skips(self.expected) => {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                put(self.out, &Value::Nil);
                Ok(Measure::Other)
            }
            _ => self.plain(Value::Array(Vec::new())),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Measure, A::Error> {
        let (encoder, levels) = (self.encoder, self.levels);
        match self.expected {
            Expected::Shape(Shape::Parameters(fields)) => {
                return encoder.fields(fields, entries, encoder.enter(levels)?, self.out);
            }
            Expected::Shape(Shape::Errors(errors)) => {
                return encoder.thrown(errors, entries, levels, self.out);
            }
            Expected::Payload(variant) => {
                if let Payload::Fields(fields) = &variant.payload {
                    return encoder.fields(fields, entries, encoder.enter(levels)?, self.out);
                }
            }
            _ => {}
        }
        match self.resolved() {
            Some(Resolved::Map(key, value)) => encoder.map((key, value), entries, levels, self.out),
            Some(Resolved::Struct(fields, layout)) => {
                encoder.structure(fields, layout, entries, encoder.enter(levels)?, self.out)
            }
            Some(Resolved::Union(variants)) => encoder.union(variants, entries, levels, self.out),
            Some(Resolved::Any) => encoder.any_object(entries, levels, self.out),
            _ if encoder.skips(self.expected) => {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                put(self.out, &Value::Nil);
                Ok(Measure::Other)
            }
            _ => self.plain(Value::Map(Vec::new())),
        }
    }
}
