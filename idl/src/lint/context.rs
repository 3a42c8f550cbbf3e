//! The input of a lint rule, and where it puts its findings.

use super::allow::Allows;
use super::{Level, Reach, Rule};
use crate::check::subjects::Subject;
use crate::diagnostic::{Diagnostic, Report};
use crate::resolve::Model;
use crate::source::Span;

/// The input of rules.
pub(super) struct Context<'a, 'm> {
    pub(super) model: &'a Model<'m>,
    /// Subjects, as [`crate::check::subjects`] returns them.
    pub(super) subjects: Vec<Subject<'m>>,
}

/// Collects the findings of one rule, except those that are allowed.
pub(super) struct Findings<'a, 'm> {
    pub(super) rule: &'a Rule,
    pub(super) level: Level,
    pub(super) allows: &'a mut Allows,
    pub(super) model: &'a Model<'m>,
    pub(super) report: &'a mut Report,
}

impl Findings<'_, '_> {
    /// Adds a finding at a place, with what to do about it.
    pub(super) fn add(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.add_related(span, message, None, help);
    }

    /// Adds like [`Self::add`], with a related place.
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

    /// Reports an `@allow` that is not needed.
    pub(super) fn unused_allow(&mut self, rule: &Rule, span: Span) {
        let message = format!("`{}` finds nothing here", rule.name.replace('-', "_"));
        self.add(span, message, "remove it from the `@allow`");
    }
}
