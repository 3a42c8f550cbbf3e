//! Makes values up: of any type, within its bounds, and the same every time.

use serde_json::{Map, Number, Value};
use zsvc_idl::schema::{
    Builtin, Field, Literal, Method, MethodKind, Payload, Range, Schema, Type, TypeKind, Variant,
};

/// Depth from which on values end wherever their type allows it.
const DEEP: usize = 4;

/// Depth at which values end in any case, with one that is wrong: no type needs as much.
const DEEPEST: usize = 60;

/// Maximum length of what is made up for a bound on the length.
const MAX_LENGTH: usize = 1_024;

/// Returns the JSON of an answer of a method.
pub(crate) fn answer(schema: &Schema, method: &Method) -> Value {
    match &method.kind {
        MethodKind::Unary(Some(ty))
        | MethodKind::ServerStream(ty)
        | MethodKind::ClientStream(_, Some(ty))
        | MethodKind::Bidirectional(_, ty) => Maker { schema }.value(ty, &method.name, Bounds::NONE, 0),
        MethodKind::Unary(None) | MethodKind::ClientStream(_, None) | MethodKind::OneWay => Value::Null,
    }
}

/// Returns the JSON of parameters for a method.
#[cfg(test)]
pub(crate) fn params(schema: &Schema, method: &Method) -> Value {
    Maker { schema }.fields(&method.parameters, 0)
}

struct Maker<'s> {
    schema: &'s Schema,
}

/// The bounds of a field.
#[derive(Clone, Copy)]
struct Bounds<'s> {
    len: Option<&'s Range>,
    range: Option<&'s Range>,
}

impl Bounds<'_> {
    const NONE: Self = Self { len: None, range: None };

    /// Returns the least length that is allowed, and the greatest.
    fn lengths(self) -> (usize, usize) {
        let end = |literal: Option<&Literal>| match literal {
            Some(Literal::Integer(length)) => usize::try_from(*length).ok(),
            _ => None,
        };
        let least = end(self.len.and_then(|len| len.min.as_ref())).unwrap_or(0);
        let most = end(self.len.and_then(|len| len.max.as_ref())).unwrap_or(usize::MAX);
        (least.min(MAX_LENGTH), most)
    }

    /// Returns 1 if that is allowed, or else the end of the range that is nearest.
    fn integer(self) -> i128 {
        let end = |literal: Option<&Literal>| match literal {
            Some(Literal::Integer(number)) => Some(*number),
            _ => None,
        };
        let least = end(self.range.and_then(|range| range.min.as_ref())).unwrap_or(i128::MIN);
        let most = end(self.range.and_then(|range| range.max.as_ref())).unwrap_or(i128::MAX);
        1_i128.clamp(least, most.max(least))
    }

    fn float(self) -> f64 {
        let end = |literal: Option<&Literal>| match literal {
            Some(Literal::Float(number)) => Some(*number),
            _ => None,
        };
        let least = end(self.range.and_then(|range| range.min.as_ref())).unwrap_or(f64::MIN);
        let most = end(self.range.and_then(|range| range.max.as_ref())).unwrap_or(f64::MAX);
        // An end may be excluded, the middle of two is not.
        if (least..most).contains(&1.5) { 1.5 } else { least / 2.0 + most / 2.0 }
    }
}

impl Maker<'_> {
    fn fields(&self, fields: &[Field], depth: usize) -> Value {
        let entries = fields.iter().filter_map(|field| {
            let is_optional = matches!(self.schema.resolved(&field.ty), Type::Optional(_));
            if is_optional && depth >= DEEP {
                return None;
            }
            let bounds = Bounds { len: field.len.as_ref(), range: field.range.as_ref() };
            Some((field.name.clone(), self.value(&field.ty, &field.name, bounds, depth)))
        });
        Value::Object(entries.collect())
    }

    fn value(&self, ty: &Type, name: &str, bounds: Bounds<'_>, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::Null;
        }
        match self.schema.resolved(ty) {
            Type::Builtin(builtin) => scalar(*builtin, name, bounds),
            Type::Optional(_) if depth >= DEEP => Value::Null,
            Type::Optional(inner) => self.value(inner, name, bounds, depth),
            Type::List(element) => {
                let (least, most) = bounds.lengths();
                let count = if depth >= DEEP { least } else { 1.clamp(least, most.max(least)) };
                Value::Array(vec![self.value(element, name, Bounds::NONE, depth + 1); count])
            }
            Type::Set(element) => {
                let count = bounds.lengths().0.max(usize::from(depth < DEEP));
                Value::Array((0..count).map(|index| self.numbered(element, name, index, depth)).collect())
            }
            Type::Map(key, value) => {
                let count = bounds.lengths().0.max(usize::from(depth < DEEP));
                let entries = (0..count).map(|index| {
                    let key = match self.numbered(key, name, index, depth) {
                        Value::String(key) => key,
                        key => key.to_string(),
                    };
                    (key, self.value(value, name, Bounds::NONE, depth + 1))
                });
                Value::Object(entries.collect())
            }
            Type::Named(id) => match &self.schema.definition(*id).kind {
                TypeKind::Struct(structure) => self.fields(&structure.fields, depth + 1),
                TypeKind::Enum(values) => values.first().map_or(0.into(), |value| value.name.as_str().into()),
                TypeKind::Flags(flags) => {
                    Value::Array(flags.first().map(|flag| flag.name.as_str().into()).into_iter().collect())
                }
                TypeKind::Union(variants) | TypeKind::Error(variants) => self.union(variants, depth + 1),
                TypeKind::Alias(target) => self.value(target, name, bounds, depth),
            },
        }
    }

    /// Returns the first variant; deep inside, one without a value if there is one.
    fn union(&self, variants: &[Variant], depth: usize) -> Value {
        let bare = variants.iter().find(|variant| matches!(variant.payload, Payload::Nothing));
        let chosen = bare.filter(|_| depth >= DEEP).or(variants.first());
        let Some(variant) = chosen else { return Value::Null };
        let value = match &variant.payload {
            Payload::Nothing => return variant.name.as_str().into(),
            Payload::Type { ty, .. } => self.value(ty, &variant.name, Bounds::NONE, depth),
            Payload::Fields(fields) => self.fields(fields, depth),
        };
        Value::Object(Map::from_iter([(variant.name.clone(), value)]))
    }

    /// Returns one of several values of a set or keys of a map, no two of which are the same, as far as the type has as many.
    fn numbered(&self, ty: &Type, name: &str, index: usize, depth: usize) -> Value {
        match (self.schema.resolved(ty), index) {
            (_, 0) => self.value(ty, name, Bounds::NONE, depth + 1),
            (Type::Builtin(Builtin::String), _) => format!("{name} {index}").into(),
            (Type::Builtin(Builtin::Bool), _) => false.into(),
            (Type::Builtin(Builtin::Uuid), _) => format!("00000000-0000-4000-8000-{index:012}").into(),
            (Type::Named(id), _) => match &self.schema.definition(*id).kind {
                TypeKind::Enum(values) => {
                    values.get(index).map_or(index.into(), |value| value.name.as_str().into())
                }
                _ => index.into(),
            },
            _ => (index + 1).into(),
        }
    }
}

