//! Properties that types inherit from the types that they contain.
//!
//! A type that contains a bound (`@len`, `@range`) is checked when it arrives; one that contains a number without total
//! equality is neither `Eq` nor `Hash`.

use zsvc_idl::schema::{Builtin, Field, Payload, Schema, Type, TypeId, TypeKind, Variant};

use crate::options::Choices;

/// The properties of every type of a schema.
#[derive(Debug)]
pub(crate) struct Reach {
    bounded: Vec<bool>,
    inexact: Vec<bool>,
}

/// The properties of one type by itself, and the types that contain it.
#[derive(Debug, Default)]
struct Parts {
    bounded: bool,
    inexact: bool,
    users: Vec<TypeId>,
}

impl Reach {
    /// Visits every type of `schema` once. Nothing is known of a replaced type, so it counts as one with bounds and without
    /// total equality.
    pub(crate) fn new(schema: &Schema, choices: &Choices) -> Self {
        let mut parts: Vec<Parts> = schema.types.iter().map(|_| Parts::default()).collect();
        for (id, definition) in (0..).map(TypeId).zip(&schema.types) {
            if choices.is_replaced(id) {
                parts[id.0 as usize].inexact = true;
                // Whether its type has bounds is known to rustc alone, which then checks them.
                parts[id.0 as usize].bounded = true;
                continue;
            }
            let mut visitor = Visitor { user: id, parts: &mut parts };
            match &definition.kind {
                TypeKind::Alias(ty) => visitor.ty(ty),
                TypeKind::Struct(structure) => visitor.fields(&structure.fields),
                TypeKind::Enum(_) | TypeKind::Flags(_) => {}
                TypeKind::Union(variants) | TypeKind::Error(variants) => visitor.variants(variants),
            }
        }
        Self { bounded: spread(&parts, |part| part.bounded), inexact: spread(&parts, |part| part.inexact) }
    }

    /// Reports whether a value of this type can violate a bound.
    pub(crate) fn is_bounded(&self, id: TypeId) -> bool {
        self.bounded[id.0 as usize]
    }

    /// Reports whether equality of this type is total, so that it can be `Eq` and `Hash`.
    pub(crate) fn is_exact(&self, id: TypeId) -> bool {
        !self.inexact[id.0 as usize]
    }
}

/// Propagates a property from types to all that contain them.
fn spread(parts: &[Parts], property: impl Fn(&Parts) -> bool) -> Vec<bool> {
    let mut reached: Vec<bool> = parts.iter().map(property).collect();
    let mut open: Vec<usize> = (0..parts.len()).filter(|&index| reached[index]).collect();
    while let Some(index) = open.pop() {
        for user in parts[index].users.iter().map(|user| user.0 as usize) {
            if !std::mem::replace(&mut reached[user], true) {
                open.push(user);
            }
        }
    }
    reached
}

/// Records the types that one type contains.
struct Visitor<'a> {
    user: TypeId,
    parts: &'a mut [Parts],
}

impl Visitor<'_> {
    fn variants(&mut self, variants: &[Variant]) {
        for variant in variants {
            match &variant.payload {
                Payload::Nothing => {}
                Payload::Type { ty, .. } => self.ty(ty),
                Payload::Fields(fields) => self.fields(fields),
            }
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            self.own().bounded |= field.len.is_some() || field.range.is_some();
            self.ty(&field.ty);
        }
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Builtin(Builtin::F32 | Builtin::F64 | Builtin::Value) => self.own().inexact = true,
            Type::Builtin(_) => {}
            Type::List(inner) | Type::Set(inner) | Type::Optional(inner) => self.ty(inner),
            Type::Map(key, value) => {
                self.ty(key);
                self.ty(value);
            }
            Type::Named(id) => self.parts[id.0 as usize].users.push(self.user),
        }
    }

    fn own(&mut self) -> &mut Parts {
        &mut self.parts[self.user.0 as usize]
    }
}
