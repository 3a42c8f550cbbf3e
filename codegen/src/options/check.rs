//! Checks [`Options`] against a schema. What is named must be there, and what is given must be Rust.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use zsvc_idl::schema::{Field, PackageId, Payload, Schema, Type, TypeDefinition, TypeId, TypeKind};
use zsvc_idl::suggest;

use super::{Choices, Derive, Options, OptionsError, values};
use crate::target::Language;

impl Options {
    /// Looks up what the options name.
    pub fn resolve(&self, schema: &Schema) -> Result<Choices, OptionsError> {
        self.fit_language()?;
        let known = Known::of(schema);
        let mut choices =
            Choices { language: self.language, sides: self.sides, mocks: self.mocks, ..Choices::default() };
        choices.runtime = self.runtime.as_deref().map(|path| parse_root("zsvc", path)).transpose()?;
        for (name, path) in &self.extern_packages {
            choices.extern_packages.insert(known.package(name)?, parse_root(name, path)?);
        }
        uses_of_extern_packages(schema, &choices)?;
        for (name, replacement) in &self.replacements {
            if known.packages.contains_key(name.as_str()) {
                return Err(OptionsError::PackageReplacement { name: name.clone() });
            }
            let id = known.own_type(name, &choices)?;
            choices.replacements.insert(id, parse_replacement(name, replacement)?);
        }
        if let Some((written, id)) = values::replaced(schema, &choices) {
            return Err(OptionsError::ReplacedValue {
                name: known.name(id),
                value: written.name,
                span: written.span,
                place: None,
            });
        }
        for (name, derives) in &self.derives {
            let derives = parse_derives(name, derives)?;
            for id in known.deriving(name, &choices)? {
                let chosen = choices.derives.entry(id).or_default();
                for derive in &derives {
                    if !chosen.iter().any(|other| other.is(derive)) {
                        chosen.push(derive.clone());
                    }
                }
            }
        }
        Ok(choices)
    }
}

impl Options {
    /// Refuses options that only Rust has.
    fn fit_language(&self) -> Result<(), OptionsError> {
        if self.language == Language::Rust {
            return Ok(());
        }
        let given = [
            ("derive", !self.derives.is_empty()),
            ("replace", !self.replacements.is_empty()),
            ("extern_package", !self.extern_packages.is_empty()),
            ("runtime_path", self.runtime.is_some()),
            ("mocks", self.mocks),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => {
                Err(OptionsError::NotOfLanguage { name: name.to_owned(), language: self.language })
            }
            None => Ok(()),
        }
    }
}

/// What a schema declares, by full name.
struct Known<'s> {
    schema: &'s Schema,
    types: BTreeMap<String, TypeId>,
    packages: BTreeMap<String, PackageId>,
}

impl<'s> Known<'s> {
    fn of(schema: &'s Schema) -> Self {
        let named = (0..).map(TypeId).zip(&schema.types);
        let types =
            named.map(|(id, it)| (schema.package(it.package).full_name() + "." + &it.name, id)).collect();
        let packages = (0..).map(PackageId).zip(&schema.packages);
        let packages = packages.map(|(id, package)| (package.full_name(), id)).collect();
        Self { schema, types, packages }
    }

    fn package(&self, name: &str) -> Result<PackageId, OptionsError> {
        self.packages.get(name).copied().ok_or_else(|| OptionsError::UnknownPackage {
            name: name.to_owned(),
            nearest: suggest::nearest(name, self.packages.keys().map(String::as_str)).map(str::to_owned),
        })
    }

    /// Returns the full name of a type.
    fn name(&self, id: TypeId) -> String {
        let definition = self.schema.definition(id);
        format!("{}.{}", self.schema.package(definition.package).full_name(), definition.name)
    }

    /// Returns a type that is generated here.
    fn own_type(&self, name: &str, choices: &Choices) -> Result<TypeId, OptionsError> {
        let id = self.types.get(name).copied().ok_or_else(|| OptionsError::UnknownType {
            name: name.to_owned(),
            nearest: self.nearest(name),
        })?;
        if choices.is_extern(self.schema.definition(id).package) {
            return Err(OptionsError::ExternType { name: name.to_owned() });
        }
        Ok(id)
    }

