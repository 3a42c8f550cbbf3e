//! Structs: names come in any order, and are written by number.

use serde::de::{IgnoredAny, MapAccess};
use zsvc_idl::schema::{Builtin, Field, Layout, Type};
use zsvc_proto::codec::DecodeError;
use zsvc_proto::codec::dynamic::given_twice;

use super::visit::Slot;
use super::{Encoder, Expected, put};
use crate::bounds::{self, Measure};
use crate::literal;
use crate::lookup::Lookup;

/// The fields of a struct that were read.
struct Parts {
    /// Where the bytes of each field are, from the start of the struct; none of one that is absent.
    ranges: Vec<Option<(usize, usize)>>,
    given: Vec<bool>,
    /// Index of the field that is likely to be next: names mostly come in the order of the schema.
    next: usize,
}

impl Parts {
    fn find<'s>(&mut self, fields: &'s [Field], name: &str, names: &Lookup<&'s str>) -> Option<usize> {
        let is_it = |index: &usize| fields.get(*index).is_some_and(|field| field.name == name);
        let index = Some(self.next).filter(is_it);
        let index = index.or_else(|| names.place(fields, name, |field| field.name.as_str()))?;
        self.next = index + 1;
        Some(index)
    }
}

impl<'s> Encoder<'s> {
    /// Reads parameters, or the fields that a variant itself has.
    pub(super) fn fields<'de, A: MapAccess<'de>>(
        &self,
        fields: &'s [Field],
        entries: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        self.structure(fields, Layout::of(fields), entries, levels, out)
    }

    /// Reads a struct. The levels are those inside.
    pub(super) fn structure<'de, A: MapAccess<'de>>(
        &self,
        fields: &'s [Field],
        layout: Layout,
        mut entries: A,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Result<Measure, A::Error> {
        let start = out.len();
        let mut parts = Parts { ranges: vec![None; fields.len()], given: vec![false; fields.len()], next: 0 };
        while let Some(name) = entries.next_key::<String>()? {
            let Some(index) = parts.find(fields, &name, &self.names) else {
                if self.strict {
                    let names = fields.iter().map(|field| field.name.as_str());
                    return Err(self.fail(self.unknown("field", &name, names)));
                }
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if std::mem::replace(&mut parts.given[index], true) {
                return Err(self.fail(given_twice("field", &name)));
            }
            let (field, before) = (&fields[index], out.len());
            let slot = Slot { encoder: self, expected: Expected::Field(field), levels, out: &mut *out };
            let read = self.within(entries.next_value_seed(slot), |error| error.in_field(&field.name))?;
            if out.len() > before {
                parts.ranges[index] = Some((before - start, out.len() - start));
                if self.strict {
                    bounds::check(field, read).map_err(|error| self.fail::<A::Error>(error))?;
                }
            }
        }
        self.complete(fields, &mut parts, start, out).map_err(|error| self.fail::<A::Error>(error))?;
        self.assemble(fields, layout, &parts, start, out);
        Ok(Measure::Other)
    }

    /// Writes a struct of which nothing was given.
    pub(super) fn absent(&self, fields: &'s [Field], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let start = out.len();
        let mut parts = Parts { ranges: vec![None; fields.len()], given: vec![false; fields.len()], next: 0 };
        self.complete(fields, &mut parts, start, out)?;
        self.assemble(fields, Layout::of(fields), &parts, start, out);
        Ok(())
    }

    /// Adds default values, and nil of type `value`.
    fn complete(
        &self,
        fields: &'s [Field],
        parts: &mut Parts,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        for (index, field) in fields.iter().enumerate() {
            if parts.ranges[index].is_some() {
                continue;
            }
            if let Some(default) = &field.default {
                let before = out.len() - start;
                literal::write(self.schema, &field.ty, default, out);
                parts.ranges[index] = Some((before, out.len() - start));
            } else if self.is_value(field) {
                let before = out.len() - start;
                out.push(NIL);
                parts.ranges[index] = Some((before, before + 1));
            } else if !parts.given[index] && !self.may_be_absent(field) {
                return Err(DecodeError::missing_field(&field.name));
            }
        }
        Ok(())
    }

    /// Reports whether a field may be absent, which `null` means, too.
    pub(super) fn may_be_absent(&self, field: &Field) -> bool {
        field.default.is_some() || self.is_optional(&field.ty)
    }

    /// Reports whether a value of a type may be absent: it is nil then.
    pub(super) fn is_optional(&self, ty: &Type) -> bool {
        matches!(self.schema.resolved(ty), Type::Optional(_) | Type::Builtin(Builtin::Value))
    }

    /// Reports whether a field is of type `value`, of which nil is a value and is always written.
    fn is_value(&self, field: &Field) -> bool {
        matches!(self.schema.resolved(&field.ty), Type::Builtin(Builtin::Value))
    }

    /// Puts the fields that were written since `start` into the order of their numbers, with what stands between them.
    fn assemble(&self, fields: &[Field], layout: Layout, parts: &Parts, start: usize, out: &mut Vec<u8>) {
        let written = out.split_off(start);
        // Nil is absence, as it is where a field of an optional type was given as `null`; of type `value` it is a value.
        let present = fields.iter().zip(&parts.ranges).filter_map(|(field, range)| {
            let (from, to) = (*range)?;
            let bytes = &written[from..to];
            (bytes != [NIL] || self.is_value(field)).then_some((usize::from(field.number), bytes))
        });
        let present: Vec<(usize, &[u8])> = present.collect();
        // A schema has fewer fields than 2^32, and a vector takes whatever is written to it.
        let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        match layout {
            Layout::Map => {
                let _ = rmp::encode::write_map_len(out, length(present.len()));
                for (number, bytes) in present {
                    put(out, &number.into());
                    out.extend_from_slice(bytes);
                }
            }
            Layout::Array => {
                let last = present.last().map_or(0, |(number, _)| *number);
                let _ = rmp::encode::write_array_len(out, length(last));
                let mut next = 1;
                for (number, bytes) in present {
                    out.resize(out.len() + number - next, NIL);
                    out.extend_from_slice(bytes);
                    next = number + 1;
                }
            }
        }
    }
}

/// Nil on the wire.
const NIL: u8 = 0xc0;
