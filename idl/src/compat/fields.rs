//! Rules about fields, and about the plain parameters of a method, which are the fields of its request.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Effects};
use super::members::{Fate, Member, Owner, fates};
use super::notes::notes;
use super::relation::{Place, Relation};
use super::{Comparison, reserved, shown};
use crate::diagnostic;
use crate::schema::{Builtin, Field, Layout, Literal, Schema, Type, TypeId, TypeKind};

impl Comparison<'_> {
    /// Compares the fields of a struct or of a variant.
    pub(super) fn fields(&self, owner: &Owner<'_>, old: &[Field], new: &[Field], out: &mut Vec<Change>) {
        if Layout::of(old) != Layout::of(new) {
            out.push(layout_changed(owner, Layout::of(new)));
        }
        for fate in fates(old, new) {
            match fate {
                Fate::Stays(before, after) => self.field(owner, before, after, out),
                Fate::Renumbered(before, after) => out.push(owner.renumbered(before, after)),
                Fate::Gone(before) => out.push(self.field_removed(owner, before)),
                Fate::Added(after) => {
                    out.push(owner.reserved_number(after).unwrap_or_else(|| self.field_added(owner, after)));
                }
            }
        }
        reserved::added(owner, old, out);
        reserved::freed(owner, new, out);
    }

    /// Compares one field that both sides have.
    fn field(&self, owner: &Owner<'_>, before: &Field, after: &Field, out: &mut Vec<Change>) {
        if before.name != after.name {
            if self.relate_fields(owner, before, after).fails() {
                out.push(reused(owner, before, after));
                return;
            }
            out.push(owner.renamed(before, after));
        }
        self.slot(owner, "field", before, after, out);
    }

    /// Compares what a field and a parameter have in common.
    pub(super) fn slot(
        &self,
        owner: &Owner<'_>,
        noun: &str,
        before: &Field,
        after: &Field,
        out: &mut Vec<Change>,
    ) {
        let what = format!("{noun} `{}` of {}", after.name, owner.name);
        let place = Place { what, old: before.type_span, new: after.type_span, flow: owner.flow };
        let relation = self.field_type(&place, before, after, out);
        if !relation.fails() {
            self.default(&place, before, after, out);
        }
        self.bounds(&place, relation, (before, after), out);
        notes(&place.what, (before.span, &before.notes), (after.span, &after.notes), out);
    }

    /// Compares the type of a field, and whether it may be absent.
    fn field_type(&self, place: &Place, before: &Field, after: &Field, out: &mut Vec<Change>) -> Relation {
        if self.are_one_alias(&before.ty, &after.ty) {
            return Relation::default();
        }
        let (old_optional, old_inner) = stripped(self.old, &before.ty);
        let (new_optional, new_inner) = stripped(self.new, &after.ty);
        if old_optional == new_optional {
            return self.type_change(place, &before.ty, &after.ty, out);
        }
        let relation = self.relate(old_inner, new_inner, place.flow);
        if self.is_value(&before.ty) || self.is_value_of_new(&after.ty) {
            return self.type_change(place, &before.ty, &after.ty, out);
        }
        // Where one that is absent has a default on the other side, it is the types alone that do not go together.
        let stands_in = if new_optional { before.default.is_some() } else { after.default.is_some() };
        if relation.fails() && stands_in {
            return self.type_change(place, old_inner, new_inner, out);
        }
        if relation.fails() {
            return self.type_change(place, &before.ty, &after.ty, out);
        }
        self.type_change(place, old_inner, new_inner, out);
        out.push(if new_optional { became_optional(place, before) } else { became_mandatory(place, after) });
        relation
    }

    fn relate_fields(&self, owner: &Owner<'_>, before: &Field, after: &Field) -> Relation {
        let (_, old) = stripped(self.old, &before.ty);
        let (_, new) = stripped(self.new, &after.ty);
        self.relate(old, new, owner.flow)
    }

    fn is_value(&self, ty: &Type) -> bool {
        *self.old.resolved(ty) == Type::Builtin(Builtin::Value)
    }

    fn is_value_of_new(&self, ty: &Type) -> bool {
        *self.new.resolved(ty) == Type::Builtin(Builtin::Value)
    }

    fn field_added(&self, owner: &Owner<'_>, after: &Field) -> Change {
        if may_be_absent(self.new, after) {
            added(owner, Field::NOUN, after).source()
        } else {
            mandatory_added(owner, Field::NOUN, after, true)
        }
    }

    fn field_removed(&self, owner: &Owner<'_>, before: &Field) -> Change {
        if may_be_absent(self.old, before) {
            if reserved::holder(owner.new_reserved, before.number.into()).is_some() {
                return removed(owner, Field::NOUN, before)
                    .help("nothing needs to be done but in the Rust code: its number is reserved");
            }
            Change { code: diagnostic::FIELD_FREED, ..removed(owner, Field::NOUN, before) }
                .risk()
                .why(format!(
                    "{REMOVED_WHY}; and its number is free, so that it can come back as something else"
                ))
                .help(reserve(before))
        } else {
            mandatory_removed(owner, Field::NOUN, before)
        }
    }

    /// Compares the default where the field is optional on neither side, so that the default can be reported by itself.
    fn default(&self, place: &Place, before: &Field, after: &Field, out: &mut Vec<Change>) {
        if stripped(self.old, &before.ty).0 || stripped(self.new, &after.ty).0 {
            return;
        }
        match (&before.default, &after.default) {
            (None, Some(value)) => out.push(default_given(place, after, &shown::literal(self.new, value))),
            (Some(value), None) => out.push(default_taken(place, before, &shown::literal(self.old, value))),
            (Some(old), Some(new)) if !self.same_value(old, new) => {
                let values = (shown::literal(self.old, old), shown::literal(self.new, new));
                out.push(default_changed(place, before, after, &values));
            }
            _ => {}
        }
    }

    /// Reports whether two defaults are equal; values of an enum are equal if their numbers are, and flags if their bits are.
    pub(super) fn same_value(&self, old: &Literal, new: &Literal) -> bool {
        match (old, new) {
            (Literal::EnumValue(..), Literal::EnumValue(..)) => {
                enum_number(self.old, old) == enum_number(self.new, new)
            }
            (Literal::Flags(_, old), Literal::Flags(_, new)) => old == new,
            (Literal::List(old), Literal::List(new)) => self.same_values(old, new),
            // Their order means nothing.
            (Literal::Set(old), Literal::Set(new)) => {
                let is_in_new = |old: &Literal| new.iter().any(|new| self.same_value(old, new));
                old.len() == new.len() && old.iter().all(is_in_new)
            }
            (Literal::Map(old), Literal::Map(new)) => {
                let is_in_new = |old: &(Literal, Literal)| {
                    new.iter().any(|new| self.same_value(&old.0, &new.0) && self.same_value(&old.1, &new.1))
                };
                old.len() == new.len() && old.iter().all(is_in_new)
            }
            (Literal::Struct(old_id, old), Literal::Struct(new_id, new)) => {
                self.same_struct((*old_id, old), (*new_id, new))
            }
            _ => old == new,
        }
    }
}

