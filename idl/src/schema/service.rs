//! Services and their methods, resolved. Types and all else are in [`super`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Access, Field, Notes, PackageId, Type, TypeId};
use crate::source::Span;

/// A group of methods.
#[derive(Debug, Clone)]
pub struct Service {
    /// The name as declared: `Tape`.
    pub name: String,
    /// The services whose methods it takes over, in order of declaration, each once.
    pub extends: Vec<Base>,
    /// All methods that it serves: its own, in order of declaration, then those that it takes over.
    pub methods: Vec<Method>,
    /// Who may call its methods that say nothing themselves.
    pub access: Access,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
}

/// A service among all of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId {
    /// The package that declares it.
    pub package: PackageId,
    /// Index into [`Package::services`](super::Package::services).
    pub index: u32,
}

/// A service that another one extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// The service.
    pub service: ServiceId,
    /// Span of its name after `extends`.
    pub span: Span,
}

/// One method.
#[derive(Debug, Clone)]
pub struct Method {
    /// The name as declared: `last`. On the wire the method is `package.Service/method`.
    pub name: String,
    /// The service that declares it, if this one takes it over.
    pub declared_by: Option<ServiceId>,
    /// The plain parameters, numbered by position.
    pub parameters: Vec<Field>,
    /// Whether the method replies, and which sides stream.
    pub kind: MethodKind,
    /// The errors that the method `throws`, each once. The first is written as it is, so that another may be added later; each
    /// of the others as a variant of its own, see [`Thrown::number`].
    pub throws: Vec<Thrown>,
    /// The duration of `@deadline(…)`.
    pub deadline: Option<Duration>,
    /// Whether the method has `@idempotent`.
    pub idempotent: bool,
    /// Whether the method has `@blocking`.
    pub blocking: bool,
    /// The value of `@overlap(…)`; for a `oneway` method always [`Overlap::Parallel`].
    pub overlap: Overlap,
    /// Index into `parameters` of the one that `@shard(…)` names.
    pub shard: Option<usize>,
    /// Who may call it, as it says itself; if it is taken over, also as the services say by which it comes. See
    /// [`Service::access_of`].
    pub access: Access,
    /// Docs and deprecation.
    pub notes: Notes,
    /// Span of the name.
    pub span: Span,
    /// Span of the result from `->` on, if there is one.
    pub answer_span: Option<Span>,
}

/// One error that a method throws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thrown {
    /// The error, of kind [`TypeKind::Error`](super::TypeKind::Error); never an alias of one.
    pub error: TypeId,
    /// Span of its name after `throws`.
    pub span: Span,
}

/// What a client does when a method is called while an earlier call of it is running.
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
    /// `rpc m(…) -> T`; with `None` the reply only says that the call is done.
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
    /// The parameter's name.
    pub name: String,
    /// The type of the items.
    pub item: Type,
    /// The keys and values of `@meta`; as [`Notes::meta`].
    pub meta: BTreeMap<String, String>,
    /// Span of the name.
    pub span: Span,
}

impl Thrown {
    /// Returns the number of an error on the wire by its index in [`Method::throws`]: none for the first, which is written as it
    /// is. The numbers of variants end below.
    #[must_use]
    pub fn number(index: usize) -> Option<u32> {
        let position = u32::try_from(index).ok()?.checked_add(1)?;
        (index > 0).then_some((1 << 31) | position)
    }
}
