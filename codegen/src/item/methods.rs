//! `mod tape_methods`: the table of a service's methods, and a type for each that describes how it is called and answered.
//!
//! The module is a namespace of its own, so that types named after methods do not collide with types of the package.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use zsvc_idl::schema::{MethodKind, Service};

use super::method::{self, Named};
use super::parameters::parameters;
use crate::docs;
use crate::form::Form;
use crate::names::ServiceNames;
use crate::site::Site;

/// Returns the module; nothing for a service without methods.
pub(crate) fn methods(
    site: Site<'_>,
    names: &ServiceNames,
    service: &Service,
    methods: &[Named<'_>],
) -> TokenStream {
    if methods.is_empty() {
        return TokenStream::new();
    }
    let docs = docs::doc(&format!("The methods of `{}`: their table, and how each is called.", service.name));
    let name = &names.methods;
    let site = site.inside();
    let table = method::table(site, service);
    let rows = methods.iter().enumerate().map(|(index, named)| {
        let (row, index) = (&named.row, Literal::usize_unsuffixed(index));
        quote!(pub(super) const #row: usize = #index;)
    });
    let markers = methods.iter().map(|named| marker(site, named));
    quote! {
        #docs
        mod #name {
            use ::zsvc::generated as wire;
            #table
            #(#rows)*
            #(#markers)*
        }
    }
}

/// Returns the type of a method, and the struct of its parameters unless an earlier method has the same.
fn marker(site: Site<'_>, named: &Named<'_>) -> TokenStream {
    let Named { marker, row, parameters: params, .. } = named;
    let (kind, types) = types(site, named);
    let parameters = named.declares_parameters.then(|| parameters(site, named));
    quote! {
        pub(super) enum #marker {}
        impl wire::#kind for #marker {
            const METHOD: &'static ::zsvc::Method = &METHODS[#row];
            type Params = #params;
            #types
        }
        #parameters
    }
}

/// Returns the runtime's trait for the kind of a method, and the associated types for items, answers and errors.
fn types(site: Site<'_>, named: &Named<'_>) -> (TokenStream, TokenStream) {
    let (kind, item, answer) = match &named.method.kind {
        MethodKind::Unary(answer) => (quote!(UnaryMethod), None, Some(answer.as_ref())),
        MethodKind::ServerStream(answer) => (quote!(ServerStreamMethod), None, Some(Some(answer))),
        MethodKind::ClientStream(items, answer) => {
            (quote!(ClientStreamMethod), Some(&items.item), Some(answer.as_ref()))
        }
        MethodKind::Bidirectional(items, answer) => {
            (quote!(BidirectionalMethod), Some(&items.item), Some(Some(answer)))
        }
        MethodKind::OneWay => (quote!(OneWayMethod), None, None),
    };
    let item = item.map(|item| {
        let (form, item) = (Form::of(site, item), site.ty(item));
        quote!(type Item = #item; type ItemForm = #form;)
    });
    let answer = answer.map(|answer| {
        let (form, answer) = (Form::of_answer(site, answer), method::answer(site, answer));
        let failure = method::failure(site, named);
        quote!(type Answer = #answer; type AnswerForm = #form; type Error = #failure;)
    });
    (kind, quote!(#item #answer))
}
