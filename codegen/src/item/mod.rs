//! The items that are emitted for declarations: one kind per file, each function a single `quote!` or nearly.
//!
//! Implementations that encode and decode a type are in a `const _: () = { … };` below it. What belongs to the methods of
//! a service is in a module of its own, where their names collide with no other.
//!
//! Not here: the order of items ([`crate::module`]) and what things are called ([`crate::names`]).

mod alias;
mod argument;
mod call;
mod client;
mod constant;
mod default;
mod derives;
mod description;
mod display;
mod enumeration;
mod event;
pub(crate) mod fields;
mod flags;
mod form;
mod handler;
mod method;
mod methods;
mod mock;
mod parameters;
mod server;
mod service;
mod structure;
mod thrown;
mod union;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{TypeId, TypeKind};

use crate::site::Site;

pub(crate) use constant::constant;
pub(crate) use form::form;
pub(crate) use service::service;

/// Returns an anonymous scope. In there and in modules of methods, `wire` is the runtime's support for generated code.
fn hidden(items: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            use ::zsvc::generated as wire;
            #items
        };
    }
}

/// Returns a named type and everything that belongs to it.
pub(crate) fn definition(site: Site<'_>, id: TypeId) -> TokenStream {
    match &site.definition(id).kind {
        TypeKind::Alias(target) => alias::alias(site, id, target),
        TypeKind::Struct(structure) => {
            let (fields, event) =
                (structure::structure(site, id, structure), event::event(site, id, structure));
            quote!(#fields #event)
        }
        TypeKind::Enum(values) => enumeration::enumeration(site, id, values),
        TypeKind::Flags(flags) => flags::flags(site, id, flags),
        TypeKind::Union(variants) => union::union(site, id, variants),
        TypeKind::Error(variants) => union::error(site, id, variants),
    }
}
