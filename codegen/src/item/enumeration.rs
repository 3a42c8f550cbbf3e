//! `enum Side { … }`

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{EnumValue, TypeId};

use super::derives::{Derives, derives};
use super::description::description;
use super::display;
use crate::names::EnumNames;
use crate::site::Site;
use crate::{docs, literal};

/// Returns the enum, its numbers and its names. It is encoded as its number.
pub(crate) fn enumeration(site: Site<'_>, id: TypeId, values: &[EnumValue]) -> TokenStream {
    let names = site.generation.names.enumeration(id);
    let declaration = declaration(site, id, values, names);
    let numbers = numbers(site, id, values, names);
    let (path, EnumNames { number, from_number, .. }) = (site.path(id), names);
    let description = description(site, id);
    let display = display::enumeration(&path, values, &names.values, &names.unknown);
    quote! {
        #declaration
        #numbers
        #display
        ::zsvc::generated::implement_enum!(#path, #number, #from_number, #description);
    }
}

fn declaration(site: Site<'_>, id: TypeId, values: &[EnumValue], names: &EnumNames) -> TokenStream {
    let definition = site.definition(id);
    let attributes = docs::attributes(site, &definition.notes, &format!("The enum `{}`.", definition.name));
    let derives = derives(site, id, Derives::Number);
    let name = site.generation.names.definition(id);
    let documented = values.iter().zip(&names.values).map(|(value, name)| {
        let attributes =
            docs::attributes(site, &value.notes, &format!("Value {}, `{}`.", value.number, value.name));
        quote!(#attributes #name)
    });
    let unknown = &names.unknown;
    quote! {
        #attributes
        #derives
        pub enum #name {
            #(#documented,)*
            /// A value of a newer schema: its number.
            #unknown(i32),
        }
    }
}

fn numbers(site: Site<'_>, id: TypeId, values: &[EnumValue], names: &EnumNames) -> TokenStream {
    let path = site.path(id);
    let numbers: Vec<TokenStream> = values.iter().map(|value| literal::number(value.number)).collect();
    let EnumNames { values, unknown, number, from_number } = names;
    quote! {
        impl #path {
            /// Returns the number on the wire.
            #[must_use]
            pub const fn #number(self) -> i32 {
                match self {
                    #(Self::#values => #numbers,)*
                    Self::#unknown(number) => number,
                }
            }
            /// Returns the value of a number on the wire.
            #[must_use]
            pub const fn #from_number(number: i32) -> Self {
                match number {
                    #(#numbers => Self::#values,)*
                    number => Self::#unknown(number),
                }
            }
        }
    }
}
