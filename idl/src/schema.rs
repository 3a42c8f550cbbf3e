//! The resolved form of a set of `.svc` files: what code generation works from.
//!
//! **A [`Schema`] cannot hold an unresolved name or a broken rule.** It is made by [`crate::compile`] alone, so
//! whoever reads one needs no error path. Names are resolved to ids into arenas, attributes to typed fields.
//!
//! Not here: spans of syntax (`crate::ast`) and the rules themselves (`crate::check`).

use std::time::Duration;

use crate::source::Span;

/// Everything that a set of files declares, all names resolved.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Packages in order of their full names. Several files may share one.
    pub packages: Vec<Package>,
    /// Every named type of every package, by [`TypeId`].
    pub types: Vec<TypeDefinition>,
}

/// One package and what its files declare, in the order of declaration.
#[derive(Debug, Clone)]
pub struct Package {
    /// The parts of the dotted name: `["market", "v1"]`.
    pub name: Vec<String>,
    /// The `///` lines above `package`, of all its files; as [`Notes::docs`].
    pub docs: String,
    /// Constants.
    pub constants: Vec<Constant>,
    /// Named types, into [`Schema::types`].
    pub types: Vec<TypeId>,
    /// Services.
    pub services: Vec<Service>,
    /// Where its name stands, in each file that has it. Never empty.
    pub spans: Vec<Span>,
}

/// The place of a named type in [`Schema::types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// The place of a package in [`Schema::packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId(pub u32);

/// What every declared thing may carry besides its meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// The text of its `///` lines, one string with `\n` between lines, without the marker and one space after it.
    /// Empty when there are none.
    pub docs: String,
    /// The text of `@deprecated("…")`.
    pub deprecated: Option<String>,
}

/// A type with a name.
#[derive(Debug, Clone)]
pub struct TypeDefinition {
    /// Its name as declared: `Trade`.
    pub name: String,
    /// The package that declares it.
    pub package: PackageId,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Where its name stands.
    pub span: Span,
    /// What it is.
    pub kind: TypeKind,
    /// What its members may not be; those of a variant's own fields are in [`Variant::reserved`].
    pub reserved: Vec<Reserved>,
    /// Where the type stands that an alias is for; nowhere for others.
    pub target_span: Option<Span>,
}

/// What `reserved` keeps from coming back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// A number, a range of them or a name.
    pub kind: ReservedKind,
    /// Where it stands.
    pub span: Span,
}

/// One entry of a `reserved`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReservedKind {
    /// A name.
    Name(String),
    /// From and to, both inclusive; an open end is that of all numbers.
    Numbers(u32, u32),
}

/// The kinds of named types.
#[derive(Debug, Clone)]
pub enum TypeKind {
    /// `type Name = T;`
    Alias(Type),
    /// `struct Name { … }`
    Struct(Struct),
    /// `enum Name { … }`
    Enum(Vec<EnumValue>),
    /// `union Name { … }`
    Union(Vec<Variant>),
    /// `error Name { … }`: a union that `throws` may name.
    Error(Vec<Variant>),
}

/// The fields of a struct.
#[derive(Debug, Clone)]
pub struct Struct {
    /// In ascending order of their numbers.
    pub fields: Vec<Field>,
}

/// One field of a struct or variant, or one plain parameter of a method.
#[derive(Debug, Clone)]
pub struct Field {
    /// `snake_case` by convention, any identifier in fact.
    pub name: String,
    /// 1 to 255; a parameter's is its position, from 1.
    pub number: u8,
    /// Its type. A [`Type::Optional`] or [`Field::default`] makes it one that may be absent.
    pub ty: Type,
    /// The value of `@default(…)`, of a kind that `ty` can hold.
    pub default: Option<Literal>,
    /// `@len(…)` in Unicode scalar values, bytes, elements or entries.
    pub len: Option<Range>,
    /// `@range(…)`.
    pub range: Option<Range>,
    /// The type holds itself by value through this field, so generated code boxes the named type in it:
    /// `Option<Box<Node>>` where `ty` is optional (after aliases are followed), else `Box<Node>`.
    pub boxed: bool,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Where its name stands.
    pub span: Span,
    /// Where its type stands.
    pub type_span: Span,
}

/// One value of an enum.
#[derive(Debug, Clone)]
pub struct EnumValue {
    /// `PascalCase` by convention.
    pub name: String,
    /// 0 to 2^31 - 1.
    pub number: u32,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Where its name stands.
    pub span: Span,
}

/// One variant of a union or error.
#[derive(Debug, Clone)]
pub struct Variant {
    /// `PascalCase` by convention.
    pub name: String,
    /// 1 to 2^31 - 1.
    pub number: u32,
    /// What it carries.
    pub payload: Payload,
    /// `@message("…")` of an error's variant, cut into its parts. Only variants with fields have
    /// [`MessagePart::Field`]s.
    pub message: Option<Vec<MessagePart>>,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Where its name stands.
    pub span: Span,
    /// What the fields of its own may not be.
    pub reserved: Vec<Reserved>,
    /// Where the type stands that it carries, if it carries one.
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

/// A stretch of an error's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessagePart {
    /// Text to copy; `{{` and `}}` are already single braces.
    Text(String),
    /// The value of the variant's field at this index of [`Payload::Fields`].
    Field(usize),
}

