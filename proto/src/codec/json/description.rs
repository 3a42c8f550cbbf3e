//! [`Description`]: what the parts of a generated type are called.

use std::sync::OnceLock;

use super::members::Members;
use super::parse;

/// A generated type, or the form of a type in its place.
pub trait Described {
    /// Returns its description.
    fn description() -> &'static Description;
}

/// What the fields, values and variants of a generated type are called, and of which types they are.
///
/// Generated code carries it as text, in the notation of a `.svc` file, since a text costs a compiler nothing. The text is read when
/// the type is first written or read in a format for people.
#[derive(Debug)]
pub struct Description {
    text: &'static str,
    /// The descriptions of the types that the text refers to, as `#0` and so on.
    types: &'static [fn() -> &'static Description],
    definition: OnceLock<Result<Definition, Malformed>>,
}

/// A description that is not in its notation. No schema leads to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The parts of a type.
#[derive(Debug, PartialEq)]
pub(super) enum Definition {
    /// The fields, in ascending order of their numbers.
    Struct(Members<Field>),
    /// Names and numbers.
    Enum(Members<(&'static str, i32)>),
    /// Names and numbers of flags.
    Flags(Vec<(&'static str, i32)>),
    Union(Members<Variant>),
    /// The names and descriptions of the errors that a method throws, in order.
    Errors(Vec<(&'static str, Type)>),
}

#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// Number, from 1.
    pub(super) number: usize,
    pub(super) ty: Type,
    /// Whether the field has a value where it is absent.
    pub(super) has_default: bool,
}

#[derive(Debug, PartialEq)]
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) payload: Payload,
}

#[derive(Debug, PartialEq)]
pub(super) enum Payload {
    Nothing,
    Type(Type),
    Fields(Members<Field>),
}

/// A use of a type, with aliases resolved.
#[derive(Debug)]
pub(super) enum Type {
    Bool,
    Integer(Integer),
    F32,
    F64,
    String,
    Bytes,
    Timestamp,
    Duration,
    Uuid,
    /// Any value.
    Value,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Optional(Box<Type>),
    Named(&'static Description),
}

/// An integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer {
    pub(super) name: &'static str,
    pub(super) min: i64,
    pub(super) max: u64,
}

impl PartialEq for Type {
    /// Compares named types by their descriptions' addresses: types may hold themselves.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => a == b,
            (Self::Map(a, b), Self::Map(c, d)) => a == c && b == d,
            (Self::Named(a), Self::Named(b)) => std::ptr::eq(*a, *b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }
}

impl Description {
    /// Creates a description from its text and the types that the text refers to.
    #[must_use]
    pub const fn new(text: &'static str, types: &'static [fn() -> &'static Self]) -> Self {
        Self { text, types, definition: OnceLock::new() }
    }

    /// Returns the parts of the type.
    pub(super) fn definition(&self) -> Result<&Definition, Malformed> {
        let definition = self.definition.get_or_init(|| parse::definition(self.text, self.types));
        definition.as_ref().map_err(|malformed| *malformed)
    }
}

impl Type {
    /// Reports whether a field of this type may be absent: it is nil then.
    pub(super) fn may_be_absent(&self) -> bool {
        matches!(self, Self::Optional(_) | Self::Value)
    }
}

impl Field {
    /// Reports whether the field must be there.
    pub(super) fn is_required(&self) -> bool {
        !self.has_default && !self.ty.may_be_absent()
    }
}
