//! What there is to say about a file: [`Diagnostic`] values, and `Report`, which collects them.
//!
//! Nothing here prints. How one looks on a screen is [`render()`]'s matter, which codes there are is `codes`', and what
//! there is to say about a code by itself is told by [`explain`].

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

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// There is no schema.
    Error,
    /// There is one, but a person should look.
    Warning,
}

/// One thing to say: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule it is about. It never changes its meaning.
    pub code: Code,
    /// What is wrong: lower case, names in backticks, no full stop.
    pub message: String,
    /// The place to change. Absent where no text could be read at all.
    pub primary: Option<Label>,
    /// Other places that matter, such as where a name was first declared.
    pub related: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// A warning that was asked to be an error.
    denied: bool,
}

/// A place, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// A few words; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// Its severity, which its code has; what was denied is an error.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.denied { Severity::Error } else { self.code.severity() }
    }

    pub(crate) fn denied(self) -> Self {
        Self { denied: true, ..self }
    }

    /// Something to say, at no place yet.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), primary: None, related: Vec::new(), help: None, denied: false }
    }

    /// Points at the place to change.
    #[must_use]
    pub fn at(self, span: Span, text: impl Into<String>) -> Self {
        Self { primary: Some(Label { span, text: text.into() }), ..self }
    }

    /// Points at another place.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}
