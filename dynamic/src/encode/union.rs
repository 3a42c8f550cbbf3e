//! Unions and errors: a name alone, or an object of a name and its value.

use rmpv::Value;
use serde::Deserialize as _;
use serde::de::{IgnoredAny, MapAccess};
use zsvc_idl::schema::{Payload, Thrown, TypeKind, Variant};
use zsvc_proto::codec::DecodeError;
use zsvc_proto::codec::dynamic::{Scalar, read_any, wrong_type};

use super::visit::Slot;
use super::{Encoder, Expected, FIELDS, put};
use crate::bounds::Measure;
use crate::shape::names_of;

const EXPECTED: &str = "the name of a variant, or an object of its name and its value";
pub(super) const EXPECTED_ERROR: &str = "an object of an error's name and the error";

/// The least number that stands for an error of a method by its position, in the place of a variant's.
const LEAST_POSITION: u32 = 1 << 31;

impl<'s> Encoder<'s> {
    /// Reads a union that is a name alone.
    pub(super) fn bare(
        &self,
        variants: &'s [Variant],
        value: &Value,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, DecodeError> {
        let Some(name) = value.as_str() else { return Err(wrong_type(value, EXPECTED)) };
        let levels = levels.checked_sub(1).ok_or_else(DecodeError::nested_too_deep)?;
        if let Some(number) = name.strip_prefix('#') {
            begin(out, number_of(number)?);
            put(out, &Value::Nil);
            return Ok(Measure::Other);
        }
        let variant = self.variant(variants, name)?;
        begin(out, variant.number);
        self.payload(variant, Value::Nil, levels, out)
    }

    /// Reads the only error of a method that is a name alone.
    pub(super) fn error_named(
        &self,
        thrown: &Thrown,
        value: &Value,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, DecodeError> {
        self.bare(self.variants_of(thrown), value, levels, out)
    }

    fn variants_of(&self, thrown: &Thrown) -> &'s [Variant] {
        match &self.schema.definition(thrown.error).kind {
            TypeKind::Error(variants) | TypeKind::Union(variants) => variants,
            _ => &[],
        }
    }

    fn variant(&self, variants: &'s [Variant], name: &str) -> Result<&'s Variant, DecodeError> {
        let names = || variants.iter().map(|variant| variant.name.as_str());
        let place = self.names.place(variants, name, |variant| variant.name.as_str());
        place.map(|place| &variants[place]).ok_or_else(|| self.unknown("variant", name, names()))
    }

    /// Reads the value of a variant that is no list and no object.
    pub(super) fn payload(
        &self,
        variant: &'s Variant,
        value: Value,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, DecodeError> {
        match &variant.payload {
            Payload::Nothing if self.strict && !value.is_nil() => {
                Err(DecodeError::told(format_args!("variant `{}` has no value", variant.name)))
            }
            Payload::Nothing => {
                put(out, &Value::Nil);
                Ok(Measure::Other)
            }
            Payload::Type { ty, .. } if value.is_nil() && !self.is_optional(ty) => {
                let name = &variant.name;
                Err(DecodeError::told(format_args!("variant `{name}` comes without its value")))
            }
            Payload::Type { ty, .. } => self.scalar(ty, value, levels, out),
            Payload::Fields(fields) if value.is_nil() => self.absent(fields, out).map(|()| Measure::Other),
            Payload::Fields(_) => Err(wrong_type(&value, FIELDS)),
        }
    }

    /// Reports whether a list or an object is skipped here: the value of a variant that has none.
    pub(super) fn skips(&self, expected: Expected<'s>) -> bool {
        match expected {
            Expected::Payload(variant) => matches!(variant.payload, Payload::Nothing) && !self.strict,
            _ => false,
        }
    }

    /// Reads a union that is an object of one name.
    pub(super) fn union<'de, A: MapAccess<'de>>(
        &self,
        variants: &'s [Variant],
        mut entries: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        let levels = self.enter(levels)?;
        let Some(name) = entries.next_key::<String>()? else {
            return Err(self.fail(several(0, EXPECTED)));
        };
        if let Some(number) = name.strip_prefix('#') {
            let number = number_of(number).map_err(|error| self.fail::<A::Error>(error))?;
            return self.by_number(number, entries, levels, out);
        }
        let variant = self.variant(variants, &name).map_err(|error| self.fail::<A::Error>(error))?;
        begin(out, variant.number);
        let slot = Slot { encoder: self, expected: Expected::Payload(variant), levels, out };
        entries.next_value_seed(slot)?;
        self.only_one(entries, EXPECTED)
    }

    /// Reads a variant of a newer schema, whose value is in the form of the wire.
    fn by_number<'de, A: MapAccess<'de>>(
        &self,
        number: u32,
        mut entries: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        begin(out, number);
        let value = entries.next_value_seed(AnyValue)?;
        let value = read_any(value, levels).map_err(|error| self.fail::<A::Error>(error))?;
        put(out, &value);
        self.only_one(entries, EXPECTED)
    }

    fn only_one<'de, A: MapAccess<'de>>(&self, mut entries: A, expected: &str) -> Result<Measure, A::Error> {
        let mut names = 1;
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            names += 1;
        }
        if names > 1 { Err(self.fail(several(names, expected))) } else { Ok(Measure::Other) }
    }

    /// Reads one of the errors that a method throws.
    pub(super) fn thrown<'de, A: MapAccess<'de>>(
        &self,
        errors: &'s [Thrown],
        mut entries: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        if let [only] = errors {
            return self.union(self.variants_of(only), entries, levels, out);
        }
        let levels = self.enter(levels)?;
        let Some(name) = entries.next_key::<String>()? else {
            return Err(self.fail(several(0, EXPECTED_ERROR)));
        };
        let number = name.strip_prefix('#').and_then(|number| number_of(number).ok());
        if let Some(number) = number.filter(|number| *number >= LEAST_POSITION) {
            return self.by_number(number, entries, levels, out);
        }
        let names = names_of(self.schema, errors);
        let Some(index) = names.iter().position(|known| *known == name) else {
            let known = names.iter().map(AsRef::as_ref);
            return Err(self.fail(self.unknown("error", &name, known)));
        };
        if let Some(number) = Thrown::number(index) {
            begin(out, number);
        }
        let slot = Slot {
            encoder: self,
            expected: Expected::of(crate::Shape::Errors(&errors[index..=index])),
            levels,
            out,
        };
        entries.next_value_seed(slot)?;
        self.only_one(entries, EXPECTED_ERROR)
    }
}

/// Reads a value of any kind, as it is.
struct AnyValue;

impl<'de> serde::de::DeserializeSeed<'de> for AnyValue {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
}

/// Begins a union: an array of a number and a value.
fn begin(out: &mut Vec<u8>, number: u32) {
    out.push(0x92);
    put(out, &number.into());
}

fn number_of(text: &str) -> Result<u32, DecodeError> {
    let number = Scalar::of("u32").and_then(|ty| ty.read_key(text).ok());
    let number = number.and_then(|number| number.as_u64()).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        DecodeError::told(format_args!("`#{shown}` is no number of a variant"))
    })
}

fn several(names: usize, expected: &str) -> DecodeError {
    DecodeError::told(format_args!("an object of {names} names, expected {expected}"))
}
