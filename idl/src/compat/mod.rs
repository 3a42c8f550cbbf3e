//! What changes from one schema to a newer one, and who can't go on with it.
//!
//! [`compare`] tells each [`Change`] with its place on both sides, its [`Kind`], why, and what to do instead. The verdicts
//! are those of the chapter on evolution in docs/language.md; `idl/tests/model` proves them by values that are written by one
//! side and read by the other.
//!
//! First it is found out which package and type of the one schema is which of the other (`pairs`) and where values of a
//! type travel (`flow`). Then each rule looks at one pair of things: `packages`, `types`, `members`, `variants`,
//! `services`, `notes`. What one type reads of another is in `relation` and `related`.
//!
//! Not here: where the older files come from, which is the command's matter, and how a diagnostic looks.

mod bounds;
mod change;
mod constants;
mod fields;
mod flow;
mod members;
mod methods;
mod notes;
mod packages;
mod pairs;
mod related;
mod relation;
mod reserved;
mod services;
mod shown;
mod sources;
mod types;
mod variants;

use std::cell::RefCell;

pub use change::{Change, Effects, Kind};
pub use flow::Flow;
pub use sources::Sources;

use crate::schema::Schema;
use flow::Flows;
use pairs::Pairs;
use related::Related;

/// All changes from `old` to `new`, the worst first, those of a kind by their places.
#[must_use]
pub fn compare(old: &Schema, new: &Schema) -> Vec<Change> {
    let pairs = Pairs::of(old, new);
    let flows = Flows::of(old, new, &pairs);
    let comparison = Comparison { old, new, pairs, flows, related: RefCell::default() };
    let mut changes = comparison.packages();
    changes.sort_by_key(Change::order);
    changes
}

/// Two schemas, and what is known of both together.
struct Comparison<'a> {
    old: &'a Schema,
    new: &'a Schema,
    pairs: Pairs,
    flows: Flows,
    /// What types of different names read of each other, as far as it has been found out. See `related`.
    related: RefCell<Related>,
}
