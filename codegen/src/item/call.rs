//! A method of a client: parameters in, a call out, which does nothing until awaited.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Method, MethodKind, StreamParameter, Type};

use super::argument::Argument;
use super::method::{self, Named, Variables};
use crate::docs;
use crate::form::Form;
use crate::site::{self, Site};

/// What is the same for all kinds of methods.
struct Call {
    /// Docs and deprecation.
    attributes: TokenStream,
    name: Ident,
    /// The plain parameters, as a client takes them.
    arguments: TokenStream,
    /// The parameter that is a stream.
    stream: Option<Ident>,
    /// The method's row of the table, and its parameters.
    request: TokenStream,
    failure: TokenStream,
}

/// The method of a client for a method of its service.
pub(crate) fn call(site: Site<'_>, named: &Named<'_>) -> TokenStream {
    let call = Call::new(site, named);
    match &named.method.kind {
        MethodKind::Unary(answer) => call.unary(site, answer.as_ref()),
        MethodKind::ServerStream(item) => call.server_stream(site, item),
        MethodKind::ClientStream(items, answer) => call.client_stream(site, items, answer.as_ref()),
        MethodKind::Bidirectional(items, item) => call.bidirectional(site, items, item),
        MethodKind::OneWay => call.one_way(),
    }
}

impl Call {
    fn new(site: Site<'_>, named: &Named<'_>) -> Self {
        let Named { method, call, parameters, index, .. } = named;
        let variables = Variables::new(site, method);
        let arguments: Vec<Argument> =
            method.parameters.iter().map(|parameter| Argument::of(site, parameter)).collect();
        let types = arguments.iter().map(|argument| &argument.ty);
        let parameter_names = &variables.parameters;
        let members = members(method, parameter_names, &arguments);
        let index = Literal::usize_unsuffixed(*index);
        Self {
            attributes: docs::attributes(&method.notes, &format!("Calls `{}`.", method.name)),
            name: call.clone(),
            arguments: quote!(#(#parameter_names: #types,)*),
            stream: variables.stream,
            request: quote!(&METHODS[#index], &#parameters { #(#members),* }),
            failure: method::failure(site, method),
        }
    }

    fn unary(&self, site: Site<'_>, answer: Option<&Type>) -> TokenStream {
        let Self { attributes, name, arguments, request, failure, .. } = self;
        let (form, answer) = (Form::of_answer(site, answer), method::answer(site, answer));
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::UnaryCall<#answer, #failure> {
                self.channel.unary::<#form, _, _>(#request)
            }
        }
    }

    fn server_stream(&self, site: Site<'_>, item: &Type) -> TokenStream {
        let Self { attributes, name, arguments, request, failure, .. } = self;
        let (form, item) = (Form::of(site, item), site.ty(item));
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::ServerStreamCall<#item, #failure> {
                self.channel.server_stream::<#form, _, _>(#request)
            }
        }
    }

    fn client_stream(&self, site: Site<'_>, items: &StreamParameter, answer: Option<&Type>) -> TokenStream {
        let Self { attributes, name, arguments, stream, request, failure } = self;
        let (items_form, items) = (Form::of(site, &items.item), site.ty(&items.item));
        let (form, answer) = (Form::of_answer(site, answer), method::answer(site, answer));
        quote! {
            #attributes
            pub fn #name<S: ::zsvc::Stream<Item = #items>>(
                &self,
                #arguments
                #stream: S,
            ) -> ::zsvc::ClientStreamCall<S, #items, #answer, #failure> {
                self.channel.client_stream::<#items_form, _, _, #form, _, _>(#request, #stream)
            }
        }
    }

    /// The stream is no parameter here: a call of this kind comes to a sink and a stream.
    fn bidirectional(&self, site: Site<'_>, items: &StreamParameter, item: &Type) -> TokenStream {
        let Self { attributes, name, arguments, request, failure, .. } = self;
        let (items_form, items) = (Form::of(site, &items.item), site.ty(&items.item));
        let (form, item) = (Form::of(site, item), site.ty(item));
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::BidirectionalCall<#items, #item, #failure> {
                self.channel.bidirectional::<#items_form, _, #form, _, _>(#request)
            }
        }
    }

    fn one_way(&self) -> TokenStream {
        let Self { attributes, name, arguments, request, .. } = self;
        quote! {
            #attributes
            pub fn #name(&self, #arguments) -> ::zsvc::OneWayCall {
                self.channel.one_way(#request)
            }
        }
    }
}

/// The members of the struct of parameters, made of a client's arguments.
fn members(method: &Method, variables: &[Ident], arguments: &[Argument]) -> Vec<TokenStream> {
    let members = method::members(method).into_iter().zip(variables).zip(arguments);
    members
        .map(|((member, variable), argument)| match argument.convert(variable) {
            Some(value) => quote!(#member: #value),
            None => site::bound(&member, variable),
        })
        .collect()
}