fn scalar(builtin: Builtin, name: &str, bounds: Bounds<'_>) -> Value {
    match builtin {
        Builtin::Bool => true.into(),
        Builtin::F32 | Builtin::F64 => Number::from_f64(bounds.float()).map_or(Value::Null, Value::Number),
        Builtin::String => text(name, bounds).into(),
        Builtin::Bytes => base64_of_zeros(bounds.lengths().0.max(1).min(bounds.lengths().1)).into(),
        Builtin::Timestamp => "2026-01-01T00:00:00Z".into(),
        Builtin::Duration => "1s".into(),
        Builtin::Uuid => "00000000-0000-4000-8000-000000000000".into(),
        Builtin::Value => name.into(),
        _ => {
            let number = bounds.integer();
            let unsigned = u64::try_from(number).ok().map(Value::from);
            unsigned.or_else(|| i64::try_from(number).ok().map(Value::from)).unwrap_or(Value::Null)
        }
    }
}

/// Returns a text that says what it is, of a length that is allowed.
fn text(name: &str, bounds: Bounds<'_>) -> String {
    let (least, most) = bounds.lengths();
    let mut text: String = name.chars().take(most).collect();
    while text.chars().count() < least {
        text.push('x');
    }
    text
}

fn base64_of_zeros(length: usize) -> String {
    let rest = match length % 3 {
        0 => "",
        1 => "AA==",
        _ => "AAA=",
    };
    "AAAA".repeat(length / 3) + rest
}

#[cfg(test)]
mod tests {
    use zsvc_dynamic::{Codec, Shape};
    use zsvc_idl::{MemoryLoader, compile};

    use super::*;

    #[test]
    fn what_is_made_up_keeps_to_the_schema_and_its_bounds() {
        let text = "package a.v1; enum Side { Buy = 1; Sell = 2; } union U { More { u: U = 1; } = 1; Done = 2; }
            struct Tree { below: list<Tree> = 1; next: Tree? = 2; @default(5) lot: u32 = 3; }
            struct All {
                @len(3..) a: string = 1; @len(..=2) b: string = 2; @range(5..) c: u8 = 3; @range(..=-4) d: i64 = 4;
                @range(0.1..0.3) e: f64 = 5; f: f32? = 6; @len(4..=5) g: bytes = 7; h: timestamp = 8; i: duration = 9;
                j: uuid = 10; k: value = 11; @len(2..) l: set<Side> = 12; @len(2..) m: map<string, Tree> = 13;
                n: map<bool, u8> = 14; o: U = 15; @len(0..=0) p: list<u8> = 16; q: Tree = 17; r: set<uuid> = 18;
            }
            service S { rpc m(all: All, @len(1..=12) symbol: string) -> All; rpc n(); }";
        let loader = MemoryLoader::default().with("a.svc", text);
        let schema = compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
        let codec = Codec::new(&schema).strict();
        for method in &schema.packages[0].services[0].methods {
            let params = params(&schema, method).to_string();
            let encoded = codec.encode(Shape::Parameters(&method.parameters), &params);
            assert!(encoded.is_ok(), "{encoded:?}: {params}");
            if let MethodKind::Unary(Some(ty)) = &method.kind {
                let answer = answer(&schema, method).to_string();
                assert!(codec.encode(Shape::Type(ty), &answer).is_ok(), "{answer}");
            }
        }
    }
}
