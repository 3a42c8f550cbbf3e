//! Rules about the values of enums, the flags of `flags` and the variants of unions and errors.

use super::change::{Change, Effects};
use super::members::{Fate, Member, Owner, fates};
use super::notes::notes;
use super::relation::Place;
use super::{Comparison, Flow, fields, reserved};
use crate::diagnostic;
use crate::schema::{
    Builtin, EnumValue, Field, Flag, MessagePart, Notes, Payload, Schema, Type, TypeKind, Variant,
};

impl Comparison<'_> {
    pub(super) fn variants(
        &self,
        owner: &Owner<'_>,
        old: &[Variant],
        new: &[Variant],
        out: &mut Vec<Change>,
    ) {
        numbered(owner, old, new, out, |before, after, out| self.variant(owner, before, after, out));
    }

    fn variant(&self, owner: &Owner<'_>, before: &Variant, after: &Variant, out: &mut Vec<Change>) {
        let mut inside = Vec::new();
        self.payload(owner, before, after, &mut inside);
        let is_other = before.name != after.name && inside.iter().any(breaks);
        if is_other {
            out.push(reused(owner, before, after));
            return;
        }
        if before.name != after.name {
            out.push(owner.renamed(before, after));
        }
        out.append(&mut inside);
        let what = format!("variant `{}` of {}", after.name, owner.name);
        message(&what, before, after, out);
        notes(&what, (before.span, &before.notes), (after.span, &after.notes), out);
    }

    fn payload(&self, owner: &Owner<'_>, before: &Variant, after: &Variant, out: &mut Vec<Change>) {
        let fields = fields_owner(owner, before, after);
        match (&before.payload, &after.payload) {
            (Payload::Nothing, Payload::Nothing) => {}
            (Payload::Fields(old), Payload::Fields(new)) => self.fields(&fields, old, new, out),
            (Payload::Type { ty: old, .. }, Payload::Type { ty: new, .. }) => {
                let place = Place {
                    what: format!("what variant `{}` of {} carries", after.name, owner.name),
                    old: before.type_span.unwrap_or(before.span),
                    new: after.type_span.unwrap_or(after.span),
                    flow: owner.flow,
                };
                self.type_change(&place, old, new, out);
            }
            _ => out.push(self.payload_kind(owner, before, after)),
        }
    }

    /// Returns the change from no payload, a type or fields to another of these.
    fn payload_kind(&self, owner: &Owner<'_>, before: &Variant, after: &Variant) -> Change {
        let (old_fails, new_fails) = match (&before.payload, &after.payload) {
            (Payload::Nothing, new) => (false, !takes_nil(self.new, new)),
            (old, Payload::Nothing) => (!takes_nil(self.old, old), false),
            (old, new) => self.unlike_fields(owner, before, after, (old, new)),
        };
        let message = format!("variant `{}` of {} {} now", after.name, owner.name, carries(&after.payload));
        Change::new(diagnostic::PAYLOAD_CHANGED, message)
            .was(before.span, format!("{} before", carries(&before.payload)))
            .is(after.span, format!("{} now", carries(&after.payload)))
            .effects(Effects {
                old_reads_new: old_fails,
                new_reads_old: new_fails,
                source: true,
                flow: owner.flow,
                ..Effects::default()
            })
            .why(match (old_fails, new_fails) {
                (false, false) => "each side reads what the other writes, but in Rust it is another variant",
                (true, false) => "old programs refuse what new ones write",
                (false, true) => "new programs refuse what old ones write",
                (true, true) => "each side refuses or misreads what the other writes",
            })
            .help("leave it as it is, and add a variant under a new number")
    }

    /// Compares a named struct on one side with fields on the other: they are the same on the wire if their fields are.
    fn unlike_fields(
        &self,
        owner: &Owner<'_>,
        before: &Variant,
        after: &Variant,
        (old, new): (&Payload, &Payload),
    ) -> (bool, bool) {
        let (Some(old), Some(new)) = (struct_fields(self.old, old), struct_fields(self.new, new)) else {
            return (true, true);
        };
        let mut inside = Vec::new();
        self.fields(&fields_owner(owner, before, after), old, new, &mut inside);
        let any = |fails: fn(&Effects) -> bool| inside.iter().any(|change| fails(&change.effects));
        (any(|effects| effects.old_reads_new), any(|effects| effects.new_reads_old))
    }
}

/// Compares the values of an enum, or the flags of `flags`.
pub(super) fn values<M: Noted>(owner: &Owner<'_>, old: &[M], new: &[M], out: &mut Vec<Change>) {
    numbered(owner, old, new, out, |before, after, out| {
        if before.name() != after.name() {
            out.push(owner.renamed(before, after));
        }
        let what = format!("{} `{}` of {}", M::NOUN, after.name(), owner.name);
        notes(&what, (before.span(), before.notes()), (after.span(), after.notes()), out);
    });
}

/// A member that has nothing but a name, a number and notes.
pub(super) trait Noted: Member {
    fn notes(&self) -> &Notes;
}

impl Noted for EnumValue {
    fn notes(&self) -> &Notes {
        &self.notes
    }
}

impl Noted for Flag {
    fn notes(&self) -> &Notes {
        &self.notes
    }
}

