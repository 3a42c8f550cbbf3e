//! Finds how different declared types read each other's values, however deep they nest and whether or not they are
//! recursive.
//!
//! A pair of types is compared by itself: for the pairs nested in it, what is known so far is used, initially that they
//! are alike. The pairs that it leads to are collected in a list, and a result is passed on to the pairs that hold it
//! until nothing changes. A pair can only get worse, at most twice, so that terminates; and since nested pairs come
//! first, most pairs are compared once or twice. Nothing here recurses from one declared type into another.
//!
//! The relation of single types is in [`super::relation`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::BitOr;

use super::relation::Relation;
use super::{Comparison, Flow};
use crate::diagnostic::{self, Code};
use crate::schema::{Schema, TypeId};

/// Two types, and whether servers read their values.
type Key = (TypeId, TypeId, bool);

/// What is known about pairs of types.
#[derive(Debug, Default)]
pub(super) struct Related {
    known: BTreeMap<Key, Relation>,
    /// The pairs that the current pair holds, while it is being compared.
    held: Option<Vec<Key>>,
}

impl Related {
    /// Records that the current pair holds this one, and reports whether there is a current pair.
    fn hold(&mut self, key: Key) -> bool {
        self.held.as_mut().map(|held| held.push(key)).is_some()
    }
}

/// A step of the walk through all pairs below one.
enum Step {
    Enter(Key),
    /// All nested pairs have been entered.
    Leave(Key),
}

/// Pairs in the order in which they are settled: nested ones first, except in recursive ones.
#[derive(Default)]
struct Order {
    ranks: BTreeMap<Key, usize>,
    holders: BTreeMap<Key, Vec<Key>>,
}

/// Maximum number of pairs compared for each type of the schemas. If one type replaces another this is one; it is many
/// if types hold each other in cycles of different lengths. Pairs past the limit count as types that have nothing in
/// common.
const MAX_PAIRS_PER_TYPE: usize = 16;

/// Changes of a member that only one side has.
const CAME_OR_WENT: [Code; 8] = [
    diagnostic::FIELD_ADDED,
    diagnostic::MANDATORY_FIELD_ADDED,
    diagnostic::FIELD_REMOVED,
    diagnostic::FIELD_FREED,
    diagnostic::MANDATORY_FIELD_REMOVED,
    diagnostic::VALUE_ADDED,
    diagnostic::VALUE_REMOVED,
    diagnostic::VALUE_FREED,
];

/// Minimum for the limit on compared pairs.
const MIN_PAIR_LIMIT: usize = 1_000;

/// Returns the maximum number of pairs compared for two schemas.
pub(super) fn max_pairs(old: &Schema, new: &Schema) -> usize {
    MIN_PAIR_LIMIT.max(MAX_PAIRS_PER_TYPE.saturating_mul(old.types.len() + new.types.len()))
}

impl Comparison<'_> {
    /// Returns the relation of two types, neither of which is an alias.
    pub(super) fn relate_named(&self, old: TypeId, new: TypeId, flow: Flow) -> Relation {
        if self.pairs.are_one(old, new) {
            return Relation::default();
        }
        let key = (old, new, flow.requests);
        if self.related.borrow_mut().hold(key) {
            return self.known(key).unwrap_or(Relation::RUST_ONLY);
        }
        if self.known(key).is_none() {
            let order = self.gather(key);
            self.settle(&order);
        }
        self.known(key).unwrap_or(Relation::INCOMPATIBLE)
    }

    fn known(&self, key: Key) -> Option<Relation> {
        self.related.borrow().known.get(&key).copied()
    }

    /// Compares a pair and all below it, once.
    fn gather(&self, first: Key) -> Order {
        let limit = max_pairs(self.old, self.new);
        let mut order = Order::default();
        let mut steps = vec![Step::Enter(first)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Leave(key) => order.left(key),
                Step::Enter(key) if self.known(key).is_some() => {}
                Step::Enter(key) if self.related.borrow().known.len() >= limit => {
                    self.related.borrow_mut().known.insert(key, Relation::INCOMPATIBLE);
                    order.left(key);
                }
                Step::Enter(key) => {
                    let (relation, held) = self.compare_pair(key);
                    self.related.borrow_mut().known.insert(key, relation);
                    steps.push(Step::Leave(key));
                    steps.extend(held.iter().copied().map(Step::Enter));
                    order.holds(key, held);
                }
            }
        }
        order
    }

    /// Passes results on to the pairs that hold them.
    fn settle(&self, order: &Order) {
        let failing = order.ranks.keys().filter(|key| self.known(**key).is_some_and(Relation::fails));
        let mut open: BTreeSet<(usize, Key)> = failing.flat_map(|key| order.holders(*key)).collect();
        while let Some((_, key)) = open.pop_first() {
            let before = self.known(key).unwrap_or_default();
            let after = before | self.compare_pair(key).0;
            if before != after {
                self.related.borrow_mut().known.insert(key, after);
                open.extend(order.holders(key));
            }
        }
    }

    /// Returns the relation of two types by what is known of the pairs nested in them, and these pairs.
    fn compare_pair(&self, (old, new, requests): Key) -> (Relation, BTreeSet<Key>) {
        self.related.borrow_mut().held = Some(Vec::new());
        let mut changes = Vec::new();
        self.definitions(old, new, Flow { requests, answers: true }, &mut changes);
        let held = self.related.borrow_mut().held.take().unwrap_or_default();
        let relations = changes.iter().map(|change| Relation {
            old_fails: change.effects.old_reads_new,
            new_fails: change.effects.new_reads_old,
            has_more: CAME_OR_WENT.contains(&change.code),
            ..Relation::default()
        });
        (relations.fold(Relation::RUST_ONLY, Relation::bitor), held.into_iter().collect())
    }
}

impl Order {
    fn holds(&mut self, key: Key, held: BTreeSet<Key>) {
        for below in held {
            self.holders.entry(below).or_default().push(key);
        }
    }

    fn left(&mut self, key: Key) {
        let rank = self.ranks.len();
        self.ranks.insert(key, rank);
    }

    fn holders(&self, key: Key) -> impl Iterator<Item = (usize, Key)> {
        let holders = self.holders.get(&key).into_iter().flatten();
        holders.filter_map(|holder| Some((*self.ranks.get(holder)?, *holder)))
    }
}
