//! The parameters of a method: on the wire, a struct whose fields are numbered by position.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::method::Named;
use super::{method, structure, validate};
use crate::site::Site;

/// Returns the struct of a method's parameters and its implementations.
pub(crate) fn parameters(site: Site<'_>, named: &Named<'_>) -> TokenStream {
    let fields = &named.method.parameters;
    let name = &named.parameters;
    let path = name.to_token_stream();
    let members = method::members(named.method);
    let types = fields.iter().map(|field| site.held(field.into()));
    let wire = structure::wire(site, fields, &path);
    let validate = validate::structure(site, fields, &path);
    quote! {
        pub(super) struct #name {
            #(pub(super) #members: #types,)*
        }
        #wire
        #validate
    }
}