impl Comparison<'_> {
    fn same_values(&self, old: &[Literal], new: &[Literal]) -> bool {
        old.len() == new.len() && old.iter().zip(new).all(|(old, new)| self.same_value(old, new))
    }

    /// Compares two structs by the numbers of their fields. What only one side has is absent on the other.
    fn same_struct(
        &self,
        (old_id, old): (TypeId, &[Option<Literal>]),
        (new_id, new): (TypeId, &[Option<Literal>]),
    ) -> bool {
        let (old, new) = (by_number(self.old, old_id, old), by_number(self.new, new_id, new));
        let numbers: BTreeSet<u16> = old.keys().chain(new.keys()).copied().collect();
        numbers.iter().all(|number| match (old.get(number), new.get(number)) {
            (Some(old), Some(new)) => self.same_value(old, new),
            _ => false,
        })
    }
}

/// Returns the values of a struct that are present, by the numbers of their fields.
fn by_number<'a>(schema: &Schema, id: TypeId, values: &'a [Option<Literal>]) -> BTreeMap<u16, &'a Literal> {
    let TypeKind::Struct(structure) = &schema.definition(id).kind else { return BTreeMap::new() };
    let present = structure.fields.iter().zip(values);
    present.filter_map(|(field, value)| Some((field.number, value.as_ref()?))).collect()
}

