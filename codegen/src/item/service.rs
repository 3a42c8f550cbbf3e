//! A service: its trait, and around it the server and the client.

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{Method, MethodKind, Service};

use super::method::{self, Named, Variables};
use super::parameters::parameters;
use super::{client, hidden, server};
use crate::docs;
use crate::names::ServiceNames;
use crate::options::Sides;
use crate::site::Site;

/// All that belongs to a service. What only one side needs is left out for the other.
pub(crate) fn service(site: Site<'_>, names: &ServiceNames, service: &Service) -> TokenStream {
    let methods = method::named(service);
    let (server, serving) = match site.generation.choices.sides() {
        Sides::Client => (None, None),
        Sides::Both | Sides::Server => {
            let contract = contract(site, names, service, &methods);
            let server = server::server(names, service);
            (Some(quote!(#contract #server)), Some(server::serving(site, names, &methods)))
        }
    };
    let (client, calling) = match site.generation.choices.sides() {
        Sides::Server => (None, None),
        Sides::Both | Sides::Client => {
            let client = client::client(names, service);
            (Some(client), Some(client::calling(site, names, &methods)))
        }
    };
    // A client that calls nothing has no use for the table, nor for the support that hidden items import.
    let behaviour = if methods.is_empty() && serving.is_none() {
        calling.unwrap_or_default()
    } else {
        let table = method::table(site, service);
        let parameters = methods.iter().map(|named| parameters(site, named));
        hidden(&quote!(#table #(#parameters)* #serving #calling))
    };
    quote! {
        #server
        #client
        #behaviour
    }
}

/// The trait that a user implements.
fn contract(site: Site<'_>, names: &ServiceNames, service: &Service, methods: &[Named<'_>]) -> TokenStream {
    let attributes = docs::attributes(&service.notes, &format!("The service `{}`.", service.name));
    let name = &names.service;
    let functions = methods.iter().map(|named| function(site, named));
    quote! {
        #attributes
        pub trait #name: ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#functions)*
        }
    }
}

fn function(site: Site<'_>, named: &Named<'_>) -> TokenStream {
    let Named { method, name, .. } = named;
    let attributes = docs::attributes(&method.notes, &format!("Handles `{}`.", method.name));
    let Variables { parameters, stream, mut left } = Variables::new(site, method);
    let context = left.add("context");
    let types = method.parameters.iter().map(|parameter| site.held(parameter.into()));
    let stream = stream.zip(method::stream(method)).map(|(variable, stream)| {
        let item = site.ty(&stream.item);
        quote!(#variable: ::zsvc::Streaming<#item>,)
    });
    let sink = sink_item(method).map(|item| {
        let (variable, item) = (left.add("sink"), site.ty(item));
        quote!(#variable: ::zsvc::Sink<#item>,)
    });
    let output = output(site, method);
    quote! {
        #attributes
        fn #name(
            &self,
            #context: &::zsvc::Context,
            #(#parameters: #types,)*
            #stream
            #sink
        ) -> impl ::core::future::Future<Output = #output> + ::core::marker::Send;
    }
}

fn sink_item(method: &Method) -> Option<&zsvc_idl::schema::Type> {
    match &method.kind {
        MethodKind::ServerStream(item) | MethodKind::Bidirectional(_, item) => Some(item),
        MethodKind::Unary(_) | MethodKind::ClientStream(..) | MethodKind::OneWay => None,
    }
}

/// What a handler comes to.
fn output(site: Site<'_>, method: &Method) -> TokenStream {
    let answer = match &method.kind {
        MethodKind::OneWay => return quote!(()),
        MethodKind::Unary(answer) | MethodKind::ClientStream(_, answer) => {
            method::answer(site, answer.as_ref())
        }
        MethodKind::ServerStream(_) | MethodKind::Bidirectional(..) => quote!(()),
    };
    let failure = method::failure(site, method);
    quote!(::core::result::Result<#answer, #failure>)
}