/// Reports added and removed members, for values and variants alike.
fn numbered<M: Member>(
    owner: &Owner<'_>,
    old: &[M],
    new: &[M],
    out: &mut Vec<Change>,
    stays: impl Fn(&M, &M, &mut Vec<Change>),
) {
    for fate in fates(old, new) {
        match fate {
            Fate::Stays(before, after) => stays(before, after, out),
            Fate::Renumbered(before, after) => out.push(owner.renumbered(before, after)),
            Fate::Gone(before) => out.push(gone(owner, before)),
            Fate::Added(after) => {
                out.push(owner.reserved_number(after).unwrap_or_else(|| come(owner, after)));
            }
        }
    }
    reserved::added(owner, old, out);
    reserved::freed(owner, new, out);
}

fn message(what: &str, before: &Variant, after: &Variant, out: &mut Vec<Change>) {
    if worded(before) == worded(after) {
        return;
    }
    let change = Change::new(diagnostic::MESSAGE_CHANGED, format!("{what} has another message"))
        .was(before.span, "the old words")
        .is(after.span, "the new words")
        .why("a declared error is sent without its message: each side has its own")
        .help("nothing needs to be done, unless a program parses messages");
    out.push(change);
}

fn breaks(change: &Change) -> bool {
    change.kind() == super::Kind::Wire
}

/// Returns the owner of a variant's fields.
fn fields_owner<'a>(owner: &Owner<'a>, before: &'a Variant, after: &'a Variant) -> Owner<'a> {
    Owner {
        name: format!("variant `{}` of {}", after.name, owner.name),
        old: before.span,
        new: after.span,
        old_reserved: &before.reserved,
        new_reserved: &after.reserved,
        flow: owner.flow,
    }
}

/// Reports whether a reader of this payload accepts nil, which is how a variant without payload is written.
fn takes_nil(schema: &Schema, payload: &Payload) -> bool {
    match payload {
        Payload::Nothing => true,
        Payload::Type { ty, .. } => {
            matches!(schema.resolved(ty), Type::Optional(_) | Type::Builtin(Builtin::Value))
        }
        Payload::Fields(fields) => fields.iter().all(|field| fields::may_be_absent(schema, field)),
    }
}

fn struct_fields<'a>(schema: &'a Schema, payload: &'a Payload) -> Option<&'a [Field]> {
    match payload {
        Payload::Nothing => None,
        Payload::Fields(fields) => Some(fields),
        Payload::Type { ty, .. } => match schema.resolved(ty) {
            Type::Named(id) => match &schema.definition(*id).kind {
                TypeKind::Struct(structure) => Some(&structure.fields),
                _ => None,
            },
            _ => None,
        },
    }
}

fn carries(payload: &Payload) -> &'static str {
    match payload {
        Payload::Nothing => "carries nothing",
        Payload::Type { .. } => "carries a type",
        Payload::Fields(_) => "has fields of its own",
    }
}

/// Returns the text of a message with its fields by number, since a field may be renamed while the text stays the same.
fn worded(variant: &Variant) -> Option<Vec<Result<&str, u16>>> {
    let own: &[Field] = match &variant.payload {
        Payload::Fields(fields) => fields,
        Payload::Nothing | Payload::Type { .. } => &[],
    };
    let part = |part: &'_ MessagePart| match part {
        MessagePart::Text(_) => None,
        MessagePart::Field(index) => own.get(*index).map(|field| field.number),
    };
    let parts = variant.message.as_ref()?.iter().map(|piece| match piece {
        MessagePart::Text(text) => Ok(text.as_str()),
        MessagePart::Field(_) => Err(part(piece).unwrap_or_default()),
    });
    Some(parts.collect())
}

fn come<M: Member>(owner: &Owner<'_>, after: &M) -> Change {
    let (noun, name) = (M::NOUN, after.name());
    let change = Change::new(diagnostic::VALUE_ADDED, format!("{noun} `{name}` of {} is new", owner.name))
        .was(owner.old, "not there yet")
        .is(after.span(), "new");
    if !M::IS_MATCHED {
        return change
            .why("old programs keep it as a bit without a name, and write it again unchanged")
            .help("nothing needs to be done");
    }
    change
        .source()
        .why("old programs keep it as unknown, with its number, and write it again unchanged; but a `match` in Rust has to name it")
        .help("nothing needs to be done but in the Rust code")
}

fn gone<M: Member>(owner: &Owner<'_>, before: &M) -> Change {
    let (noun, name, number) = (M::NOUN, before.name(), before.number());
    let is_reserved = reserved::holder(owner.new_reserved, number).is_some();
    let code = if is_reserved { diagnostic::VALUE_REMOVED } else { diagnostic::VALUE_FREED };
    let change = Change::new(code, format!("{noun} `{name}` of {} is gone", owner.name))
        .was(before.span(), "there before")
        .is(owner.new, "gone")
        .source();
    if is_reserved {
        return change
            .why("new programs keep it as unknown, with its number; but Rust code may use it")
            .help("nothing needs to be done but in the Rust code: its number is reserved");
    }
    change
        .risk()
        .why("new programs keep it as unknown, with its number; but Rust code may use it; and its number is free, so that it can come back as something else")
        .help(fields::reserve(before))
}

fn reused(owner: &Owner<'_>, before: &Variant, after: &Variant) -> Change {
    let number = before.number;
    let message = format!(
        "number {number} of {} was variant `{}`, and is another, `{}`, now",
        owner.name, before.name, after.name
    );
    Change::new(diagnostic::NUMBER_REUSED, message)
        .was(before.span, "this variant before")
        .is(after.span, "another now")
        .both(Flow { ..owner.flow })
        .why("on the wire a variant is only its number, so each side takes one variant for the other")
        .help(format!(
            "reserve {number} and \"{}\", and give `{}` a number that was never used",
            before.name, after.name
        ))
}
