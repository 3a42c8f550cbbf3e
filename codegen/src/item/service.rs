//! A service: the errors of methods that throw several, its trait, the server and the client, and the module of its methods.

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::Service;

use super::handler::Handler;
use super::method::{self, Named};
use super::{client, methods, mock, server, thrown};
use crate::docs;
use crate::names::ServiceNames;
use crate::options::Sides;
use crate::site::Site;

/// Returns everything that belongs to a service. Code that only one side needs is omitted for the other.
pub(crate) fn service(site: Site<'_>, names: &ServiceNames, service: &Service) -> TokenStream {
    let (methods, choices) = (method::named(site, service, names), site.generation.choices);
    let errors =
        methods.iter().filter(|named| named.is_own()).map(|named| thrown::errors(site, service, named));
    let errors = quote!(#(#errors)*);
    let serving = (choices.sides() != Sides::Client).then(|| {
        let contract = contract(site, names, service, &methods);
        let server = server::server(site, names, service, &methods);
        let mock = choices.has_mocks().then(|| mock::mock(site, names, service, &methods));
        quote!(#contract #server #mock)
    });
    let client = (choices.sides() != Sides::Server).then(|| client::client(site, names, service, &methods));
    let methods = methods::methods(site, names, service, &methods);
    quote!(#errors #serving #client #methods)
}

/// Returns the trait that a user implements.
fn contract(site: Site<'_>, names: &ServiceNames, service: &Service, methods: &[Named<'_>]) -> TokenStream {
    let attributes = docs::attributes(site, &service.notes, &format!("The service `{}`.", service.name));
    let name = &names.service;
    let functions = methods.iter().filter(|named| named.is_own()).map(|named| function(site, named));
    let bases = service.extends.iter().map(|base| site.contract(base.service));
    quote! {
        #attributes
        pub trait #name: #(#bases +)* ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#functions)*
        }
    }
}

fn function(site: Site<'_>, named: &Named<'_>) -> TokenStream {
    let Named { method, access, .. } = named;
    let attributes = docs::of_method(site, &method.notes, &format!("Handles `{}`.", method.name), access);
    let signature = Handler::new(site, named).signature();
    quote!(#attributes #signature;)
}
