//! Properties of a method that the trait, the server and the client of a service all need.

use std::collections::HashMap;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use zsvc_idl::schema::{
    Access, Field, Method, MethodKind, Overlap, PackageId, Service, ServiceId, StreamParameter, Type,
};

use super::fields;
use crate::literal;
use crate::names::{self, ErrorNames, Scope, ServiceNames};
use crate::site::Site;

/// The functions that every client has besides the methods of its service. A method of such a name is renamed, so that all
/// clients are constructed in the same way.
const CLIENT_FUNCTIONS: &[&str] = &["new", "connect", "local", "channel"];

/// The table of methods.
const TABLE: &str = "METHODS";

/// A method with its names.
pub(crate) struct Named<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// Who may call it, by itself or its service.
    pub(crate) access: &'a Access,
    /// The trait that has it: that of its service, or of the one that the service takes it over from.
    pub(crate) contract: TokenStream,
    /// The function in that trait.
    pub(crate) name: Ident,
    /// The function in the client: renamed if it is one of [`CLIENT_FUNCTIONS`].
    pub(crate) call: Ident,
    /// The type that stands for it in the module of its service's methods.
    pub(crate) marker: Ident,
    /// The constant there that holds the index of its row in the table.
    pub(crate) row: Ident,
    /// The struct of its parameters there: that of the first method with the same parameters.
    pub(crate) parameters: Ident,
    /// Whether it is that first method.
    pub(crate) declares_parameters: bool,
    /// The type of its errors, if it throws several, and the package that has it.
    pub(crate) errors: Option<(PackageId, &'a ErrorNames)>,
}

impl Named<'_> {
    /// Reports whether the service declares it itself.
    pub(crate) fn is_own(&self) -> bool {
        self.method.declared_by.is_none()
    }
}

/// A method as the service that declares it names it.
struct Declaration<'a> {
    contract: TokenStream,
    name: Ident,
    errors: Option<(PackageId, &'a ErrorNames)>,
}

/// Returns the declarations of all methods that a service serves, in their order.
fn declarations<'a>(site: Site<'a>, service: &'a Service, own: &'a ServiceNames) -> Vec<Declaration<'a>> {
    let own_functions = functions(service);
    let mut bases: HashMap<ServiceId, Functions<'_>> = HashMap::new();
    let methods = service.methods.iter().enumerate().map(|(index, method)| {
        let Some(id) = method.declared_by else {
            let contract = &own.service;
            let errors = own.errors.get(index).and_then(Option::as_ref).map(|errors| (site.package, errors));
            return Declaration {
                contract: quote!(self::#contract),
                name: own_functions[index].clone(),
                errors,
            };
        };
        let base = site.generation.schema.service(id);
        let functions = bases.entry(id).or_insert_with(|| Functions::of(base));
        let index = functions.indices.get(&*method.name).copied().unwrap_or_default();
        let names = site.service(id);
        let errors = names.errors.get(index).and_then(Option::as_ref).map(|errors| (id.package, errors));
        Declaration { contract: site.contract(id), name: functions.names[index].clone(), errors }
    });
    methods.collect()
}

/// The functions of a service's trait, and the index of each by its method's name.
struct Functions<'a> {
    names: Vec<Ident>,
    indices: HashMap<&'a str, usize>,
}

impl<'a> Functions<'a> {
    fn of(service: &'a Service) -> Self {
        // Its own methods come first, so its functions are in the order of these.
        let indices = service.methods.iter().enumerate().map(|(index, method)| (&*method.name, index));
        Self { names: functions(service), indices: indices.collect() }
    }
}

/// Returns the functions of a service's trait: of the methods that it declares itself.
fn functions(service: &Service) -> Vec<Ident> {
    let own = service.methods.iter().filter(|method| method.declared_by.is_none());
    names::distinct(own.map(|method| method.name.as_str()))
}

/// Returns the methods of a service: its own in order of declaration, then those that it takes over.
pub(crate) fn named<'a>(site: Site<'a>, service: &'a Service, own: &'a ServiceNames) -> Vec<Named<'a>> {
    let names = || service.methods.iter().map(|method| method.name.as_str());
    let calls = Scope::without(CLIENT_FUNCTIONS.iter().copied()).declare(names());
    let declarations = declarations(site, service, own);
    let (mut types, mut rows) = (Scope::default(), Scope::without([TABLE]));
    let markers: Vec<Ident> = names().map(|name| types.add(&names::pascal(name))).collect();
    let mut declared = Parameters::default();
    let methods = service.methods.iter().zip(declarations).zip(calls).zip(markers);
    let methods = methods.map(|(((method, declaration), call), marker)| {
        let row = rows.add(&method.name.to_ascii_uppercase());
        let own = types.add(&format!("{marker}Params"));
        let parameters = declared.of(&method.parameters, &own);
        let declares_parameters = parameters == own;
        let access = service.access_of(method);
        let Declaration { contract, name, errors } = declaration;
        Named { method, access, contract, name, call, marker, row, parameters, declares_parameters, errors }
    });
    methods.collect()
}

