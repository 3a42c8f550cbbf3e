//! Matches packages and types of the older schema with those of the newer.
//!
//! Packages are matched by full name, types by package and name. What is left over on both sides may have been renamed:
//! a package is matched by what it declares, a type by its name in another package, or by being used where the other
//! was.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::members;
use crate::schema::{
    Field, Method, MethodKind, Package, PackageId, Payload, Schema, Service, Type, TypeDefinition, TypeId,
    TypeKind, Variant,
};

/// Matched ids, one to one, in both directions.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    packages: BTreeMap<PackageId, PackageId>,
    new_packages: BTreeSet<PackageId>,
    types: BTreeMap<TypeId, TypeId>,
    new_types: BTreeSet<TypeId>,
}

impl Pairs {
    pub(super) fn of(old: &Schema, new: &Schema) -> Self {
        let packages = packages(old, new);
        let new_packages = packages.values().copied().collect();
        let mut pairs = Self { packages, new_packages, ..Self::default() };
        pairs.by_name(old, new);
        pairs.moved(old, new);
        pairs.by_use(old, new);
        pairs
    }

    pub(super) fn package(&self, old: PackageId) -> Option<PackageId> {
        self.packages.get(&old).copied()
    }

    pub(super) fn has_package(&self, new: PackageId) -> bool {
        self.new_packages.contains(&new)
    }

    pub(super) fn ty(&self, old: TypeId) -> Option<TypeId> {
        self.types.get(&old).copied()
    }

    pub(super) fn has_type(&self, new: TypeId) -> bool {
        self.new_types.contains(&new)
    }

    pub(super) fn are_one(&self, old: TypeId, new: TypeId) -> bool {
        self.ty(old) == Some(new)
    }

    fn add(&mut self, old: TypeId, new: TypeId) {
        self.types.insert(old, new);
        self.new_types.insert(new);
    }

    fn by_name(&mut self, old: &Schema, new: &Schema) {
        let mut known: BTreeMap<(PackageId, &str), TypeId> = BTreeMap::new();
        for (id, definition) in ids(new) {
            known.insert((definition.package, &definition.name), id);
        }
        for (id, definition) in ids(old) {
            let Some(package) = self.package(definition.package) else { continue };
            if let Some(found) = known.get(&(package, definition.name.as_str())) {
                self.add(id, *found);
            }
        }
    }

    /// Matches types that kept their name in another package, if the name is left over only once in each schema.
    fn moved(&mut self, old: &Schema, new: &Schema) {
        let gone = by_simple_name(ids(old).filter(|(id, _)| self.ty(*id).is_none()));
        let come = by_simple_name(ids(new).filter(|(id, _)| !self.has_type(*id)));
        for (name, old_ids) in gone {
            if let ([before], Some([after])) = (old_ids.as_slice(), come.get(name).map(Vec::as_slice))
                && same_kind(old.definition(*before), new.definition(*after))
            {
                self.add(*before, *after);
            }
        }
    }

    /// Matches types that are used where another was used, both of them left over.
    fn by_use(&mut self, old: &Schema, new: &Schema) {
        let mut open: Vec<(TypeId, TypeId)> = self.types.iter().map(|(old, new)| (*old, *new)).collect();
        let mut uses = Vec::new();
        for (before, after) in services(old, new, self) {
            for (before, after) in common_methods(before, after) {
                request_uses(before, after, &mut uses);
                answer_uses(before, after, &mut uses);
                for (before, after) in before.throws.iter().zip(&after.throws) {
                    self.pair_if_free((old, before.error), (new, after.error), &mut open);
                }
            }
        }
        loop {
            while let Some((before, after)) = uses.pop() {
                self.pair_up((old, before), (new, after), &mut open);
            }
            let Some((before, after)) = open.pop() else { return };
            definition_uses(old.definition(before), new.definition(after), &mut uses);
        }
    }

    fn pair_up(
        &mut self,
        (old, before): (&Schema, &Type),
        (new, after): (&Schema, &Type),
        open: &mut Vec<(TypeId, TypeId)>,
    ) {
        let mut uses = vec![(before, after)];
        while let Some(parts) = uses.pop() {
            match parts {
                (Type::Named(before), Type::Named(after)) => {
                    self.pair_if_free((old, *before), (new, *after), open);
                }
                (before, after) => inner_uses(before, after, &mut uses),
            }
        }
    }

