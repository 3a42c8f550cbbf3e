//! What is emitted for each declared thing: one kind of item per file, each function a single `quote!` or nearly.
//!
//! What is on the wire, and hidden items (parameters, fields of variants, tables), sit in a `const _: () = { … };`
//! beside what they serve, where their names meet nobody else's.
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
mod handler;
mod method;
mod mock;
mod parameters;
mod server;
mod service;
mod structure;
mod union;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{TypeId, TypeKind};

use crate::site::Site;

pub(crate) use constant::constant;
pub(crate) use service::service;

/// Items that nobody is to name. In here, and nowhere else, the runtime's support for generated code is `wire`.
fn hidden(items: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            use ::zsvc::generated as wire;
            #items
        };
    }
}

/// A named type and all that belongs to it.
pub(crate) fn definition(site: Site<'_>, id: TypeId) -> TokenStream {
    match &site.definition(id).kind {
        TypeKind::Alias(target) => alias::alias(site, id, target),
        TypeKind::Struct(structure) => structure::structure(site, id, &structure.fields),
        TypeKind::Enum(values) => enumeration::enumeration(site, id, values),
        TypeKind::Union(variants) => union::union(site, id, variants),
        TypeKind::Error(variants) => union::error(site, id, variants),
    }
}
