//! `Default` for structs without required fields.
//!
//! **`Default` is the value that an empty struct on the wire decodes to**: `None` for an optional field, the `@default` of a
//! field that has one, nil for a `value`. A struct with any other field has no `Default`: an empty string or list is a
//! value, not the lack of one.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Field, TypeId, TypeKind};

use super::fields::{self, Presence};
use crate::site::Site;

/// Returns the implementation, if there is one.
pub(crate) fn default(site: Site<'_>, id: TypeId, fields: &[Field]) -> TokenStream {
    let path = site.path(id);
    let values: Option<Vec<TokenStream>> =
        fields.iter().zip(fields::idents(fields)).map(|(field, name)| value(site, field, &name)).collect();
    values.map_or_else(TokenStream::new, |values| {
        quote! {
            impl ::core::default::Default for #path {
                fn default() -> Self {
                    Self { #(#values),* }
                }
            }
        }
    })
}

/// Reports whether a type has an implementation.
pub(crate) fn is_written(site: Site<'_>, id: TypeId) -> bool {
    let TypeKind::Struct(structure) = &site.definition(id).kind else { return false };
    structure.fields.iter().all(|field| !matches!(fields::presence(site, field), Presence::Required))
}

fn value(site: Site<'_>, field: &Field, name: &Ident) -> Option<TokenStream> {
    match fields::presence(site, field) {
        Presence::Required => None,
        Presence::Optional => Some(quote!(#name: ::core::option::Option::None)),
        Presence::OrElse(value) => Some(quote!(#name: #value)),
    }
}
