//! `TapeServer`: connects a user's service to the runtime's server.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{MethodKind, Service};

use super::method::{self, Named};
use crate::docs;
use crate::names::ServiceNames;
use crate::site::Site;

/// Returns the type, which holds the user's service, and its dispatch of calls.
pub(crate) fn server(
    site: Site<'_>,
    names: &ServiceNames,
    service: &Service,
    methods: &[Named<'_>],
) -> TokenStream {
    let declaration = declaration(names, service);
    let dispatch = dispatch(names, methods, site.schema(service.span));
    quote!(#declaration #dispatch)
}

fn declaration(names: &ServiceNames, service: &Service) -> TokenStream {
    let ServiceNames { service: contract, server, .. } = names;
    let docs = docs::doc(&format!("Serves `{}` by an implementation of [`{contract}`].", service.name));
    quote! {
        #docs
        #[derive(Debug)]
        pub struct #server<T> {
            service: ::std::sync::Arc<T>,
        }
        impl<T: self::#contract> self::#server<T> {
            /// Returns a server of a service.
            pub fn new(service: T) -> Self {
                Self::from_arc(::std::sync::Arc::new(service))
            }
            /// Returns a server of a shared service.
            pub fn from_arc(service: ::std::sync::Arc<T>) -> Self {
                Self { service }
            }
        }
        impl<T> ::core::clone::Clone for self::#server<T> {
            fn clone(&self) -> Self {
                Self { service: ::std::sync::Arc::clone(&self.service) }
            }
        }
    }
}

/// Returns the implementation of the runtime's `Service`. Calls are matched by the rows of their methods.
fn dispatch(names: &ServiceNames, methods: &[Named<'_>], schema: Option<TokenStream>) -> TokenStream {
    let ServiceNames { service: contract, server, methods: module, .. } = names;
    let table = if methods.is_empty() { quote!(&[]) } else { quote!(&#module::METHODS) };
    let service =
        (!methods.is_empty()).then(|| quote!(let service = ::std::sync::Arc::clone(&self.service);));
    let schema = schema.map(|schema| {
        quote! {
            fn schema(&self) -> ::core::option::Option<&'static ::zsvc::generated::ServiceSchema> {
                ::core::option::Option::Some(#schema)
            }
        }
    });
    let arms = methods.iter().map(|named| arm(module, named));
    quote! {
        impl<T: self::#contract> ::zsvc::Service for self::#server<T> {
            fn methods(&self) -> &'static [::zsvc::Method] {
                #table
            }
            #schema
            fn dispatch(
                &self,
                method: usize,
                call: ::zsvc::generated::Incoming,
            ) -> ::core::result::Result<::zsvc::generated::Handling, ::zsvc::Status> {
                #service
                match method {
                    #(#arms)*
                    _ => call.unimplemented(),
                }
            }
        }
    }
}

fn arm(module: &Ident, method: &Named<'_>) -> TokenStream {
    let Named { method, contract, name, marker, row, .. } = method;
    let members = method::members(method);
    let params = if members.is_empty() { quote!(_) } else { quote!(params) };
    let (kind, streams) = kind(&method.kind);
    let end = matches!(method.kind, MethodKind::OneWay).then(|| quote!(;));
    quote! {
        #module::#row => {
            let (context, #params #(, #streams)*, call) = call.#kind::<#module::#marker>()?;
            call.handle(async move {
                <T as #contract>::#name(&service, &context #(, params.#members)* #(, #streams)*).await #end
            })
        }
    }
}

/// Returns the runtime's function that accepts a call of this kind, and the streams that it returns.
fn kind(kind: &MethodKind) -> (TokenStream, Vec<TokenStream>) {
    let (stream, sink) = (quote!(stream), quote!(sink));
    match kind {
        MethodKind::Unary(_) => (quote!(unary), vec![]),
        MethodKind::ServerStream(_) => (quote!(server_stream), vec![sink]),
        MethodKind::ClientStream(..) => (quote!(client_stream), vec![stream]),
        MethodKind::Bidirectional(..) => (quote!(bidirectional), vec![stream, sink]),
        MethodKind::OneWay => (quote!(one_way), vec![]),
    }
}
