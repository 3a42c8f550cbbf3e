//! Values and ranges written in a schema, as Rust expressions.

use std::time::Duration;

use proc_macro2::{Literal as Token, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Literal, Range, TypeId};

use crate::site::Site;

/// A value as a constant expression: a string stays a `&str`.
pub(crate) fn constant(site: Site<'_>, value: &Literal) -> TokenStream {
    match value {
        Literal::Bool(value) => quote!(#value),
        Literal::Integer(value) => {
            let magnitude = Token::u128_unsuffixed(value.unsigned_abs());
            signed(*value < 0, &magnitude)
        }
        Literal::Float(value) => signed(value.is_sign_negative(), &Token::f64_unsuffixed(value.abs())),
        Literal::String(text) => quote!(#text),
        Literal::Duration(value) => duration(*value),
        Literal::EnumValue(id, index) => enum_value(site, *id, *index),
        Literal::Empty => quote!(::core::default::Default::default()),
    }
}

/// A value as one that a field can own.
pub(crate) fn owned(site: Site<'_>, value: &Literal) -> TokenStream {
    match value {
        Literal::String(text) => quote!(::std::string::String::from(#text)),
        _ => constant(site, value),
    }
}

/// A range of lengths or numbers, in Rust's notation.
pub(crate) fn range(site: Site<'_>, range: &Range) -> TokenStream {
    let min = range.min.as_ref().map(|min| constant(site, min));
    let max = range.max.as_ref().map(|max| constant(site, max));
    match max {
        None => quote!(#min..),
        Some(max) if range.max_exclusive => quote!(#min..#max),
        Some(max) => quote!(#min..=#max),
    }
}

/// At most `u64::MAX` nanoseconds; a longer one, which no schema holds, becomes that.
pub(crate) fn duration(value: Duration) -> TokenStream {
    let nanoseconds = Token::u64_unsuffixed(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
    quote!(::core::time::Duration::from_nanos(#nanoseconds))
}

fn signed(negative: bool, magnitude: &Token) -> TokenStream {
    if negative { quote!(-#magnitude) } else { quote!(#magnitude) }
}

fn enum_value(site: Site<'_>, id: TypeId, index: usize) -> TokenStream {
    let path = site.path(id);
    let value = &site.generation.names.enumeration(id).values[index];
    quote!(#path::#value)
}
