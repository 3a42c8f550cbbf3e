//! [`EventType`]: what both sides know of an event before it is published.

use crate::method::Method;

/// Largest number of key fields of an event.
pub const MAX_KEY_FIELDS: usize = 4;

/// An event as its `.svc` file declares it. Generated code has one of them for each event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    name: &'static str,
    /// The method by which an event is subscribed to, alone, as services have tables of methods.
    methods: [Method; 1],
    keys: &'static [KeyField],
    /// Number of events of each key that are kept for subscribers who join late.
    kept: u32,
    slow: Slow,
}

/// A field by which subscribers can filter an event: `@key` of a `.svc` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyField {
    pub(super) number: u16,
    pub(super) name: &'static str,
    pub(super) kind: KeyKind,
}

/// Which values a key field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `bool`.
    Bool,
    /// An integer of any size, or an enum, which is its number.
    Integer,
    /// `string`.
    String,
    /// `uuid`.
    Uuid,
}

/// What happens to a subscriber for whom too much waits: `@slow` of a `.svc` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Slow {
    /// The oldest event that waits is dropped, and the subscriber is told how many were.
    #[default]
    DropOldest,
    /// Of the events with the same key only the newest waits. Past the bound the oldest is dropped, as above.
    Conflate,
    /// The subscription ends.
    Disconnect,
}

impl EventType {
    /// Creates an event type without keys, of which nothing is kept, from its full name, `package.Event`, and the method by which
    /// it is subscribed to, `package.Event/subscribe`.
    #[must_use]
    pub const fn new(name: &'static str, method: Method) -> Self {
        Self { name, methods: [method], keys: &[], kept: 0, slow: Slow::DropOldest }
    }

    /// Sets the fields by which subscribers can filter, in the order of their numbers.
    ///
    /// # Panics
    /// There are more than [`MAX_KEY_FIELDS`], which the language rules out; at compile time, in generated code.
    #[must_use]
    pub const fn keys(self, keys: &'static [KeyField]) -> Self {
        assert!(keys.len() <= MAX_KEY_FIELDS, "an event has at most 4 key fields");
        Self { keys, ..self }
    }

    /// Sets how many events of each key are kept for subscribers who join late: 1 for `@latest`.
    #[must_use]
    pub const fn kept(self, events: u32) -> Self {
        Self { kept: events, ..self }
    }

    /// Sets what happens to a subscriber for whom too much waits.
    #[must_use]
    pub const fn slow(self, slow: Slow) -> Self {
        Self { slow, ..self }
    }

    /// Returns the full name, `package.Event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the method by which it is subscribed to.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.methods[0]
    }

    /// Returns that method as the table of a service.
    #[must_use]
    pub const fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// Returns its key fields, in the order of their numbers.
    #[must_use]
    pub const fn key_fields(&self) -> &'static [KeyField] {
        self.keys
    }

    /// Returns how many events of each key are kept; 0 for none.
    #[must_use]
    pub const fn kept_per_key(&self) -> u32 {
        self.kept
    }

    /// Returns what happens to a subscriber for whom too much waits.
    #[must_use]
    pub const fn when_slow(&self) -> Slow {
        self.slow
    }
}

impl KeyField {
    /// Creates a key field from its number, its name and the kind of its values.
    #[must_use]
    pub const fn new(number: u16, name: &'static str, kind: KeyKind) -> Self {
        Self { number, name, kind }
    }

    /// Returns the number of the field.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Returns the name of the field.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl KeyKind {
    /// Returns what such a value is, for messages.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Bool => "`true` or `false`",
            Self::Integer => "an integer",
            Self::String => "a string",
            Self::Uuid => "a uuid, which is 16 bytes",
        }
    }
}
