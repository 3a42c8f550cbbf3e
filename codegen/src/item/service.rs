//! A service: its trait, and around it the server and the client.

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::Service;

use super::handler::Handler;
use super::method::{self, Named};
use super::parameters::parameters;
use super::{client, hidden, mock, server};
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
            let mocks = site.generation.choices.has_mocks();
            let mock = mocks.then(|| mock::mock(site, names, service, &methods));
            (Some(quote!(#contract #server #mock)), Some(server::serving(site, names, &methods)))
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
        let declared = methods.iter().filter(|named| named.declares_parameters);
        let parameters = declared.map(|named| parameters(site, named));
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
    let attributes = docs::attributes(&named.method.notes, &format!("Handles `{}`.", named.method.name));
    let signature = Handler::new(site, named).signature();
    quote!(#attributes #signature;)
}
