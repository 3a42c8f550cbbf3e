//! What an event has besides its struct: its description, its key, and `PriceSubscribe`, by which it is subscribed to.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Access, Builtin, Event, Field, Slow, Struct, Type, TypeId};

use super::argument::Argument;
use super::{fields, hidden};
use crate::docs;
use crate::form::Form;
use crate::names::Scope;
use crate::site::Site;

/// Methods of `…Subscribe` that are the generator's own.
const OWN_FUNCTIONS: [&str; 1] = ["options"];

/// Returns the implementation of `Event`, and the type that asks for a subscription; nothing for a struct.
pub(crate) fn event(site: Site<'_>, id: TypeId, structure: &Struct) -> Option<TokenStream> {
    let event = structure.event.as_ref()?;
    let subscribe = site.generation.names.subscribe(id)?;
    let (path, name) = (site.path(id), site.generation.names.definition(id));
    let docs =
        docs::doc(&format!("A subscription to [`{name}`] that is to be made: see [`zsvc::Subscribe`]."));
    let description = description(site, id, structure, event);
    let implementation = implementation(site, id, structure, subscribe);
    let conversions = conversions(&path, subscribe);
    let keys = keys(site, structure);
    let hidden = hidden(&quote! {
        #description
        #implementation
        impl self::#subscribe {
            #(#keys)*
            /// Returns the subscription itself, for its other options.
            pub fn options(self) -> ::zsvc::Subscribe<#path> {
                self.subscribe
            }
        }
        #conversions
    });
    Some(quote! {
        #docs
        #[derive(Debug)]
        #[must_use = "a subscription is not made until it is awaited"]
        pub struct #subscribe {
            subscribe: ::zsvc::Subscribe<#path>,
        }
        #hidden
    })
}

/// Returns the table of the key fields, and what the runtime knows of the event.
fn description(site: Site<'_>, id: TypeId, structure: &Struct, event: &Event) -> TokenStream {
    let full_name = site.prefix() + &site.definition(id).name;
    let method = format!("{full_name}/subscribe");
    let access = match &event.access {
        Access::Unsaid => quote!(),
        Access::Public => quote!(.public()),
        Access::Roles(roles) => quote!(.roles(&[#(#roles),*])),
    };
    let rows: Vec<TokenStream> = structure.keys().map(|key| row(site, key)).collect();
    let (keys, table) = match Literal::usize_unsuffixed(rows.len()) {
        _ if rows.is_empty() => (quote!(), quote!()),
        count => (quote!(.keys(&KEYS)), quote!(static KEYS: [wire::KeyField; #count] = [#(#rows),*];)),
    };
    let kept = (event.kept > 0).then(|| {
        let kept = Literal::u32_unsuffixed(event.kept);
        quote!(.kept(#kept))
    });
    let slow = match event.slow {
        Slow::DropOldest => quote!(),
        Slow::Conflate => quote!(.slow(wire::Slow::Conflate)),
        Slow::Disconnect => quote!(.slow(wire::Slow::Disconnect)),
    };
    quote! {
        #table
        static EVENT: wire::EventType = wire::EventType::new(
            #full_name,
            ::zsvc::Method::new(#method, ::zsvc::MethodKind::ServerStream) #access,
        ) #keys #kept #slow;
    }
}

fn row(site: Site<'_>, key: &Field) -> TokenStream {
    let (number, name) = (Literal::u16_unsuffixed(key.number), &key.name);
    let kind = match site.declared(&key.ty) {
        Type::Builtin(Builtin::Bool) => quote!(Bool),
        Type::Builtin(Builtin::String) => quote!(String),
        Type::Builtin(Builtin::Uuid) => quote!(Uuid),
        // An enum is its number.
        _ => quote!(Integer),
    };
    quote!(wire::KeyField::new(#number, #name, wire::KeyKind::#kind))
}

fn implementation(site: Site<'_>, id: TypeId, structure: &Struct, subscribe: &Ident) -> TokenStream {
    let (path, form) = (site.path(id), Form::of(site, &Type::Named(id)));
    let keys = named_keys(structure).map(|(name, key)| {
        let form = Form::of_held(site, key.into());
        quote!(key.write::<#form, _>(&self.#name);)
    });
    let keys: Vec<TokenStream> = keys.collect();
    let unused = keys.is_empty().then(|| quote!(let _ = key;));
    let schema = site.schema(site.definition(id).span).map(|schema| {
        quote! {
            fn schema() -> ::core::option::Option<&'static ::zsvc::generated::ServiceSchema> {
                ::core::option::Option::Some(#schema)
            }
        }
    });
    quote! {
        impl ::zsvc::Event for #path {
            const EVENT: &'static wire::EventType = &EVENT;
            type Form = #form;
            type Subscribe = self::#subscribe;
            #schema
            fn write_key(&self, key: &mut wire::KeyWriter) {
                #unused
                #(#keys)*
            }
        }
    }
}

/// Returns the key fields with their names in the struct.
fn named_keys(structure: &Struct) -> impl Iterator<Item = (Ident, &Field)> {
    let names = fields::idents(&structure.fields);
    let is_key = |field: &Field| structure.keys().any(|key| key.number == field.number);
    names.into_iter().zip(&structure.fields).filter(move |(_, field)| is_key(field))
}

/// Returns a method for each key field, which asks for a value of it.
fn keys(site: Site<'_>, structure: &Struct) -> Vec<TokenStream> {
    let names = Scope::without(OWN_FUNCTIONS).declare(structure.keys().map(|key| key.name.as_str()));
    let methods = structure.keys().zip(names).map(|(key, name)| {
        let docs = docs::doc(&format!(
            "Asks for events whose `{}` is this one, or another that is asked for; otherwise for any.",
            key.name
        ));
        let Argument { ty: argument, .. } = &Argument::of(site, key);
        let (number, ty) = (Literal::u16_unsuffixed(key.number), site.held(key.into()));
        let form = Form::of_held(site, key.into());
        let value = quote::format_ident!("value");
        let converted = Argument::of(site, key).convert(&value).map(|value| quote!(let value: #ty = #value;));
        quote! {
            #docs
            pub fn #name(self, value: #argument) -> Self {
                #converted
                Self { subscribe: self.subscribe.key::<#form, #ty>(#number, &value) }
            }
        }
    });
    methods.collect()
}

fn conversions(path: &TokenStream, subscribe: &Ident) -> TokenStream {
    quote! {
        impl ::core::convert::From<::zsvc::Subscribe<#path>> for self::#subscribe {
            fn from(subscribe: ::zsvc::Subscribe<#path>) -> Self {
                Self { subscribe }
            }
        }
        impl ::core::future::IntoFuture for self::#subscribe {
            type Output = <::zsvc::Subscribe<#path> as ::core::future::IntoFuture>::Output;
            type IntoFuture = <::zsvc::Subscribe<#path> as ::core::future::IntoFuture>::IntoFuture;
            fn into_future(self) -> Self::IntoFuture {
                ::core::future::IntoFuture::into_future(self.subscribe)
            }
        }
    }
}
