//! `TapeMock`: a service for tests, whose methods are closures.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::Service;

use super::handler::Handler;
use super::method::Named;
use crate::docs;
use crate::names::{self, Scope, ServiceNames};
use crate::site::Site;

/// A method of a mock, with its names.
struct Mocked<'a> {
    named: &'a Named<'a>,
    handler: Handler,
    /// The field with its closure.
    field: Ident,
    /// `on_last`
    setter: Ident,
    /// `last_calls`
    counter: Ident,
}

/// Returns the mock of a service, and its implementation of the trait.
pub(crate) fn mock(
    site: Site<'_>,
    names: &ServiceNames,
    service: &Service,
    methods: &[Named<'_>],
) -> TokenStream {
    let mock = &names.mock;
    let docs = docs::doc(&format!(
        "A `{}` for tests, whose methods are closures.\n\nA method without one is answered with `unimplemented`; one-way \
         calls are ignored then.\nClones share the counts of calls.",
        service.name
    ));
    let methods = mocked(site, methods);
    let fields = methods.iter().map(Mocked::field);
    let functions = methods.iter().map(Mocked::functions);
    let implementations = implementations(site, names, service, &methods);
    quote! {
        #docs
        #[derive(Clone, Debug, Default)]
        pub struct #mock {
            #(#fields,)*
        }
        impl self::#mock {
            /// Returns a mock without closures.
            #[must_use]
            pub fn new() -> Self {
                <Self as ::core::default::Default>::default()
            }
            #(#functions)*
        }
        #implementations
    }
}

/// Returns the implementations of the traits of the service and of all that it takes over.
fn implementations(
    site: Site<'_>,
    names: &ServiceNames,
    service: &Service,
    methods: &[Mocked<'_>],
) -> TokenStream {
    let ServiceNames { service: contract, mock, .. } = names;
    let own = (None, quote!(self::#contract));
    let bases = site.generation.schema.bases(service).into_iter();
    let bases = bases.map(|base| (Some(base), site.contract(base)));
    let implementations = std::iter::once(own).chain(bases).map(|(declared_by, contract)| {
        let methods = methods.iter().filter(|method| method.named.method.declared_by == declared_by);
        let handlers = methods.map(|method| method.handler(mock));
        quote! {
            impl #contract for self::#mock {
                #(#handlers)*
            }
        }
    });
    quote!(#(#implementations)*)
}

/// Names the functions. Setters come first, so that they keep their names: tests use them most.
fn mocked<'a>(site: Site<'_>, methods: &'a [Named<'a>]) -> Vec<Mocked<'a>> {
    let mut scope = Scope::without(["new"]);
    let mut add = |before: &str, after: &str| -> Vec<Ident> {
        let names = methods.iter().map(|named| format!("{before}{}{after}", named.method.name));
        names.map(|name| scope.add(&name)).collect()
    };
    let (setters, counters) = (add("on_", ""), add("", "_calls"));
    let fields = names::distinct(methods.iter().map(|named| named.method.name.as_str()));
    let names = setters.into_iter().zip(counters).zip(fields);
    let mocked = methods.iter().zip(names).map(|(named, ((setter, counter), field))| Mocked {
        named,
        handler: Handler::new(site, named),
        field,
        setter,
        counter,
    });
    mocked.collect()
}

impl Mocked<'_> {
    fn field(&self) -> TokenStream {
        let (name, Handler { types, output, .. }) = (&self.field, &self.handler);
        quote!(#name: ::zsvc::generated::MockMethod<(#(#types,)*), #output>)
    }

    fn functions(&self) -> TokenStream {
        let Self { named: Named { method, .. }, field: name, setter, counter, .. } = self;
        let Handler { context, arguments, types, output, .. } = &self.handler;
        let handler = self.handler.left.clone().add("handler");
        let sets = docs::doc(&format!(
            "Handles `{}` by a closure.\n\nThe closure copies what its future needs out of the context.",
            method.name
        ));
        let counts = docs::doc(&format!("Returns the number of calls of `{}` so far.", method.name));
        quote! {
            #sets
            #[must_use]
            pub fn #setter<R: ::core::future::Future<Output = #output> + ::core::marker::Send + 'static>(
                mut self,
                #handler: impl ::core::ops::Fn(&::zsvc::Context #(, #types)*) -> R
                    + ::core::marker::Send
                    + ::core::marker::Sync
                    + 'static,
            ) -> Self {
                self.#name.set(move |#context, (#(#arguments,)*)| #handler(#context #(, #arguments)*));
                self
            }
            #counts
            #[must_use]
            pub fn #counter(&self) -> usize {
                self.#name.calls()
            }
        }
    }

    fn handler(&self, mock: &Ident) -> TokenStream {
        let (name, setter) = (&self.field, format!("{mock}::{}", self.setter));
        let Handler { context, arguments, .. } = &self.handler;
        let signature = self.handler.signature();
        quote! {
            #signature {
                self.#name.call(#context, #setter, (#(#arguments,)*))
            }
        }
    }
}
