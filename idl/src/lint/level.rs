//! Levels of rules: the defaults, and what a user has chosen.

use std::collections::BTreeMap;

use super::{Reach, Rule};
use crate::diagnostic::Code;

/// How findings of a rule are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The rule is not applied.
    Off,
    /// A warning, which fails nothing.
    Warn,
    /// An error: there is no schema.
    Deny,
}

impl Level {
    /// Returns the level as written: `off`, `warn`, `deny`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    /// Returns the level of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Off, Self::Warn, Self::Deny].into_iter().find(|level| level.name() == name)
    }
}

/// The level of each rule in one run. The default is [`Levels::of_check`].
#[derive(Debug, Clone, Default)]
pub struct Levels {
    chosen: BTreeMap<Code, Level>,
    /// Whether rules without a chosen level have their default, instead of only those about spelling.
    all: bool,
}

impl Levels {
    /// Returns the levels for every command that reads a schema: only the spelling of names is checked.
    #[must_use]
    pub fn of_check() -> Self {
        Self::default()
    }

    /// Returns the levels of `zsvc lint`: each rule at its default level.
    #[must_use]
    pub fn of_lint() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Sets the level of a rule.
    pub fn set(&mut self, rule: &Rule, level: Level) {
        self.chosen.insert(rule.code, level);
    }

    /// Returns the level of a rule.
    #[must_use]
    pub fn level(&self, rule: &Rule) -> Level {
        let unchosen = if self.all || rule.reach == Reach::Spelling { rule.level } else { Level::Off };
        self.chosen.get(&rule.code).copied().unwrap_or(unchosen)
    }
}
