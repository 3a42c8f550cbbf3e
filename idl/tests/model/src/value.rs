//! Values of the types of a schema, and random ones of them.

use rmpv::Value as Raw;
use zsvc_idl::schema::{Builtin, Field, Literal, Payload, Range, Schema, Type, TypeId, TypeKind, Variant};

use crate::random::Random;

/// A value of a type. Numbers with another meaning than their own, as of enums and durations, are variants of their own.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is the type that names it")]
pub enum Value {
    /// The absent value of an optional.
    Absent,
    /// The value of a variant without a payload, and the answer of a method without an answer type.
    Nothing,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    Bytes(Vec<u8>),
    /// Seconds, and nanoseconds added to them.
    Timestamp(i64, u32),
    Duration(u64),
    Uuid([u8; 16]),
    Any(Raw),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// All fields that the schema has, by number.
    Struct(Vec<(u16, Value)>),
    Enum(i64),
    /// The bits of flags.
    Flags(u64),
    /// A variant that the schema has.
    Union(u32, Box<Value>),
    /// A variant that the schema lacks, as it was read.
    Unknown(u32, Raw),
}

/// Nesting depth of random values from which on they end wherever the type allows.
const DEEP: usize = 4;

/// A maker of random values of the types of one schema, which keep its bounds unless asked not to.
#[derive(Debug)]
pub struct Maker<'a> {
    schema: &'a Schema,
    random: &'a mut Random,
    holds_bounds: bool,
    /// How deep the least values of the types nest, by the index of the type.
    least: Vec<usize>,
}

impl<'a> Maker<'a> {
    /// Returns a maker of values that keep bounds.
    pub fn new(schema: &'a Schema, random: &'a mut Random) -> Self {
        Self { schema, random, holds_bounds: true, least: least_nesting(schema) }
    }

    /// Returns a maker of values that need not keep bounds.
    #[must_use]
    pub fn without_bounds(self) -> Self {
        Self { holds_bounds: false, ..self }
    }

    /// Returns a random value of a type.
    pub fn value(&mut self, ty: &Type) -> Value {
        self.bounded(ty, None, None, 0)
    }

    /// Returns random values of the fields of a struct, or of the parameters of a method.
    pub fn fields(&mut self, fields: &[Field], depth: usize) -> Value {
        let values = fields.iter().map(|field| {
            let value = self.bounded(&field.ty, field.len.as_ref(), field.range.as_ref(), depth + 1);
            (field.number, value)
        });
        Value::Struct(values.collect())
    }

    fn bounded(&mut self, ty: &Type, len: Option<&Range>, range: Option<&Range>, depth: usize) -> Value {
        let (len, range) = if self.holds_bounds { (len, range) } else { (None, None) };
        match self.schema.resolved(ty) {
            Type::Optional(_) if self.random.one_in(3) || depth > DEEP => Value::Absent,
            Type::Optional(inner) => self.bounded(inner, len, range, depth),
            Type::Builtin(builtin) => self.builtin(*builtin, len, range),
            Type::List(element) => {
                let count = if depth > DEEP { 0 } else { self.length(len) };
                Value::List((0..count).map(|_| self.bounded(element, None, None, depth + 1)).collect())
            }
            Type::Set(element) => {
                let count = if depth > DEEP { 0 } else { self.length(len) };
                let entries = self.entries(element, element, count, depth).into_iter();
                Value::List(entries.map(|(element, _)| element).collect())
            }
            Type::Map(key, value) => {
                let count = if depth > DEEP { 0 } else { self.length(len) };
                Value::Map(self.entries(key, value, count, depth))
            }
            Type::Named(id) => self.named(*id, depth),
        }
    }

    /// Returns entries with different keys, sorted by key.
    fn entries(&mut self, key: &Type, value: &Type, count: usize, depth: usize) -> Vec<(Value, Value)> {
        let mut entries: Vec<(Value, Value)> = Vec::new();
        for _ in 0..8 * count {
            let key = self.bounded(key, None, None, depth + 1);
            if entries.len() < count && entries.iter().all(|(known, _)| *known != key) {
                entries.push((key, self.bounded(value, None, None, depth + 1)));
            }
        }
        entries.sort_by(|(one, _), (other, _)| order(one, other));
        entries
    }

