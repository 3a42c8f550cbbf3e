//! One emitted item per file.

mod client;
mod constant;
mod enumeration;
mod error;
mod event;
mod fields;
mod flags;
mod method;
mod service;
mod structure;
mod union;

use zsvc_idl::schema::{Service, TypeId, TypeKind};

use super::docs;
use super::lines::Lines;
use super::names::ServiceNames;
use super::site::{Builtins, Site};
use crate::options::Sides;

pub(crate) use constant::constant;
pub(crate) use method::types;

/// Adds a type.
pub(crate) fn definition(site: &Site<'_>, lines: &mut Lines, id: TypeId) {
    let definition = site.generation.schema.definition(id);
    let names = site.own(id);
    match &definition.kind {
        TypeKind::Alias(target) => {
            lines.blank();
            let alias = site.import("_TypeAlias");
            let target = site.annotation(target, Builtins::Plain);
            lines.line(&format!("{}: {alias} = \"{target}\"", names.name));
            docs::docstring(lines, &definition.notes, "");
        }
        TypeKind::Struct(structure) => {
            structure::structure(site, lines, id, &structure.fields);
            if let Some(declared) = &structure.event {
                event::event(site, lines, id, declared);
            }
        }
        TypeKind::Enum(values) => enumeration::enumeration(lines, names, &definition.notes, values),
        TypeKind::Flags(flags) => flags::flags(lines, names, &definition.notes, flags),
        TypeKind::Union(variants) => union::union(site, lines, id, variants),
        TypeKind::Error(variants) => error::error(site, lines, id, variants),
    }
}

/// Adds what is generated for a service.
pub(crate) fn service(site: &Site<'_>, lines: &mut Lines, names: &ServiceNames, service: &Service) {
    let full_name = format!("{}.{}", site.generation.schema.package(site.package).full_name(), service.name);
    for (own, method) in names.methods.iter().zip(&service.methods) {
        method::method(site, lines, &full_name, own, (service, method));
    }
    if has_service(site) {
        service::service(site, lines, names, service);
    }
    if has_clients(site) {
        client::client(site, lines, names, service, client::Style::Async);
        client::client(site, lines, names, service, client::Style::Blocking);
    }
}

/// Reports whether abstract classes are generated.
pub(crate) fn has_service(site: &Site<'_>) -> bool {
    site.generation.sides != Sides::Client
}

/// Reports whether clients are generated.
pub(crate) fn has_clients(site: &Site<'_>) -> bool {
    site.generation.sides != Sides::Server
}

/// Returns the full name of a type.
fn full_name(site: &Site<'_>, id: TypeId) -> String {
    let definition = site.generation.schema.definition(id);
    format!("{}.{}", site.generation.schema.package(definition.package).full_name(), definition.name)
}
