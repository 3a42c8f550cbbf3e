//! Lints about what subscribers to events miss.

use super::context::{Context, Findings};
use crate::ast::{Attribute, Field, Item, ItemKind};
use crate::check::subjects::{Node, Subject};
use crate::diagnostic::Report;
use crate::schema::{Builtin, Literal, Slow, Type};
use crate::value::{literal, slow};

/// An event with `@slow(conflate)`.
struct Conflated<'c, 'm> {
    subject: &'c Subject<'m>,
    item: &'m Item,
    fields: &'m [Field],
    attribute: &'m Attribute,
}

fn conflated<'c, 'm>(context: &'c Context<'_, 'm>) -> impl Iterator<Item = Conflated<'c, 'm>> {
    context.subjects.iter().filter_map(|subject| match subject.node {
        Node::Item(item) => match &item.kind {
            ItemKind::Struct(fields) if fields.is_event => {
                let attribute = item.preamble.find("slow")?;
                let conflates = slow(&item.preamble) == Some(Slow::Conflate);
                conflates.then_some(Conflated { subject, item, fields: &fields.fields, attribute })
            }
            _ => None,
        },
        _ => None,
    })
}

/// Reports events without a key of which only the newest waits: of all of them one, whatever they are about. Those without fields are
/// all alike.
pub(super) fn keyless_conflate(context: &Context, findings: &mut Findings) {
    for Conflated { item, fields, attribute, .. } in conflated(context) {
        if fields.is_empty() || fields.iter().any(|field| field.preamble.find("key").is_some()) {
            continue;
        }
        let message = format!(
            "`{}` has no key, so each event replaces any other that waits for a slow subscriber",
            item.name.text
        );
        let help = "mark the field that says what an event is about with `@key`; if all events are about one thing, say so with `@allow(keyless_conflate)`";
        findings.add(attribute.span, message, help);
    }
}

/// Reports events of which several of each key are kept for those who subscribe later, and only the newest for those who are slow.
pub(super) fn conflated_history(context: &Context, findings: &mut Findings) {
    for Conflated { subject, item, attribute, .. } in conflated(context) {
        let Some(history) = item.preamble.find("history") else { continue };
        let Some(value) = history.arguments.first() else { continue };
        let ty = Type::Builtin(Builtin::U32);
        let kept = literal(context.model, subject.file, &ty, value, &mut Report::default());
        if !matches!(kept, Some(Literal::Integer(kept)) if kept > 1) {
            continue;
        }
        let message = format!(
            "`{}` keeps several events of each key for late subscribers, but gives slow ones only the newest",
            item.name.text
        );
        let help = "if the newest alone matters, write `@latest` instead of `@history`; if those before it do, write `@slow(drop_oldest)`, which tells what is missing, or `@slow(disconnect)`";
        findings.add_related(attribute.span, message, Some((history.span, "kept for late ones")), help);
    }
}
