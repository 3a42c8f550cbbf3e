//! The handlers of services that extend others: which classes theirs derive from, and what their handlers are called.
//!
//! A class derives from those of the services that it extends, so that one implementation of these serves all. Where it can't,
//! it has their handlers itself: where the modules import each other in a circle, since then none of two comes first; and where
//! two handlers would have one name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use zsvc_idl::schema::{PackageId, Schema, ServiceId};

use super::names::PackageNames;
use super::order;
use super::scope::Scope;

/// A method: the service that declares it, and its name.
type Declared<'a> = (ServiceId, &'a str);

/// Gives names to the handlers of all services.
pub(super) fn assign(schema: &Schema, packages: &mut [PackageNames]) {
    let imports = order::imports(schema);
    let mut order: Vec<(usize, ServiceId)> = Vec::new();
    for (package, declared) in (0..).map(PackageId).zip(&schema.packages) {
        for (index, service) in (0..).zip(&declared.services) {
            order.push((schema.bases(service).len(), ServiceId { package, index }));
        }
    }
    // Those that a service extends have fewer bases than it has.
    order.sort_unstable();
    for (_, id) in order {
        of_service(schema, packages, &imports, id);
    }
}

fn of_service(
    schema: &Schema,
    packages: &mut [PackageNames],
    imports: &[BTreeSet<PackageId>],
    id: ServiceId,
) {
    let service = schema.service(id);
    let mut handlers: BTreeMap<Declared<'_>, String> = BTreeMap::new();
    let mut derives = Vec::new();
    for base in service.extends.iter().map(|base| base.service) {
        if base.package != id.package && imports[base.package.0 as usize].contains(&id.package) {
            continue;
        }
        let theirs = handlers_of(schema, packages, base);
        let taken: BTreeSet<&str> = handlers.values().map(String::as_str).collect();
        if theirs.iter().all(|(method, name)| may_join(&handlers, &taken, method, name)) {
            handlers.extend(theirs);
            derives.push(base);
        }
    }
    // In one order for all classes, from those with the most bases on, so that Python finds an order of all that a class has.
    derives.sort_by_key(|base| (Reverse(schema.bases(schema.service(*base)).len()), *base));
    let names = &mut packages[id.package.0 as usize];
    let mut scope = Scope::within(&names.outer, handlers.values());
    let is_own = |method: &&zsvc_idl::schema::Method| {
        !handlers.contains_key(&(method.declared_by.unwrap_or(id), method.name.as_str()))
    };
    let own = scope.declare_members(service.methods.iter().filter(is_own).map(|method| method.name.as_str()));
    let mut own = own.into_iter();
    let names = &mut names.services[id.index as usize];
    for (method, names) in service.methods.iter().zip(&mut names.methods) {
        names.is_own = is_own(&method);
        names.handler = if names.is_own {
            own.next().unwrap_or_default()
        } else {
            handlers[&(method.declared_by.unwrap_or(id), method.name.as_str())].clone()
        };
    }
    names.derives = derives;
}

/// Returns the names of a service's handlers.
fn handlers_of<'a>(
    schema: &'a Schema,
    packages: &[PackageNames],
    id: ServiceId,
) -> BTreeMap<Declared<'a>, String> {
    let service = &packages[id.package.0 as usize].services[id.index as usize];
    let methods = schema.service(id).methods.iter().zip(&service.methods);
    let handlers = methods.map(|(method, names)| {
        ((method.declared_by.unwrap_or(id), method.name.as_str()), names.handler.clone())
    });
    handlers.collect()
}

/// Reports whether a handler can be beside others, whose names are taken: if no other has its name, and its method no other handler.
fn may_join(
    handlers: &BTreeMap<Declared<'_>, String>,
    taken: &BTreeSet<&str>,
    method: &Declared<'_>,
    name: &str,
) -> bool {
    match handlers.get(method) {
        Some(known) => known == name,
        None => !taken.contains(name),
    }
}
