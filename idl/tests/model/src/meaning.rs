//! Decides whether a value that was read means what was written.
//!
//! Members are the same if they have the same name; where a name is gone on one side, if they have the same number and the
//! other name is new. That is what an author means by a schema, and it is decided here independently of `compat`.

use zsvc_idl::schema::{Builtin, EnumValue, Field, Flag, Payload, Schema, Type, TypeKind, Variant};

use crate::codec::{literal, write};
use crate::value::Value;

/// A value as one side has it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Schema of that side.
    pub schema: &'a Schema,
    /// Type on that side.
    pub ty: &'a Type,
    /// Value as that side wrote or read it.
    pub value: &'a Value,
}

impl<'a> Seen<'a> {
    fn with(self, ty: &'a Type, value: &'a Value) -> Self {
        Self { ty, value, ..self }
    }
}

/// Reports whether what was read means what was written.
#[must_use]
pub fn same(written: Seen<'_>, read: Seen<'_>) -> bool {
    let (old, new) = (written.schema.resolved(written.ty), read.schema.resolved(read.ty));
    let any = Type::Builtin(Builtin::Value);
    match (old, new) {
        _ if *old == any || *new == any => {
            write(written.schema, old, written.value) == write(read.schema, new, read.value)
        }
        _ if is_nil(written.value) || is_nil(read.value) => is_nil(written.value) && is_nil(read.value),
        (Type::Optional(old), _) => same(written.with(old, written.value), read),
        (_, Type::Optional(new)) => same(written, read.with(new, read.value)),
        (Type::Builtin(_), Type::Builtin(_)) => written.value == read.value,
        (Type::List(old) | Type::Set(old), Type::List(new) | Type::Set(new)) => {
            match (written.value, read.value) {
                (Value::List(before), Value::List(after)) => {
                    before.len() == after.len()
                        && before
                            .iter()
                            .zip(after)
                            .all(|(before, after)| same(written.with(old, before), read.with(new, after)))
                }
                _ => false,
            }
        }
        (Type::Map(old_key, old), Type::Map(new_key, new)) => match (written.value, read.value) {
            (Value::Map(before), Value::Map(after)) => {
                before.len() == after.len()
                    && before.iter().zip(after).all(|(before, after)| {
                        same(written.with(old_key, &before.0), read.with(new_key, &after.0))
                            && same(written.with(old, &before.1), read.with(new, &after.1))
                    })
            }
            _ => false,
        },
        (Type::Named(old), Type::Named(new)) => {
            let kinds = (&written.schema.definition(*old).kind, &read.schema.definition(*new).kind);
            match kinds {
                (TypeKind::Struct(old), TypeKind::Struct(new)) => {
                    same_fields((written, &old.fields), (read, &new.fields))
                }
                (TypeKind::Enum(old), TypeKind::Enum(new)) => same_enum(old, new, written.value, read.value),
                (TypeKind::Flags(old), TypeKind::Flags(new)) => {
                    same_flags(old, new, written.value, read.value)
                }
                (
                    TypeKind::Union(old) | TypeKind::Error(old),
                    TypeKind::Union(new) | TypeKind::Error(new),
                ) => same_union((written, old), (read, new)),
                _ => false,
            }
        }
        // Flags are a `u64` on the wire, and mean their bits.
        (Type::Named(_), Type::Builtin(_)) | (Type::Builtin(_), Type::Named(_)) => {
            match (written.value, read.value) {
                (Value::Flags(bits), Value::Integer(number))
                | (Value::Integer(number), Value::Flags(bits)) => *number == (*bits).into(),
                _ => false,
            }
        }
        _ => false,
    }
}

/// A member with a name and a number.
trait Member {
    fn name(&self) -> &str;
    fn number(&self) -> i64;
}

macro_rules! member {
    ($($type:ty),*) => {$(
        impl Member for $type {
            fn name(&self) -> &str {
                &self.name
            }

            fn number(&self) -> i64 {
                self.number.into()
            }
        }
    )*};
}

member!(Field, EnumValue, Flag, Variant);

/// Returns the member of `others` that is the same as `member`.
fn counterpart<'a, M: Member>(member: &M, own: &[M], others: &'a [M]) -> Option<&'a M> {
    let named = others.iter().find(|other| other.name() == member.name());
    let is_new = |other: &&M| own.iter().all(|own| own.name() != other.name());
    named.or_else(|| others.iter().find(|other| other.number() == member.number()).filter(is_new))
}

/// Reports whether fields mean the same. The types of `written` and `read` don't matter, only their sides and values.
#[must_use]
pub fn same_fields((written, old): (Seen<'_>, &[Field]), (read, new): (Seen<'_>, &[Field])) -> bool {
    let forth = old.iter().all(|before| match counterpart(before, old, new) {
        Some(after) => match (part(written.value, before), part(read.value, after)) {
            (Some(before_value), Some(after_value)) => {
                let written = Seen { schema: written.schema, ty: &before.ty, value: before_value };
                same_field(written, (read.schema, after, after_value))
            }
            _ => false,
        },
        None => true,
    });
    let back = new.iter().filter(|after| counterpart(*after, new, old).is_none());
    forth
        && back
            .into_iter()
            .all(|after| part(read.value, after).is_some_and(|value| is_absent(read.schema, after, value)))
}

fn part<'a>(value: &'a Value, field: &Field) -> Option<&'a Value> {
    let Value::Struct(values) = value else { return None };
    values.iter().find(|(number, _)| *number == field.number).map(|(_, value)| value)
}

