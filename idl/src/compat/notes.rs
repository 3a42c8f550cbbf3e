//! Rules about docs, deprecations and metadata, which anything may have. They never travel.

use std::collections::BTreeMap;

use super::change::Change;
use crate::diagnostic;
use crate::schema::Notes;
use crate::source::Span;

type Meta = BTreeMap<String, String>;

/// Compares the notes of something, given the spans of its names.
pub(super) fn notes(
    what: &str,
    (old, before): (Span, &Notes),
    (new, after): (Span, &Notes),
    out: &mut Vec<Change>,
) {
    if before.docs != after.docs {
        out.push(docs(what, old, new));
    }
    if before.deprecated != after.deprecated {
        out.push(deprecated(what, (old, before), (new, after)));
    }
    meta(what, (old, &before.meta), (new, &after.meta), out);
}

/// Compares what `@meta` says of something. Keys that differ are named, up to a bound.
pub(super) fn meta(
    what: &str,
    (old, before): (Span, &Meta),
    (new, after): (Span, &Meta),
    out: &mut Vec<Change>,
) {
    let keys = || before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    let differs = || keys().filter(|key| before.get(*key) != after.get(*key));
    let Some(first) = differs().next() else { return };
    let more = match differs().count() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    let shown = |meta: &Meta| match meta.get(first) {
        Some(value) => format!("`{}`", value.escape_debug()),
        None => "not there".to_owned(),
    };
    let change = Change::new(
        diagnostic::META_CHANGED,
        format!("{what} has another `@meta` of `{}`{more}", first.escape_debug()),
    )
    .was(old, shown(before))
    .is(new, shown(after))
    .why("it is kept in the schema, for tools, and means nothing to the compiler or on the wire")
    .help("nothing needs to be done, unless a tool reads it");
    out.push(change);
}

pub(super) fn docs(what: &str, old: Span, new: Span) -> Change {
    Change::new(diagnostic::DOCS_CHANGED, format!("{what} has other docs"))
        .was(old, "the old words")
        .is(new, "the new words")
        .why("docs go into generated code and nowhere else")
        .help("if they say that it means something else now, it should be something else")
}

fn deprecated(what: &str, (old, before): (Span, &Notes), (new, after): (Span, &Notes)) -> Change {
    let message = match (&before.deprecated, &after.deprecated) {
        (_, None) => format!("{what} is no longer deprecated"),
        (None, _) => format!("{what} is deprecated now"),
        _ => format!("{what} is deprecated in other words"),
    };
    let shown = |notes: &Notes| match &notes.deprecated {
        Some(text) => format!("deprecated: {text}"),
        None => "not deprecated".to_owned(),
    };
    Change::new(diagnostic::DEPRECATED_CHANGED, message)
        .was(old, shown(before))
        .is(new, shown(after))
        .why("it is not sent; in Rust the compiler warns about each use")
        .help("nothing needs to be done, unless a crate that uses it denies warnings")
}
