//! Reads and checks the ranges of `@len` and `@range`.

use super::{as_held, integer_limits, is_negative, literal};
use crate::ast::{RangeValue, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::schema::{Builtin, Literal, Range, Type};
use crate::source::{FileId, Span};

/// What a range bounds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bounded {
    /// The length of a value.
    Length,
    /// A number of this type.
    Number(Builtin),
}

/// Returns the range in an attribute, or `None` if it is invalid, which is reported.
pub(crate) fn bounds(
    model: &Model,
    file: FileId,
    bounded: Bounded,
    value: &Value,
    report: &mut Report,
) -> Option<Range> {
    let range = written(value, report)?;
    let negative = |end: &&Value| bounded == Bounded::Length && is_negative(model, file, end);
    if let Some(end) = [&range.min, &range.max].into_iter().flatten().find(negative) {
        let diagnostic = Diagnostic::new(diagnostic::VALUE_RANGE, "a length can't be negative")
            .at(end.span, "")
            .help("a length is zero or more");
        report.add(diagnostic);
        return None;
    }
    let builtin = match bounded {
        Bounded::Length => Builtin::U64,
        Bounded::Number(builtin) => builtin,
    };
    let (min, max) = ends(model, file, builtin, range, report)?;
    if let Some((least, greatest)) = integer_limits(builtin) {
        integers((least, greatest), (min, max), range.inclusive, value.span, report)
    } else {
        floats(builtin, (min, max), range, value.span, report)
    }
}

/// Returns the value as a range, if it is one and has an end.
fn written<'a>(value: &'a Value, report: &mut Report) -> Option<&'a RangeValue> {
    let ValueKind::Range(range) = &value.kind else {
        if !matches!(value.kind, ValueKind::Invalid) {
            let diagnostic = Diagnostic::new(diagnostic::ATTRIBUTE_ARGUMENT, "a range belongs here")
                .at(value.span, "")
                .help("write it as in Rust: `1..=12`, `..100`, `1..`");
            report.add(diagnostic);
        }
        return None;
    };
    if range.min.is_none() && range.max.is_none() {
        let diagnostic = Diagnostic::new(diagnostic::ATTRIBUTE_ARGUMENT, "`..` bounds nothing")
            .at(value.span, "")
            .help("give it an end, `1..=12`, or remove the attribute");
        report.add(diagnostic);
        return None;
    }
    Some(range)
}

type Ends = (Option<Literal>, Option<Literal>);

/// Returns both ends as values of the type, unless one of them is invalid.
fn ends(
    model: &Model,
    file: FileId,
    builtin: Builtin,
    range: &RangeValue,
    report: &mut Report,
) -> Option<Ends> {
    let ty = Type::Builtin(builtin);
    let min = range.min.as_ref().map(|value| literal(model, file, &ty, value, report));
    let max = range.max.as_ref().map(|value| literal(model, file, &ty, value, report));
    if min == Some(None) || max == Some(None) { None } else { Some((min.flatten(), max.flatten())) }
}

fn integers(
    limits: (i128, i128),
    ends: Ends,
    inclusive: bool,
    span: Span,
    report: &mut Report,
) -> Option<Range> {
    let integer = |literal: Option<Literal>| match literal {
        Some(Literal::Integer(value)) => Some(value),
        _ => None,
    };
    let min = integer(ends.0);
    let max = integer(ends.1).map(|max| if inclusive { max } else { max - 1 });
    if min.unwrap_or(limits.0) > max.unwrap_or(limits.1) {
        report.add(empty(span));
        return None;
    }
    Some(Range { min: min.map(Literal::Integer), max: max.map(Literal::Integer), max_exclusive: false })
}

/// Reads both ends as the type stores them: two different numbers may be equal as `f32`.
fn floats(
    builtin: Builtin,
    ends: Ends,
    range: &RangeValue,
    span: Span,
    report: &mut Report,
) -> Option<Range> {
    let (min, max) = ends;
    if let (Some(Literal::Float(min)), Some(Literal::Float(max))) = (&min, &max) {
        let (min, max) = (as_held(builtin, *min), as_held(builtin, *max));
        if min > max || (min >= max && !range.inclusive) {
            report.add(empty(span));
            return None;
        }
    }
    let max_exclusive = max.is_some() && !range.inclusive;
    Some(Range { min, max, max_exclusive })
}

fn empty(span: Span) -> Diagnostic {
    Diagnostic::new(diagnostic::EMPTY_BOUNDS, "this range holds nothing")
        .at(span, "")
        .help("its start must be below its end; `a..=b` takes in `b`, `a..b` does not")
}

/// Reports whether a value, or its length, is within a range.
pub(crate) fn allows(range: &Range, bounded: Bounded, value: &Literal) -> bool {
    match (bounded, value) {
        (Bounded::Length, Literal::String(text)) => allows_length(range, text.chars().count()),
        (Bounded::Length, Literal::Empty) => allows_integer(range, 0),
        (Bounded::Length, Literal::Bytes(bytes)) => allows_length(range, bytes.len()),
        (Bounded::Length, Literal::List(parts) | Literal::Set(parts)) => allows_length(range, parts.len()),
        (Bounded::Length, Literal::Map(entries)) => allows_length(range, entries.len()),
        (Bounded::Number(_), Literal::Integer(value)) => allows_integer(range, *value),
        (Bounded::Number(builtin), Literal::Float(value)) => {
            allows_float(range, |value| as_held(builtin, value), *value)
        }
        _ => true,
    }
}

fn allows_length(range: &Range, length: usize) -> bool {
    allows_integer(range, i128::try_from(length).unwrap_or(i128::MAX))
}

fn allows_integer(range: &Range, value: i128) -> bool {
    let min = !matches!(range.min, Some(Literal::Integer(min)) if value < min);
    let max = !matches!(range.max, Some(Literal::Integer(max)) if value > max);
    min && max
}

fn allows_float(range: &Range, held: impl Fn(f64) -> f64, value: f64) -> bool {
    let value = held(value);
    let min = !matches!(range.min, Some(Literal::Float(min)) if value < held(min));
    let max = match range.max {
        Some(Literal::Float(max)) if range.max_exclusive => value < held(max),
        Some(Literal::Float(max)) => value <= held(max),
        _ => true,
    };
    min && max
}
