//! Structs: an array of fields by number, or a map from their numbers or names.

use rmpv::Value;
use zsvc_idl::schema::{Builtin, Field, Type};
use zsvc_proto::codec::{DecodeError, Reader};

use super::Decoder;
use crate::{bounds, literal};

const STRUCT: &str = "an array of fields, or a map from their numbers or names";

impl<'s> Decoder<'s> {
    /// Writes a struct, or parameters.
    pub(super) fn structure(
        &mut self,
        fields: &'s [Field],
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        if let Some(length) = reader.enter_array()? {
            self.array(fields, length, reader)?;
        } else {
            let Some(entries) = reader.enter_map()? else { return Err(reader.instead_of(STRUCT)) };
            if entries == 0 || reader.is_number_next() {
                self.numbered(fields, entries, reader)?;
            } else {
                self.named(fields, entries, reader)?;
            }
        }
        reader.leave_value();
        Ok(())
    }

    /// Writes a struct of which nothing was sent.
    pub(super) fn absent_fields(&mut self, fields: &'s [Field]) -> Result<(), DecodeError> {
        let mut object = Object::begin(self);
        for field in fields {
            object.absent(self, field)?;
        }
        object.end(self);
        Ok(())
    }

    fn array(
        &mut self,
        fields: &'s [Field],
        length: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        let mut object = Object::begin(self);
        let mut read = 0;
        for field in fields {
            let number = usize::from(field.number);
            while read + 1 < number && read < length {
                reader.skipped()?;
                read += 1;
            }
            if number <= length {
                read += 1;
                object.field(self, field, reader)?;
            } else {
                object.absent(self, field)?;
            }
        }
        for _ in read..length {
            reader.skipped()?;
        }
        object.end(self);
        Ok(())
    }

    /// Writes a struct that is a map from numbers, which ascend.
    fn numbered(
        &mut self,
        fields: &'s [Field],
        entries: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        let mut object = Object::begin(self);
        let (mut left, mut rest) = (entries, fields);
        let mut last = 0;
        while left > 0 {
            if !reader.is_number_next() {
                return Err(reader.instead_of("the number of a field"));
            }
            let number = <i64 as zsvc_proto::codec::Decode>::decode(reader)?;
            let ascends = u64::try_from(number).ok().filter(|number| *number > last);
            let Some(number) = ascends else {
                return Err(DecodeError::told(format_args!(
                    "field number {number} comes after {last}: numbers ascend, and start at 1"
                )));
            };
            (last, left) = (number, left - 1);
            while let [field, after @ ..] = rest
                && u64::from(field.number) < number
            {
                object.absent(self, field)?;
                rest = after;
            }
            match rest {
                [field, after @ ..] if u64::from(field.number) == number => {
                    object.field(self, field, reader)?;
                    rest = after;
                }
                _ => drop(reader.skipped()?),
            }
        }
        for field in rest {
            object.absent(self, field)?;
        }
        object.end(self);
        Ok(())
    }

    /// Writes a struct that is a map from names, which come in any order.
    fn named(
        &mut self,
        fields: &'s [Field],
        entries: usize,
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        let mut values: Vec<(usize, &[u8])> = Vec::new();
        for _ in 0..entries {
            let Some(name) = reader.take_str() else { return Err(reader.instead_of("the name of a field")) };
            let index = self.names.place(fields, name, |field| field.name.as_str());
            let value = reader.skipped();
            match index {
                Some(index) => values.push((index, value.map_err(|error| error.in_field(name))?)),
                None => drop(value?),
            }
        }
        values.sort_unstable_by_key(|(index, _)| *index);
        if let Some([(index, _), ..]) = values.windows(2).find(|two| two[0].0 == two[1].0) {
            let name = &fields[*index].name;
            return Err(DecodeError::told(format_args!("field `{name}` is given twice")));
        }
        let mut object = Object::begin(self);
        let mut values = values.into_iter().peekable();
        for (index, field) in fields.iter().enumerate() {
            match values.next_if(|(place, _)| *place == index) {
                Some((_, value)) => object.field(self, field, &mut reader.inside(value))?,
                None => object.absent(self, field)?,
            }
        }
        object.end(self);
        Ok(())
    }
}

/// An object that is being written.
struct Object {
    is_empty: bool,
}

impl Object {
    fn begin(decoder: &mut Decoder<'_>) -> Self {
        decoder.text.open(b'{');
        Self { is_empty: true }
    }

    fn end(self, decoder: &mut Decoder<'_>) {
        decoder.text.close(b'}', self.is_empty);
    }

    fn name(&mut self, decoder: &mut Decoder<'_>, field: &Field) -> Result<(), DecodeError> {
        decoder.text.name(&field.name, std::mem::replace(&mut self.is_empty, false))
    }

    /// Writes a field that was sent. Nil is absence, but for a field that must be there, for which it is of the wrong type.
    fn field<'s>(
        &mut self,
        decoder: &mut Decoder<'s>,
        field: &'s Field,
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        let resolved = decoder.schema.resolved(&field.ty);
        let may_be_absent =
            field.default.is_some() || matches!(resolved, Type::Optional(_) | Type::Builtin(Builtin::Value));
        if may_be_absent && reader.take_nil() {
            return self.absent(decoder, field);
        }
        self.name(decoder, field)?;
        let measure = decoder.value(&field.ty, reader).map_err(|error| error.in_field(&field.name))?;
        if decoder.text.is_dropped() { bounds::check(field, measure) } else { Ok(()) }
    }

    /// Writes a field that is absent: its default value, if it has one, and nothing if it is optional.
    fn absent<'s>(&mut self, decoder: &mut Decoder<'s>, field: &'s Field) -> Result<(), DecodeError> {
        if decoder.text.is_dropped() && field.default.is_some() {
            return Ok(());
        }
        if let Some(default) = &field.default {
            self.name(decoder, field)?;
            let mut bytes = Vec::new();
            literal::write(decoder.schema, &field.ty, default, &mut bytes);
            return decoder.value(&field.ty, &mut Reader::of_bytes(&bytes, usize::MAX)).map(drop);
        }
        match decoder.schema.resolved(&field.ty) {
            Type::Optional(_) => Ok(()),
            Type::Builtin(Builtin::Value) => {
                self.name(decoder, field)?;
                decoder.text.value(&Value::Nil)
            }
            _ => Err(DecodeError::missing_field(&field.name)),
        }
    }
}
