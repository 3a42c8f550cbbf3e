//! The handlers of services that extend others: which classes theirs derive from, and what their handlers are called.
//!
//! A class derives from those of the services that it extends, so that one implementation of these serves all. Where it can't,
//! it has their handlers itself: where the modules import each other in a circle, since then none of two comes first; and where
//! two handlers would have one name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use zsvc_idl::schema::{Package, PackageId, Payload, Schema, Service, ServiceId, Type, TypeId, TypeKind};

use super::item::types;
use super::names::PackageNames;
use super::scope::Scope;

/// A method: the service that declares it, and its name.
type Declared<'a> = (ServiceId, &'a str);

/// Gives names to the handlers of all services.
pub(super) fn assign(schema: &Schema, packages: &mut [PackageNames]) {
    let imports = imports(schema);
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
        if theirs.iter().all(|(method, name)| may_join(&handlers, method, name)) {
            handlers.extend(theirs);
            derives.push(base);
        }
    }
    // In one order for all classes, from those with the most bases on, so that Python finds an order of all that a class has.
    derives.sort_by_key(|base| (Reverse(schema.bases(schema.service(*base)).len()), *base));
    let names = &mut packages[id.package.0 as usize];
    let mut scope = Scope::without(names.outer.iter().chain(handlers.values()));
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
    let names = &packages[id.package.0 as usize].services[id.index as usize];
    let methods = schema.service(id).methods.iter().zip(&names.methods);
    let handlers = methods.map(|(method, names)| {
        ((method.declared_by.unwrap_or(id), method.name.as_str()), names.handler.clone())
    });
    handlers.collect()
}

/// Reports whether a handler can be beside others: if no other has its name, and its method no other handler.
fn may_join(handlers: &BTreeMap<Declared<'_>, String>, method: &Declared<'_>, name: &str) -> bool {
    match handlers.get(method) {
        Some(known) => known == name,
        None => handlers.values().all(|known| known != name),
    }
}

/// Returns the packages whose modules that of each package imports, also through others.
fn imports(schema: &Schema) -> Vec<BTreeSet<PackageId>> {
    let direct: Vec<BTreeSet<PackageId>> =
        (0..).map(PackageId).zip(&schema.packages).map(|(id, package)| used(schema, id, package)).collect();
    let reach = |id: usize| {
        let mut found = BTreeSet::new();
        let mut open: Vec<PackageId> = direct[id].iter().copied().collect();
        while let Some(next) = open.pop() {
            if found.insert(next) {
                open.extend(&direct[next.0 as usize]);
            }
        }
        found
    };
    (0..direct.len()).map(reach).collect()
}

/// Returns the packages that a package names, and those above them, which Python imports first.
fn used(schema: &Schema, id: PackageId, package: &Package) -> BTreeSet<PackageId> {
    let mut uses = Uses { schema, packages: BTreeSet::new() };
    for constant in &package.constants {
        uses.ty(&constant.ty);
    }
    for definition in &package.types {
        uses.definition(*definition);
    }
    for service in &package.services {
        uses.service(service);
    }
    let is_above = |above: &Package| {
        let below = uses.packages.iter().map(|used| &schema.package(*used).name);
        below.into_iter().any(|name| name.starts_with(&above.name))
    };
    let found = (0..).map(PackageId).zip(&schema.packages);
    found.filter(|(other, above)| *other != id && is_above(above)).map(|(other, _)| other).collect()
}

/// The packages that something names.
struct Uses<'a> {
    schema: &'a Schema,
    packages: BTreeSet<PackageId>,
}

impl Uses<'_> {
    fn definition(&mut self, id: TypeId) {
        match &self.schema.definition(id).kind {
            TypeKind::Alias(target) => self.ty(target),
            TypeKind::Struct(structure) => structure.fields.iter().for_each(|field| self.ty(&field.ty)),
            TypeKind::Enum(_) => {}
            TypeKind::Union(variants) | TypeKind::Error(variants) => {
                for variant in variants {
                    match &variant.payload {
                        Payload::Nothing => {}
                        Payload::Type { ty, .. } => self.ty(ty),
                        Payload::Fields(fields) => fields.iter().for_each(|field| self.ty(&field.ty)),
                    }
                }
            }
        }
    }

    fn service(&mut self, service: &Service) {
        self.packages.extend(service.extends.iter().map(|base| base.service.package));
        for method in &service.methods {
            method.parameters.iter().for_each(|parameter| self.ty(&parameter.ty));
            let (item, answer) = types(&method.kind);
            item.into_iter().chain(answer).for_each(|ty| self.ty(ty));
            for thrown in &method.throws {
                self.packages.insert(self.schema.definition(thrown.error).package);
            }
        }
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Builtin(_) => {}
            Type::List(inner) | Type::Set(inner) | Type::Optional(inner) => self.ty(inner),
            Type::Map(key, value) => {
                self.ty(key);
                self.ty(value);
            }
            Type::Named(id) => {
                self.packages.insert(self.schema.definition(*id).package);
                // A form names what an alias stands for.
                if let TypeKind::Alias(target) = &self.schema.definition(*id).kind {
                    self.ty(target);
                }
            }
        }
    }
}
