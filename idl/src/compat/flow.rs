//! Finds where values of a type travel: in requests, to servers, or in replies, to clients.
//!
//! This decides which side reads what the other has written, and whether bounds matter, which only servers check. Only
//! what both schemas have counts: methods of the same name, and in them types at the same places.

use std::collections::{BTreeMap, BTreeSet};

use super::events::event_of;
use super::pairs::{
    Pairs, answer_uses, common_methods, definition_uses, ids, inner_uses, request_uses, services,
};
use super::related::max_pairs;
use crate::schema::{Method, Schema, Type, TypeId};

/// The directions in which values travel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// From clients to servers.
    pub requests: bool,
    /// From servers to clients.
    pub answers: bool,
}

impl Flow {
    /// To servers only.
    pub(super) const REQUESTS: Self = Self { requests: true, answers: false };
    /// To clients only.
    pub(super) const ANSWERS: Self = Self { requests: false, answers: true };
    /// In both directions; also used for what no method of both schemas reaches, since its later users are unknown.
    pub(super) const BOTH: Self = Self { requests: true, answers: true };
}

/// The flow of every type of the older schema.
#[derive(Debug)]
pub(super) struct Flows {
    types: BTreeMap<TypeId, Flow>,
}

/// A function that lists the types of two methods at the same places.
type Uses = for<'a> fn(&'a Method, &'a Method, &mut Vec<(&'a Type, &'a Type)>);

impl Flows {
    pub(super) fn of(old: &Schema, new: &Schema, pairs: &Pairs) -> Self {
        Self { types: travelling(old, new, pairs).unwrap_or_default() }
    }

    pub(super) fn of_type(&self, old: TypeId) -> Flow {
        self.types.get(&old).copied().unwrap_or(Flow::BOTH)
    }
}

/// Returns `None` if there are too many pairs to compare, see [`max_pairs`]: then all types count as travelling both
/// ways.
fn travelling(old: &Schema, new: &Schema, pairs: &Pairs) -> Option<BTreeMap<TypeId, Flow>> {
    let mut types: BTreeMap<TypeId, Flow> = BTreeMap::new();
    for id in reached(old, new, pairs, request_uses)? {
        types.entry(id).or_default().requests = true;
    }
    for id in reached(old, new, pairs, answers)? {
        types.entry(id).or_default().answers = true;
    }
    for id in published(old, new, pairs)? {
        types.entry(id).or_default().answers = true;
    }
    for id in thrown(old, new, pairs)? {
        types.entry(id).or_default().answers = true;
    }
    Some(types)
}

fn answers<'a>(old: &'a Method, new: &'a Method, uses: &mut Vec<(&'a Type, &'a Type)>) {
    answer_uses(old, new, uses);
}

/// Returns the older types that such uses lead to.
fn reached(old: &Schema, new: &Schema, pairs: &Pairs, of_method: Uses) -> Option<BTreeSet<TypeId>> {
    let mut uses = Vec::new();
    for (before, after) in services(old, new, pairs) {
        for (before, after) in common_methods(before, after) {
            of_method(before, after, &mut uses);
        }
    }
    walk(old, new, uses, pairs)
}

/// Returns the older types that events lead to.
fn published(old: &Schema, new: &Schema, pairs: &Pairs) -> Option<BTreeSet<TypeId>> {
    let mut found = BTreeSet::new();
    let mut uses = Vec::new();
    for (id, before) in ids(old) {
        let Some(after) = pairs.ty(id).map(|id| new.definition(id)) else { continue };
        if event_of(before).is_some() && event_of(after).is_some() {
            found.insert(id);
            definition_uses(before, after, &mut uses);
        }
    }
    found.extend(walk(old, new, uses, pairs)?);
    Some(found)
}

/// Returns the older types that `throws` leads to.
fn thrown(old: &Schema, new: &Schema, pairs: &Pairs) -> Option<BTreeSet<TypeId>> {
    let mut found = BTreeSet::new();
    let mut uses = Vec::new();
    for (before, after) in services(old, new, pairs) {
        for (before, after) in common_methods(before, after) {
            for (before, after) in before.throws.iter().zip(&after.throws) {
                found.insert(before.error);
                definition_uses(old.definition(before.error), new.definition(after.error), &mut uses);
            }
        }
    }
    found.extend(walk(old, new, uses, pairs)?);
    Some(found)
}

fn walk<'a>(
    old: &'a Schema,
    new: &'a Schema,
    mut uses: Vec<(&'a Type, &'a Type)>,
    pairs: &Pairs,
) -> Option<BTreeSet<TypeId>> {
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some((before, after)) = uses.pop() {
        if let (Type::Named(before), Type::Named(after)) = (before, after) {
            if !seen.insert((*before, *after)) {
                continue;
            }
            if seen.len() > max_pairs(old, new) {
                return None;
            }
            if pairs.are_one(*before, *after) {
                found.insert(*before);
            }
            definition_uses(old.definition(*before), new.definition(*after), &mut uses);
        }
        let (resolved_before, resolved_after) = (old.resolved(before), new.resolved(after));
        if (resolved_before, resolved_after) == (before, after) {
            inner_uses(before, after, &mut uses);
        } else {
            uses.push((resolved_before, resolved_after));
        }
    }
    Some(found)
}
