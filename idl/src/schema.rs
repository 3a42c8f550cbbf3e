//! The resolved form of a set of `.svc` files: the input of code generation.
//!
//! **A [`Schema`] cannot hold an unresolved name or a broken rule.** Only [`crate::compile`] makes one, so its readers
//! need no error path. Names are resolved to ids into arenas, attributes to typed fields.
//!
//! Not here: spans of syntax (`crate::ast`) and the rules themselves (`crate::check`).

mod access;
mod event;
mod service;

use std::collections::BTreeMap;
use std::time::Duration;

pub use access::Access;
pub use event::{Event, Slow};

use crate::source::Span;

pub use service::{Base, Method, MethodKind, Overlap, Service, ServiceId, StreamParameter, Thrown};

/// Everything that a set of files declares, with all names resolved.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Packages in order of their full names. Several files may share one.
    pub packages: Vec<Package>,
    /// Every named type of every package, by [`TypeId`].
    pub types: Vec<TypeDefinition>,
}

/// One package and what its files declare, in order of declaration.
#[derive(Debug, Clone)]
pub struct Package {
    /// The parts of the dotted name: `["market", "v1"]`.
    pub name: Vec<String>,
    /// The `///` lines above `package`, of all its files; as [`Notes::docs`].
    pub docs: String,
    /// The keys and values of `@meta` above `package`, of all its files; as [`Notes::meta`].
    pub meta: BTreeMap<String, String>,
    /// Constants.
    pub constants: Vec<Constant>,
    /// Named types, into [`Schema::types`].
    pub types: Vec<TypeId>,
    /// Services.
    pub services: Vec<Service>,
    /// Span of the name in each file of the package. Never empty.
    pub spans: Vec<Span>,
}

/// Index of a named type in [`Schema::types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// Index of a package in [`Schema::packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId(pub u32);

/// Docs, deprecation and metadata, which every declaration and member may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// The text of the `///` lines, joined by `\n`, without the marker and one space after it. Empty if there are none.
    pub docs: String,
    /// The text of `@deprecated("…")`.
    pub deprecated: Option<String>,
    /// The keys and values of `@meta("…", "…")`, which mean nothing to the compiler.
    pub meta: BTreeMap<String, String>,
}

/// A type with a name.
#[derive(Debug, Clone)]
pub struct TypeDefinition {
    /// The name as declared, after those of the types around it: `Trade`, `Order.Side`.
    pub name: String,
    /// The package that declares it.
    pub package: PackageId,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
    /// The kind of type, with its members.
    pub kind: TypeKind,
    /// Reserved names and numbers of members; those of a variant's own fields are in [`Variant::reserved`].
    pub reserved: Vec<Reserved>,
    /// Span of the type that an alias stands for; `None` for other kinds.
    pub target_span: Option<Span>,
}

/// One name or range of numbers that `reserved` keeps from being used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// A number, a range of them or a name.
    pub kind: ReservedKind,
    /// Span of the entry.
    pub span: Span,
}

/// What one entry of a `reserved` list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservedKind {
    /// A name.
    Name(String),
    /// From and to, both inclusive; an open end is `i64::MIN` or `i64::MAX`.
    Numbers(i64, i64),
}

/// The kinds of named types.
#[derive(Debug, Clone)]
pub enum TypeKind {
    /// `type Name = T;`
    Alias(Type),
    /// `struct Name { … }`, or `event Name { … }`, which is a struct wherever a type may stand.
    Struct(Struct),
    /// `enum Name { … }`
    Enum(Vec<EnumValue>),
    /// `flags Name { … }`: any of these at once.
    Flags(Vec<Flag>),
    /// `union Name { … }`
    Union(Vec<Variant>),
    /// `error Name { … }`: a union that `throws` may name.
    Error(Vec<Variant>),
}

/// The fields of a struct.
#[derive(Debug, Clone)]
pub struct Struct {
    /// The fields, in ascending order of their numbers.
    pub fields: Vec<Field>,
    /// What makes it an event, if it was declared with `event`.
    pub event: Option<Event>,
}

