//! The order of a module: what it imports, constants, enums, other types, constants that name types, services, clients.
//!
//! Enums and flags come before what may have their values as defaults, and services before those that extend them. All else is text or is
//! asked for later, so its order is that of the schema.

use zsvc_idl::schema::{Literal, PackageId, TypeId, TypeKind};

use super::lines::Lines;
use super::site::Site;
use super::{Generation, docs, item, literal};

/// Returns the text of a package's module.
pub(crate) fn text(generation: &Generation<'_>, id: PackageId, heading: &str) -> String {
    let site = Site::new(generation, id);
    let mut body = Lines::default();
    items(&site, &mut body);
    let package = generation.schema.package(id);
    let mut lines = Lines::default();
    lines.raw(heading);
    lines.line("# pyright: reportPrivateUsage=false, reportUnknownVariableType=false");
    if let Some(rules) = rules_of_defaults(&site) {
        // Such defaults of parameters are read, and never changed.
        lines.line(&format!("# ruff: noqa: {rules}"));
    }
    if has_odd_alias(&site) {
        lines.line("# ruff: noqa: PYI042");
    }
    lines.blank();
    let docs = package.docs.trim();
    let fallback = format!("The package `{}`.", package.full_name());
    docs::write(&mut lines, if docs.is_empty() { &fallback } else { docs });
    lines.blank();
    lines.line("from __future__ import annotations");
    lines.blank();
    for line in site.import_lines() {
        lines.line(&line);
    }
    lines.blank();
    lines.line("_z.made_for(1)");
    lines.raw(&body.into_text());
    lines.into_text()
}

/// Reports whether an alias has a name that ruff does not take for a type's. It is the schema's.
fn has_odd_alias(site: &Site<'_>) -> bool {
    let schema = site.generation.schema;
    let is_alias =
        |id: &&TypeId| matches!(schema.definition(**id).kind, TypeKind::Alias(_) | TypeKind::Union(_));
    let is_odd = |id: &TypeId| {
        let name = &site.own(*id).name;
        name.strip_prefix('_')
            .unwrap_or(name)
            .starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
    };
    schema.package(site.package).types.iter().filter(is_alias).any(is_odd)
}

/// Returns the rules of ruff about defaults of parameters that programs could change or that are made by a call, if there are such: lists,
/// sets and maps, or structs, durations and empty flags somewhere inside.
fn rules_of_defaults(site: &Site<'_>) -> Option<&'static str> {
    let services = &site.generation.schema.package(site.package).services;
    let parameters = services.iter().flat_map(|it| &it.methods).flat_map(|method| &method.parameters);
    let defaults: Vec<&Literal> = parameters.filter_map(|parameter| parameter.default.as_ref()).collect();
    match (defaults.iter().any(|it| literal::is_mutable(it)), defaults.iter().any(|it| holds_call(it))) {
        (true, true) => Some("B006, B008"),
        (false, true) => Some("B008"),
        (true, false) => Some("B006"),
        (false, false) => None,
    }
}

fn holds_call(literal: &Literal) -> bool {
    match literal {
        Literal::Struct(..) | Literal::Duration(_) | Literal::Flags(_, 0) => true,
        Literal::List(values) | Literal::Set(values) => values.iter().any(holds_call),
        Literal::Map(entries) => entries.iter().any(|(key, value)| holds_call(key) || holds_call(value)),
        _ => false,
    }
}

fn items(site: &Site<'_>, lines: &mut Lines) {
    let schema = site.generation.schema;
    let package = schema.package(site.package);
    let constants = || site.names().constants.iter().zip(&package.constants);
    // What names a type comes after it.
    let (plain, others): (Vec<_>, Vec<_>) = constants().partition(|(_, it)| literal::is_plain(&it.value));
    for (name, constant) in plain {
        item::constant(site, lines, name, constant);
    }
    let is_enum =
        |id: &&TypeId| matches!(schema.definition(**id).kind, TypeKind::Enum(_) | TypeKind::Flags(_));
    for id in package.types.iter().filter(is_enum) {
        item::definition(site, lines, *id);
    }
    for id in package.types.iter().filter(|id| !is_enum(id)) {
        item::definition(site, lines, *id);
    }
    for (name, constant) in others {
        item::constant(site, lines, name, constant);
    }
    let mut services: Vec<_> = site.names().services.iter().zip(&package.services).collect();
    // A class comes after those that it derives from, which derive from fewer.
    services.sort_by_key(|(_, service)| schema.bases(service).len());
    for (names, service) in services {
        item::service(site, lines, names, service);
    }
}