    fn named(&mut self, id: TypeId, depth: usize) -> Value {
        match &self.schema.definition(id).kind {
            TypeKind::Alias(ty) => self.bounded(ty, None, None, depth),
            TypeKind::Struct(structure) => self.fields(&structure.fields, depth),
            // Now and then a number that the schema does not have.
            TypeKind::Enum(_) if self.random.one_in(8) => {
                Value::Enum(*self.random.pick(&[1_000_000, -1_000_000]))
            }
            TypeKind::Enum(values) => Value::Enum(self.random.pick(values).number.into()),
            TypeKind::Flags(flags) => {
                let some = flags.iter().filter(|_| self.random.one_in(2));
                let known = some.fold(0, |bits, flag| bits | flag.bit());
                // Now and then a bit that the schema does not have.
                Value::Flags(if self.random.one_in(8) { known | 1 << 63 } else { known })
            }
            TypeKind::Union(variants) | TypeKind::Error(variants) => self.variant(variants, depth),
        }
    }

    fn variant(&mut self, variants: &[Variant], depth: usize) -> Value {
        // At depth, the variant that nests least: variants with several values of their own union would never end.
        let ending = variants.iter().min_by_key(|variant| payload_nesting(self.schema, &self.least, variant));
        let variant = match ending {
            Some(variant) if depth > DEEP => variant,
            _ => self.random.pick(variants),
        };
        let value = match &variant.payload {
            Payload::Nothing => Value::Nothing,
            Payload::Type { ty, .. } => self.bounded(ty, None, None, depth + 1),
            Payload::Fields(fields) => self.fields(fields, depth),
        };
        Value::Union(variant.number, Box::new(value))
    }

    fn builtin(&mut self, builtin: Builtin, len: Option<&Range>, range: Option<&Range>) -> Value {
        match builtin {
            Builtin::Bool => Value::Bool(self.random.one_in(2)),
            Builtin::F32 => Value::Float(self.float(&[f64::from(0.1_f32), f64::from(f32::MAX)], range)),
            Builtin::F64 => Value::Float(self.float(&[0.1, 1e300], range)),
            Builtin::String => {
                let count = self.length(len);
                Value::String(
                    (0..count).map(|_| *self.random.pick(&['a', 'Z', '\u{e9}', '\u{4f60}'])).collect(),
                )
            }
            Builtin::Bytes => {
                let count = self.length(len);
                Value::Bytes((0..count).map(|_| *self.random.pick(&[0, 7, 0x80, 0xff])).collect())
            }
            Builtin::Timestamp => {
                let seconds = *self.random.pick(&[0, 1_772_366_400, -1, 1 << 34, i64::MIN, i64::MAX]);
                Value::Timestamp(seconds, *self.random.pick(&[0, 250_000_000, 999_999_999]))
            }
            Builtin::Duration => Value::Duration(*self.random.pick(&[0, 127, 1_000_000_000, u64::MAX])),
            Builtin::Uuid => Value::Uuid(*self.random.pick(&[[0; 16], [0xff; 16], *b"0123456789abcdef"])),
            Builtin::Value => Value::Any(self.random.pick(&anything()).clone()),
            integer => Value::Integer(self.integer(integer, range)),
        }
    }

    /// Returns one of these numbers, or one of those that every float type has.
    fn float(&mut self, some: &[f64], range: Option<&Range>) -> f64 {
        let all = some.iter().copied().chain([0.0, -1.5, 0.5, 7.0, 50.0, 89.5, 95.0, 99.0]);
        let inside: Vec<f64> = all.filter(|number| holds_float(range, *number)).collect();
        *self.random.pick(&inside)
    }

    /// Returns an integer of a range; more often than not one of its ends or next to one.
    fn integer(&mut self, builtin: Builtin, range: Option<&Range>) -> i128 {
        let (least, most) = limits(builtin);
        let least = range.and_then(|range| integer(range.min.as_ref())).unwrap_or(least);
        let most = range.and_then(|range| integer(range.max.as_ref())).unwrap_or(most);
        let inside = [
            least,
            most,
            least.saturating_add(1),
            most.saturating_sub(1),
            0,
            1,
            127,
            128,
            255,
            256,
            65_536,
            -1,
            -129,
        ];
        let inside: Vec<i128> = inside.into_iter().filter(|number| (least..=most).contains(number)).collect();
        *self.random.pick(&inside)
    }