/// Structs of parameters so far. Methods with the same parameters, such as an id, share one, so that it is compiled once.
#[derive(Default)]
struct Parameters<'a>(HashMap<Vec<Parameter<'a>>, Ident>);

/// What makes a parameter another one.
#[derive(PartialEq, Eq, Hash)]
struct Parameter<'a> {
    name: &'a str,
    ty: &'a Type,
    number: u16,
    boxed: bool,
    /// Its default and bounds, which hold floats and so have no hash, as text; empty without any.
    limits: String,
}

impl<'a> Parameter<'a> {
    fn of(field: &'a Field) -> Self {
        let Field { name, ty, number, boxed, default, len, range, .. } = field;
        let is_limited = default.is_some() || len.is_some() || range.is_some();
        let limits = if is_limited { format!("{default:?} {len:?} {range:?}") } else { String::new() };
        Self { name, ty, number: *number, boxed: *boxed, limits }
    }
}

impl<'a> Parameters<'a> {
    /// Returns the struct of these fields. If there is none yet, that is `own`.
    fn of(&mut self, fields: &'a [Field], own: &Ident) -> Ident {
        let key = fields.iter().map(Parameter::of).collect();
        self.0.entry(key).or_insert_with(|| own.clone()).clone()
    }
}

/// Returns the table of methods, in the order of their rows.
pub(crate) fn table(site: Site<'_>, service: &Service) -> TokenStream {
    let count = Literal::usize_unsuffixed(service.methods.len());
    let full_name = site.prefix() + &service.name;
    let rows = service.methods.iter().map(|method| row(&full_name, method, service.access_of(method)));
    quote!(pub(super) static METHODS: [::zsvc::Method; #count] = [#(#rows),*];)
}

fn row(service: &str, method: &Method, access: &Access) -> TokenStream {
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
    let blocking = method.blocking.then(|| quote!(.blocking()));
    let overlap = overlap(method.overlap).map(|overlap| quote!(.overlapping(::zsvc::Overlap::#overlap)));
    let access = match access {
        Access::Unsaid => None,
        Access::Public => Some(quote!(.public())),
        Access::Roles(roles) => Some(quote!(.roles(&[#(#roles),*]))),
    };
    quote!(::zsvc::Method::new(#name, ::zsvc::MethodKind::#kind) #deadline #idempotent #blocking #overlap #access)
}

/// Returns the runtime's name of an overlap; `None` for the default.
fn overlap(overlap: Overlap) -> Option<TokenStream> {
    match overlap {
        Overlap::Parallel => None,
        Overlap::Queue => Some(quote!(Queue)),
        Overlap::Replace => Some(quote!(Replace)),
        Overlap::Ignore => Some(quote!(Ignore)),
    }
}

/// Returns the Rust type of an answer.
pub(crate) fn answer(site: Site<'_>, answer: Option<&Type>) -> TokenStream {
    answer.map_or_else(|| quote!(()), |ty| site.ty(ty))
}

/// Returns the Rust type of a method's failure.
pub(crate) fn failure(site: Site<'_>, named: &Named<'_>) -> TokenStream {
    let error = match (named.errors, named.method.throws.first()) {
        (Some((package, errors)), _) => site.item(package, &errors.name),
        (None, Some(thrown)) => site.path(thrown.error),
        (None, None) => return quote!(::zsvc::Status),
    };
    quote!(::zsvc::Error<#error>)
}

/// Returns the stream that a method takes.
pub(crate) fn stream(method: &Method) -> Option<&StreamParameter> {
    match &method.kind {
        MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _) => Some(stream),
        MethodKind::Unary(_) | MethodKind::ServerStream(_) | MethodKind::OneWay => None,
    }
}

/// The variables of a method's plain parameters and of its stream, and the scope that they were declared in.
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

/// Returns the fields of a method's struct of parameters.
pub(crate) fn members(method: &Method) -> Vec<Ident> {
    fields::idents(&method.parameters)
}
