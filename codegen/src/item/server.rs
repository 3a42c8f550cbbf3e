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
    let service =
        (!methods.is_empty()).then(|| quote!(let service = ::std::sync::Arc::clone(&self.service);));
    let arms = methods.iter().map(|named| arm(site, named, &quote!(<T as self::#contract>)));
    quote! {
        impl<T: self::#contract> ::zsvc::Service for self::#server<T> {
            fn methods(&self) -> &'static [::zsvc::Method] {
                &METHODS
            }
            fn dispatch(
                &self,
                method: usize,
                call: wire::Incoming,
            ) -> ::core::result::Result<wire::Handling, ::zsvc::Status> {
                #service
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
    let Parts { take, streams, run } = parts(site, method, &quote!(#parameters));
    let end = matches!(method.kind, MethodKind::OneWay).then(|| quote!(;));
    quote! {
        #index => {
            let (context, #params #(, #streams)*, start) = call.#take()?;
            start.#run(async move {
                #contract::#name(&service, &context #(, params.#members)* #(, #streams)*).await #end
            })
        }
    }
}

/// What differs from one kind of method to the next.
struct Parts {
    /// The runtime's function that gives what a handler takes.
    take: TokenStream,
    /// The streams among that.
    streams: Vec<TokenStream>,
    /// The runtime's function that runs the handler.
    run: TokenStream,
}

fn parts(site: Site<'_>, method: &zsvc_idl::schema::Method, params: &TokenStream) -> Parts {
    let (stream, sink) = (quote!(stream), quote!(sink));
    let answering = |form: Form| quote!(answering::<#form, _, _, _>);
    let streaming = quote!(streaming);
    match &method.kind {
        MethodKind::Unary(answer) => {
            let run = answering(Form::of_answer(site, answer.as_ref()));
            Parts { take: quote!(unary::<#params>), streams: vec![], run }
        }
        MethodKind::ServerStream(item) => {
            let form = Form::of(site, item);
            let take = quote!(server_stream::<#params, #form, _>);
            Parts { take, streams: vec![sink], run: streaming }
        }
        MethodKind::ClientStream(items, answer) => {
            let items = Form::of(site, &items.item);
            let run = answering(Form::of_answer(site, answer.as_ref()));
            Parts { take: quote!(client_stream::<#params, #items, _>), streams: vec![stream], run }
        }
        MethodKind::Bidirectional(items, item) => {
            let (items, item) = (Form::of(site, &items.item), Form::of(site, item));
            let take = quote!(bidirectional::<#params, #items, _, #item, _>);
            Parts { take, streams: vec![stream, sink], run: streaming }
        }
        MethodKind::OneWay => {
            Parts { take: quote!(one_way::<#params>), streams: vec![], run: quote!(unheard) }
        }
    }
}
