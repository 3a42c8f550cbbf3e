//! Unions and errors: an array of a variant's number and its value.

use rmpv::Value;
use zsvc_idl::schema::{Payload, Thrown, TypeKind, Variant};
use zsvc_proto::codec::{Decode as _, DecodeError, Reader};

use super::Decoder;
use crate::shape::names_of;

const UNION: &str = "an array of a variant's number and its value";

/// The least number that stands for an error of a method by its position, in the place of a variant's.
const LEAST_POSITION: u64 = 1 << 31;

/// Begins to read a union. Returns its number, and how many elements are left.
fn enter(reader: &mut Reader<'_>) -> Result<(u32, usize), DecodeError> {
    let Some(length) = reader.enter_array()? else { return Err(reader.instead_of(UNION)) };
    let Some(left) = length.checked_sub(1) else {
        return Err(DecodeError::told(format_args!("invalid length 0, expected {UNION}")));
    };
    Ok((u32::decode(reader)?, left))
}

/// Skips what a later version of the protocol may have added after the value.
fn leave(left: usize, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    for _ in 1..left {
        reader.skipped()?;
    }
    reader.leave_value();
    Ok(())
}

impl<'s> Decoder<'s> {
    pub(super) fn union(
        &mut self,
        variants: &'s [Variant],
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        let (number, left) = enter(reader)?;
        match self.numbers.place(variants, &number.into(), |variant| variant.number.into()) {
            Some(place) => self.variant(&variants[place], left, reader)?,
            None => self.unknown(number, left, reader)?,
        }
        leave(left, reader)
    }

    fn variant(
        &mut self,
        variant: &'s Variant,
        left: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        if matches!(variant.payload, Payload::Nothing) {
            if left > 0 {
                reader.skipped()?;
            }
            return self.text.value(&variant.name.as_str().into());
        }
        self.text.open(b'{');
        self.text.name(&variant.name, true)?;
        match &variant.payload {
            Payload::Type { ty, .. } if left == 0 => {
                let name = &variant.name;
                let absent = |_| DecodeError::told(format_args!("variant `{name}` comes without its value"));
                self.value(ty, &mut Reader::of_bytes(&[0xc0], usize::MAX)).map_err(absent)?;
            }
            Payload::Type { ty, .. } => self.value(ty, reader).map(drop)?,
            Payload::Fields(fields) if left == 0 || reader.take_nil() => self.absent_fields(fields)?,
            Payload::Fields(fields) => self.structure(fields, reader)?,
            Payload::Nothing => {}
        }
        self.text.close(b'}', false);
        Ok(())
    }

    /// Writes a variant of a newer schema, with its value as it is on the wire.
    fn unknown(&mut self, number: u32, left: usize, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.text.open(b'{');
        self.text.name(&format!("#{number}"), true)?;
        if left == 0 {
            self.text.value(&Value::Nil)?;
        } else {
            self.any(reader)?;
        }
        self.text.close(b'}', false);
        Ok(())
    }

    /// Writes one of the errors that a method throws. One alone is the union that it is.
    pub(super) fn thrown(
        &mut self,
        errors: &'s [Thrown],
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        if let [only] = errors {
            return self.error(only, reader);
        }
        let position = reader.number_of_union().filter(|number| *number >= LEAST_POSITION);
        let names = names_of(self.schema, errors);
        let Some(position) = position else {
            let (Some(first), Some(name)) = (errors.first(), names.first()) else {
                return Err(reader.instead_of("an error that the method throws"));
            };
            self.text.open(b'{');
            self.text.name(name, true)?;
            self.error(first, reader)?;
            self.text.close(b'}', false);
            return Ok(());
        };
        let (number, left) = enter(reader)?;
        let known = (0..errors.len()).find(|index| Thrown::number(*index).map(u64::from) == Some(position));
        match known {
            Some(index) if left > 0 => {
                self.text.open(b'{');
                self.text.name(&names[index], true)?;
                self.error(&errors[index], reader)?;
                self.text.close(b'}', false);
            }
            _ => self.unknown(number, left, reader)?,
        }
        leave(left, reader)
    }

    fn error(&mut self, thrown: &'s Thrown, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let definition = self.schema.definition(thrown.error);
        match &definition.kind {
            TypeKind::Error(variants) => self.union(variants, reader),
            // A schema throws nothing else.
            _ => Err(reader.instead_of("an error that the method throws")),
        }
    }
}
