//! [`Method`]: what both sides know of a method before it is called.

use std::time::Duration;

/// A method of a service as its `.svc` file declares it. Generated code has a table of them for each service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    name: &'static str,
    kind: MethodKind,
    deadline: Option<Duration>,
    idempotent: bool,
    blocking: bool,
    overlap: Overlap,
    roles: &'static [&'static str],
    public: bool,
}

/// What a channel does if a method is called again while an earlier call of it runs: `@overlap` of a `.svc` file. A
/// call that streams runs until its stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlap {
    /// Both calls run.
    #[default]
    Parallel,
    /// The later call waits until the earlier one is done, within its deadline. Calls run in the order in which they were first
    /// awaited.
    Queue,
    /// The earlier call fails with `cancelled`.
    Replace,
    /// The later call is not made and fails with `aborted`.
    Ignore,
}

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// Parameters once, one answer.
    Unary,
    /// Parameters once, a stream of answers.
    ServerStream,
    /// A stream of items, one answer.
    ClientStream,
    /// A stream in each direction.
    Bidirectional,
    /// Parameters once, and no answer.
    OneWay,
}

impl Method {
    /// Creates a method from its full name, `package.Service/method`.
    #[must_use]
    pub const fn new(name: &'static str, kind: MethodKind) -> Self {
        Self {
            name,
            kind,
            deadline: None,
            idempotent: false,
            blocking: false,
            overlap: Overlap::Parallel,
            roles: &[],
            public: false,
        }
    }

    /// Sets the deadline of calls that set no other.
    #[must_use]
    pub const fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Marks the method as one that may safely run twice.
    #[must_use]
    pub const fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// Marks the method as one whose handlers block their thread, or compute for long.
    #[must_use]
    pub const fn blocking(self) -> Self {
        Self { blocking: true, ..self }
    }

    /// Sets what a channel does if the method is called while it runs.
    #[must_use]
    pub const fn overlapping(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }

    /// Sets the roles of which a client needs one to call the method. With none, anybody may.
    #[must_use]
    pub const fn roles(self, roles: &'static [&'static str]) -> Self {
        Self { roles, public: false, ..self }
    }

    /// Marks the method as one that anybody may call, on purpose.
    #[must_use]
    pub const fn public(self) -> Self {
        Self { roles: &[], public: true, ..self }
    }

    /// Returns the full name, `package.Service/method`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the full name of its service, `package.Service`; `None` if its own name has none.
    #[must_use]
    pub fn service(&self) -> Option<&'static str> {
        self.name.rsplit_once('/').map(|(service, _)| service)
    }

    /// Returns how the method is called.
    #[must_use]
    pub const fn kind(&self) -> MethodKind {
        self.kind
    }

    /// Returns its `@deadline`.
    #[must_use]
    pub const fn default_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Reports whether it is `@idempotent`.
    #[must_use]
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Reports whether it is `@blocking`.
    #[must_use]
    pub const fn is_blocking(&self) -> bool {
        self.blocking
    }

    /// Returns its `@overlap`.
    #[must_use]
    pub const fn overlap(&self) -> Overlap {
        self.overlap
    }

    /// Returns the roles of which a client needs one to call it, by `@roles` of the method or its service; empty if anybody may.
    #[must_use]
    pub const fn required_roles(&self) -> &'static [&'static str] {
        self.roles
    }

    /// Reports whether it, or its service, says that anybody may call it: `@public`.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        self.public
    }
}
