//! Lints about what names say or repeat.

use super::context::{Context, Findings};
use super::spelling::to_snake;
use crate::check::places::Place;
use crate::check::subjects::{Node, Subject};
use crate::schema::{Builtin, Type};

/// Reports values and variants that start with the name of their type, which always precedes them anyway.
pub(super) fn repeated_value_name(context: &Context, findings: &mut Findings) {
    for subject in &context.subjects {
        let owner = subject.item.map_or("", |item| item.name.text.as_str());
        if matches!(subject.place, Place::Value | Place::Flag | Place::Variant | Place::ErrorVariant)
            && let Some(rest) = after_prefix(subject.name(), owner)
        {
            told(findings, subject, owner, rest);
        }
    }
}

/// Returns the rest of a name after another: `Buy` of `SideBuy`, `BUY` of `SIDE_BUY`.
fn after_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let shouted = to_snake(prefix).to_uppercase() + "_";
    let rest = name.strip_prefix(prefix).or_else(|| name.strip_prefix(shouted.as_str()))?;
    let rest = rest.trim_start_matches('_');
    // `Sideways` is not `ways` of a `Side`, and `Side1` is not `1`.
    rest.starts_with(|first: char| first.is_ascii_uppercase()).then_some(rest)
}

/// Reports fields that start with the name of their type.
pub(super) fn repeated_field_name(context: &Context, findings: &mut Findings) {
    let mut variant: Option<&Subject> = None;
    for subject in &context.subjects {
        if matches!(subject.node, Node::Variant(_)) {
            variant = Some(subject);
        }
        if matches!(subject.place, Place::Field | Place::EventField) {
            let around = variant.filter(|variant| variant.holds(subject)).map(Subject::name);
            let owner = around.or(subject.item.map(|item| item.name.text.as_str())).unwrap_or_default();
            let rest = subject.name().strip_prefix(&(to_snake(owner) + "_"));
            if let Some(rest) =
                rest.filter(|rest| rest.starts_with(|first: char| first.is_ascii_alphabetic()))
            {
                told(findings, subject, owner, rest);
            }
        }
    }
}

fn told(findings: &mut Findings, subject: &Subject, owner: &str, rest: &str) {
    let message = format!("`{}` says `{owner}` once more", subject.name());
    findings.add(subject.span(), message, format!("call it `{rest}`"));
}

/// Reports fields that are a time, a duration or a uuid by their name but not by their type.
pub(super) fn fitting_type(context: &Context, findings: &mut Findings) {
    for subject in &context.subjects {
        let ty = match subject.node {
            Node::Field(field) => &field.ty,
            Node::Parameter(parameter) => &parameter.ty,
            _ => continue,
        };
        let inner = context.model.ty(subject.file, ty).and_then(|ty| context.model.inner(&ty));
        let Some(Type::Builtin(builtin)) = inner else { continue };
        if let Some(better) = better_type(subject.name(), builtin) {
            let message = format!("`{}` is a {better} by its name, but not by its type", subject.name());
            findings.add(
                ty.span,
                message,
                format!("make it a `{better}`, before it is published with this type"),
            );
        }
    }
}

/// Units that are not also ordinary words.
const UNITS: [&str; 11] = [
    "ms",
    "millis",
    "milliseconds",
    "micros",
    "microseconds",
    "nanos",
    "nanoseconds",
    "secs",
    "seconds",
    "minutes",
    "hours",
];

/// Returns name endings with a unit, including those that are one only after a time: `contact_us` is not a duration.
fn ends_of_units() -> impl Iterator<Item = &'static str> {
    UNITS.into_iter().chain(["s", "us", "ns"])
}

/// Reports whether a name is one of some words, or ends with one.
fn ends(name: &str, words: &[&str]) -> bool {
    let is_end =
        |word: &&str| name == *word || name.strip_suffix(*word).is_some_and(|rest| rest.ends_with('_'));
    words.iter().any(is_end)
}

fn better_type(name: &str, builtin: Builtin) -> Option<&'static str> {
    use Builtin::{Bytes, F32, F64, I32, I64, String, U16, U32, U64};
    let is_number = matches!(builtin, U16 | U32 | U64 | I32 | I64 | F32 | F64);
    let stem = ends_of_units().find_map(|unit| name.strip_suffix(unit)?.strip_suffix('_'));
    let instant = ends(stem.unwrap_or(name), &["at", "timestamp"]);
    let spans = ends(name, &UNITS) || ends(name, &["timeout", "duration", "ttl"]);
    match builtin {
        String | Bytes if ends(name, &["uuid"]) => Some("uuid"),
        String if instant => Some("timestamp"),
        _ if is_number && instant => Some("timestamp"),
        _ if is_number && spans => Some("duration"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        assert_eq!(after_prefix("SideBuy", "Side"), Some("Buy"));
        assert_eq!(after_prefix("SIDE_BUY", "Side"), Some("BUY"));
        assert_eq!(after_prefix("ORDER_KIND_LIMIT", "OrderKind"), Some("LIMIT"));
        assert_eq!(after_prefix("Sideways", "Side"), None);
        assert_eq!(after_prefix("Side", "Side"), None);
        assert_eq!(after_prefix("Side1", "Side"), None);
    }

    #[test]
    fn types_by_name() {
        for (name, builtin, better) in [
            ("created_at", Builtin::U64, Some("timestamp")),
            ("at", Builtin::I64, Some("timestamp")),
            ("format", Builtin::String, None),
            ("at_most", Builtin::U64, None),
            ("created_at_ms", Builtin::U64, Some("timestamp")),
            ("created_at_us", Builtin::U64, Some("timestamp")),
            ("timestamp_ns", Builtin::String, Some("timestamp")),
            ("price_at_level", Builtin::U32, None),
            ("timestamp_count", Builtin::U32, None),
            ("contact_us", Builtin::U32, None),
            ("latency_ms", Builtin::U32, Some("duration")),
            ("items", Builtin::U32, None),
            ("timeout", Builtin::F64, Some("duration")),
            ("timeout", Builtin::Duration, None),
            ("order_uuid", Builtin::String, Some("uuid")),
            ("seen_at", Builtin::Timestamp, None),
        ] {
            assert_eq!(better_type(name, builtin), better, "{name}");
        }
    }
}
