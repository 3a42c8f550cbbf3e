//! Lints about docs and deprecations.

use super::context::{Context, Findings};
use crate::ast::ValueKind;
use crate::check::places::Place;

/// Reports declarations and methods without docs.
pub(super) fn missing_docs(context: &Context, findings: &mut Findings) {
    let wants_docs = |place| {
        use Place::{Alias, Const, Enum, Error, Event, Flags, Oneway, Rpc, Service, Struct, Union};
        matches!(
            place,
            Const | Alias | Struct | Event | Enum | Flags | Union | Error | Service | Rpc | Oneway
        )
    };
    undocumented(context, findings, wants_docs);
}

/// Reports fields, values and variants without docs.
pub(super) fn missing_member_docs(context: &Context, findings: &mut Findings) {
    // The message of an error's variant explains it.
    undocumented(context, findings, |place| {
        use Place::{EventField, Field, Flag, Value, Variant};
        matches!(place, Field | EventField | Value | Flag | Variant)
    });
}

fn undocumented(context: &Context, findings: &mut Findings, wants_docs: impl Fn(Place) -> bool) {
    for subject in &context.subjects {
        if wants_docs(subject.place) && subject.preamble.docs.trim().is_empty() {
            let message = format!("`{}` has no docs", subject.name());
            findings.add(
                subject.span(),
                message,
                "say what it is in lines that start with `///`, right before it",
            );
        }
    }
}

/// Reports deprecations that do not say what to use instead.
pub(super) fn deprecated_hint(context: &Context, findings: &mut Findings) {
    for subject in &context.subjects {
        let Some(attribute) = subject.preamble.find("deprecated") else { continue };
        for value in &attribute.arguments {
            let says_nothing = |text: &String| !text.chars().any(char::is_alphanumeric);
            if matches!(&value.kind, ValueKind::String(text) if says_nothing(text)) {
                let help = "say what to use instead: `@deprecated(\"use `watch`\")`";
                findings.add(value.span, "this deprecation says nothing", help);
            }
        }
    }
}
