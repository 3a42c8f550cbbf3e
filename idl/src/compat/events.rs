//! Rules about events: programs subscribe to them by their names, and filter by their keys.

use super::access;
use super::change::{Change, Effects};
use super::{Comparison, Flow, shown};
use crate::diagnostic;
use crate::schema::{Event, Field, Struct, TypeDefinition, TypeId, TypeKind};

/// What breaks where old clients subscribe in vain.
const LOST: Effects =
    Effects { old_reads_new: false, new_reads_old: true, risk: false, source: true, flow: Flow::REQUESTS };

/// Returns a type as an event, if it is one.
pub(super) fn event_of(definition: &TypeDefinition) -> Option<(&Struct, &Event)> {
    match &definition.kind {
        TypeKind::Struct(structure) => structure.event.as_ref().map(|event| (structure, event)),
        _ => None,
    }
}

impl Comparison<'_> {
    /// Compares what two types are as events.
    pub(super) fn event(&self, old: TypeId, new: TypeId, out: &mut Vec<Change>) {
        let (before, after) = (self.old.definition(old), self.new.definition(new));
        match (event_of(before), event_of(after)) {
            (None, None) => {}
            (Some(_), None) => out.push(ended(before, after)),
            (None, Some(_)) => out.push(begun(before, after)),
            (Some((old_fields, was)), Some((new_fields, is))) => {
                let names = (shown::full_name(self.old, old), shown::full_name(self.new, new));
                if names.0 != names.1 {
                    out.push(renamed(before, after, &names));
                }
                keys(after, old_fields, new_fields, out);
                out.extend(delivery(before, after, was, is));
                let what = format!("event `{}`", after.name);
                out.extend(access::changed(&what, (before.span, &was.access), (after.span, &is.access)));
            }
        }
    }

    /// Reports an event that is gone, if the type was one.
    pub(super) fn event_removed(&self, old: TypeId) -> Option<Change> {
        let before = self.old.definition(old);
        event_of(before)?;
        let message = format!("event `{}` is gone", before.name);
        let change = Change::new(diagnostic::EVENT_REMOVED, message).was(before.span, "there before");
        Some(
            change
                .effects(LOST)
                .why("new servers refuse the subscriptions of old clients, with `unimplemented`")
                .help("keep it, and say by `@deprecated` that it should not be used"),
        )
    }
}

fn ended(before: &TypeDefinition, after: &TypeDefinition) -> Change {
    Change::new(diagnostic::EVENT_OR_STRUCT, format!("`{}` was an event, and is none any more", after.name))
        .was(before.span, "an event here")
        .is(after.span, "none here")
        .effects(LOST)
        .why("new servers refuse the subscriptions of old clients, with `unimplemented`")
        .help("leave it as it is, and declare a type of another name")
}

fn begun(before: &TypeDefinition, after: &TypeDefinition) -> Change {
    Change::new(diagnostic::EVENT_OR_STRUCT, format!("`{}` is an event now", after.name))
        .was(before.span, "a struct here")
        .is(after.span, "an event here")
        .why("wherever a type may stand, an event is a struct; and no old program subscribes to it")
        .help("nothing needs to be done")
}

fn renamed(before: &TypeDefinition, after: &TypeDefinition, names: &(String, String)) -> Change {
    let message = format!("event `{}` is named `{}` now", names.0, names.1);
    Change::new(diagnostic::EVENT_RENAMED, message)
        .was(before.span, "named so")
        .is(after.span, "the same event")
        .both(Flow::REQUESTS)
        .why("a subscription names its event, so those between old and new are answered with `unimplemented`")
        .help("keep the name, or publish both events until no program subscribes to the old one")
}

/// Compares the fields that both have, by their numbers.
fn keys(after: &TypeDefinition, old: &Struct, new: &Struct, out: &mut Vec<Change>) {
    let is_key = |structure: &Struct, field: &Field| structure.keys().any(|key| key.number == field.number);
    for now in &new.fields {
        let Ok(at) = old.fields.binary_search_by_key(&now.number, |field| field.number) else { continue };
        let was = &old.fields[at];
        let what = format!("field `{}` of `{}`", now.name, after.name);
        match (is_key(old, was), is_key(new, now)) {
            (true, false) => out.push(
                Change::new(diagnostic::KEY_REMOVED, format!("{what} is no key any more"))
                    .was(was.span, "a key here")
                    .is(now.span, "none here")
                    .effects(LOST)
                    .why("new servers refuse the subscriptions of old clients that filter by it, with `invalid_argument`")
                    .help("leave it a key, or declare an event of another name"),
            ),
            (false, true) => out.push(
                Change::new(diagnostic::KEY_ADDED, format!("{what} is a key now"))
                    .was(was.span, "none here")
                    .is(now.span, "a key here")
                    .why("old clients subscribe as before; old servers refuse subscriptions that filter by it, with `invalid_argument`")
                    .help("deploy the servers before the clients that filter by it"),
            ),
            _ => {}
        }
    }
}

fn delivery(before: &TypeDefinition, after: &TypeDefinition, was: &Event, is: &Event) -> Option<Change> {
    let shown = |event: &Event| match event.kept {
        0 => format!("none is kept; `{}`", event.slow.word()),
        kept => format!("{kept} of each key are kept; `{}`", event.slow.word()),
    };
    if (was.kept, was.slow) == (is.kept, is.slow) {
        return None;
    }
    let message = format!("`{}` is delivered in another way", after.name);
    Some(
        Change::new(diagnostic::DELIVERY_CHANGED, message)
            .was(before.span, shown(was))
            .is(after.span, shown(is))
            .why("the publisher alone keeps and drops events; but subscribers may rely on what they get when they join, or on what they are told")
            .help("make sure that they do not"),
    )
}
