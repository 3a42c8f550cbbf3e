//! Numbered fields: those of structs, of variants and of methods, as parameters.

use proc_macro2::{Ident, Literal as Token, TokenStream};
use quote::{ToTokens, quote};
use zsvc_idl::schema::{Builtin, Field, Layout, Literal, Type};

use crate::form::Form;
use crate::site::Site;
use crate::{docs, literal, names};

/// The meaning of an absent field.
pub(crate) enum Presence {
    /// An error.
    Required,
    /// `None`.
    Optional,
    /// This value.
    OrElse(TokenStream),
}

/// Returns the meaning of an absent field.
pub(crate) fn presence(site: Site<'_>, field: &Field) -> Presence {
    match (site.resolved(&field.ty), &field.default) {
        (_, Some(value)) => Presence::OrElse(literal::held(site, field, value)),
        (Type::Optional(_), None) => Presence::Optional,
        (Type::Builtin(Builtin::Value), None) => Presence::OrElse(quote!(::zsvc::Value::Nil)),
        _ => Presence::Required,
    }
}

/// Returns the identifiers of fields.
pub(crate) fn idents(fields: &[Field]) -> Vec<Ident> {
    names::distinct(fields.iter().map(|field| field.name.as_str()))
}

/// Returns a declaration for each field, with its docs. Fields of a struct need a visibility, those of a variant have none.
pub(crate) fn documented(site: Site<'_>, fields: &[Field], visibility: &TokenStream) -> Vec<TokenStream> {
    let declared = fields.iter().zip(idents(fields)).map(|(field, name)| {
        let attributes =
            docs::attributes(site, &field.notes, &format!("Field {}, `{}`.", field.number, field.name));
        let ty = site.held(field.into());
        quote!(#attributes #visibility #name: #ty)
    });
    declared.collect()
}

/// Returns statements that write these fields. `start` begins an array of a length, or a map of this many entries; `value` returns
/// the place of a field, and `borrow` makes it a reference.
pub(crate) fn write(
    site: Site<'_>,
    fields: &[Field],
    start: impl Fn(Layout, TokenStream) -> TokenStream,
    value: impl FnMut(&Ident) -> TokenStream,
    borrow: &TokenStream,
) -> TokenStream {
    let names = idents(fields);
    let values: Vec<TokenStream> = names.iter().map(value).collect();
    let layout = Layout::of(fields);
    let start = match layout {
        Layout::Array => start(layout, length(site, fields, &values)),
        Layout::Map => start(layout, count(site, fields, &values)),
    };
    if fields.is_empty() {
        return quote!(#start.end(););
    }
    let writes = fields.iter().zip(&values).map(|(field, value)| {
        let (number, form) = (Token::u16_unsuffixed(field.number), Form::of_held(site, field.into()));
        if layout == Layout::Map && is_optional(site, field) {
            return quote!(fields.write_if::<#form, _>(#number, #value.is_some(), #borrow #value););
        }
        quote!(fields.write::<#form, _>(#number, #borrow #value);)
    });
    quote! {
        let mut fields = #start;
        #(#writes)*
        fields.end();
    }
}

fn is_optional(site: Site<'_>, field: &Field) -> bool {
    matches!(presence(site, field), Presence::Optional)
}

/// Returns the number of fields that are present.
fn count(site: Site<'_>, fields: &[Field], values: &[TokenStream]) -> TokenStream {
    let optional = fields.iter().zip(values).filter(|(field, _)| is_optional(site, field));
    let optional: Vec<TokenStream> = optional.map(|(_, value)| quote!(#value.is_some())).collect();
    let always = Token::usize_unsuffixed(fields.len() - optional.len());
    if optional.is_empty() { quote!(#always) } else { quote!(wire::count(#always, &[#(#optional),*])) }
}

/// Returns the number of elements that are written: up to the last field that is present.
fn length(site: Site<'_>, fields: &[Field], values: &[TokenStream]) -> TokenStream {
    let required = fields.iter().filter(|field| !is_optional(site, field));
    let always = required.map(|field| field.number).max().unwrap_or(0);
    let sometimes: Vec<TokenStream> = fields
        .iter()
        .zip(values)
        .filter(|(field, _)| field.number > always)
        .map(|(field, value)| {
            let number = Token::u16_unsuffixed(field.number);
            quote!((#number, #value.is_some()))
        })
        .collect();
    let always = Token::u16_unsuffixed(always);
    if sometimes.is_empty() { quote!(#always) } else { quote!(wire::length(#always, &[#(#sometimes),*])) }
}

/// Returns statements that read these fields, and bind what `constructor` makes of them to `value`. `start` begins to read,
/// given their names.
pub(crate) fn read(
    site: Site<'_>,
    fields: &[Field],
    start: impl Fn(Layout, TokenStream) -> TokenStream,
    constructor: &TokenStream,
) -> TokenStream {
    let layout = Layout::of(fields);
    let table: Vec<TokenStream> = match layout {
        Layout::Array => name_table(fields).into_iter().map(ToTokens::into_token_stream).collect(),
        Layout::Map => fields.iter().map(numbered_name).collect(),
    };
    let start = start(layout, quote!(&[#(#table),*]));
    if fields.is_empty() {
        return quote! {
            #start.end()?;
            let value = #constructor {};
        };
    }
    let values = fields.iter().zip(idents(fields)).map(|(field, name)| {
        let value = read_field(site, field);
        quote!(#name: #value)
    });
    quote! {
        let mut fields = #start;
        let value = #constructor { #(#values),* };
        fields.end()?;
    }
}

fn read_field(site: Site<'_>, field: &Field) -> TokenStream {
    let number = Token::u16_unsuffixed(field.number);
    let present = Form::of_present(site, field.into());
    match presence(site, field) {
        Presence::Required => quote!(fields.required::<#present, _>(#number)?),
        Presence::Optional => quote!(fields.optional::<#present, _>(#number)?),
        Presence::OrElse(value) => {
            let form = Form::of_held(site, field.into());
            // The default of flags is their empty set.
            let is_empty = matches!(field.default, Some(Literal::Empty | Literal::Flags(_, 0)));
            let make = if is_empty { quote!(::core::default::Default::default) } else { quote!(|| #value) };
            quote!(fields.or_else::<#form, _>(#number, #make)?)
        }
    }
}

/// Returns a field's number and its name.
pub(super) fn numbered_name(field: &Field) -> TokenStream {
    let (number, name) = (Token::u16_unsuffixed(field.number), &field.name);
    quote!((#number, #name))
}

/// Returns the names of fields by number, from 1; `""` is a gap.
fn name_table(fields: &[Field]) -> Vec<&str> {
    let last = fields.iter().map(|field| usize::from(field.number)).max().unwrap_or(0);
    let mut table = vec![""; last];
    for field in fields {
        if let Some(place) = usize::from(field.number).checked_sub(1).and_then(|index| table.get_mut(index)) {
            *place = &field.name;
        }
    }
    table
}
