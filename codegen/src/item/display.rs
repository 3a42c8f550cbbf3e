//! `Display` of enums and errors.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Builtin, EnumValue, Field, MessagePart, Payload, Type, TypeId, TypeKind, Variant};

use super::fields;
use crate::names;
use crate::site::{self, Site};

/// Returns `Display` of an enum: the name of a value, or the number of one of a newer schema.
pub(crate) fn enumeration(
    path: &TokenStream,
    values: &[EnumValue],
    idents: &[Ident],
    unknown: &Ident,
) -> TokenStream {
    let names = values.iter().map(|value| value.name.as_str());
    display(
        path,
        &quote! {
            #(Self::#idents => formatter.write_str(#names),)*
            Self::#unknown(number) => ::core::write!(formatter, "unknown value {number}"),
        },
    )
}

/// Returns `Display` of an error: its `@message`, or its name in words.
pub(crate) fn error(
    site: Site<'_>,
    path: &TokenStream,
    variants: &[Variant],
    idents: &[Ident],
    unknown: &Ident,
) -> TokenStream {
    let arms = variants.iter().zip(idents).map(|(variant, name)| error_arm(site, variant, name));
    display(
        path,
        &quote! {
            #(#arms)*
            Self::#unknown(variant) => {
                ::core::write!(formatter, "unknown error {}", variant.number)
            }
        },
    )
}

fn display(path: &TokenStream, arms: &TokenStream) -> TokenStream {
    quote! {
        impl ::core::fmt::Display for #path {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self { #arms }
            }
        }
    }
}

fn error_arm(site: Site<'_>, variant: &Variant, name: &Ident) -> TokenStream {
    let text = match &variant.message {
        None => names::words(&variant.name),
        Some(message) => match &variant.payload {
            Payload::Fields(fields) => return message_arm(site, name, message, fields),
            Payload::Nothing | Payload::Type { .. } => message.iter().map(text_of).collect(),
        },
    };
    quote!(Self::#name { .. } => formatter.write_str(#text),)
}

/// Returns the arm of an error whose message shows fields.
fn message_arm(site: Site<'_>, name: &Ident, message: &[MessagePart], fields: &[Field]) -> TokenStream {
    let variables = site.names().bindings.clone().declare(fields.iter().map(|field| field.name.as_str()));
    let members = fields::idents(fields);
    // A name in a format string can't be raw.
    let are_plain = !variables.iter().any(|variable| variable.to_string().starts_with("r#"));
    let (mut format, mut used) = (String::new(), Vec::new());
    for part in message {
        match part {
            MessagePart::Text(text) => format.push_str(&text.replace('{', "{{").replace('}', "}}")),
            MessagePart::Field(index) => {
                let form = placeholder(site, &fields[*index].ty);
                let name = if are_plain { variables[*index].to_string() } else { String::new() };
                format.extend(["{", &name, form, "}"]);
                used.push(*index);
            }
        }
    }
    let shown = (0..fields.len()).filter(|index| used.contains(index));
    let pattern = shown.map(|index| site::bound(&members[index], &variables[index]));
    let arguments = used.iter().filter(|_| !are_plain).map(|&index| &variables[index]);
    quote!(Self::#name { #(#pattern,)* .. } => ::core::write!(formatter, #format #(, #arguments)*),)
}

fn text_of(part: &MessagePart) -> &str {
    match part {
        MessagePart::Text(text) => text,
        MessagePart::Field(_) => "",
    }
}

/// Returns the format of a field in a message: as text if its type has one.
fn placeholder(site: Site<'_>, ty: &Type) -> &'static str {
    match site.resolved(ty) {
        Type::Builtin(builtin) if !matches!(builtin, Builtin::Bytes | Builtin::Duration) => "",
        Type::Named(id) if has_text(site, *id) => "",
        _ => ":?",
    }
}

/// Reports whether a named type is known to have a `Display`.
fn has_text(site: Site<'_>, id: TypeId) -> bool {
    let is_replaced = site.generation.choices.is_replaced(id);
    !is_replaced
        && matches!(site.definition(id).kind, TypeKind::Enum(_) | TypeKind::Flags(_) | TypeKind::Error(_))
}
