//! A handler: declared by the trait of its service, implemented by its mock.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Method, MethodKind, Type};

use super::method::{self, Named, Variables};
use crate::names::Scope;
use crate::site::Site;

/// The variables and types of a handler.
pub(crate) struct Handler {
    name: Ident,
    /// Variable of the context.
    pub(crate) context: Ident,
    /// Parameters, then a stream and a sink where the method has them.
    pub(crate) arguments: Vec<Ident>,
    /// The types of the arguments.
    pub(crate) types: Vec<TokenStream>,
    /// Output of the handler's future.
    pub(crate) output: TokenStream,
    /// Scope of the variables.
    pub(crate) left: Scope,
}

impl Handler {
    pub(crate) fn new(site: Site<'_>, named: &Named<'_>) -> Self {
        let Named { method, name, .. } = named;
        let Variables { parameters: mut arguments, stream, mut left } = Variables::new(site, method);
        let context = left.add("context");
        let parameters = method.parameters.iter();
        let mut types: Vec<_> = parameters.map(|parameter| site.held(parameter.into())).collect();
        if let Some((variable, stream)) = stream.zip(method::stream(method)) {
            let item = site.ty(&stream.item);
            arguments.push(variable);
            types.push(quote!(::zsvc::Streaming<#item>));
        }
        if let Some(item) = sink_item(method) {
            let item = site.ty(item);
            arguments.push(left.add("sink"));
            types.push(quote!(::zsvc::Sink<#item>));
        }
        Self { name: name.clone(), context, arguments, types, output: output(site, named), left }
    }

    /// Returns everything up to the body.
    pub(crate) fn signature(&self) -> TokenStream {
        let Self { name, context, arguments, types, output, .. } = self;
        quote! {
            fn #name(
                &self,
                #context: &::zsvc::Context,
                #(#arguments: #types,)*
            ) -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
        }
    }
}

fn sink_item(method: &Method) -> Option<&Type> {
    match &method.kind {
        MethodKind::ServerStream(item) | MethodKind::Bidirectional(_, item) => Some(item),
        MethodKind::Unary(_) | MethodKind::ClientStream(..) | MethodKind::OneWay => None,
    }
}

/// Returns the output of a handler's future.
fn output(site: Site<'_>, named: &Named<'_>) -> TokenStream {
    let answer = match &named.method.kind {
        MethodKind::OneWay => return quote!(()),
        MethodKind::Unary(answer) | MethodKind::ClientStream(_, answer) => {
            method::answer(site, answer.as_ref())
        }
        MethodKind::ServerStream(_) | MethodKind::Bidirectional(..) => quote!(()),
    };
    let failure = method::failure(site, named);
    quote!(::core::result::Result<#answer, #failure>)
}
