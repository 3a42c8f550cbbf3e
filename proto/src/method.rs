//! What both sides know of a method before a call of it is made.

use std::time::Duration;

/// A method of a service, as its `.svc` file declares it. Generated code holds a table of them per service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    name: &'static str,
    kind: MethodKind,
    deadline: Option<Duration>,
    idempotent: bool,
    overlap: Overlap,
}

/// What a channel does where a method is called again while an earlier call of it runs: `@overlap` of a `.svc` file. A call
/// that streams runs until its stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlap {
    /// Both run.
    #[default]
    Parallel,
    /// The later call waits until the earlier is done, in the order in which they were first awaited, within its deadline.
    Queue,
    /// The earlier call is cancelled: it fails with `cancelled`.
    Replace,
    /// The later call is not made: it fails with `aborted`.
    Ignore,
}

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// One set of parameters, one answer.
    Unary,
    /// One set of parameters, a stream of answers.
    ServerStream,
    /// A stream of items, one answer.
    ClientStream,
    /// A stream each way.
    Bidirectional,
    /// Fire and forget.
    OneWay,
}

impl Method {
    /// A method by its full name, `package.Service/method`.
    #[must_use]
    pub const fn new(name: &'static str, kind: MethodKind) -> Self {
        Self { name, kind, deadline: None, idempotent: false, overlap: Overlap::Parallel }
    }

    /// With the deadline that a call has unless it sets another.
    #[must_use]
    pub const fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// As one that may safely run twice.
    #[must_use]
    pub const fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// As one that does this where it is called while it runs.
    #[must_use]
    pub const fn overlapping(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }

    /// `package.Service/method`
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How it is called.
    #[must_use]
    pub const fn kind(&self) -> MethodKind {
        self.kind
    }

    /// Its `@deadline`.
    #[must_use]
    pub const fn default_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Whether it is `@idempotent`.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Its `@overlap`.
    #[must_use]
    pub const fn overlap(&self) -> Overlap {
        self.overlap
    }
}
