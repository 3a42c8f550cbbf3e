//! Compares `@len` and `@range`: what is newly allowed, and what no longer is. Only servers check bounds.

use std::cmp::Ordering;

use super::change::{Change, Effects};
use super::relation::{Place, Relation, integers, is_flags};
use super::{Comparison, Flow, shown};
use crate::diagnostic;
use crate::schema::{Builtin, Field, Literal, Range, Schema, Type};

/// The values that a field allows. An end is `None` if any value is beyond it: then there is nothing to break.
struct Allowed {
    min: Option<Literal>,
    max: Option<Literal>,
    max_exclusive: bool,
}

/// The two sides of one bound, as written.
struct Written<'a> {
    attribute: &'a str,
    old: String,
    new: String,
}

impl Comparison<'_> {
    /// Reports changes of bounds that the relation of the two types does not already imply.
    pub(super) fn bounds(
        &self,
        place: &Place,
        relation: Relation,
        (before, after): (&Field, &Field),
        out: &mut Vec<Change>,
    ) {
        let types = (inner(self.old, &before.ty), inner(self.new, &after.ty));
        // An alias that now stands for another type is reported by itself.
        let relation = relation | self.relate(types.0, types.1, place.flow);
        let old = Allowed::length(before.len.as_ref());
        let new = Allowed::length(after.len.as_ref());
        let written = self.written("@len", before.len.as_ref(), after.len.as_ref());
        told(place, relation, (before, &old), (after, &new), &written, out);
        let old = Allowed::number(self.old, types.0, before.range.as_ref());
        let new = Allowed::number(self.new, types.1, after.range.as_ref());
        let written = self.written("@range", before.range.as_ref(), after.range.as_ref());
        told(place, relation, (before, &old), (after, &new), &written, out);
    }

    fn written<'a>(&self, attribute: &'a str, old: Option<&Range>, new: Option<&Range>) -> Written<'a> {
        Written { attribute, old: shown::range(self.old, old), new: shown::range(self.new, new) }
    }
}

impl Allowed {
    fn length(range: Option<&Range>) -> Self {
        Self::of(range, Some(0), None)
    }

    /// Returns the bounds of an integer; bounds as wide as the type count as none. Flags may be any bits of 64.
    fn number(schema: &Schema, ty: &Type, range: Option<&Range>) -> Self {
        let limits = match ty {
            Type::Named(id) if is_flags(schema, *id) => integers(Builtin::U64),
            Type::Builtin(builtin) => integers(*builtin),
            _ => None,
        };
        let ends = limits.map(|limits| (*limits.start(), *limits.end()));
        Self::of(range, ends.map(|ends| ends.0), ends.map(|ends| ends.1))
    }

    fn of(range: Option<&Range>, least: Option<i128>, most: Option<i128>) -> Self {
        let written = |end: fn(&Range) -> &Option<Literal>| range.and_then(|range| end(range).clone());
        Self {
            min: written(|range| &range.min).or(least.map(Literal::Integer)),
            max: written(|range| &range.max).or(most.map(Literal::Integer)),
            max_exclusive: range.is_some_and(|range| range.max_exclusive),
        }
    }

    /// Reports whether some value that `other` allows is not allowed here.
    fn refuses_some_of(&self, other: &Self) -> bool {
        self.starts_above(other) || self.ends_below(other)
    }

    fn starts_above(&self, other: &Self) -> bool {
        match (&self.min, &other.min) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(own), Some(other)) => compare(own, other) == Ordering::Greater,
        }
    }

    fn ends_below(&self, other: &Self) -> bool {
        match (&self.max, &other.max) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(own), Some(others)) => match compare(own, others) {
                Ordering::Less => true,
                Ordering::Equal => self.max_exclusive && !other.max_exclusive,
                Ordering::Greater => false,
            },
        }
    }
}

/// Returns the type without aliases and optionals around it.
fn inner<'a>(schema: &'a Schema, ty: &'a Type) -> &'a Type {
    match schema.resolved(ty) {
        Type::Optional(inner) => schema.resolved(inner),
        ty => ty,
    }
}

/// Compares two bounds. Both are of one kind, since they belong to one field.
fn compare(one: &Literal, other: &Literal) -> Ordering {
    match (one, other) {
        (Literal::Integer(one), Literal::Integer(other)) => one.cmp(other),
        (Literal::Float(one), Literal::Float(other)) => one.total_cmp(other),
        (Literal::Duration(one), Literal::Duration(other)) => one.cmp(other),
        _ => Ordering::Equal,
    }
}

fn told(
    place: &Place,
    relation: Relation,
    (before, old): (&Field, &Allowed),
    (after, new): (&Field, &Allowed),
    written: &Written<'_>,
    out: &mut Vec<Change>,
) {
    if !relation.new_fails && new.refuses_some_of(old) {
        out.push(tightened(place, before, after, written));
    }
    if !relation.old_fails && old.refuses_some_of(new) {
        out.push(widened(place, before, after, written));
    }
}

fn tightened(place: &Place, before: &Field, after: &Field, written: &Written<'_>) -> Change {
    let message = format!("`{}` of {} allows less than it did", written.attribute, place.what);
    let fails = place.flow.requests;
    Change::new(diagnostic::BOUNDS_TIGHTENED, message)
        .was(before.span, format!("{} here", written.old))
        .is(after.span, format!("{} here", written.new))
        .effects(Effects { new_reads_old: fails, flow: Flow::REQUESTS, ..Effects::default() })
        .why(if fails {
            "new servers reject requests of old clients that were allowed before"
        } else {
            CLIENTS_TAKE_ALL
        })
        .help("leave the bounds as they were, and refuse in the handler; or deploy the clients first")
}

fn widened(place: &Place, before: &Field, after: &Field, written: &Written<'_>) -> Change {
    let message = format!("`{}` of {} allows more than it did", written.attribute, place.what);
    let fails = place.flow.requests;
    Change::new(diagnostic::BOUNDS_WIDENED, message)
        .was(before.span, format!("{} here", written.old))
        .is(after.span, format!("{} here", written.new))
        .effects(Effects { old_reads_new: fails, flow: Flow::REQUESTS, ..Effects::default() })
        .why(if fails {
            "old servers refuse from new clients what is allowed to them only now"
        } else {
            CLIENTS_TAKE_ALL
        })
        .help("deploy the servers first, and clients that make use of it when no old server is left")
}

const CLIENTS_TAKE_ALL: &str =
    "only servers hold bounds, and this travels to clients alone, who take what they are given";
