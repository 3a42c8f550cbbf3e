//! How much a rule weighs: by default, and as somebody has chosen.

use std::collections::BTreeMap;

use super::{Reach, Rule};
use crate::diagnostic::Code;

/// What becomes of what a rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing: it is not looked for.
    Off,
    /// A warning, which fails nothing.
    Warn,
    /// An error: there is no schema.
    Deny,
}

impl Level {
    /// As it is written: `off`, `warn`, `deny`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    /// The level of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Off, Self::Warn, Self::Deny].into_iter().find(|level| level.name() == name)
    }
}

/// The level of each rule in one run. The default is [`Levels::of_check`].
#[derive(Debug, Clone, Default)]
pub struct Levels {
    chosen: BTreeMap<Code, Level>,
    /// Rules that nobody has chosen a level for have their default, instead of spelling alone.
    all: bool,
}

impl Levels {
    /// What is looked at wherever a schema is read: how names are spelt.
    #[must_use]
    pub fn of_check() -> Self {
        Self::default()
    }

    /// What `zsvc lint` looks at: each rule at its default level.
    #[must_use]
    pub fn of_lint() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Chooses the level of a rule.
    pub fn set(&mut self, rule: &Rule, level: Level) {
        self.chosen.insert(rule.code, level);
    }

    /// The level of a rule.
    #[must_use]
    pub fn level(&self, rule: &Rule) -> Level {
        let unchosen = if self.all || rule.reach == Reach::Spelling { rule.level } else { Level::Off };
        self.chosen.get(&rule.code).copied().unwrap_or(unchosen)
    }
}
