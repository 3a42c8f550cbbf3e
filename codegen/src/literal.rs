//! Values and ranges written in a schema, as Rust expressions.

use std::time::Duration;

use proc_macro2::{Literal as Token, TokenStream};
use quote::{format_ident, quote};
use zsvc_idl::schema::{Field, Literal, Range, Type, TypeId, TypeKind};

use crate::item::fields;
use crate::site::Site;

/// Returns a value without parts as a constant expression: a string stays a `&str`, bytes a `&[u8]`.
pub(crate) fn constant(site: Site<'_>, value: &Literal) -> TokenStream {
    match value {
        Literal::Bool(value) => quote!(#value),
        Literal::Integer(value) => signed(*value < 0, &integer(value.unsigned_abs())),
        Literal::Float(value) => signed(value.is_sign_negative(), &float(value.abs())),
        Literal::String(text) => quote!(#text),
        Literal::Duration(value) => duration(*value),
        Literal::EnumValue(id, index) => enum_value(site, *id, *index),
        Literal::Flags(id, bits) => {
            let path = site.path(*id);
            match *bits {
                0 => quote!(#path::empty()),
                bits => {
                    let bits = self::bits(bits);
                    quote!(#path::from_bits(#bits))
                }
            }
        }
        Literal::Bytes(bytes) => {
            let bytes = Token::byte_string(bytes);
            quote!(#bytes)
        }
        // Has parts, of whose types an expression is made: see `owned`.
        Literal::Empty | Literal::List(_) | Literal::Set(_) | Literal::Map(_) | Literal::Struct(..) => {
            quote!(::core::default::Default::default())
        }
    }
}

/// Returns a value of a type as an expression of an owned type.
pub(crate) fn owned(site: Site<'_>, ty: &Type, value: &Literal) -> TokenStream {
    match (site.resolved(ty), value) {
        (Type::Optional(inner), value) => {
            let value = owned(site, inner, value);
            quote!(::core::option::Option::Some(#value))
        }
        (Type::List(element), Literal::List(values)) | (Type::Set(element), Literal::Set(values)) => {
            let values = values.iter().map(|value| owned(site, element, value));
            quote!(::core::iter::IntoIterator::into_iter([#(#values),*]).collect())
        }
        (Type::Map(key_type, value_type), Literal::Map(entries)) => {
            let entries = entries.iter().map(|(key, value)| {
                let (key, value) = (owned(site, key_type, key), owned(site, value_type, value));
                quote!((#key, #value))
            });
            quote!(::core::iter::IntoIterator::into_iter([#(#entries),*]).collect())
        }
        (_, Literal::Struct(id, values)) => structure(site, *id, values),
        (_, Literal::String(text)) => quote!(::std::string::String::from(#text)),
        (_, Literal::Bytes(bytes)) => {
            let bytes = Token::byte_string(bytes);
            quote!(::zsvc::Bytes::from_static(#bytes))
        }
        _ => constant(site, value),
    }
}

/// Returns a struct whose values are given in the order of its fields.
fn structure(site: Site<'_>, id: TypeId, values: &[Option<Literal>]) -> TokenStream {
    let path = site.path(id);
    let TypeKind::Struct(structure) = &site.definition(id).kind else { return TokenStream::new() };
    let names = fields::idents(&structure.fields);
    let fields = structure.fields.iter().zip(names).zip(values).map(|((field, name), value)| {
        let value = match value {
            Some(value) => held(site, field, value),
            None if matches!(site.resolved(&field.ty), Type::Optional(_)) => {
                quote!(::core::option::Option::None)
            }
            None => quote!(::zsvc::Value::Nil),
        };
        quote!(#name: #value)
    });
    quote!(#path { #(#fields),* })
}

/// Returns the value of a field, in a box if the field has one.
pub(crate) fn held(site: Site<'_>, field: &Field, value: &Literal) -> TokenStream {
    match site.resolved(&field.ty) {
        Type::Optional(inner) if field.boxed => {
            let value = owned(site, inner, value);
            quote!(::core::option::Option::Some(::std::boxed::Box::new(#value)))
        }
        _ if field.boxed => {
            let value = owned(site, &field.ty, value);
            quote!(::std::boxed::Box::new(#value))
        }
        _ => owned(site, &field.ty, value),
    }
}

/// Returns a range of lengths or numbers, in Rust's notation.
pub(crate) fn range(site: Site<'_>, range: &Range) -> TokenStream {
    let min = range.min.as_ref().map(|min| constant(site, min));
    let max = range.max.as_ref().map(|max| constant(site, max));
    match max {
        None => quote!(#min..),
        Some(max) if range.max_exclusive => quote!(#min..#max),
        Some(max) => quote!(#min..=#max),
    }
}

/// Returns a duration in the largest unit of which it is a whole number; not in minutes or hours, whose constructors
/// need Rust 1.91 of the user. Longer ones than `u64::MAX` nanoseconds, which no schema holds, become that.
pub(crate) fn duration(value: Duration) -> TokenStream {
    const UNITS: [(u64, &str); 3] =
        [(1_000_000_000, "from_secs"), (1_000_000, "from_millis"), (1_000, "from_micros")];
    let nanoseconds = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().find(|(unit, _)| nanoseconds > 0 && nanoseconds.is_multiple_of(*unit));
    let (unit, name) = whole.copied().unwrap_or((1, "from_nanos"));
    let (name, count) = (format_ident!("{name}"), integer(nanoseconds / unit));
    quote!(::core::time::Duration::#name(#count))
}

/// Returns a float; one with many zeros has an exponent.
fn float(value: f64) -> Token {
    let plain = Token::f64_unsuffixed(value);
    let is_short = value == 0.0 || (1e-4..1e6).contains(&value);
    if is_short { plain } else { format!("{value:e}").parse().unwrap_or(plain) }
}

/// Returns a number, in groups of three digits if it is long, as clippy demands.
pub(crate) fn integer(value: impl Into<u128>) -> Token {
    let value = value.into();
    let digits = value.to_string();
    if digits.len() < 6 {
        return Token::u128_unsuffixed(value);
    }
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped.parse().unwrap_or_else(|_| Token::u128_unsuffixed(value))
}

/// Returns a number that may be negative, as an expression or a pattern.
pub(crate) fn number(value: i32) -> TokenStream {
    signed(value < 0, &integer(value.unsigned_abs()))
}

/// Returns bits as a number: in groups of four digits to the base of two if there are few, else to that of sixteen.
pub(crate) fn bits(bits: u64) -> Token {
    let text = if bits < 0x1_0000 { format!("{bits:#b}") } else { format!("{bits:#x}") };
    let (prefix, digits) = text.split_at(2);
    let mut grouped = prefix.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(4) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped.parse().unwrap_or_else(|_| Token::u64_unsuffixed(bits))
}

fn signed(negative: bool, magnitude: &Token) -> TokenStream {
    if negative { quote!(-#magnitude) } else { quote!(#magnitude) }
}

fn enum_value(site: Site<'_>, id: TypeId, index: usize) -> TokenStream {
    let path = site.path(id);
    let value = &site.generation.names.enumeration(id).values[index];
    quote!(#path::#value)
}
