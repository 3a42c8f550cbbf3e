//! `TapeLastError`: which of the errors that a method throws it is, for a method that throws several.
//!
//! On the wire the first error is the union that it is, so that a schema may throw it alone at first; each other has a number
//! by its position.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Service, Thrown, Type};

use super::description;
use super::method::Named;
use super::structure::{decode_by, encode_by};
use crate::form::Form;
use crate::names::ErrorNames;
use crate::site::Site;
use crate::{docs, literal};

/// An error of the method, with its names.
struct Variant<'a> {
    /// The variant for it.
    name: &'a Ident,
    /// The name in the schema.
    declared: &'a str,
    /// The Rust type.
    path: TokenStream,
    form: Form,
    /// The number on the wire; none for the first.
    number: Option<u32>,
    thrown: &'a Thrown,
}

/// Returns the type of a method's errors and its implementations; nothing for a method that does not throw several.
pub(crate) fn errors(site: Site<'_>, service: &Service, named: &Named<'_>) -> TokenStream {
    let Some((_, idents)) = named.errors else { return TokenStream::new() };
    let path = site.item(site.package, &idents.name);
    let variants = variants(site, named, idents);
    let declaration = declaration(site, service, named, &variants);
    let display = display(&path, idents, &variants);
    let conversions = conversions(site, &path, &variants);
    let encode = encode_by(&encode(idents, &variants), &path);
    let decode = decode_by(&decode(idents, &variants), &path);
    let serde = serde(site, &path, &variants);
    let validate = validate(&path, &variants);
    let hidden = super::hidden(&quote!(#encode #decode #validate #serde));
    quote! {
        #declaration
        #display
        #conversions
        #hidden
    }
}

fn variants<'a>(site: Site<'a>, named: &Named<'a>, idents: &'a ErrorNames) -> Vec<Variant<'a>> {
    let thrown = named.method.throws.iter().zip(&idents.variants).enumerate();
    let variants = thrown.map(|(index, (thrown, name))| Variant {
        name,
        declared: &site.definition(thrown.error).name,
        path: site.path(thrown.error),
        form: Form::of(site, &Type::Named(thrown.error)),
        number: Thrown::number(index),
        thrown,
    });
    variants.collect()
}

fn declaration(
    site: Site<'_>,
    service: &Service,
    named: &Named<'_>,
    variants: &[Variant<'_>],
) -> TokenStream {
    let Some((_, ErrorNames { name, unknown, .. })) = named.errors else { return TokenStream::new() };
    let docs =
        docs::doc(&format!("What `{}` of `{}` throws: one of its errors.", named.method.name, service.name));
    let is_exact = variants.iter().all(|variant| site.generation.reach.is_exact(variant.thrown.error));
    let exact = is_exact.then(|| quote!(, Eq, Hash));
    let documented = variants.iter().map(|Variant { name, path, declared, .. }| {
        let docs = docs::doc(&format!("The error `{declared}`."));
        quote!(#docs #name(#path))
    });
    quote! {
        #docs
        #[derive(Clone, Debug, PartialEq #exact)]
        pub enum #name {
            #(#documented,)*
            /// An error of a newer schema, kept as received.
            #unknown(::zsvc::UnknownVariant),
        }
    }
}

/// Returns `Display` and `Error`, which are those of the error inside.
fn display(path: &TokenStream, names: &ErrorNames, variants: &[Variant<'_>]) -> TokenStream {
    let unknown = &names.unknown;
    let names = || variants.iter().map(|variant| variant.name);
    let (shown, sources) = (names(), names());
    quote! {
        impl ::core::fmt::Display for #path {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self {
                    #(Self::#shown(error) => ::core::fmt::Display::fmt(error, formatter),)*
                    Self::#unknown(error) => {
                        ::core::write!(formatter, "unknown error {}", error.number)
                    }
                }
            }
        }
        impl ::core::error::Error for #path {
            fn source(&self) -> ::core::option::Option<&(dyn ::core::error::Error + 'static)> {
                match self {
                    #(Self::#sources(error) => ::core::error::Error::source(error),)*
                    Self::#unknown(_) => ::core::option::Option::None,
                }
            }
        }
    }
}

