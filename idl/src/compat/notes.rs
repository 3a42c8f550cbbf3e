//! Rules about docs and deprecations, which anything may have. They never travel.

use super::change::Change;
use crate::diagnostic;
use crate::schema::Notes;
use crate::source::Span;

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
