//! `Validate`: checks received values against the bounds of the schema.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Field, Payload, Variant};

use super::{fields, union};
use crate::form::Form;
use crate::literal;
use crate::site::{self, Held, Site};

/// Returns the implementation for a struct.
pub(crate) fn structure(site: Site<'_>, fields: &[Field], path: &TokenStream) -> TokenStream {
    let checks = fields
        .iter()
        .zip(fields::idents(fields))
        .filter_map(|(field, name)| check(site, field, &quote!(&self.#name)));
    let checks: Vec<TokenStream> = checks.collect();
    if checks.is_empty() {
        return quote!(impl wire::Validate for #path {});
    }
    implementation(path, &quote!(#(#checks)* ::core::result::Result::Ok(())))
}

/// Returns the implementation for a union.
pub(crate) fn union(
    site: Site<'_>,
    variants: &[Variant],
    names: &union::Names,
    path: &TokenStream,
) -> TokenStream {
    let arms = variants.iter().zip(&names.variants).filter_map(|(variant, name)| arm(site, variant, name));
    let body = quote! {
        match self {
            #(#arms)*
            _ => ::core::result::Result::Ok(()),
        }
    };
    implementation(path, &body)
}

fn implementation(path: &TokenStream, body: &TokenStream) -> TokenStream {
    quote! {
        impl wire::Validate for #path {
            fn validate(&self) -> ::core::result::Result<(), wire::Violation> {
                #body
            }
        }
    }
}

/// Returns the check of a variant, if anything in it can violate a bound. A variant adds no step to the path in messages,
/// as in errors of reading: a union's value has the path of the union.
fn arm(site: Site<'_>, variant: &Variant, name: &Ident) -> Option<TokenStream> {
    match &variant.payload {
        Payload::Nothing => None,
        Payload::Type { ty, boxed } => {
            let form = Form::of_held(site, Held { ty, boxed: *boxed });
            form.is_bounded()
                .then(|| quote!(Self::#name(value) => <#form as wire::Form<_>>::validate(value),))
        }
        Payload::Fields(fields) => fields_arm(site, fields, name),
    }
}

fn fields_arm(site: Site<'_>, fields: &[Field], name: &Ident) -> Option<TokenStream> {
    let members = fields::idents(fields);
    let variables = site.names().bindings.clone().declare(fields.iter().map(|field| field.name.as_str()));
    let (pattern, checks): (Vec<_>, Vec<_>) = fields
        .iter()
        .zip(members.iter().zip(&variables))
        .filter_map(|(field, (member, variable))| {
            let check = check(site, field, &quote!(#variable))?;
            Some((site::bound(member, variable), check))
        })
        .unzip();
    (!checks.is_empty()).then(|| {
        quote! {
            Self::#name { #(#pattern,)* .. } => {
                #(#checks)*
                ::core::result::Result::Ok(())
            }
        }
    })
}

/// Returns the check of one field, given as a reference, if it can violate a bound.
fn check(site: Site<'_>, field: &Field, value: &TokenStream) -> Option<TokenStream> {
    let optional = site.optional(&field.ty).is_some();
    let held = if optional { quote!(value) } else { value.clone() };
    let checks = checks(site, field, &held);
    match (checks.is_empty(), optional) {
        (true, _) => None,
        (false, true) => Some(quote! {
            if let ::core::option::Option::Some(value) = #value {
                #(#checks)*
            }
        }),
        (false, false) => Some(quote!(#(#checks)*)),
    }
}

/// Returns the checks of a value. Those of a type of the user's, whose length and order are unknown, look at what it is
/// written as.
fn checks(site: Site<'_>, field: &Field, value: &TokenStream) -> Vec<TokenStream> {
    let name = &field.name;
    let form = Form::of_present(site, field.into());
    let inside = form.is_bounded().then(|| quote!(wire::check_inside::<#form, _>(#name, #value)?;));
    let ty = site.optional(&field.ty).unwrap_or(&field.ty);
    let is_bounded = field.len.is_some() || field.range.is_some();
    let declared = (is_bounded && site.is_replaced(ty)).then(|| {
        let declared = site.declared(ty);
        let (written, rust) = (Form::of(site, declared), site.ty(declared));
        quote!(&wire::declared::<#form, _, #written, #rust>(#name, #value)?)
    });
    let value = declared.as_ref().unwrap_or(value);
    let len = field.len.as_ref().map(|range| {
        let range = literal::range(site, range);
        quote!(wire::check_len(#name, #value, #range)?;)
    });
    let range = field.range.as_ref().map(|range| {
        let range = literal::range(site, range);
        quote!(wire::check_range(#name, #value, #range)?;)
    });
    len.into_iter().chain(range).chain(inside).collect()
}
