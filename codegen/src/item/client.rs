//! `TapeClient`: the client of a service.

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::Service;

use super::call::call;
use super::method::Named;
use crate::docs;
use crate::names::ServiceNames;
use crate::options::Sides;
use crate::site::Site;

/// Returns the type, which holds a channel, and its methods.
pub(crate) fn client(
    site: Site<'_>,
    names: &ServiceNames,
    service: &Service,
    methods: &[Named<'_>],
) -> TokenStream {
    let client = &names.client;
    let docs = docs::doc(&format!("Calls `{}`. Cheap to clone.", service.name));
    let constructors = constructors();
    let local = match site.generation.choices.sides() {
        Sides::Both => Some(local(names)),
        Sides::Client | Sides::Server => None,
    };
    let schema = site.schema(service.span).map(|schema| {
        quote! {
            impl ::zsvc::generated::HasSchema for self::#client {
                fn schema() -> &'static ::zsvc::generated::ServiceSchema {
                    #schema
                }
            }
        }
    });
    let calls = methods.iter().map(|named| call(site, names, named));
    quote! {
        #docs
        #[derive(Clone, Debug)]
        pub struct #client {
            channel: ::zsvc::Channel,
        }
        impl self::#client {
            #constructors
            #local
            #(#calls)*
        }
        #schema
    }
}

fn constructors() -> TokenStream {
    quote! {
        /// Returns a client that makes its calls over `channel`, which other clients may share.
        #[must_use]
        pub fn new(channel: ::zsvc::Channel) -> Self {
            Self { channel }
        }
        /// Connects to the server at an endpoint, such as `tcp://127.0.0.1:7100`.
        ///
        /// # Errors
        /// As for [`zsvc::Channel::connect`].
        pub async fn connect(
            endpoint: impl ::core::convert::Into<::std::string::String>,
        ) -> ::core::result::Result<Self, ::zsvc::Status> {
            ::zsvc::Channel::connect(endpoint).await.map(Self::new)
        }
        /// Returns the channel that calls go over.
        #[must_use]
        pub fn channel(&self) -> &::zsvc::Channel {
            &self.channel
        }
    }
}

fn local(names: &ServiceNames) -> TokenStream {
    let ServiceNames { service, server, .. } = names;
    quote! {
        /// Returns a client of a service in this process, without a socket. For tests.
        #[must_use]
        pub fn local(service: impl self::#service) -> Self {
            Self::new(::zsvc::Channel::local(self::#server::new(service)))
        }
    }
}