fn same_field(written: Seen<'_>, (schema, field, value): (&Schema, &Field, &Value)) -> bool {
    let is_left_off = is_nil(written.value);
    if is_left_off && is_absent(schema, field, value) {
        return true;
    }
    same(written, Seen { schema, ty: &field.ty, value })
}

/// Reports whether a value is absent: an optional without a value, or a `value` of nil, which are the same.
fn is_nil(value: &Value) -> bool {
    *value == Value::Absent || *value == Value::Any(rmpv::Value::Nil)
}

/// Reports whether a value is the one that a reader has for an absent field.
fn is_absent(schema: &Schema, field: &Field, value: &Value) -> bool {
    match &field.default {
        Some(default) => *value == literal(schema, &field.ty, default),
        None => is_nil(value),
    }
}

fn same_enum(old: &[EnumValue], new: &[EnumValue], written: &Value, read: &Value) -> bool {
    let (Value::Enum(before), Value::Enum(after)) = (written, read) else { return false };
    before == after && same_number(old, new, *before)
}

fn same_flags(old: &[Flag], new: &[Flag], written: &Value, read: &Value) -> bool {
    let (Value::Flags(before), Value::Flags(after)) = (written, read) else { return false };
    let mut set = (0..64).filter(|number| before >> number & 1 == 1);
    before == after && set.all(|number| same_number(old, new, number))
}

/// Reports whether a number belongs to one member: the member that has it on one side has no other number on the other.
fn same_number<M: Member>(old: &[M], new: &[M], number: i64) -> bool {
    let of = |members: &[M]| members.iter().position(|member| member.number() == number);
    let forth =
        of(old).is_none_or(|at| counterpart(&old[at], old, new).is_none_or(|new| new.number() == number));
    let back =
        of(new).is_none_or(|at| counterpart(&new[at], new, old).is_none_or(|old| old.number() == number));
    let both = match (of(old), of(new)) {
        (Some(before), Some(after)) => {
            counterpart(&old[before], old, new).is_some_and(|found| found.name() == new[after].name())
        }
        _ => true,
    };
    forth && back && both
}

fn same_union((written, old): (Seen<'_>, &[Variant]), (read, new): (Seen<'_>, &[Variant])) -> bool {
    let number = |value: &Value| match value {
        Value::Union(number, _) | Value::Unknown(number, _) => Some(*number),
        _ => None,
    };
    let Some(before) = number(written.value).filter(|before| Some(*before) == number(read.value)) else {
        return false;
    };
    if !same_number(old, new, before.into()) {
        return false;
    }
    let (Value::Union(_, before_value), Value::Union(_, after_value)) = (written.value, read.value) else {
        return true;
    };
    let find = |variants: &'_ [Variant]| variants.iter().position(|variant| variant.number == before);
    let (Some(before), Some(after)) = (find(old), find(new)) else { return true };
    let (before, after) = (&old[before], &new[after]);
    if before.name != after.name && is_other((written.schema, before), (read.schema, after)) {
        return false;
    }
    let (written, read) = (Seen { value: before_value, ..written }, Seen { value: after_value, ..read });
    same_payload((written, &before.payload), (read, &after.payload))
}

/// Reports whether a variant with another name is more than renamed: one has no payload, and the other requires one.
fn is_other((old_schema, before): (&Schema, &Variant), (new_schema, after): (&Schema, &Variant)) -> bool {
    match (&before.payload, &after.payload) {
        (Payload::Nothing, Payload::Nothing) => false,
        (Payload::Nothing, other) => has_to_be_there(new_schema, other),
        (other, Payload::Nothing) => has_to_be_there(old_schema, other),
        _ => false,
    }
}

fn has_to_be_there(schema: &Schema, payload: &Payload) -> bool {
    let is_mandatory =
        |ty: &Type| !matches!(schema.resolved(ty), Type::Optional(_) | Type::Builtin(Builtin::Value));
    match payload {
        Payload::Nothing => false,
        Payload::Type { ty, .. } => is_mandatory(ty),
        Payload::Fields(fields) => {
            fields.iter().any(|field| field.default.is_none() && is_mandatory(&field.ty))
        }
    }
}

fn same_payload((written, old): (Seen<'_>, &Payload), (read, new): (Seen<'_>, &Payload)) -> bool {
    match (old, new) {
        // The payload of one is ignored by the other, or absent there.
        (Payload::Nothing, _) | (_, Payload::Nothing) => true,
        (Payload::Type { ty: old, .. }, Payload::Type { ty: new, .. }) => {
            same(written.with(old, written.value), read.with(new, read.value))
        }
        (old, new) => match (fields(written.schema, old), fields(read.schema, new)) {
            (Some(old), Some(new)) => same_fields((written, old), (read, new)),
            _ => false,
        },
    }
}

/// Returns the fields of a payload, its own or those of a struct.
fn fields<'a>(schema: &'a Schema, payload: &'a Payload) -> Option<&'a [Field]> {
    match payload {
        Payload::Fields(fields) => Some(fields),
        Payload::Nothing => None,
        Payload::Type { ty, .. } => match schema.resolved(ty) {
            Type::Named(id) => match &schema.definition(*id).kind {
                TypeKind::Struct(structure) => Some(&structure.fields),
                _ => None,
            },
            _ => None,
        },
    }
}
