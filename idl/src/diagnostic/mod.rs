//! What the compiler reports about a file: [`Diagnostic`] values, and `Report`, which collects them.
//!
//! Nothing here prints. [`render()`] turns a diagnostic into text, the codes are in `codes`, and [`explain`] returns
//! what there is to say about a code in general.

mod codes;
mod pages;
mod render;
mod report;

pub use codes::Code;
pub(crate) use codes::*;
pub use pages::{explain, reference};
pub(crate) use render::{Heading, brief_as, render_as};
pub use render::{RenderStyle, brief, render};
pub(crate) use report::Report;

use crate::source::Span;

/// How severe a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// There is no schema.
    Error,
    /// There is a schema, but someone should look at the place.
    Warning,
}

/// One finding: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that it is about. A code never changes its meaning.
    pub code: Code,
    /// What is wrong: lower case, names in backticks, no full stop.
    pub message: String,
    /// The place to change; `None` if no text could be read at all.
    pub primary: Option<Label>,
    /// Other relevant places, such as where a name was first declared.
    pub related: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// The change that does what the help says, where that is known to the letter.
    pub suggestion: Option<Suggestion>,
    /// Whether it is a warning that was set to be an error.
    denied: bool,
}

/// A text to write in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What is replaced; empty where something is missing.
    pub span: Span,
    /// The text to write; empty to remove what is there.
    pub text: String,
}

/// A place, and text about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The text, a few words; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// Returns the severity, which is that of its code, or an error if it was denied.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.denied { Severity::Error } else { self.code.severity() }
    }

    pub(crate) fn denied(self) -> Self {
        Self { denied: true, ..self }
    }

    /// Creates a diagnostic without a place.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            message,
            primary: None,
            related: Vec::new(),
            help: None,
            suggestion: None,
            denied: false,
        }
    }

    /// Sets the place to change.
    #[must_use]
    pub fn at(self, span: Span, text: impl Into<String>) -> Self {
        Self { primary: Some(Label { span, text: text.into() }), ..self }
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span, text: text.into() });
        self
    }

    /// Sets what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Sets the change that does what the help says.
    #[must_use]
    pub fn suggest(self, span: Span, text: impl Into<String>) -> Self {
        Self { suggestion: Some(Suggestion { span, text: text.into() }), ..self }
    }

    /// Sets the change that does what the help says, if there is a text for it.
    #[must_use]
    pub(crate) fn suggest_if(self, span: Span, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.suggest(span, text),
            None => self,
        }
    }
}
