//! What is emitted for each declared thing: one kind of item per file, each function a single `quote!` or nearly.
//!
//! Hidden items (parameters, fields of variants, tables) sit in a `const _: () = { … };` beside what they serve,
//! where their names meet nobody else's.
//!
//! Not here: the order of items ([`crate::module`]) and what things are called ([`crate::names`]).

mod alias;
mod argument;
mod call;
mod client;
mod constant;
mod default;
mod derives;
mod display;
mod enumeration;
mod fields;
mod method;
mod parameters;
mod server;
mod service;
mod structure;
mod union;
mod validate;

use proc_macro2::TokenStream;
use zsvc_idl::schema::{TypeId, TypeKind};

use crate::site::Site;

pub(crate) use constant::constant;
pub(crate) use service::service;

/// A named type and all that belongs to it; nothing for one that the user replaced.
pub(crate) fn definition(site: Site<'_>, id: TypeId) -> TokenStream {
    if site.generation.choices.replacement(id).is_some() {
        return TokenStream::new();
    }
    match &site.definition(id).kind {
        TypeKind::Alias(target) => alias::alias(site, id, target),
        TypeKind::Struct(structure) => structure::structure(site, id, &structure.fields),
        TypeKind::Enum(values) => enumeration::enumeration(site, id, values),
        TypeKind::Union(variants) => union::union(site, id, variants),
        TypeKind::Error(variants) => union::error(site, id, variants),
    }
}