/// One field of a struct or variant, or one plain parameter of a method.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name: `snake_case` by convention, but any identifier is allowed.
    pub name: String,
    /// The number, 1 to 65,535; that of a parameter is its position, from 1 to 255.
    pub number: u16,
    /// The type. The field may be absent if this is a [`Type::Optional`] or if there is a [`Field::default`].
    pub ty: Type,
    /// The value of `@default(…)`, of a kind that `ty` can hold.
    pub default: Option<Literal>,
    /// The bounds of `@len(…)`, in Unicode scalar values, bytes, elements or entries.
    pub len: Option<Range>,
    /// The bounds of `@range(…)`.
    pub range: Option<Range>,
    /// Whether the type holds itself by value through this field. Generated code then boxes the named type:
    /// `Option<Box<Node>>` if `ty` is optional (after aliases are followed), else `Box<Node>`.
    pub boxed: bool,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
    /// Span of the type.
    pub type_span: Span,
}

/// What the fields of a struct, of a variant or of a method are on the wire. Readers take either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// An array of the fields by number.
    Array,
    /// A map from the numbers of the fields.
    Map,
}

impl Layout {
    /// Returns what fields are: a map if a number is past 255, or if less than a quarter of the numbers up to the last are in use.
    #[must_use]
    pub fn of(fields: &[Field]) -> Self {
        Self::of_numbers(fields.len(), fields.iter().map(|field| field.number).max().unwrap_or(0).into())
    }

    /// Returns what this many fields are, of which the last has a number.
    #[must_use]
    pub(crate) fn of_numbers(fields: usize, last: usize) -> Self {
        if last > MAX_IN_ARRAY || 4 * fields < last { Self::Map } else { Self::Array }
    }
}

/// Maximum number of a field of a struct that is an array.
const MAX_IN_ARRAY: usize = 255;

/// One value of an enum.
#[derive(Debug, Clone)]
pub struct EnumValue {
    /// The name, `PascalCase` by convention.
    pub name: String,
    /// The number, -2^31 to 2^31 - 1.
    pub number: i32,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
}

/// One flag of `flags`.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The name, `PascalCase` by convention.
    pub name: String,
    /// The number, 0 to 63: that of its bit, from the least significant.
    pub number: u8,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
}

impl Flag {
    /// Returns the bit, as a number that has no other.
    #[must_use]
    pub const fn bit(&self) -> u64 {
        1 << self.number
    }
}

/// One variant of a union or error.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The name, `PascalCase` by convention.
    pub name: String,
    /// The number, 1 to 2^31 - 1.
    pub number: u32,
    /// The payload.
    pub payload: Payload,
    /// The text of `@message("…")` on an error's variant, split into parts. Only variants with fields have
    /// [`MessagePart::Field`]s.
    pub message: Option<Vec<MessagePart>>,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
    /// Reserved names and numbers of the variant's own fields.
    pub reserved: Vec<Reserved>,
    /// Span of the type carried, if there is one.
    pub type_span: Option<Span>,
}

/// What a variant carries.
#[derive(Debug, Clone)]
pub enum Payload {
    /// `Halted = 2;`
    Nothing,
    /// `Market: MarketOrder = 2;`
    Type {
        /// The type carried.
        ty: Type,
        /// As [`Field::boxed`].
        boxed: bool,
    },
    /// `Limit { … } = 1;`, in ascending order of their numbers.
    Fields(Vec<Field>),
}

/// One part of an error's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessagePart {
    /// Text to copy; `{{` and `}}` are already unescaped.
    Text(String),
    /// The value of the field at this index of [`Payload::Fields`].
    Field(usize),
}

/// `const NAME: T = value;`
#[derive(Debug, Clone)]
pub struct Constant {
    /// The name, `UPPER_SNAKE` by convention.
    pub name: String,
    /// The type: any of which values can be written. So it holds no `timestamp`, `uuid`, `value`, union or error.
    pub ty: Type,
    /// The value, of type `ty`.
    pub value: Literal,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
    /// Span of the type.
    pub type_span: Span,
    /// Span of the value.
    pub value_span: Span,
}

