//! What a rule looks at, and where it puts what it finds.

use super::allow::Allows;
use super::{Level, Reach, Rule};
use crate::check::subjects::Subject;
use crate::diagnostic::{Diagnostic, Report};
use crate::resolve::Model;
use crate::source::Span;

/// What rules look at.
pub(super) struct Context<'a, 'm> {
    pub(super) model: &'a Model<'m>,
    /// As [`crate::check::subjects`] gives them.
    pub(super) subjects: Vec<Subject<'m>>,
}

/// Takes what one rule finds, as far as it is to be told.
pub(super) struct Findings<'a, 'm> {
    pub(super) rule: &'a Rule,
    pub(super) level: Level,
    pub(super) allows: &'a mut Allows,
    pub(super) model: &'a Model<'m>,
    pub(super) report: &'a mut Report,
}

impl Findings<'_, '_> {
    /// Tells a message at a place, with what to do about it.
    pub(super) fn add(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.add_related(span, message, None, help);
    }

    /// As [`Self::add`], with another place that matters.
    pub(super) fn add_related(
        &mut self,
        span: Span,
        message: impl Into<String>,
        related: Option<(Span, &str)>,
        help: impl Into<String>,
    ) {
        let elsewhere = self.rule.reach == Reach::Lint && !self.model.program.is_named(span.file);
        if elsewhere || self.allows.cover(self.rule.code, span) {
            return;
        }
        let diagnostic = Diagnostic::new(self.rule.code, message).at(span, "").help(help);
        let diagnostic = related.into_iter().fold(diagnostic, |it, (span, text)| it.related(span, text));
        self.report.add(if self.level == Level::Deny { diagnostic.denied() } else { diagnostic });
    }

    /// Tells that an `@allow` has nothing to allow.
    pub(super) fn unused_allow(&mut self, rule: &Rule, span: Span) {
        let message = format!("`{}` finds nothing here", rule.name.replace('-', "_"));
        self.add(span, message, "remove it from the `@allow`");
    }
}
