//! Compares a schema with a newer one: what has changed, and which programs break.
//!
//! [`compare`] returns each [`Change`] with its place on both sides, its [`Kind`], the reason, and what to do instead.
//! The verdicts are those of the chapter on evolution in docs/language.md; `idl/tests/model` verifies them with values
//! that one side writes and the other reads.
//!
//! First, packages and types of the two schemas are matched (`pairs`), and it is found out where values of a type
//! travel (`flow`). Then each rule compares one pair of things: `packages`, `types`, `members`, `variants`, `services`,
//! `events`, `extends`, `access` (who may call), `throws`, `notes`. How one type reads values of another is in `relation` and
//! `related`.
//!
//! Whether a client and a server that are there understand each other is found in `client`, by the same rules.
//!
//! Not here: where the older files come from, which is up to the command, and how a diagnostic is rendered.

mod access;
mod bounds;
mod change;
mod client;
mod constants;
mod events;
mod extends;
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
mod throws;
mod types;
mod variants;

use std::cell::RefCell;

pub use change::{Change, Effects, Kind};
pub use client::{Incompatible, incompatible};
pub use flow::Flow;
pub use sources::Sources;

use crate::schema::Schema;
use flow::Flows;
use pairs::Pairs;
use related::Related;

/// Returns all changes from `old` to `new`, the worst first, those of a kind by their places.
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
    /// What types of different names read of each other, as far as known. See `related`.
    related: RefCell<Related>,
}
