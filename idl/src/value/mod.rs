//! Evaluates values for the types that they are given for: literals, bounds, messages.
//!
//! [`crate::check`] passes the report that users see; [`crate::lower`] passes one that is dropped, since by then
//! everything is known to be valid.

mod access;
mod bounds;
mod event;
mod literal;
mod message;
mod overlap;
mod shard;
mod structured;

pub(crate) use access::{MAX_ROLE_BYTES, MAX_ROLES, access, is_role};
pub(crate) use bounds::{Bounded, allows, bounds};
pub(crate) use event::{MAX_HISTORY, slow, slow_named, slow_words};
pub(crate) use literal::{as_held, enum_values, integer_limits, is_negative};
pub(crate) use message::message;
pub(crate) use overlap::{overlap, overlap_named, overlap_words};
pub(crate) use shard::{shard, shard_name};
pub(crate) use structured::literal;

use crate::ast::{Attribute, Preamble};
use crate::resolve::Model;
use crate::schema::Type;

impl Preamble {
    /// Returns the attribute of a name, the first if there are several, which is an error of its own.
    pub(crate) fn find(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.text == name)
    }
}

/// Returns a type as it is written in a file.
pub(crate) fn describe(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Builtin(builtin) => builtin.keyword().to_owned(),
        Type::List(element) => format!("list<{}>", describe(model, element)),
        Type::Set(element) => format!("set<{}>", describe(model, element)),
        Type::Map(key, value) => format!("map<{}, {}>", describe(model, key), describe(model, value)),
        Type::Optional(inner) => format!("{}?", describe(model, inner)),
        Type::Named(id) => model.declared(*id).item.full_name.clone(),
    }
}
