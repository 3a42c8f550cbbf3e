//! Finds which `@allow` covers which place.

use std::collections::BTreeMap;

use super::{Rule, rule};
use crate::ast::{Attribute, ValueKind};
use crate::check::subjects::Subject;
use crate::diagnostic::Code;
use crate::source::{FileId, Span};

/// All `@allow`s of all files.
pub(super) struct Allows {
    /// Entries by file and code, in the order of the text.
    entries: BTreeMap<(FileId, Code), Vec<Allow>>,
}

/// One rule in one `@allow`.
struct Allow {
    /// Span of the rule's name.
    span: Span,
    /// Offset of the start of the subject that it covers; `end` is that of its end.
    start: u32,
    end: u32,
    /// Index of the entry of the same rule around this one.
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

    /// Reports whether a finding is allowed, and marks the innermost `@allow` around it as used.
    pub(super) fn cover(&mut self, code: Code, span: Span) -> bool {
        let Some(entries) = self.entries.get_mut(&(span.file, code)) else { return false };
        let mut at = entries.partition_point(|entry| entry.start <= span.start).checked_sub(1);
        // Each is inside the next, so there are at most as many as attributes can nest.
        while let Some(index) = at.filter(|index| entries[*index].end <= span.start) {
            at = entries[index].outer;
        }
        let Some(index) = at else { return false };
        entries[index].used = true;
        true
    }

    /// Returns the unused `@allow`s of the rules that were applied.
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

/// Returns the rules that an attribute allows, and the span of each name.
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

/// Reports whether a subject's own `@allow` names a rule.
pub(super) fn allows(subject: &Subject, name: &str) -> bool {
    subject.preamble.attributes.iter().flat_map(allowed).any(|(rule, _)| rule.name() == name)
}

/// Returns the start of a subject: its first attribute, or its name.
fn start(subject: &Subject) -> u32 {
    let first = subject.preamble.attributes.first().map(|attribute| attribute.span.start);
    first.unwrap_or(subject.span().start)
}

/// Returns the end of each subject: the start of the next one that is not inside it.
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
