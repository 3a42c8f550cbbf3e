//! [`Event`]: what makes a struct an event.

use super::{Access, Field, Struct};

/// What an event has besides its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Indices into [`Struct::fields`] of the fields with `@key`, in ascending order.
    pub keys: Vec<usize>,
    /// Number of events of each key that are kept for those who subscribe later: 1 for `@latest`, `n` for `@history(n)`, else 0.
    pub kept: u32,
    /// What happens to a subscriber that does not keep up.
    pub slow: Slow,
    /// Who may subscribe.
    pub access: Access,
}

/// What happens to a subscriber that does not keep up: `@slow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Slow {
    /// `@slow(drop_oldest)`, and without the attribute: the oldest event that waits is dropped.
    #[default]
    DropOldest,
    /// `@slow(conflate)`: only the newest event of each key waits.
    Conflate,
    /// `@slow(disconnect)`: the subscription ends.
    Disconnect,
}

impl Slow {
    /// Returns the word in the schema.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DropOldest => "drop_oldest",
            Self::Conflate => "conflate",
            Self::Disconnect => "disconnect",
        }
    }
}

impl Struct {
    /// Returns the key fields of an event; none of what is no event.
    pub fn keys(&self) -> impl Iterator<Item = &Field> {
        let keys = self.event.iter().flat_map(|event| &event.keys);
        keys.filter_map(|key| self.fields.get(*key))
    }
}