fn enum_number(schema: &Schema, literal: &Literal) -> Option<i32> {
    let Literal::EnumValue(id, index) = literal else { return None };
    match &schema.definition(*id).kind {
        TypeKind::Enum(values) => values.get(*index).map(|value| value.number),
        _ => None,
    }
}

fn layout_changed(owner: &Owner<'_>, after: Layout) -> Change {
    let shown = |is_map| if is_map { "a map from numbers" } else { "an array" };
    let is_map = after == Layout::Map;
    let (was, is) = (shown(!is_map), shown(is_map));
    Change::new(diagnostic::LAYOUT_CHANGED, format!("{} is {is} on the wire now, and was {was}", owner.name))
        .was(owner.old, was)
        .is(owner.new, is)
        .why("every reader takes both, whichever its own schema says; but peers written by hand may know one of them alone, and so do programs generated before there were maps from numbers")
        .help("look at peers that were written by hand")
}

/// Returns whether a type is optional, and the type without that.
fn stripped<'a>(schema: &'a Schema, ty: &'a Type) -> (bool, &'a Type) {
    match schema.resolved(ty) {
        Type::Optional(inner) => (true, inner),
        _ => (false, ty),
    }
}

/// Reports whether a reader accepts that the field is missing.
pub(super) fn may_be_absent(schema: &Schema, field: &Field) -> bool {
    field.default.is_some()
        || matches!(schema.resolved(&field.ty), Type::Optional(_) | Type::Builtin(Builtin::Value))
}

fn reused(owner: &Owner<'_>, before: &Field, after: &Field) -> Change {
    let number = before.number;
    let message = format!(
        "number {number} of {} was field `{}`, and is another field, `{}`, now",
        owner.name, before.name, after.name
    );
    Change::new(diagnostic::NUMBER_REUSED, message)
        .was(before.span, "this field before")
        .is(after.span, "another now")
        .both(owner.flow)
        .why("on the wire a field is only its number, so each side takes one field for the other")
        .help(format!(
            "reserve {number} and \"{}\", and give `{}` a number that was never used",
            before.name, after.name
        ))
}

pub(super) fn added(owner: &Owner<'_>, noun: &str, after: &Field) -> Change {
    let message = format!("{noun} `{}` of {} is new, and may be absent", after.name, owner.name);
    Change::new(diagnostic::FIELD_ADDED, message)
        .was(owner.old, "not there yet")
        .is(after.span, "new")
        .why("old programs skip it, and new ones do without it; but Rust code that writes the value out has to name it")
        .help("nothing needs to be done but in the Rust code")
}

pub(super) fn mandatory_added(owner: &Owner<'_>, noun: &str, after: &Field, source: bool) -> Change {
    let message = format!("{noun} `{}` of {} is new, and must be there", after.name, owner.name);
    Change::new(diagnostic::MANDATORY_FIELD_ADDED, message)
        .was(owner.old, "not there yet")
        .is(after.span, "new")
        .effects(Effects { new_reads_old: true, source, flow: owner.flow, ..Effects::default() })
        .why("new programs reject what old ones write, since the field is missing there")
        .help("make it optional by `?`, or give it a `@default`")
}

