//! `struct Trade { … }`

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Field, Layout, Struct, TypeId};

use super::default::default;
use super::derives::{Derives, derives};
use super::description::description;
use super::{fields, hidden, validate};
use crate::docs;
use crate::site::Site;

/// Returns the struct and its implementations.
pub(crate) fn structure(site: Site<'_>, id: TypeId, structure: &Struct) -> TokenStream {
    let (definition, fields) = (site.definition(id), &structure.fields[..]);
    let what = if structure.event.is_some() { "event" } else { "struct" };
    let attributes = docs::attributes(site, &definition.notes, &format!("The {what} `{}`.", definition.name));
    let derives = derives(site, id, Derives::Composite);
    let name = site.generation.names.definition(id);
    let members = fields::documented(site, fields, &quote!(pub));
    let path = site.path(id);
    let default = default(site, id, fields);
    let wire = wire(site, fields, &path);
    let serde = serde(site, id, &path);
    let detail = detail(site, id, &path);
    let validate = site.generation.reach.is_bounded(id).then(|| validate::structure(site, fields, &path));
    let hidden = hidden(&quote!(#wire #validate #serde #detail));
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

/// Returns `Encode` and `Decode` of a struct.
pub(crate) fn wire(site: Site<'_>, fields: &[Field], path: &TokenStream) -> TokenStream {
    let start = |layout: Layout, length: TokenStream| match layout {
        Layout::Array => quote!(out.fields(#length)),
        Layout::Map => quote!(out.numbered(#length)),
    };
    let encode = fields::write(site, fields, start, |name: &Ident| quote!(self.#name), &quote!(&));
    let encode = encode_by(&encode, path);
    let start = |layout: Layout, names: TokenStream| match layout {
        Layout::Array => quote!(wire::Fields::new(reader, #names)?),
        Layout::Map => quote!(wire::Fields::sparse(reader, #names)?),
    };
    let read = fields::read(site, fields, start, &quote!(Self));
    let decode = decode_by(&quote!(#read ::core::result::Result::Ok(value)), path);
    quote! {
        #encode
        #decode
    }
}

/// Returns `Encode` with this body.
pub(crate) fn encode_by(body: &TokenStream, path: &TokenStream) -> TokenStream {
    quote! {
        impl wire::Encode for #path {
            fn encode(&self, out: &mut wire::Writer) {
                #body
            }
        }
    }
}

/// Returns `Decode` with this body.
pub(crate) fn decode_by(body: &TokenStream, path: &TokenStream) -> TokenStream {
    quote! {
        impl wire::Decode for #path {
            fn decode(reader: &mut wire::Reader<'_>) -> wire::Decoded<Self> {
                #body
            }
        }
    }
}

/// Returns `Detail`, which names the type for statuses that carry values of it.
pub(crate) fn detail(site: Site<'_>, id: TypeId, path: &TokenStream) -> TokenStream {
    let full_name = site.prefix() + &site.definition(id).name;
    quote! {
        impl wire::Detail for #path {
            const NAME: &'static str = #full_name;
        }
    }
}

/// Returns `Serialize` and `Deserialize`. The wire needs neither.
pub(crate) fn serde(site: Site<'_>, id: TypeId, path: &TokenStream) -> TokenStream {
    let description = description(site, id);
    quote!(wire::implement_serde!(#path, #description);)
}
