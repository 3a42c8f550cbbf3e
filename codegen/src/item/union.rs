//! `union Order { … }` and `error TapeError { … }`: on the wire `[number, value]`.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use zsvc_idl::schema::{Field, Payload, TypeId, Variant};

use super::derives::{Derives, derives};
use super::{display, fields, structure, validate};
use crate::form::Form;
use crate::names::Scope;
use crate::site::{self, Held, Site};
use crate::{docs, literal, names};

/// What a union consists of, named.
pub(crate) struct Names {
    pub(crate) variants: Vec<Ident>,
    pub(crate) unknown: Ident,
    /// What hidden types of a variant start with.
    hidden: Vec<Ident>,
}

impl Names {
    fn new(variants: &[Variant]) -> Self {
        let mut scope = Scope::default();
        let mut hidden = Scope::default();
        Self {
            variants: scope.declare(variants.iter().map(|variant| variant.name.as_str())),
            unknown: scope.add("Unknown"),
            hidden: variants.iter().map(|variant| hidden.add(&names::pascal(&variant.name))).collect(),
        }
    }
}

/// The union, and how it is written, read and checked.
pub(crate) fn union(site: Site<'_>, id: TypeId, variants: &[Variant]) -> TokenStream {
    let names = Names::new(variants);
    let declaration = declaration(site, id, variants, &names, "union");
    let wire = wire(site, id, variants, &names);
    quote! {
        #declaration
        #wire
    }
}

/// A union that is also an error, with a message.
pub(crate) fn error(site: Site<'_>, id: TypeId, variants: &[Variant]) -> TokenStream {
    let names = Names::new(variants);
    let path = site.path(id);
    let declaration = declaration(site, id, variants, &names, "error");
    let display = display::error(site, &path, variants, &names.variants, &names.unknown);
    let wire = wire(site, id, variants, &names);
    quote! {
        #declaration
        #display
        impl ::core::error::Error for #path {}
        impl ::zsvc::DeclaredError for #path {}
        #wire
    }
}

fn declaration(site: Site<'_>, id: TypeId, variants: &[Variant], names: &Names, word: &str) -> TokenStream {
    let definition = site.definition(id);
    let attributes = docs::attributes(&definition.notes, &format!("The {word} `{}`.", definition.name));
    let derives = derives(site, id, Derives::Composite);
    let name = site.generation.names.definition(id);
    let documented =
        variants.iter().zip(&names.variants).map(|(variant, name)| documented(site, variant, name));
    let unknown = &names.unknown;
    quote! {
        #attributes
        #derives
        pub enum #name {
            #(#documented,)*
            /// A variant of a newer schema, kept as it came.
            #unknown(::zsvc::UnknownVariant),
        }
    }
}

