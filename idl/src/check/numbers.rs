//! Rules about wire numbers and `reserved`.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};

use super::free;
use super::walk::{self, Body};
use crate::ast::{Reserved, ReservedKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::source::Span;

/// Reports numbers outside the range of their kind of member.
pub(super) fn out_of_range(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        let (least, greatest) = body.limits;
        let is_outside = |(value, _): &(i128, Span)| !(least..=greatest).contains(value);
        let numbers = body.members.iter().filter_map(|(_, number)| Some((number.value?, number.span)));
        let member = body.member;
        for (value, span) in numbers.filter(is_outside) {
            let help = match member {
                "field" if value > greatest => format!(
                    "fields count from {least} to {greatest}; a schema that comes over from another language can be \
                     numbered anew, since nothing that speaks zsvc knows its old numbers"
                ),
                _ => format!("{member}s count from {least} to {greatest}"),
            };
            report.add(outside(value, member, span).help(help));
        }
        for (value, span) in reserved_ends(&body) {
            let help = format!("the numbers {least} to {} of {member}s may be reserved", body.reservable);
            report.add(outside(value, member, span).help(help));
        }
    }
}

fn outside(value: i128, member: &str, span: Span) -> Diagnostic {
    let message = format!("{value} can't be the number of a {member}");
    Diagnostic::new(diagnostic::NUMBER_RANGE, message).at(span, "")
}

/// Returns the first end of each reserved range that is out of bounds, as written; reporting one of them is enough.
fn reserved_ends<'a>(body: &'a Body) -> impl Iterator<Item = (i128, Span)> + 'a {
    let limits = body.limits.0..=body.reservable;
    body.reserved.iter().filter(|entry| !is_empty(entry)).filter_map(move |entry| match entry.kind {
        ReservedKind::Numbers { min, max, exclusive } => {
            let is_wrong = |value: &i128| !limits.contains(value);
            let end = max.filter(is_wrong).map(|max| max.saturating_add(i128::from(exclusive)));
            Some((min.filter(is_wrong).or(end)?, entry.span))
        }
        _ => None,
    })
}

/// Reports numbers used by two members.
pub(super) fn duplicates(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        let mut seen: BTreeMap<i128, (&str, Span)> = BTreeMap::new();
        let help = LazyCell::new(|| match body.member {
            "value" => format!("a value has no other names; {}", free::help(&body)),
            _ => free::help(&body),
        });
        let text = LazyCell::new(|| free::text(&body));
        for (name, number) in &body.members {
            let Some(value) = number.value else { continue };
            let Some((first, first_span)) = seen.get(&value) else {
                seen.insert(value, (&name.text, number.span));
                continue;
            };
            report.add_with(number.span.file, diagnostic::DUPLICATE_NUMBER, |code| {
                Diagnostic::new(code, format!("`{first}` and `{}` both have the number {value}", name.text))
                    .at(number.span, "once more")
                    .related(*first_span, "first here")
                    .help(help.as_str())
                    .suggest_if(number.span, text.clone())
            });
        }
    }
}

/// Reports numbers that are used although reserved: they must not return with another meaning.
pub(super) fn reserved_numbers(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        let mut ranges: Vec<(i128, i128, Span)> = body.reserved.iter().filter_map(numbers).collect();
        ranges.sort_unstable();
        let help = LazyCell::new(|| free::help(&body));
        let text = LazyCell::new(|| free::text(&body));
        for (name, number) in &body.members {
            let Some(value) = number.value.filter(|value| (body.limits.0..=body.limits.1).contains(value))
            else {
                continue;
            };
            let before = ranges.partition_point(|(min, ..)| *min <= value);
            let Some((.., span)) = ranges[..before].last().filter(|(_, max, _)| value <= *max) else {
                continue;
            };
            report.add_with(number.span.file, diagnostic::RESERVED_NUMBER, |code| {
                Diagnostic::new(code, format!("`{}` has the number {value}, which is reserved", name.text))
                    .at(number.span, "")
                    .related(*span, "reserved here")
                    .help(help.as_str())
                    .suggest_if(number.span, text.clone())
            });
        }
    }
}

