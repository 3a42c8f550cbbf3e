//! The order of a module: what it imports, constants, enums, other types, services, clients.
//!
//! Enums come before what may have their values as defaults. All else is text or is asked for later, so its order is that of
//! the schema.

use zsvc_idl::schema::{PackageId, TypeId, TypeKind};

use super::lines::Lines;
use super::site::Site;
use super::{Generation, docs, item};

/// Returns the text of a package's module.
pub(crate) fn text(generation: &Generation<'_>, id: PackageId, heading: &str) -> String {
    let site = Site::new(generation, id);
    let mut body = Lines::default();
    items(&site, &mut body);
    let package = generation.schema.package(id);
    let mut lines = Lines::default();
    lines.raw(heading);
    lines.line("# pyright: reportPrivateUsage=false");
    // Names are the schema's.
    lines.line("# ruff: noqa: PYI042, RUF022");
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
    let public: Vec<String> = public(&site).iter().map(|name| format!("\"{name}\"")).collect();
    lines.list("__all__ = [", &public, "]");
    lines.blank();
    lines.line("_z.made_for(1)");
    lines.raw(&body.into_text());
    lines.into_text()
}

/// Returns the names that a program uses, in order.
fn public(site: &Site<'_>) -> Vec<String> {
    let names = site.names();
    let mut public = names.constants.clone();
    for id in &site.generation.schema.package(site.package).types {
        let own = site.own(*id);
        public.push(own.name.clone());
        public.extend(own.variants.iter().map(|variant| variant.class.clone()));
        public.extend((!own.unknown.is_empty()).then(|| own.unknown.clone()));
    }
    for service in &names.services {
        if item::has_service(site) {
            public.push(service.service.clone());
        }
        if item::has_clients(site) {
            public.extend([service.client.clone(), service.blocking.clone()]);
        }
    }
    public.sort();
    public
}

fn items(site: &Site<'_>, lines: &mut Lines) {
    let schema = site.generation.schema;
    let package = schema.package(site.package);
    for (name, constant) in site.names().constants.iter().zip(&package.constants) {
        item::constant(site, lines, name, constant);
    }
    let is_enum = |id: &&TypeId| matches!(schema.definition(**id).kind, TypeKind::Enum(_));
    for id in package.types.iter().filter(is_enum) {
        item::definition(site, lines, *id);
    }
    for id in package.types.iter().filter(|id| !is_enum(id)) {
        item::definition(site, lines, *id);
    }
    for (names, service) in site.names().services.iter().zip(&package.services) {
        item::service(site, lines, names, service);
    }
}