fn documented(site: Site<'_>, variant: &Variant, name: &Ident) -> TokenStream {
    let attributes =
        docs::attributes(&variant.notes, &format!("Variant {}, `{}`.", variant.number, variant.name));
    let payload = match &variant.payload {
        Payload::Nothing => TokenStream::new(),
        Payload::Type { ty, boxed } => {
            let ty = site.held(Held { ty, boxed: *boxed });
            quote!((#ty))
        }
        Payload::Fields(fields) => {
            let members = fields::documented(site, fields, &TokenStream::new());
            quote!({ #(#members,)* })
        }
    };
    quote!(#attributes #name #payload)
}

fn wire(site: Site<'_>, id: TypeId, variants: &[Variant], names: &Names) -> TokenStream {
    let path = site.path(id);
    let serialize = serialize(site, variants, names, &path);
    let read = read(site, variants, names, &path);
    let hidden =
        variants.iter().zip(&names.variants).zip(&names.hidden).map(
            |((variant, name), hidden)| match &variant.payload {
                Payload::Fields(fields) => hidden_types(site, fields, hidden, &path, name),
                Payload::Nothing | Payload::Type { .. } => TokenStream::new(),
            },
        );
    let validate =
        site.generation.reach.is_bounded(id).then(|| validate::union(site, variants, names, &path));
    super::hidden(&quote! {
        #(#hidden)*
        #serialize
        #read
        #validate
    })
}

fn serialize(site: Site<'_>, variants: &[Variant], names: &Names, path: &TokenStream) -> TokenStream {
    let arms = variants.iter().zip(&names.variants).zip(&names.hidden).map(|((variant, name), hidden)| {
        let number = literal::integer(variant.number);
        match &variant.payload {
            Payload::Nothing => quote! {
                Self::#name => wire::write_variant::<wire::Nothing, _, _>(
                    serializer, #number, &()
                ),
            },
            Payload::Type { ty, boxed } => {
                let form = Form::of_held(site, Held { ty, boxed: *boxed });
                quote! {
                    Self::#name(value) => wire::write_variant::<#form, _, _>(
                        serializer, #number, value
                    ),
                }
            }
            Payload::Fields(fields) => write_fields(site, fields, name, hidden, &number),
        }
    });
    let unknown = &names.unknown;
    let body = quote! {
        match self {
            #(#arms)*
            Self::#unknown(variant) => wire::write_variant::<wire::Plain, _, _>(
                serializer, variant.number, &variant.value
            ),
        }
    };
    structure::serialize(&body, path)
}

fn write_fields(
    site: Site<'_>,
    fields: &[Field],
    name: &Ident,
    hidden: &Ident,
    number: &Literal,
) -> TokenStream {
    let written = format_ident!("{}Fields", hidden);
    let members = fields::idents(fields);
    let variables = site.names().bindings.clone().declare(fields.iter().map(|field| field.name.as_str()));
    let bound: Vec<TokenStream> =
        members.iter().zip(&variables).map(|(member, variable)| site::bound(member, variable)).collect();
    quote! {
        Self::#name { #(#bound),* } => wire::write_variant::<wire::Plain, _, _>(
            serializer, #number, &#written { #(#bound),* }
        ),
    }
}

/// The fields of a variant as a struct of references, to write; and what reads them. Both with braces, though one holds
/// nothing: the name of a unit struct would be taken for a pattern where a field has it.
fn hidden_types(
    site: Site<'_>,
    fields: &[Field],
    hidden: &Ident,
    union: &TokenStream,
    variant: &Ident,
) -> TokenStream {
    let (written, read) = (format_ident!("{}Fields", hidden), format_ident!("{}Reader", hidden));
    let members = fields::idents(fields);
    let types = fields.iter().map(|field| site.held(field.into()));
    let (lifetime, elided) =
        if fields.is_empty() { (None, None) } else { (Some(quote!(<'a>)), Some(quote!(<'_>))) };
    let body = fields::write(site, fields, |name: &Ident| quote!(self.#name));
    let serialize = structure::serialize(&body, &quote!(#written #elided));
    let reader = fields::read(site, fields, &quote!(#read), union, &quote!(#union::#variant));
    quote! {
        struct #written #lifetime {
            #(#members: &'a #types,)*
        }
        #serialize
        struct #read {}
        #reader
    }
}

fn read(site: Site<'_>, variants: &[Variant], names: &Names, path: &TokenStream) -> TokenStream {
    let table = variants.iter().map(|variant| {
        let (number, name) = (literal::integer(variant.number), &variant.name);
        quote!((#number, #name))
    });
    let arms = variants.iter().zip(&names.variants).zip(&names.hidden).map(|((variant, name), hidden)| {
        let number = literal::integer(variant.number);
        match &variant.payload {
            Payload::Nothing => quote!(#number => payload.nothing().map(|()| Self::#name),),
            Payload::Type { ty, boxed } => {
                let form = Form::of_held(site, Held { ty, boxed: *boxed });
                quote!(#number => payload.value::<#form, _>().map(Self::#name),)
            }
            Payload::Fields(_) => {
                let reader = format_ident!("{}Reader", hidden);
                quote!(#number => payload.fields::<#reader>(),)
            }
        }
    });
    let unknown = &names.unknown;
    quote! {
        impl<'de> wire::serde::Deserialize<'de> for #path {
            fn deserialize<D: wire::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                wire::read_union::<Self, D>(deserializer)
            }
        }
        impl wire::ReadVariant for #path {
            const NAMES: &'static [(u32, &'static str)] = &[#(#table),*];
            fn read<'de, P: wire::Payload<'de>>(
                number: u32,
                payload: P,
            ) -> ::core::result::Result<Self, P::Error> {
                match number {
                    #(#arms)*
                    _ => payload.unknown(number).map(Self::#unknown),
                }
            }
        }
    }
}
