//! What the trait, the server and the client of a service all need to know of a method.

use std::collections::HashMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Field, Method, MethodKind, Overlap, Service, StreamParameter, Type};

use super::fields;
use crate::literal;
use crate::names::{self, Scope};
use crate::site::Site;

/// The functions of every client that are no methods of its service. Here it is the method that gives way: clients are
/// made in the same manner, whatever their services hold.
const CLIENT_FUNCTIONS: &[&str] = &["new", "connect", "local", "channel"];

/// The table of methods.
const TABLE: &str = "METHODS";

/// A method with its names.
pub(crate) struct Named<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// The function in the trait.
    pub(crate) name: Ident,
    /// The function in the client: another name where every client has a function of that one.
    pub(crate) call: Ident,
    /// The type that stands for it in the module of its service's methods.
    pub(crate) marker: Ident,
    /// The constant there that holds the index of its row in the table.
    pub(crate) row: Ident,
    /// The struct of its parameters there, which is that of the first method with the same ones.
    pub(crate) parameters: Ident,
    /// Whether it is the first.
    pub(crate) declares_parameters: bool,
}

/// The methods of a service, in order of declaration.
pub(crate) fn named(service: &Service) -> Vec<Named<'_>> {
    let names = || service.methods.iter().map(|method| method.name.as_str());
    let calls = Scope::without(CLIENT_FUNCTIONS.iter().copied()).declare(names());
    let idents = names::distinct(names()).into_iter().zip(calls);
    let (mut types, mut rows) = (Scope::default(), Scope::without([TABLE]));
    let markers: Vec<Ident> = names().map(|name| types.add(&names::pascal(name))).collect();
    let mut declared = Parameters::default();
    let methods = service.methods.iter().zip(idents).zip(markers);
    let methods = methods.map(|((method, (name, call)), marker)| {
        let row = rows.add(&method.name.to_ascii_uppercase());
        let own = types.add(&format!("{marker}Params"));
        let parameters = declared.of(&method.parameters, &own);
        let declares_parameters = parameters == own;
        Named { method, name, call, marker, row, parameters, declares_parameters }
    });
    methods.collect()
}

/// The structs of parameters so far. Methods often take the same, such as an id: to compile all of it once is enough.
#[derive(Default)]
struct Parameters<'a>(HashMap<Vec<NameAndType<'a>>, Vec<Declared<'a>>>);

type NameAndType<'a> = (&'a str, &'a Type);
/// Fields, and the struct that is declared for them.
type Declared<'a> = (&'a [Field], Ident);

impl<'a> Parameters<'a> {
    /// The struct of these, which is called `own` if there is none yet.
    fn of(&mut self, fields: &'a [Field], own: &Ident) -> Ident {
        let key = fields.iter().map(|field| (field.name.as_str(), &field.ty)).collect();
        let alike = self.0.entry(key).or_default();
        if let Some((_, known)) = alike.iter().find(|(known, _)| are_bounded_alike(known, fields)) {
            return known.clone();
        }
        alike.push((fields, own.clone()));
        own.clone()
    }
}

/// Whether fields with the same names and types have the same defaults and bounds.
fn are_bounded_alike(some: &[Field], others: &[Field]) -> bool {
    let rest = |field: &Field| {
        (field.number, field.boxed, field.default.clone(), field.len.clone(), field.range.clone())
    };
    some.iter().map(rest).eq(others.iter().map(rest))
}

/// The table of methods, in the order of their indices.
pub(crate) fn table(site: Site<'_>, service: &Service) -> TokenStream {
    let count = Literal::usize_unsuffixed(service.methods.len());
    let full_name = site.prefix() + &service.name;
    let rows = service.methods.iter().map(|method| row(&full_name, method));
    quote!(pub(super) static METHODS: [::zsvc::Method; #count] = [#(#rows),*];)
}

fn row(service: &str, method: &Method) -> TokenStream {
    let name = format!("{service}/{}", method.name);
    let kind = match &method.kind {
        MethodKind::Unary(_) => quote!(Unary),
        MethodKind::ServerStream(_) => quote!(ServerStream),
        MethodKind::ClientStream(..) => quote!(ClientStream),
        MethodKind::Bidirectional(..) => quote!(Bidirectional),
        MethodKind::OneWay => quote!(OneWay),
    };
    let deadline = method.deadline.map(|deadline| {
        let deadline = literal::duration(deadline);
        quote!(.deadline(#deadline))
    });
    let idempotent = method.idempotent.then(|| quote!(.idempotent()));
    let overlap = overlap(method.overlap).map(|overlap| quote!(.overlapping(::zsvc::Overlap::#overlap)));
    quote!(::zsvc::Method::new(#name, ::zsvc::MethodKind::#kind) #deadline #idempotent #overlap)
}

/// What the runtime calls it, if that is to be said.
fn overlap(overlap: Overlap) -> Option<TokenStream> {
    match overlap {
        Overlap::Parallel => None,
        Overlap::Queue => Some(quote!(Queue)),
        Overlap::Replace => Some(quote!(Replace)),
        Overlap::Ignore => Some(quote!(Ignore)),
    }
}

/// The Rust type of an answer.
pub(crate) fn answer(site: Site<'_>, answer: Option<&Type>) -> TokenStream {
    answer.map_or_else(|| quote!(()), |ty| site.ty(ty))
}

/// The Rust type of a method's failure.
pub(crate) fn failure(site: Site<'_>, method: &Method) -> TokenStream {
    match method.throws {
        None => quote!(::zsvc::Status),
        Some(id) => {
            let error = site.path(id);
            quote!(::zsvc::Error<#error>)
        }
    }
}

/// The stream that a method takes.
pub(crate) fn stream(method: &Method) -> Option<&StreamParameter> {
    match &method.kind {
        MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _) => Some(stream),
        MethodKind::Unary(_) | MethodKind::ServerStream(_) | MethodKind::OneWay => None,
    }
}

/// The variables that stand for a method's plain parameters, and for its stream. The names left are in the scope.
pub(crate) struct Variables {
    pub(crate) parameters: Vec<Ident>,
    pub(crate) stream: Option<Ident>,
    pub(crate) left: Scope,
}

impl Variables {
    pub(crate) fn new(site: Site<'_>, method: &Method) -> Self {
        let mut left = site.names().bindings.clone();
        let parameters = method.parameters.iter().map(|parameter| parameter.name.as_str());
        let stream = stream(method).map(|stream| stream.name.as_str());
        let mut parameters = left.declare(parameters.chain(stream));
        let stream = stream.and_then(|_| parameters.pop());
        Self { parameters, stream, left }
    }
}

/// The hidden structs of parameters hold them under these names.
pub(crate) fn members(method: &Method) -> Vec<Ident> {
    fields::idents(&method.parameters)
}
