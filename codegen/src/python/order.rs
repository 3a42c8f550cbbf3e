//! Which modules import which, and an order in which each comes after those that it imports.

use std::collections::BTreeSet;

use zsvc_idl::schema::{Package, PackageId, Payload, Schema, Service, Type, TypeId, TypeKind};

use super::item::types;

/// Number of modules that import each other one within the other, past which the outermost module imports all, each after those that it
/// needs. Python's interpreter takes some 160, less where it is called from deep within a program.
const MAX_DEPTH: usize = 60;

/// Returns all packages, each after those that its module imports, if some lie too deep within others for Python to import them as they come.
pub(super) fn if_deep(schema: &Schema) -> Option<Vec<PackageId>> {
    let imports = imports(schema);
    let reached = |id: &PackageId| imports[id.0 as usize].len();
    let mut order: Vec<PackageId> = (0..).map(PackageId).take(schema.packages.len()).collect();
    // A module reaches all that those reach that it imports, and these; only in a circle do all reach the same.
    order.sort_by_key(reached);
    let mut depths = vec![1; order.len()];
    for id in &order {
        let below = imports[id.0 as usize].iter().filter(|other| reached(other) < reached(id));
        let deepest = below.map(|other| depths[other.0 as usize]).max();
        depths[id.0 as usize] = deepest.unwrap_or(0) + 1;
    }
    depths.into_iter().any(|depth| depth > MAX_DEPTH).then_some(order)
}

/// Returns the packages whose modules that of each package imports, also through others.
pub(super) fn imports(schema: &Schema) -> Vec<BTreeSet<PackageId>> {
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
            TypeKind::Enum(_) | TypeKind::Flags(_) => {}
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
