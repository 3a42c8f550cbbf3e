//! Which `@allow` covers which place.

use std::collections::BTreeMap;

use super::{Rule, rule};
use crate::ast::{Attribute, ValueKind};
use crate::check::subjects::Subject;
use crate::diagnostic::Code;
use crate::source::{FileId, Span};

/// All `@allow`s of all files.
pub(super) struct Allows {
    /// By file and code, in the order of the text.
    entries: BTreeMap<(FileId, Code), Vec<Allow>>,
}

/// One rule in one `@allow`.
struct Allow {
    /// Where the rule's name stands.
    span: Span,
    /// What it is about, with all that stands in it, starts and ends at these bytes.
    start: u32,
    end: u32,
    /// The one of the same rule that this one stands in, by its place among the entries.
    outer: Option<usize>,
    used: bool,
}

impl Allows {
    pub(super) fn of(subjects: &[Subject]) -> Self {
        let mut allows = Self { entries: BTreeMap::new() };
        let ends = ends(subjects);
        for (subject, end) in subjects.iter().zip(ends) {
            for attribute in &subject.preamble.attributes {
                for (rule, span) in allowed(attribute) {
                    allows.insert(rule, span, start(subject), end);
                }
            }
        }
        allows
    }

    fn insert(&mut self, rule: &Rule, span: Span, start: u32, end: u32) {
        let entries = self.entries.entry((span.file, rule.code())).or_default();
        let mut outer = entries.len().checked_sub(1);
        while let Some(index) = outer.filter(|index| entries[*index].end <= start) {
            outer = entries[index].outer;
        }
        entries.push(Allow { span, start, end, outer, used: false });
    }

    /// Whether a finding is allowed, which makes the innermost `@allow` around it a used one.
    pub(super) fn cover(&mut self, code: Code, span: Span) -> bool {
        let Some(entries) = self.entries.get_mut(&(span.file, code)) else { return false };
        let mut at = entries.partition_point(|entry| entry.start <= span.start).checked_sub(1);
        // Each stands in the next, so there are no more of them than attributes can nest.
        while let Some(index) = at.filter(|index| entries[*index].end <= span.start) {
            at = entries[index].outer;
        }
        let Some(index) = at else { return false };
        entries[index].used = true;
        true
    }

    /// Of the rules that were looked at those that were allowed for nothing.
    pub(super) fn unused(&self, looked_at: &[&'static Rule]) -> Vec<(&'static Rule, Span)> {
        let mut unused = Vec::new();
        for ((_, code), entries) in &self.entries {
            if let Some(rule) = looked_at.iter().find(|rule| rule.code() == *code) {
                unused.extend(entries.iter().filter(|entry| !entry.used).map(|entry| (*rule, entry.span)));
            }
        }
        unused
    }
}

/// The rules that an attribute allows, and where each is named.
fn allowed(attribute: &Attribute) -> Vec<(&'static Rule, Span)> {
    if attribute.name.text != "allow" {
        return Vec::new();
    }
    let named = attribute.arguments.iter().filter_map(|value| match &value.kind {
        ValueKind::Path(path) => Some((rule(&path.text())?, value.span)),
        _ => None,
    });
    named.collect()
}

/// Where a subject starts: at its first attribute, or its name.
fn start(subject: &Subject) -> u32 {
    let first = subject.preamble.attributes.first().map(|attribute| attribute.span.start);
    first.unwrap_or(subject.span().start)
}

/// Where each subject ends: where the next one starts that does not stand in it.
fn ends(subjects: &[Subject]) -> Vec<u32> {
    let mut ends = vec![u32::MAX; subjects.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        while let Some(last) = open.pop() {
            let is_next_file = subjects[last].file != subject.file;
            if !is_next_file && subjects[last].depth < subject.depth {
                open.push(last);
                break;
            }
            if !is_next_file {
                ends[last] = start(subject);
            }
        }
        open.push(index);
    }
    ends
}
