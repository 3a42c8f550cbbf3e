//! `union Order { … }` and `error TapeError { … }`: on the wire `[number, value]`.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote};
use zsvc_idl::schema::{Field, Layout, Payload, TypeId, Variant};

use super::derives::{Derives, derives};
use super::{display, fields, structure, validate};
use crate::form::Form;
use crate::names::Scope;
use crate::site::{self, Held, Site};
use crate::{docs, literal};

/// The identifiers of a union's variants.
pub(crate) struct Names {
    pub(crate) variants: Vec<Ident>,
    pub(crate) unknown: Ident,
}

impl Names {
    fn new(variants: &[Variant]) -> Self {
        let mut scope = Scope::default();
        Self {
            variants: scope.declare(variants.iter().map(|variant| variant.name.as_str())),
            unknown: scope.add("Unknown"),
        }
    }
}

/// Returns the union and its implementations.
pub(crate) fn union(site: Site<'_>, id: TypeId, variants: &[Variant]) -> TokenStream {
    let names = Names::new(variants);
    let declaration = declaration(site, id, variants, &names, "union");
    let wire = wire(site, id, variants, &names);
    quote! {
        #declaration
        #wire
    }
}

/// Returns a union that is also an error, with messages.
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
        #wire
    }
}

fn declaration(site: Site<'_>, id: TypeId, variants: &[Variant], names: &Names, word: &str) -> TokenStream {
    let definition = site.definition(id);
    let attributes = docs::attributes(site, &definition.notes, &format!("The {word} `{}`.", definition.name));
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
            /// A variant of a newer schema, kept as received.
            #unknown(::zsvc::UnknownVariant),
        }
    }
}

fn documented(site: Site<'_>, variant: &Variant, name: &Ident) -> TokenStream {
    let attributes =
        docs::attributes(site, &variant.notes, &format!("Variant {}, `{}`.", variant.number, variant.name));
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
    let encode = structure::encode_by(&encode(site, variants, names), &path);
    let decode = structure::decode_by(&decode(site, variants, names), &path);
    let validate =
        site.generation.reach.is_bounded(id).then(|| validate::union(site, variants, names, &path));
    let serde = structure::serde(site, id, &path);
    let detail = structure::detail(site, id, &path);
    super::hidden(&quote! {
        #encode
        #decode
        #validate
        #serde
        #detail
    })
}

fn encode(site: Site<'_>, variants: &[Variant], names: &Names) -> TokenStream {
    let arms = variants.iter().zip(&names.variants).map(|(variant, name)| {
        let number = literal::integer(variant.number);
        match &variant.payload {
            Payload::Nothing => quote!(Self::#name => out.bare_variant(#number),),
            Payload::Type { ty, boxed } => {
                let form = Form::of_held(site, Held { ty, boxed: *boxed });
                quote!(Self::#name(value) => out.variant::<#form, _>(#number, value),)
            }
            Payload::Fields(fields) => encode_fields(site, fields, name, &number),
        }
    });
    let unknown = &names.unknown;
    quote! {
        match self {
            #(#arms)*
            Self::#unknown(variant) => out.unknown_variant(variant),
        }
    }
}

fn encode_fields(site: Site<'_>, fields: &[Field], name: &Ident, number: &Literal) -> TokenStream {
    let members = fields::idents(fields);
    let variables = site.names().bindings.clone().declare(fields.iter().map(|field| field.name.as_str()));
    let bound: Vec<TokenStream> =
        members.iter().zip(&variables).map(|(member, variable)| site::bound(member, variable)).collect();
    let start = |layout: Layout, length: TokenStream| match layout {
        Layout::Array => quote!(out.variant_fields(#number, #length)),
        Layout::Map => quote!(out.variant_numbered(#number, #length)),
    };
    let mut variables = variables.iter();
    let write = fields::write(
        site,
        fields,
        start,
        |_: &Ident| variables.next().to_token_stream(),
        &TokenStream::new(),
    );
    quote! {
        Self::#name { #(#bound),* } => {
            #write
        }
    }
}

fn decode(site: Site<'_>, variants: &[Variant], names: &Names) -> TokenStream {
    let arms = variants.iter().zip(&names.variants).map(|(variant, name)| {
        let number = literal::integer(variant.number);
        match &variant.payload {
            Payload::Nothing => quote!(#number => payload.nothing().map(|()| Self::#name),),
            Payload::Type { ty, boxed } => {
                let form = Form::of_held(site, Held { ty, boxed: *boxed });
                let declared = &variant.name;
                quote!(#number => payload.value::<#form, _>(#declared).map(Self::#name),)
            }
            Payload::Fields(fields) => {
                let start = |layout: Layout, names: TokenStream| match layout {
                    Layout::Array => quote!(payload.fields(#names)?),
                    Layout::Map => quote!(payload.sparse(#names)?),
                };
                let read = fields::read(site, fields, start, &quote!(Self::#name));
                quote!(#number => { #read payload.end()?; ::core::result::Result::Ok(value) })
            }
        }
    });
    let unknown = &names.unknown;
    let has_fields = variants.iter().any(|variant| matches!(variant.payload, Payload::Fields(_)));
    let mutable = has_fields.then(|| quote!(mut));
    quote! {
        let (number, #mutable payload) = wire::Payload::new(reader)?;
        match number {
            #(#arms)*
            _ => payload.unknown(number).map(Self::#unknown),
        }
    }
}