    fn pair_if_free(
        &mut self,
        (old, before): (&Schema, TypeId),
        (new, after): (&Schema, TypeId),
        open: &mut Vec<(TypeId, TypeId)>,
    ) {
        let free = self.ty(before).is_none() && !self.has_type(after);
        if free && same_kind(old.definition(before), new.definition(after)) {
            self.add(before, after);
            open.push((before, after));
        }
    }
}

/// Returns the parts of two types that are at the same places.
pub(super) fn inner_uses<'a>(before: &'a Type, after: &'a Type, uses: &mut Vec<(&'a Type, &'a Type)>) {
    match (before, after) {
        (Type::List(before) | Type::Set(before), Type::List(after) | Type::Set(after))
        | (Type::Optional(before), Type::Optional(after)) => {
            uses.push((before, after));
        }
        (Type::Optional(before), after) => uses.push((before, after)),
        (before, Type::Optional(after)) => uses.push((before, after)),
        (Type::Map(old_key, old_value), Type::Map(new_key, new_value)) => {
            uses.push((old_key, new_key));
            uses.push((old_value, new_value));
        }
        _ => {}
    }
}

/// Returns the types that two definitions have at the same places.
pub(super) fn definition_uses<'a>(
    old: &'a TypeDefinition,
    new: &'a TypeDefinition,
    uses: &mut Vec<(&'a Type, &'a Type)>,
) {
    match (&old.kind, &new.kind) {
        (TypeKind::Alias(before), TypeKind::Alias(after)) => uses.push((before, after)),
        (TypeKind::Struct(before), TypeKind::Struct(after)) => {
            field_uses(&before.fields, &after.fields, uses);
        }
        (
            TypeKind::Union(before) | TypeKind::Error(before),
            TypeKind::Union(after) | TypeKind::Error(after),
        ) => {
            variant_uses(before, after, uses);
        }
        _ => {}
    }
}

fn field_uses<'a>(old: &'a [Field], new: &'a [Field], uses: &mut Vec<(&'a Type, &'a Type)>) {
    for (before, after) in members::same_numbers(old, new) {
        uses.push((&before.ty, &after.ty));
    }
}

fn variant_uses<'a>(old: &'a [Variant], new: &'a [Variant], uses: &mut Vec<(&'a Type, &'a Type)>) {
    for (before, after) in members::same_numbers(old, new) {
        match (&before.payload, &after.payload) {
            (Payload::Type { ty: before, .. }, Payload::Type { ty: after, .. }) => uses.push((before, after)),
            (Payload::Fields(before), Payload::Fields(after)) => field_uses(before, after, uses),
            _ => {}
        }
    }
}

/// Adds the types that a client sends.
pub(super) fn request_uses<'a>(old: &'a Method, new: &'a Method, uses: &mut Vec<(&'a Type, &'a Type)>) {
    field_uses(&old.parameters, &new.parameters, uses);
    uses.extend(incoming(&old.kind).zip(incoming(&new.kind)));
}

/// Adds the types that a server sends, except errors.
pub(super) fn answer_uses<'a>(old: &'a Method, new: &'a Method, uses: &mut Vec<(&'a Type, &'a Type)>) {
    uses.extend(answer(&old.kind).zip(answer(&new.kind)));
}

/// Returns the type of the items that a method takes as a stream.
pub(super) fn incoming(kind: &MethodKind) -> Option<&Type> {
    match kind {
        MethodKind::ClientStream(parameter, _) | MethodKind::Bidirectional(parameter, _) => {
            Some(&parameter.item)
        }
        MethodKind::Unary(_) | MethodKind::ServerStream(_) | MethodKind::OneWay => None,
    }
}

/// Returns the type of a method's result, be it one or a stream.
pub(super) fn answer(kind: &MethodKind) -> Option<&Type> {
    match kind {
        MethodKind::Unary(answer) | MethodKind::ClientStream(_, answer) => answer.as_ref(),
        MethodKind::ServerStream(item) | MethodKind::Bidirectional(_, item) => Some(item),
        MethodKind::OneWay => None,
    }
}

/// Returns the services that both schemas have.
pub(super) fn services<'a>(
    old: &'a Schema,
    new: &'a Schema,
    pairs: &Pairs,
) -> Vec<(&'a Service, &'a Service)> {
    let mut found = Vec::new();
    for (before, after) in &pairs.packages {
        let known: BTreeMap<&str, &Service> =
            new.package(*after).services.iter().map(|service| (service.name.as_str(), service)).collect();
        for service in &old.package(*before).services {
            found.extend(known.get(service.name.as_str()).map(|same| (service, *same)));
        }
    }
    found
}

