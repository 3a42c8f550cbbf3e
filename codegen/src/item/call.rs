//! A method of a client: it takes parameters and returns a call, which does nothing until it is awaited.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Method, MethodKind, StreamParameter, Type};

use super::argument::Argument;
use super::method::{self, Named, Variables};
use crate::docs;
use crate::names::ServiceNames;
use crate::site::{self, Site};

/// The parts that all kinds of methods share.
struct Call {
    /// Docs and deprecation.
    attributes: TokenStream,
    name: Ident,
    /// The plain parameters, as a client takes them.
    arguments: TokenStream,
    /// The parameter that is a stream.
    stream: Option<Ident>,
    /// The type that stands for the method.
    marker: TokenStream,
    /// A reference to its parameters.
    params: TokenStream,
    failure: TokenStream,
}

/// Returns the client's method for a method of the service.
pub(crate) fn call(site: Site<'_>, service: &ServiceNames, method: &Named<'_>) -> TokenStream {
    let call = Call::new(site, service, method);
    match &method.method.kind {
        MethodKind::Unary(answer) => call.unary(site, answer.as_ref()),
        MethodKind::ServerStream(item) => call.server_stream(site, item),
        MethodKind::ClientStream(items, answer) => call.client_stream(site, items, answer.as_ref()),
        MethodKind::Bidirectional(items, item) => call.bidirectional(site, items, item),
        MethodKind::OneWay => call.one_way(),
    }
}

impl Call {
    fn new(site: Site<'_>, service: &ServiceNames, named: &Named<'_>) -> Self {
        let Named { method, access, call, marker, parameters, .. } = named;
        let methods = &service.methods;
        let variables = Variables::new(site, method);
        let arguments: Vec<Argument> =
            method.parameters.iter().map(|parameter| Argument::of(site, parameter)).collect();
        let types = arguments.iter().map(|argument| &argument.ty);
        let parameter_names = &variables.parameters;
        let members = members(method, parameter_names, &arguments);
        let attributes = docs::of_method(site, &method.notes, &format!("Calls `{}`.", method.name), access);
        Self {
            attributes,
            name: call.clone(),
            arguments: quote!(#(#parameter_names: #types,)*),
            stream: variables.stream,
            marker: quote!(#methods::#marker),
            params: quote!(&#methods::#parameters { #(#members),* }),
            failure: method::failure(site, named),
        }
    }

    fn unary(&self, site: Site<'_>, answer: Option<&Type>) -> TokenStream {
        let Self { attributes, name, arguments, marker, params, failure, .. } = self;
        let answer = method::answer(site, answer);
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::UnaryCall<#answer, #failure> {
                self.channel.call_unary::<#marker>(#params)
            }
        }
    }

    fn server_stream(&self, site: Site<'_>, item: &Type) -> TokenStream {
        let Self { attributes, name, arguments, marker, params, failure, .. } = self;
        let item = site.ty(item);
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::ServerStreamCall<#item, #failure> {
                self.channel.call_server_stream::<#marker>(#params)
            }
        }
    }

    fn client_stream(&self, site: Site<'_>, items: &StreamParameter, answer: Option<&Type>) -> TokenStream {
        let Self { attributes, name, arguments, stream, marker, params, failure } = self;
        let (items, answer) = (site.ty(&items.item), method::answer(site, answer));
        quote! {
            #attributes
            pub fn #name<S: ::zsvc::Stream<Item = #items>>(
                &self,
                #arguments
                #stream: S,
            ) -> ::zsvc::ClientStreamCall<S, #items, #answer, #failure> {
                self.channel.call_client_stream::<#marker, S>(#params, #stream)
            }
        }
    }

    /// The stream is not a parameter here: such a call returns a sink and a stream.
    fn bidirectional(&self, site: Site<'_>, items: &StreamParameter, item: &Type) -> TokenStream {
        let Self { attributes, name, arguments, marker, params, failure, .. } = self;
        let (items, item) = (site.ty(&items.item), site.ty(item));
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::BidirectionalCall<#items, #item, #failure> {
                self.channel.call_bidirectional::<#marker>(#params)
            }
        }
    }

    fn one_way(&self) -> TokenStream {
        let Self { attributes, name, arguments, marker, params, .. } = self;
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::OneWayCall {
                self.channel.call_one_way::<#marker>(#params)
            }
        }
    }
}

/// Returns the members of the struct of parameters, converted from a client's arguments.
fn members(method: &Method, variables: &[Ident], arguments: &[Argument]) -> Vec<TokenStream> {
    let members = method::members(method).into_iter().zip(variables).zip(arguments);
    members
        .map(|((member, variable), argument)| match argument.convert(variable) {
            Some(value) => quote!(#member: #value),
            None => site::bound(&member, variable),
        })
        .collect()
}
