//! `struct Trade { … }`

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Field, TypeId};

use super::default::default;
use super::derives::{Derives, derives};
use super::{fields, hidden, validate};
use crate::docs;
use crate::site::Site;

/// The struct, and how it is written, read and checked.
pub(crate) fn structure(site: Site<'_>, id: TypeId, fields: &[Field]) -> TokenStream {
    let definition = site.definition(id);
    let attributes = docs::attributes(&definition.notes, &format!("The struct `{}`.", definition.name));
    let derives = derives(site, id, Derives::Composite);
    let name = site.generation.names.definition(id);
    let members = fields::documented(site, fields, &quote!(pub));
    let path = site.path(id);
    let default = default(site, id, fields);
    let wire = wire(site, fields, &path);
    let validate = site.generation.reach.is_bounded(id).then(|| validate::structure(site, fields, &path));
    let hidden = hidden(&quote!(#wire #validate));
    quote! {
        #attributes
        #derives
        pub struct #name {
            #(#members,)*
        }
        #default
        #hidden
    }
}

/// `Serialize` and `Deserialize` of a struct by that path.
pub(crate) fn wire(site: Site<'_>, fields: &[Field], path: &TokenStream) -> TokenStream {
    let serialize = serialize(&fields::write(site, fields, |name: &Ident| quote!(&self.#name)), path);
    let read = fields::read(site, fields, path, &quote!(Self), &quote!(Self));
    quote! {
        #serialize
        impl<'de> wire::serde::Deserialize<'de> for #path {
            fn deserialize<D: wire::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                wire::read_struct::<Self, D>(deserializer)
            }
        }
        #read
    }
}

/// `Serialize` with this body.
pub(crate) fn serialize(body: &TokenStream, path: &TokenStream) -> TokenStream {
    quote! {
        impl wire::serde::Serialize for #path {
            fn serialize<S: wire::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                #body
            }
        }
    }
}
