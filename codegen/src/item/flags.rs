//! `flags Access { … }`

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{Flag, TypeId};

use super::derives::{Derives, derives};
use super::description::description;
use crate::site::Site;
use crate::{docs, literal};

/// Returns the struct of the bits, with a constant for each flag. What every set of flags can do is a macro of the runtime.
pub(crate) fn flags(site: Site<'_>, id: TypeId, flags: &[Flag]) -> TokenStream {
    let definition = site.definition(id);
    let attributes = docs::attributes(site, &definition.notes, &format!("The flags `{}`.", definition.name));
    let derives = derives(site, id, Derives::Bits);
    let (name, path) = (site.generation.names.definition(id), site.path(id));
    let constants = constants(site, id, flags);
    let table = flags.iter().map(|flag| {
        let (name, number) = (&flag.name, literal::integer(flag.number));
        quote!((#name, #number))
    });
    let (shown, description) = (name.to_string(), description(site, id));
    let shown = shown.trim_start_matches("r#");
    quote! {
        #attributes
        #derives
        pub struct #name {
            /// The flags that are set, by their numbers.
            bits: u64,
        }
        #constants
        ::zsvc::generated::implement_flags!(#path, #shown, [#(#table),*], #description);
    }
}

fn constants(site: Site<'_>, id: TypeId, flags: &[Flag]) -> TokenStream {
    if flags.is_empty() {
        return TokenStream::new();
    }
    let (path, names) = (site.path(id), &site.generation.names.enumeration(id).values);
    let constants = flags.iter().zip(names).map(|(flag, name)| {
        let attributes =
            docs::attributes(site, &flag.notes, &format!("Flag {}, `{}`.", flag.number, flag.name));
        let bit = literal::bits(flag.bit());
        quote!(#attributes pub const #name: Self = Self { bits: #bit };)
    });
    quote!(impl #path { #(#constants)* })
}
