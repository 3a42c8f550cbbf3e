//! Identifiers of what is generated for services.

use proc_macro2::Ident;
use zsvc_idl::schema::{Method, Package, Schema, Service};

use super::{Scope, ident, pascal, snake};

/// The identifiers of a service.
#[derive(Debug, Clone)]
pub(crate) struct ServiceNames {
    /// The trait.
    pub(crate) service: Ident,
    /// `TapeClient`
    pub(crate) client: Ident,
    /// `TapeServer`
    pub(crate) server: Ident,
    /// `TapeMock`
    pub(crate) mock: Ident,
    /// `tape_methods`
    pub(crate) methods: Ident,
    /// In the order of the methods; `None` for those that do not throw several errors, and for those that are taken over.
    pub(crate) errors: Vec<Option<ErrorNames>>,
}

/// The identifiers of the type of a method's errors.
#[derive(Debug, Clone)]
pub(crate) struct ErrorNames {
    /// `TapeLastError`
    pub(crate) name: Ident,
    /// The variants, in the order of the errors.
    pub(crate) variants: Vec<Ident>,
    /// The variant for an error of a newer schema.
    pub(crate) unknown: Ident,
}

/// Declares services, then what the generator adds for them: first what is there for each service.
pub(super) fn declare(schema: &Schema, package: &Package, scope: &mut Scope) -> Vec<ServiceNames> {
    let names = scope.declare(package.services.iter().map(|service| service.name.as_str()));
    let names = names.into_iter().zip(&package.services).map(|(name, service)| ServiceNames {
        service: name,
        client: scope.add(&format!("{}Client", service.name)),
        server: scope.add(&format!("{}Server", service.name)),
        // Set below, so that what is optional, private or of some methods alone changes no other name.
        mock: ident("unnamed"),
        methods: ident("unnamed"),
        errors: Vec::new(),
    });
    let mut names: Vec<ServiceNames> = names.collect();
    for (names, service) in names.iter_mut().zip(&package.services) {
        names.mock = scope.add(&format!("{}Mock", service.name));
    }
    for (names, service) in names.iter_mut().zip(&package.services) {
        names.methods = scope.add(&format!("{}_methods", snake(&service.name)));
    }
    for (names, service) in names.iter_mut().zip(&package.services) {
        let errors = service.methods.iter().map(|method| ErrorNames::of(schema, service, method, scope));
        names.errors = errors.collect();
    }
    names
}

impl ErrorNames {
    fn of(schema: &Schema, service: &Service, method: &Method, scope: &mut Scope) -> Option<Self> {
        if method.throws.len() < 2 || method.declared_by.is_some() {
            return None;
        }
        let mut variants = Scope::default();
        let errors = method.throws.iter().map(|thrown| schema.definition(thrown.error).name.as_str());
        Some(Self {
            name: scope.add(&format!("{}{}Error", service.name, pascal(&method.name))),
            variants: variants.declare(errors),
            unknown: variants.add("Unknown"),
        })
    }
}