    fn length(&mut self, len: Option<&Range>) -> usize {
        let end = |end: Option<&Literal>| integer(end).and_then(|end| usize::try_from(end).ok());
        let least = len.and_then(|range| end(range.min.as_ref())).unwrap_or(0);
        let most = len.and_then(|range| end(range.max.as_ref())).unwrap_or(least + 20);
        let usual = *self.random.pick(&[least, least, most, least + 1, 2, 2, 3, 12]);
        usual.clamp(least, most)
    }
}

/// Returns for each type how deep its least value nests: the one that leaves out all that may be absent or empty.
fn least_nesting(schema: &Schema) -> Vec<usize> {
    // Of a type of which nothing is known yet. The check of the schema sees to it that every type has a finite value.
    let mut least = vec![usize::MAX; schema.types.len()];
    loop {
        let next: Vec<usize> =
            schema.types.iter().map(|definition| kind_nesting(schema, &least, &definition.kind)).collect();
        if next == least {
            return least;
        }
        least = next;
    }
}

fn kind_nesting(schema: &Schema, least: &[usize], kind: &TypeKind) -> usize {
    match kind {
        TypeKind::Alias(ty) => nesting(schema, least, ty),
        TypeKind::Struct(structure) => fields_nesting(schema, least, &structure.fields),
        TypeKind::Enum(_) | TypeKind::Flags(_) => 0,
        TypeKind::Union(variants) | TypeKind::Error(variants) => {
            let all = variants.iter().map(|variant| payload_nesting(schema, least, variant));
            all.min().unwrap_or(0).saturating_add(1)
        }
    }
}

fn payload_nesting(schema: &Schema, least: &[usize], variant: &Variant) -> usize {
    match &variant.payload {
        Payload::Nothing => 0,
        Payload::Type { ty, .. } => nesting(schema, least, ty),
        Payload::Fields(fields) => fields_nesting(schema, least, fields),
    }
}

fn fields_nesting(schema: &Schema, least: &[usize], fields: &[Field]) -> usize {
    let all = fields.iter().map(|field| nesting(schema, least, &field.ty));
    all.max().unwrap_or(0).saturating_add(1)
}

fn nesting(schema: &Schema, least: &[usize], ty: &Type) -> usize {
    match schema.resolved(ty) {
        Type::Named(id) => least[id.0 as usize],
        Type::Optional(_) | Type::Builtin(_) | Type::List(_) | Type::Set(_) | Type::Map(..) => 0,
    }
}

/// Returns a literal, such as an end of a range, as an integer.
pub(crate) fn integer(literal: Option<&Literal>) -> Option<i128> {
    match literal {
        Some(Literal::Integer(number)) => Some(*number),
        _ => None,
    }
}

/// Reports whether a number is in a range of floats.
pub(crate) fn holds_float(range: Option<&Range>, number: f64) -> bool {
    let Some(range) = range else { return true };
    let end = |end: &Option<Literal>| match end {
        Some(Literal::Float(number)) => Some(*number),
        _ => None,
    };
    let above = end(&range.min).is_none_or(|min| number >= min);
    above && end(&range.max).is_none_or(|max| number < max || number <= max && !range.max_exclusive)
}

/// Returns the range of an integer type.
pub(crate) fn limits(builtin: Builtin) -> (i128, i128) {
    match builtin {
        Builtin::U8 => (0, u8::MAX.into()),
        Builtin::U16 => (0, u16::MAX.into()),
        Builtin::U32 => (0, u32::MAX.into()),
        Builtin::U64 => (0, u64::MAX.into()),
        Builtin::I8 => (i8::MIN.into(), i8::MAX.into()),
        Builtin::I16 => (i16::MIN.into(), i16::MAX.into()),
        Builtin::I32 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

fn anything() -> Vec<Raw> {
    vec![Raw::Nil, 5.into(), "text".into(), Raw::Array(vec![1.into(), Raw::Nil]), Raw::Ext(5, vec![7])]
}

/// Compares keys as Rust orders them.
#[must_use]
pub fn order(one: &Value, other: &Value) -> std::cmp::Ordering {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Uuid(one), Value::Uuid(other)) => one.cmp(other),
        (Value::Enum(one), Value::Enum(other)) => one.cmp(other),
        _ => std::cmp::Ordering::Equal,
    }
}