pub(super) fn removed(owner: &Owner<'_>, noun: &str, before: &Field) -> Change {
    let message = format!("{noun} `{}` of {} is gone; it could be absent", before.name, owner.name);
    Change::new(diagnostic::FIELD_REMOVED, message)
        .was(before.span, "there before")
        .is(owner.new, "gone")
        .source()
        .why(REMOVED_WHY)
        .help("nothing needs to be done but in the Rust code")
}

const REMOVED_WHY: &str =
    "new programs skip what old ones send of it, and old ones do without it; but Rust code may use it";

pub(super) fn mandatory_removed(owner: &Owner<'_>, noun: &str, before: &Field) -> Change {
    let message = format!("{noun} `{}` of {} is gone; it had to be there", before.name, owner.name);
    Change::new(diagnostic::MANDATORY_FIELD_REMOVED, message)
        .was(before.span, "there before")
        .is(owner.new, "gone")
        .effects(Effects { old_reads_new: true, source: true, flow: owner.flow, ..Effects::default() })
        .why("old programs reject what new ones write, since the field is missing there")
        .help(format!("keep it, and say by `@deprecated` that `{}` should not be used", before.name))
}

/// Returns how to keep a removed member from coming back as another.
pub(super) fn reserve<M: Member>(before: &M) -> String {
    format!(
        "reserve it, so that it can't come back as something else: `reserved {}, \"{}\";`",
        before.number(),
        before.name()
    )
}

fn became_optional(place: &Place, before: &Field) -> Change {
    let old_fails = before.default.is_none();
    let why = if old_fails {
        "old programs refuse a value without it, which new ones may write"
    } else {
        "old programs take their default where new ones leave it off; but in Rust it is another type"
    };
    Change::new(diagnostic::BECAME_OPTIONAL, format!("{} may be absent now", place.what))
        .was(place.old, "had to be there")
        .is(place.new, "optional")
        .effects(Effects { old_reads_new: old_fails, source: true, flow: place.flow, ..Effects::default() })
        .why(why)
        .help("leave it as it is, or add an optional field under a new number")
}

fn became_mandatory(place: &Place, after: &Field) -> Change {
    let new_fails = after.default.is_none();
    let why = if new_fails {
        "new programs refuse a value without it, which old ones may write"
    } else {
        "new programs take the default where old ones leave it off; but in Rust it is another type"
    };
    Change::new(diagnostic::BECAME_MANDATORY, format!("{} is no longer optional", place.what))
        .was(place.old, "optional")
        .is(place.new, "must be there")
        .effects(Effects { new_reads_old: new_fails, source: true, flow: place.flow, ..Effects::default() })
        .why(why)
        .help("leave it optional; or give it a `@default`, which stands in where it is absent")
}

fn default_given(place: &Place, after: &Field, value: &str) -> Change {
    Change::new(diagnostic::DEFAULT_GIVEN, format!("{} has the default `{value}` now", place.what))
        .was(place.old, "no default")
        .is(after.span, format!("`{value}` where it is absent"))
        .why("a default is always written, so only readers of data that was written without the field see it")
        .help("nothing needs to be done")
}

fn default_taken(place: &Place, before: &Field, value: &str) -> Change {
    Change::new(diagnostic::DEFAULT_TAKEN, format!("{} no longer has the default `{value}`", place.what))
        .was(before.span, format!("`{value}` where it is absent"))
        .is(place.new, "no default")
        .why("a default is always written, so these two schemas go together; but programs older than the field, and peers written by hand, may leave it off, and are rejected now")
        .help("keep the default for as long as there may be such programs")
}

fn default_changed(place: &Place, before: &Field, after: &Field, values: &(String, String)) -> Change {
    let (old, new) = values;
    Change::new(diagnostic::DEFAULT_CHANGED, format!("{} has the default `{new}`, which was `{old}`", place.what))
        .was(before.span, format!("`{old}` where it is absent"))
        .is(after.span, format!("`{new}` where it is absent"))
        .why("a default is always written, so it matters only to readers of data that was written without the field: each uses its own default")
        .help("make sure that nothing relies on the old one")
}