    /// Returns the name that was likely meant: one that is nearly the same, or the same in another package.
    fn nearest(&self, name: &str) -> Option<String> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let names = || self.types.keys().map(String::as_str);
        let same = || names().find(|other| other.rsplit('.').next() == Some(last));
        suggest::nearest(name, names()).or_else(same).map(str::to_owned)
    }

    /// Returns the types to which derives are added: one, or all of a package that can have some.
    fn deriving(&self, name: &str, choices: &Choices) -> Result<Vec<TypeId>, OptionsError> {
        let is_alias = |id: TypeId| matches!(self.schema.definition(id).kind, TypeKind::Alias(_));
        if let Some(package) = self.packages.get(name).filter(|_| !self.types.contains_key(name)) {
            if choices.is_extern(*package) {
                return Err(OptionsError::ExternType { name: name.to_owned() });
            }
            let types = self.schema.package(*package).types.iter().copied();
            return Ok(types.filter(|id| !is_alias(*id) && !choices.is_replaced(*id)).collect());
        }
        let id = self.own_type(name, choices)?;
        if is_alias(id) {
            return Err(OptionsError::AliasDerive { name: name.to_owned() });
        }
        if choices.is_replaced(id) {
            return Err(OptionsError::ReplacedDerive { name: name.to_owned() });
        }
        Ok(vec![id])
    }
}

/// Refuses a package of another crate with types of a package that is generated here: that crate has generated it, too,
/// and Rust would take the two for different types.
fn uses_of_extern_packages(schema: &Schema, choices: &Choices) -> Result<(), OptionsError> {
    for definition in schema.types.iter().filter(|it| choices.is_extern(it.package)) {
        let used = used(definition).into_iter().map(|id| schema.definition(id).package);
        if let Some(other) = used.into_iter().find(|package| !choices.is_extern(*package)) {
            return Err(OptionsError::ExternUses {
                name: schema.package(definition.package).full_name(),
                other: schema.package(other).full_name(),
            });
        }
    }
    Ok(())
}

/// Returns the types that a type names itself.
fn used(definition: &TypeDefinition) -> BTreeSet<TypeId> {
    let mut used = BTreeSet::new();
    let mut of_fields = |fields: &[Field]| fields.iter().for_each(|field| named(&field.ty, &mut used));
    match &definition.kind {
        TypeKind::Alias(ty) => named(ty, &mut used),
        TypeKind::Struct(structure) => of_fields(&structure.fields),
        TypeKind::Enum(_) | TypeKind::Flags(_) => {}
        TypeKind::Union(variants) | TypeKind::Error(variants) => {
            for variant in variants {
                match &variant.payload {
                    Payload::Nothing => {}
                    Payload::Type { ty, .. } => named(ty, &mut used),
                    Payload::Fields(fields) => fields.iter().for_each(|field| named(&field.ty, &mut used)),
                }
            }
        }
    }
    used
}

fn named(ty: &Type, used: &mut BTreeSet<TypeId>) {
    match ty {
        Type::Builtin(_) => {}
        Type::List(inner) | Type::Set(inner) | Type::Optional(inner) => named(inner, used),
        Type::Map(key, value) => {
            named(key, used);
            named(value, used);
        }
        Type::Named(id) => {
            used.insert(*id);
        }
    }
}

fn parse_derives(name: &str, derives: &str) -> Result<Vec<Derive>, OptionsError> {
    let parser = Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
    let paths = parser.parse_str(derives).map_err(|error| OptionsError::InvalidDerive {
        name: name.to_owned(),
        derives: derives.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(paths.iter().map(Derive::new).collect())
}

fn parse_replacement(name: &str, replacement: &str) -> Result<String, OptionsError> {
    let ty = syn::parse_str::<syn::Type>(replacement).map_err(|error| OptionsError::InvalidReplacement {
        name: name.to_owned(),
        replacement: replacement.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(ty.to_token_stream().to_string())
}

/// Parses a path that means the same in every module: `::money_types`, or `crate::shared`.
fn parse_root(name: &str, path: &str) -> Result<String, OptionsError> {
    let wrong =
        |reason: String| OptionsError::InvalidPath { name: name.to_owned(), path: path.to_owned(), reason };
    let parsed = syn::parse_str::<syn::Path>(path).map_err(|error| wrong(error.to_string()))?;
    let starts_at_crate = parsed.segments.first().is_some_and(|first| first.ident == "crate");
    if parsed.leading_colon.is_none() && !starts_at_crate {
        return Err(wrong("it must start with `::` or `crate`".to_owned()));
    }
    if parsed.segments.iter().any(|segment| !segment.arguments.is_none()) {
        return Err(wrong("a path of modules has no `<`".to_owned()));
    }
    Ok(parsed.to_token_stream().to_string())
}
