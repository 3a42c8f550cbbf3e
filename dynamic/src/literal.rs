//! Default values as bytes.

use rmpv::Value;
use zsvc_idl::schema::{Builtin, Field, Layout, Literal, Schema, Type, TypeKind};

/// Appends the encoding of a literal that a type can hold.
pub(crate) fn write(schema: &Schema, ty: &Type, literal: &Literal, out: &mut Vec<u8>) {
    // A vector takes whatever is written to it.
    let _ = rmpv::encode::write_value(out, &value(schema, ty, literal));
}

fn value(schema: &Schema, ty: &Type, literal: &Literal) -> Value {
    let ty = match schema.resolved(ty) {
        Type::Optional(inner) => schema.resolved(inner),
        ty => ty,
    };
    match literal {
        Literal::Bool(value) => (*value).into(),
        Literal::Integer(number) => match ty {
            Type::Builtin(Builtin::F32 | Builtin::F64) => float(ty, as_float(*number)),
            _ => integer(*number),
        },
        Literal::Float(number) => float(ty, *number),
        Literal::String(text) => text.as_str().into(),
        Literal::Duration(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).into(),
        Literal::EnumValue(id, index) => match &schema.definition(*id).kind {
            TypeKind::Enum(values) => values.get(*index).map_or(Value::Nil, |value| value.number.into()),
            _ => Value::Nil,
        },
        Literal::Flags(_, bits) => (*bits).into(),
        Literal::Bytes(bytes) => Value::Binary(bytes.clone()),
        Literal::Empty => match ty {
            Type::Map(..) => Value::Map(Vec::new()),
            _ => Value::Array(Vec::new()),
        },
        Literal::List(elements) | Literal::Set(elements) => match ty {
            Type::List(element) | Type::Set(element) => {
                Value::Array(elements.iter().map(|literal| value(schema, element, literal)).collect())
            }
            _ => Value::Nil,
        },
        Literal::Map(entries) => match ty {
            Type::Map(key, element) => {
                let entry = |(name, literal): &(Literal, Literal)| {
                    (value(schema, key, name), value(schema, element, literal))
                };
                Value::Map(entries.iter().map(entry).collect())
            }
            _ => Value::Nil,
        },
        Literal::Struct(id, values) => match &schema.definition(*id).kind {
            TypeKind::Struct(structure) => fields(schema, &structure.fields, values),
            _ => Value::Nil,
        },
    }
}

/// Returns a struct by its values, in the order of its fields; none of one that is absent.
fn fields(schema: &Schema, fields: &[Field], values: &[Option<Literal>]) -> Value {
    let present = fields.iter().zip(values).filter_map(|(field, literal)| {
        Some((usize::from(field.number), value(schema, &field.ty, literal.as_ref()?)))
    });
    match Layout::of(fields) {
        Layout::Map => Value::Map(present.map(|(number, value)| (number.into(), value)).collect()),
        Layout::Array => {
            let mut array = Vec::new();
            for (number, value) in present {
                array.resize(number - 1, Value::Nil);
                array.push(value);
            }
            Value::Array(array)
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "rounded as a literal of a float in Rust is")]
fn as_float(number: i128) -> f64 {
    number as f64
}

fn integer(number: i128) -> Value {
    let unsigned = u64::try_from(number).ok().map(Value::from);
    unsigned.or_else(|| i64::try_from(number).ok().map(Value::from)).unwrap_or(Value::Nil)
}

#[allow(clippy::cast_possible_truncation, reason = "rounded as a literal of a float in Rust is")]
fn float(ty: &Type, number: f64) -> Value {
    match ty {
        Type::Builtin(Builtin::F32) => Value::F32(number as f32),
        _ => Value::F64(number),
    }
}