/// Returns conversions from each error. `?` in a handler takes the second: Rust allows it where the error is of this crate.
fn conversions(site: Site<'_>, path: &TokenStream, variants: &[Variant<'_>]) -> TokenStream {
    // A user's type may stand in the place of several.
    let mut seen = BTreeSet::new();
    let conversions =
        variants.iter().filter(|variant| seen.insert(variant.path.to_string())).map(|variant| {
            let Variant { name, path: error, .. } = variant;
            let into_failure = is_own(site, variant.thrown).then(|| {
                quote! {
                    impl ::core::convert::From<#error> for ::zsvc::Error<#path> {
                        fn from(error: #error) -> Self {
                            Self::Declared(<#path as ::core::convert::From<_>>::from(error))
                        }
                    }
                }
            });
            quote! {
                impl ::core::convert::From<#error> for #path {
                    fn from(error: #error) -> Self {
                        Self::#name(error)
                    }
                }
                #into_failure
            }
        });
    quote!(#(#conversions)*)
}

/// Reports whether an error is declared in the generated code, and not by another crate or by the user.
fn is_own(site: Site<'_>, thrown: &Thrown) -> bool {
    let choices = site.generation.choices;
    !choices.is_replaced(thrown.error) && !choices.is_extern(site.definition(thrown.error).package)
}

fn encode(names: &ErrorNames, variants: &[Variant<'_>]) -> TokenStream {
    let unknown = &names.unknown;
    let arms = variants.iter().map(|Variant { name, form, number, .. }| match number.map(literal::integer) {
        None => quote!(Self::#name(error) => <#form as wire::WriteForm<_>>::encode(error, out),),
        Some(number) => quote!(Self::#name(error) => out.variant::<#form, _>(#number, error),),
    });
    quote! {
        match self {
            #(#arms)*
            Self::#unknown(error) => out.unknown_variant(error),
        }
    }
}

fn decode(names: &ErrorNames, variants: &[Variant<'_>]) -> TokenStream {
    let unknown = &names.unknown;
    let first = variants
        .iter()
        .filter(|variant| variant.number.is_none())
        .map(|Variant { name, form, .. }| quote!(<#form as wire::Form<_>>::decode(reader).map(Self::#name)));
    let others = variants.iter().filter_map(|Variant { name, form, number, declared, .. }| {
        let number = literal::integer((*number)?);
        Some(quote!(::core::option::Option::Some((#number, error)) => {
            error.value::<#form, _>(#declared).map(Self::#name)
        }))
    });
    quote! {
        match wire::Payload::thrown(reader)? {
            ::core::option::Option::None => #(#first)*,
            #(#others)*
            ::core::option::Option::Some((number, error)) => error.unknown(number).map(Self::#unknown),
        }
    }
}

/// Returns the check of bounds, if there are any in an error: clients do not check them, but strict reading of JSON does.
fn validate(path: &TokenStream, variants: &[Variant<'_>]) -> Option<TokenStream> {
    let bounded = variants.iter().filter(|variant| variant.form.is_bounded());
    let arms: Vec<TokenStream> = bounded
        .map(|Variant { name, form, .. }| {
            quote!(Self::#name(error) => <#form as wire::Form<_>>::validate(error),)
        })
        .collect();
    (!arms.is_empty()).then(|| {
        quote! {
            impl wire::Validate for #path {
                fn validate(&self) -> ::core::result::Result<(), wire::Violation> {
                    match self {
                        #(#arms)*
                        _ => ::core::result::Result::Ok(()),
                    }
                }
            }
        }
    })
}

/// Returns `Serialize` and `Deserialize`. The wire needs neither.
fn serde(site: Site<'_>, path: &TokenStream, variants: &[Variant<'_>]) -> TokenStream {
    let parts = variants.iter().enumerate();
    let parts = parts.map(|(place, variant)| format!(" {}: #{place};", shown(variant, variants)));
    let text = "throws".to_owned() + &parts.collect::<String>();
    let types = variants.iter().map(|variant| description::described(site, variant.thrown.error));
    quote!(wire::implement_serde!(#path, #text #(, #types)*);)
}

/// Returns the name of an error in JSON: that of the schema, unless errors of several packages have it.
fn shown(variant: &Variant<'_>, all: &[Variant<'_>]) -> String {
    let is_shared = all.iter().filter(|other| other.declared == variant.declared).count() > 1;
    let name = variant.name.to_string();
    if is_shared { name.trim_start_matches("r#").to_owned() } else { variant.declared.to_owned() }
}
