//! `TapeServer`: a user's service, as the runtime's server takes it.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use zsvc_idl::schema::{MethodKind, Service};

use super::method::{self, Named};
use crate::form::Form;
use crate::names::ServiceNames;
use crate::site::Site;

/// The type, which holds the user's service.
pub(crate) fn server(names: &ServiceNames, service: &Service) -> TokenStream {
    let ServiceNames { service: contract, server, .. } = names;
    let docs =
        crate::docs::doc(&format!("Serves `{}` by an implementation of [`{contract}`].", service.name));
    quote! {
        #docs
        #[derive(Debug)]
        pub struct #server<T> {
            service: ::std::sync::Arc<T>,
        }
        impl<T: self::#contract> self::#server<T> {
            /// A server of this service.
            pub fn new(service: T) -> Self {
                Self::from_arc(::std::sync::Arc::new(service))
            }
            /// A server of a service that others hold, too.
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

/// How calls reach the user's service.
pub(crate) fn serving(site: Site<'_>, names: &ServiceNames, methods: &[Named<'_>]) -> TokenStream {
    let ServiceNames { service: contract, server, .. } = names;
    let arms = methods.iter().map(|named| arm(site, named, &quote!(<T as self::#contract>)));
    quote! {
        impl<T: self::#contract> ::zsvc::Service for self::#server<T> {
            fn methods(&self) -> &'static [::zsvc::Method] {
                &METHODS
            }
            fn dispatch(&self, method: usize, call: wire::Incoming) -> wire::Handling {
                match method {
                    #(#arms)*
                    _ => call.unimplemented(),
                }
            }
        }
    }
}

fn arm(site: Site<'_>, named: &Named<'_>, contract: &TokenStream) -> TokenStream {
    let Named { method, name, parameters, index, .. } = named;
    let index = Literal::usize_unsuffixed(*index);
    let members = method::members(method);
    let params = if members.is_empty() { quote!(_) } else { quote!(params) };
    let (start, streams) = start(site, method, &quote!(#parameters));
    let end = matches!(method.kind, MethodKind::OneWay).then(|| quote!(;));
    quote! {
        #index => {
            let service = ::std::sync::Arc::clone(&self.service);
            call.#start(move |context, #params #(, #streams)*| async move {
                #contract::#name(&service, &context #(, params.#members)* #(, #streams)*).await #end
            })
        }
    }
}

/// The runtime's function for a kind of method, and the streams that it hands to the handler.
fn start(
    site: Site<'_>,
    method: &zsvc_idl::schema::Method,
    params: &TokenStream,
) -> (TokenStream, Vec<TokenStream>) {
    let (stream, sink) = (quote!(stream), quote!(sink));
    match &method.kind {
        MethodKind::Unary(answer) => {
            let form = Form::of_answer(site, answer.as_ref());
            (quote!(unary::<#params, #form, _, _, _, _>), vec![])
        }
        MethodKind::ServerStream(item) => {
            let form = Form::of(site, item);
            (quote!(server_stream::<#params, #form, _, _, _, _>), vec![sink])
        }
        MethodKind::ClientStream(items, answer) => {
            let (items, answer) = (Form::of(site, &items.item), Form::of_answer(site, answer.as_ref()));
            (quote!(client_stream::<#params, #items, _, #answer, _, _, _, _>), vec![stream])
        }
        MethodKind::Bidirectional(items, item) => {
            let (items, item) = (Form::of(site, &items.item), Form::of(site, item));
            (quote!(bidirectional::<#params, #items, _, #item, _, _, _, _>), vec![stream, sink])
        }
        MethodKind::OneWay => (quote!(one_way::<#params, _, _>), vec![]),
    }
}
