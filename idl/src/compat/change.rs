//! One change, and which programs it breaks.

use super::Flow;
use crate::diagnostic::{Code, Label};
use crate::source::Span;

/// One difference between the older and the newer schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The rule that reports it.
    pub code: Code,
    /// What has changed.
    pub message: String,
    /// The place in the older files.
    pub old: Option<Label>,
    /// The place in the newer files.
    pub new: Option<Label>,
    /// What it breaks.
    pub effects: Effects,
    /// The reason for its kind.
    pub why: String,
    /// What to do instead, or what to consider.
    pub help: String,
}

/// How severe a change is. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Some old and new programs can't communicate, or misread each other.
    Wire,
    /// Nothing breaks yet; but what is allowed from now on would make old and new programs misread each other.
    Risk,
    /// Programs can communicate, but generated Rust changes for its users.
    Source,
    /// None of these.
    Safe,
}

/// What a change breaks. It may break both the wire and the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "questions, each with an answer of its own")]
pub struct Effects {
    /// A program of the older schema rejects or misreads some value that one of the newer schema writes.
    pub old_reads_new: bool,
    /// A program of the newer schema rejects or misreads some value that one of the older schema writes.
    pub new_reads_old: bool,
    /// A number or name that meant something is free, so that a later schema may give it another meaning.
    pub risk: bool,
    /// Code that uses the generated code may no longer compile.
    pub source: bool,
    /// Where values of the changed thing travel.
    pub flow: Flow,
}

impl Kind {
    /// Returns the kind as written: `wire`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Risk => "risk",
            Self::Source => "source",
            Self::Safe => "safe",
        }
    }
}

impl Effects {
    /// Returns the worst kind among the effects.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self { old_reads_new: true, .. } | Self { new_reads_old: true, .. } => Kind::Wire,
            Self { risk: true, .. } => Kind::Risk,
            Self { source: true, .. } => Kind::Source,
            _ => Kind::Safe,
        }
    }

    /// Returns which programs fail, in words; empty if none does.
    #[must_use]
    pub fn who(self) -> Option<String> {
        let cases = [
            (self.new_reads_old && self.flow.requests, "new servers with what old clients send"),
            (self.old_reads_new && self.flow.requests, "old servers with what new clients send"),
            (self.old_reads_new && self.flow.answers, "old clients with what new servers answer"),
            (self.new_reads_old && self.flow.answers, "new clients with what old servers answer"),
        ];
        let mut who: Vec<&str> = cases.iter().filter(|(holds, _)| *holds).map(|(_, who)| *who).collect();
        if who.len() == cases.len() {
            who = vec!["programs of either age with what those of the other write"];
        }
        if self.source {
            who.push("Rust code that uses the generated types");
        }
        let last = who.pop()?;
        Some(if who.is_empty() { last.to_owned() } else { format!("{}, and {last}", who.join(", ")) })
    }
}

impl Change {
    /// Returns the worst kind among its effects.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.effects.kind()
    }

    /// Creates a change without effects.
    pub(super) fn new(code: Code, message: String) -> Self {
        let effects = Effects::default();
        Self { code, message, old: None, new: None, effects, why: String::new(), help: String::new() }
    }

    pub(super) fn was(self, span: Span, text: impl Into<String>) -> Self {
        Self { old: Some(Label { span, text: text.into() }), ..self }
    }

    pub(super) fn is(self, span: Span, text: impl Into<String>) -> Self {
        Self { new: Some(Label { span, text: text.into() }), ..self }
    }

    pub(super) fn effects(self, effects: Effects) -> Self {
        Self { effects, ..self }
    }

    /// Marks it as breaking the source and nothing else.
    pub(super) fn source(mut self) -> Self {
        self.effects.source = true;
        self
    }

    /// Marks it as freeing a number or name that meant something.
    pub(super) fn risk(mut self) -> Self {
        self.effects.risk = true;
        self
    }

    /// Marks it as breaking both sides, whichever way values travel.
    pub(super) fn both(self, flow: Flow) -> Self {
        self.effects(Effects { old_reads_new: true, new_reads_old: true, source: true, flow, risk: false })
    }

    pub(super) fn why(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// Returns the sort key of changes.
    pub(super) fn order(&self) -> (Kind, Option<Span>, Option<Span>, Code) {
        let new = self.new.as_ref().map(|label| label.span);
        let old = self.old.as_ref().map(|label| label.span);
        (self.kind(), new, old, self.code)
    }
}