/// `const NAME: T = value;`
#[derive(Debug, Clone)]
pub struct Constant {
    /// `UPPER_SNAKE` by convention.
    pub name: String,
    /// A number, `bool`, `string` or `duration`, or an alias of one.
    pub ty: Type,
    /// Of that type.
    pub value: Literal,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Where its name stands.
    pub span: Span,
    /// Where its type stands.
    pub type_span: Span,
    /// Where its value stands.
    pub value_span: Span,
}

/// A group of methods.
#[derive(Debug, Clone)]
pub struct Service {
    /// As declared: `Tape`.
    pub name: String,
    /// In order of declaration.
    pub methods: Vec<Method>,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Where its name stands.
    pub span: Span,
}

/// One method.
#[derive(Debug, Clone)]
pub struct Method {
    /// As declared: `last`. On the wire it is `package.Service/method`.
    pub name: String,
    /// The plain parameters, numbered by position.
    pub parameters: Vec<Field>,
    /// Whether it answers, and which sides stream.
    pub kind: MethodKind,
    /// The error or union of kind [`TypeKind::Error`] that it `throws`.
    pub throws: Option<TypeId>,
    /// `@deadline(…)`.
    pub deadline: Option<Duration>,
    /// `@idempotent`.
    pub idempotent: bool,
    /// `@overlap(…)`; of a `oneway` method always [`Overlap::Parallel`].
    pub overlap: Overlap,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Where its name stands.
    pub span: Span,
    /// Where its answer stands, from `->` on, if it has one.
    pub answer_span: Option<Span>,
    /// Where the error stands that it throws, if it throws one.
    pub throws_span: Option<Span>,
}

/// What a client does where a method is called again while an earlier call of it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlap {
    /// Both run.
    #[default]
    Parallel,
    /// The later call waits until the earlier one is done.
    Queue,
    /// The earlier call is cancelled.
    Replace,
    /// The later call is not made.
    Ignore,
}

/// How a method is called.
#[derive(Debug, Clone)]
pub enum MethodKind {
    /// `rpc m(…) -> T`; `None` answers with nothing but the fact that it is done.
    Unary(Option<Type>),
    /// `rpc m(…) -> stream T`
    ServerStream(Type),
    /// `rpc m(…, items: stream T) -> R`
    ClientStream(StreamParameter, Option<Type>),
    /// `rpc m(…, items: stream T) -> stream R`
    Bidirectional(StreamParameter, Type),
    /// `oneway m(…)`
    OneWay,
}

/// A method's `stream` parameter.
#[derive(Debug, Clone)]
pub struct StreamParameter {
    /// Its name.
    pub name: String,
    /// The type of its items.
    pub item: Type,
    /// Where its name stands.
    pub span: Span,
}

/// A use of a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// A type of the language itself.
    Builtin(Builtin),
    /// `list<T>`
    List(Box<Type>),
    /// `map<K, V>`; K is a string, integer, bool, uuid or enum, or an alias of one.
    Map(Box<Type>, Box<Type>),
    /// `T?`; T is never optional itself, also not through an alias.
    Optional(Box<Type>),
    /// A declared type, an alias included.
    Named(TypeId),
}

/// The types of the language itself.
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

/// A value written in a file. Names of constants are already replaced by their values.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true`, `false`
    Bool(bool),
    /// Any integer type; wide enough for `u64` and `i64`.
    Integer(i128),
    /// `f32` and `f64`; finite.
    Float(f64),
    /// A string, escapes resolved.
    String(String),
    /// `500ms`; at most `u64::MAX` nanoseconds.
    Duration(Duration),
    /// A value of an enum: the enum, and the index into [`TypeKind::Enum`].
    EnumValue(TypeId, usize),
    /// `[]`: an empty list or map.
    Empty,
}

/// What `@len` and `@range` allow: a range in Rust's notation, either end open.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// The least value allowed, always inclusive.
    pub min: Option<Literal>,
    /// The greatest value, of the same kind as `min`. For integers always inclusive (`1..5` is kept as 1 to 4).
    pub max: Option<Literal>,
    /// `max` itself is not allowed: only for floats (`0.0..1.0`).
    pub max_exclusive: bool,
}

impl Schema {
    /// The definition behind an id.
    #[must_use]
    pub fn definition(&self, id: TypeId) -> &TypeDefinition {
        &self.types[id.0 as usize]
    }

    /// The package behind an id.
    #[must_use]
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    /// `ty` with every alias at its top followed.
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
    /// `market.v1`
    #[must_use]
    pub fn full_name(&self) -> String {
        self.name.join(".")
    }
}