/// A use of a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// A built-in type.
    Builtin(Builtin),
    /// `list<T>`
    List(Box<Type>),
    /// `set<T>`; `T` is as the key of a [`Type::Map`].
    Set(Box<Type>),
    /// `map<K, V>`; `K` is a string, integer, bool, uuid or enum, or an alias of one.
    Map(Box<Type>, Box<Type>),
    /// `T?`; `T` is never optional itself, not even through an alias.
    Optional(Box<Type>),
    /// A declared type or alias.
    Named(TypeId),
}

/// The built-in types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the keyword that names it")]
pub enum Builtin {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
    String,
    Bytes,
    Timestamp,
    Duration,
    Uuid,
    Value,
}

impl Builtin {
    /// Returns the keyword that names it.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Uuid => "uuid",
            Self::Value => "value",
        }
    }
}

/// A value written in a file. Names of constants are already replaced by their values.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true`, `false`
    Bool(bool),
    /// A value of any integer type; wide enough for `u64` and `i64`.
    Integer(i128),
    /// A finite value of `f32` or `f64`.
    Float(f64),
    /// A string with its escapes resolved.
    String(String),
    /// `500ms`; at most `u64::MAX` nanoseconds.
    Duration(Duration),
    /// A value of an enum: the enum, and the index into [`TypeKind::Enum`].
    EnumValue(TypeId, usize),
    /// A set of flags: the type, and the bits.
    Flags(TypeId, u64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An empty list, set or map.
    Empty,
    /// The elements of a list, at least one.
    List(Vec<Literal>),
    /// The elements of a set as they are written, at least one, and none twice.
    Set(Vec<Literal>),
    /// The entries of a map as they are written, at least one, and no key twice.
    Map(Vec<(Literal, Literal)>),
    /// A struct, and the values of its fields in the order of [`Struct::fields`]. One that is left out has its default here; it is
    /// `None` if it is absent, which only an optional or a `value` may be.
    Struct(TypeId, Vec<Option<Literal>>),
}

/// The values that `@len` or `@range` allows: a range in Rust's notation; either end may be open.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// The least allowed value, always inclusive.
    pub min: Option<Literal>,
    /// The greatest value, of the same kind as `min`. Always inclusive for integers (`1..5` is stored as 1 to 4).
    pub max: Option<Literal>,
    /// Whether `max` itself is not allowed; only for floats (`0.0..1.0`).
    pub max_exclusive: bool,
}

impl Schema {
    /// Returns the definition of a type.
    #[must_use]
    pub fn definition(&self, id: TypeId) -> &TypeDefinition {
        &self.types[id.0 as usize]
    }

    /// Returns a package.
    #[must_use]
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    /// Returns a service.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> &Service {
        &self.package(id.package).services[id.index as usize]
    }

    /// Returns all services that one takes over, each once: those that it extends, and those that they do.
    #[must_use]
    pub fn bases(&self, service: &Service) -> Vec<ServiceId> {
        let mut found: Vec<ServiceId> = Vec::new();
        let mut open: Vec<ServiceId> = service.extends.iter().rev().map(|base| base.service).collect();
        while let Some(next) = open.pop() {
            if !found.contains(&next) {
                found.push(next);
                open.extend(self.service(next).extends.iter().rev().map(|base| base.service));
            }
        }
        found
    }

    /// Returns `ty` with every alias at its top level followed.
    #[must_use]
    pub fn resolved<'a>(&'a self, mut ty: &'a Type) -> &'a Type {
        while let Type::Named(id) = ty {
            let TypeKind::Alias(target) = &self.definition(*id).kind else { break };
            ty = target;
        }
        ty
    }
}

impl Package {
    /// Returns the full name: `market.v1`.
    #[must_use]
    pub fn full_name(&self) -> String {
        self.name.join(".")
    }
}