/// Returns the methods that both services have.
pub(super) fn common_methods<'a>(old: &'a Service, new: &'a Service) -> Vec<(&'a Method, &'a Method)> {
    let known: BTreeMap<&str, &Method> =
        new.methods.iter().map(|method| (method.name.as_str(), method)).collect();
    let common = old.methods.iter().filter_map(|method| Some((method, *known.get(method.name.as_str())?)));
    common.collect()
}

/// Returns all types of a schema with their ids.
pub(super) fn ids(schema: &Schema) -> impl Iterator<Item = (TypeId, &TypeDefinition)> {
    (0..).map(TypeId).zip(&schema.types)
}

fn by_simple_name<'a>(
    types: impl Iterator<Item = (TypeId, &'a TypeDefinition)>,
) -> BTreeMap<&'a str, Vec<TypeId>> {
    let mut found: BTreeMap<&str, Vec<TypeId>> = BTreeMap::new();
    for (id, definition) in types {
        found.entry(&definition.name).or_default().push(id);
    }
    found
}

/// Reports whether one can be the other under another name.
fn same_kind(old: &TypeDefinition, new: &TypeDefinition) -> bool {
    std::mem::discriminant(&old.kind) == std::mem::discriminant(&new.kind)
}

/// Maximum number of new packages that declare a name for it to count when packages are matched. A name that more of
/// them declare is not distinctive.
const MAX_PACKAGES_PER_NAME: usize = 32;

/// Matches packages by full name, and the rest with the one that declares the most of the same names, if that is at
/// least half.
fn packages(old: &Schema, new: &Schema) -> BTreeMap<PackageId, PackageId> {
    let known: BTreeMap<&[String], PackageId> =
        (0..).map(PackageId).zip(&new.packages).map(|(id, package)| (package.name.as_slice(), id)).collect();
    let mut pairs = BTreeMap::new();
    let mut gone = Vec::new();
    for (id, package) in (0..).map(PackageId).zip(&old.packages) {
        match known.get(package.name.as_slice()) {
            Some(same) => drop(pairs.insert(id, *same)),
            None => gone.push(id),
        }
    }
    let mut taken: BTreeSet<PackageId> = pairs.values().copied().collect();
    let come: Vec<PackageId> = known.into_values().filter(|id| !taken.contains(id)).collect();
    let by_name = by_declared_name(new, &come);
    for before in gone {
        let Some(at) =
            renamed_to(&declared(old, old.package(before)), &by_name, |at| taken.contains(&come[at]))
        else {
            continue;
        };
        pairs.insert(before, come[at]);
        taken.insert(come[at]);
    }
    pairs
}

/// Returns which of some packages declare a name, as indices into them.
fn by_declared_name<'a>(schema: &'a Schema, packages: &[PackageId]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, id) in packages.iter().enumerate() {
        for name in declared(schema, schema.package(*id)) {
            found.entry(name).or_default().push(at);
        }
    }
    found
}

/// Returns the package that declares the most of these names, and at least half of the distinctive ones; of several the
/// first.
fn renamed_to(
    names: &BTreeSet<&str>,
    by_name: &BTreeMap<&str, Vec<usize>>,
    is_taken: impl Fn(usize) -> bool,
) -> Option<usize> {
    let places = names.iter().map(|name| by_name.get(name).map_or(&[][..], Vec::as_slice));
    let distinctive: Vec<&[usize]> = places.filter(|places| places.len() <= MAX_PACKAGES_PER_NAME).collect();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for at in distinctive.iter().copied().flatten().copied().filter(|at| !is_taken(*at)) {
        *counts.entry(at).or_default() += 1;
    }
    let (at, count) = counts.into_iter().max_by_key(|(at, count)| (*count, Reverse(*at)))?;
    (2 * count >= distinctive.len()).then_some(at)
}

/// Returns the names that a package declares.
fn declared<'a>(schema: &'a Schema, package: &'a Package) -> BTreeSet<&'a str> {
    let types = package.types.iter().map(|id| schema.definition(*id).name.as_str());
    let services = package.services.iter().map(|service| service.name.as_str());
    let constants = package.constants.iter().map(|constant| constant.name.as_str());
    types.chain(services).chain(constants).collect()
}
