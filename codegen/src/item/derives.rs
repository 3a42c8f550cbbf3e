//! The `#[derive]` of a type.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use zsvc_idl::schema::TypeId;

use super::default;
use crate::options::Derive;
use crate::site::Site;

/// The kind of a type, which decides what it derives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Derives {
    /// A number with a name: everything that numbers derive, without arithmetic.
    Number,
    /// A set of bits: as a number, and the empty set by default. It is shown by names.
    Bits,
    /// A value made of others: what all of them derive.
    Composite,
}

/// Returns the attribute of a type: its own derives, then the user's that are not among them.
pub(crate) fn derives(site: Site<'_>, id: TypeId, derives: Derives) -> TokenStream {
    let own: &[&str] = match derives {
        Derives::Number => &["Clone", "Copy", "Debug", "PartialEq", "Eq", "Hash", "PartialOrd", "Ord"],
        Derives::Bits => &["Clone", "Copy", "Default", "PartialEq", "Eq", "Hash", "PartialOrd", "Ord"],
        Derives::Composite if site.generation.reach.is_exact(id) => {
            &["Clone", "Debug", "PartialEq", "Eq", "Hash"]
        }
        Derives::Composite => &["Clone", "Debug", "PartialEq"],
    };
    let names = own.iter().map(|name| format_ident!("{name}"));
    let theirs = site.generation.choices.derives(id).iter();
    let has = |name: &str| own.contains(&name) || name == "Default" && default::is_written(site, id);
    let theirs = theirs.filter(|derive| !has(&derive.name)).map(Derive::path);
    quote!(#[derive(#(#names,)* #(#theirs),*)])
}