/// Reports names that are used although reserved.
pub(super) fn reserved_names(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        let reserved: HashMap<&str, Span> = body.reserved.iter().filter_map(name).collect();
        for (name, _) in &body.members {
            let Some(span) = reserved.get(name.text.as_str()) else { continue };
            let diagnostic =
                Diagnostic::new(diagnostic::RESERVED_NAME, format!("the name `{}` is reserved", name.text))
                    .at(name.span, "")
                    .related(*span, "reserved here")
                    .help("choose another name: old readers know this one as something else");
            report.add(diagnostic);
        }
    }
}

/// Reports reserved names that no member could have.
pub(super) fn reserved_no_names(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        for (text, span) in body.reserved.iter().filter_map(name).filter(|(text, _)| !is_name(text)) {
            report.add_with(span.file, diagnostic::RESERVED_NO_NAME, |code| {
                let trimmed = text.trim();
                let help = if is_name(trimmed) {
                    format!("write `\"{trimmed}\"`")
                } else {
                    "a name starts with an ASCII letter or `_`; letters, digits and `_` follow".to_owned()
                };
                Diagnostic::new(
                    code,
                    format!("no {} can be named `\"{}\"`", body.member, text.escape_debug()),
                )
                .at(span, "")
                .help(help)
            });
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(is_word) && !text.starts_with(|first: char| first.is_ascii_digit()) && !text.is_empty()
}

/// Reports empty reserved ranges, and what is reserved twice.
pub(super) fn reserved_twice(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        for entry in body.reserved.iter().filter(|entry| is_empty(entry)) {
            let diagnostic = Diagnostic::new(diagnostic::RESERVED_EMPTY, "this range holds nothing")
                .at(entry.span, "")
                .help("its start must be below its end; `a..=b` takes in `b`, `a..b` does not");
            report.add(diagnostic);
        }
        let mut names: HashMap<&str, Span> = HashMap::new();
        for (text, span) in body.reserved.iter().filter_map(name) {
            if let Some(first) = names.insert(text, span) {
                twice(&format!("`{}`", text.escape_debug()), first, span, report);
            }
        }
        overlaps(body.reserved, report);
    }
}

fn overlaps(reserved: &[Reserved], report: &mut Report) {
    let mut ranges: Vec<(i128, i128, Span)> = reserved.iter().filter_map(numbers).collect();
    ranges.sort_unstable();
    let mut reach: Option<(i128, Span)> = None;
    for (min, max, span) in ranges {
        match reach {
            Some((end, other)) if min <= end => {
                twice(&min.to_string(), other.min(span), other.max(span), report);
                reach = Some(if max > end { (max, span) } else { (end, other) });
            }
            _ => reach = Some((max, span)),
        }
    }
}

fn twice(what: &str, first: Span, second: Span, report: &mut Report) {
    let diagnostic = Diagnostic::new(diagnostic::RESERVED_TWICE, format!("{what} is reserved twice"))
        .at(second, "once more")
        .related(first, "first here")
        .help("remove one of the two");
    report.add(diagnostic);
}

fn is_empty(entry: &Reserved) -> bool {
    matches!(entry.kind, ReservedKind::Numbers { min: Some(min), max: Some(max), .. } if min > max)
}

/// Returns the least and the greatest number of an entry that has any, and its span.
pub(crate) fn numbers(entry: &Reserved) -> Option<(i128, i128, Span)> {
    match entry.kind {
        ReservedKind::Numbers { min, max, .. } if !is_empty(entry) => {
            Some((min.unwrap_or(i128::MIN), max.unwrap_or(i128::MAX), entry.span))
        }
        _ => None,
    }
}

fn name(entry: &Reserved) -> Option<(&str, Span)> {
    match &entry.kind {
        ReservedKind::Name(name) => Some((name, entry.span)),
        _ => None,
    }
}
