//! Finds what every name means, across files.
//!
//! The result is a [`Model`]: all declarations by package, and a look-up for paths as a file may write them. A file
//! sees its own declarations and those of the files that it imports itself, by alias, by the package's full name, or
//! without a prefix if it is the same package. The rules are in [`crate::check`].

mod lookup;
mod report;
mod service;
mod synonyms;

use std::collections::{BTreeMap, HashMap};

use crate::ast::{Item, ItemId, ItemKind, Type as TypeUse};
use crate::diagnostic::Report;
use crate::graph;
use crate::load::Program;
use crate::schema::{Builtin, PackageId, Type, TypeId};
use crate::source::FileId;

pub(crate) use lookup::{BUILTINS, NameError, builtin, is_builtin, is_scalar};
pub(crate) use synonyms::meant as type_elsewhere;

/// All declarations of all files.
pub(crate) struct Model<'a> {
    pub(crate) program: &'a Program,
    /// Package names, sorted, each once.
    pub(crate) packages: Vec<String>,
    /// Types by [`TypeId`]: in the order of files, and of the text in each.
    pub(crate) types: Vec<Declared<'a>>,
    /// Services, in the order of files, and of the text in each.
    pub(crate) services: Vec<Declared<'a>>,
    /// Scopes by [`FileId`].
    scopes: Vec<Scope<'a>>,
    /// By [`TypeId`], the type that an alias stands for in the end, itself not an alias. `None` for what is not an
    /// alias, is unknown, or is an alias of itself.
    targets: Vec<Option<Type>>,
    /// By [`TypeId`], the index of each value of an enum, the first of each name. Empty for other types.
    values: Vec<HashMap<&'a str, usize>>,
}

/// A named type or a service, and its file.
pub(crate) struct Declared<'a> {
    pub(crate) file: FileId,
    pub(crate) package: PackageId,
    /// Its place in the file.
    pub(crate) id: ItemId,
    pub(crate) item: &'a Item,
}

/// What a name may mean.
#[derive(Clone, Copy)]
pub(crate) enum Symbol<'a> {
    Type(TypeId),
    Constant(&'a Item),
    /// Index into [`Model::services`].
    Service(usize),
    /// Declared, but so broken that nothing is known of it.
    Broken,
}

/// What one file declares and sees.
struct Scope<'a> {
    package: PackageId,
    /// What is declared, by what it is declared in and its name.
    names: HashMap<(Option<ItemId>, &'a str), Symbol<'a>>,
    /// Imported files by alias; `None` if the import is broken.
    aliases: BTreeMap<&'a str, Option<FileId>>,
    /// By package, the file itself and those that it imports.
    packages: BTreeMap<PackageId, Vec<FileId>>,
    /// Whether some import or declaration is lost, so that an unknown name may refer to it.
    incomplete: bool,
}

pub(crate) fn resolve<'a>(program: &'a Program, report: &mut Report) -> Model<'a> {
    let mut model = Model {
        program,
        packages: package_names(program),
        types: Vec::new(),
        services: Vec::new(),
        scopes: Vec::new(),
        targets: Vec::new(),
        values: Vec::new(),
    };
    for index in 0..program.files.len() {
        let scope = model.scope(index);
        model.scopes.push(scope);
    }
    for index in 0..program.files.len() {
        model.scopes[index].packages = model.visible_packages(index);
    }
    model.targets = alias_targets(&model);
    model.values = model.types.iter().map(|declared| values_by_name(declared.item)).collect();
    report::duplicate_names(&model, report);
    report::taken_aliases(&model, report);
    report::unknown_names(&model, report);
    model
}

fn package_names(program: &Program) -> Vec<String> {
    let mut names: Vec<String> = program.files.iter().map(package_name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn values_by_name(item: &Item) -> HashMap<&str, usize> {
    let mut found = HashMap::new();
    if let ItemKind::Enum(values) = &item.kind {
        for (index, value) in values.values.iter().enumerate() {
            found.entry(value.name.text.as_str()).or_insert(index);
        }
    }
    found
}

/// Returns the name of a file's package; empty if there is none, which is reported.
fn package_name(file: &crate::ast::File) -> String {
    file.package.as_ref().map(|package| package.path.text()).unwrap_or_default()
}

impl<'a> Model<'a> {
    fn scope(&mut self, index: usize) -> Scope<'a> {
        let program = self.program;
        let file = &program.files[index];
        let package = self.package_of(file);
        let mut names = HashMap::new();
        for (outer, name) in &file.broken_names {
            names.insert((*outer, name.as_str()), Symbol::Broken);
        }
        for (index, item) in file.items.iter().enumerate() {
            let symbol = self.declare(file.id, package, (ItemId(index), item));
            names.entry((item.outer, item.name.text.as_str())).or_insert(symbol);
        }
        let targets = &program.targets[index];
        let imports = file.imports.iter().zip(targets);
        let aliases =
            imports.filter_map(|(import, target)| Some((import.alias.as_ref()?.text.as_str(), *target)));
        // An import with an alias is used by that alias: only imports without one may lack a name that is used without
        // a prefix.
        let plain = file.imports.iter().zip(targets).filter(|(import, _)| import.alias.is_none());
        let is_incomplete = |target: &Option<FileId>| target.is_none_or(|file| self.file(file).incomplete);
        let incomplete = file.incomplete || plain.map(|(_, target)| target).any(is_incomplete);
        let aliases = aliases.collect();
        Scope { package, names, aliases, packages: BTreeMap::new(), incomplete }
    }

    fn visible_packages(&self, index: usize) -> BTreeMap<PackageId, Vec<FileId>> {
        let imported = self.program.targets[index].iter().flatten().copied();
        let mut packages: BTreeMap<PackageId, Vec<FileId>> = BTreeMap::new();
        for file in std::iter::once(self.program.files[index].id).chain(imported) {
            packages.entry(self.package(file)).or_default().push(file);
        }
        packages
    }

    fn declare(&mut self, file: FileId, package: PackageId, (at, item): (ItemId, &'a Item)) -> Symbol<'a> {
        match item.kind {
            ItemKind::Const { .. } => Symbol::Constant(item),
            ItemKind::Service(_) => {
                self.services.push(Declared { file, package, id: at, item });
                Symbol::Service(self.services.len() - 1)
            }
            ItemKind::Alias(_) | ItemKind::Struct(_) | ItemKind::Enum(_) | ItemKind::Union(_) => {
                let id = TypeId(crate::source::offset(self.types.len()));
                self.types.push(Declared { file, package, id: at, item });
                Symbol::Type(id)
            }
        }
    }

    fn package_of(&self, file: &crate::ast::File) -> PackageId {
        let name = package_name(file);
        PackageId(crate::source::offset(self.packages.partition_point(|other| *other < name)))
    }

    pub(crate) fn file(&self, id: FileId) -> &'a crate::ast::File {
        &self.program.files[id.0 as usize]
    }

    fn scope_of(&self, id: FileId) -> &Scope<'a> {
        &self.scopes[id.0 as usize]
    }

    /// Returns the package of that full name.
    fn package_named(&self, name: &str) -> Option<PackageId> {
        let at = self.packages.binary_search_by(|other| other.as_str().cmp(name)).ok()?;
        Some(PackageId(crate::source::offset(at)))
    }

    /// Returns the package of a file.
    pub(crate) fn package(&self, file: FileId) -> PackageId {
        self.scope_of(file).package
    }

    /// Returns every declaration, in the order of files and text.
    pub(crate) fn items(&self) -> impl Iterator<Item = (FileId, &'a Item)> + use<'a> {
        self.program.files.iter().flat_map(|file| file.items.iter().map(move |item| (file.id, item)))
    }

    pub(crate) fn declared(&self, id: TypeId) -> &Declared<'a> {
        &self.types[id.0 as usize]
    }

    /// Returns the index of an enum's value by its name.
    pub(crate) fn value_named(&self, id: TypeId, name: &str) -> Option<usize> {
        self.values[id.0 as usize].get(name).copied()
    }

    /// Returns `ty` with aliases at its top level followed, or `None` if they lead nowhere, which is reported.
    pub(crate) fn resolved(&self, ty: &Type) -> Option<Type> {
        match ty {
            Type::Named(id) if matches!(self.declared(*id).item.kind, ItemKind::Alias(_)) => {
                self.targets[id.0 as usize].clone()
            }
            _ => Some(ty.clone()),
        }
    }

    /// Returns the type without optionals and aliases around it, or `None` if it is unknown.
    pub(crate) fn inner(&self, ty: &Type) -> Option<Type> {
        match self.resolved(ty)? {
            Type::Optional(inner) => self.resolved(&inner),
            other => Some(other),
        }
    }

    /// Returns the type that a use means, or `None` if any part of it is wrong, which [`report::unknown_names`]
    /// reports.
    pub(crate) fn ty(&self, file: FileId, ty: &TypeUse) -> Option<Type> {
        let named = match builtin_use(ty) {
            Some(Ok(ty)) => ty,
            Some(Err(arguments)) => {
                let arguments =
                    arguments.iter().map(|argument| self.ty(file, argument)).collect::<Option<Vec<_>>>()?;
                generic(&ty.path.text(), arguments)?
            }
            None if ty.arguments.is_empty() => match self.lookup(file, &ty.path) {
                Ok(Symbol::Type(id)) => Type::Named(id),
                _ => return None,
            },
            None => return None,
        };
        Some(if ty.optional.is_empty() { named } else { Type::Optional(Box::new(named)) })
    }
}

/// Returns a built-in type if it is complete, or the arguments that it still needs.
fn builtin_use(ty: &TypeUse) -> Option<Result<Type, &[TypeUse]>> {
    let [name] = ty.path.segments.as_slice() else { return None };
    if matches!(name.text.as_str(), "list" | "set" | "map") {
        return Some(Err(&ty.arguments));
    }
    let builtin: Builtin = builtin(&name.text)?;
    ty.arguments.is_empty().then_some(Ok(Type::Builtin(builtin)))
}

fn generic(name: &str, arguments: Vec<Type>) -> Option<Type> {
    let mut arguments = arguments.into_iter().map(Box::new);
    match (name, arguments.next(), arguments.next(), arguments.next()) {
        ("list", Some(element), None, None) => Some(Type::List(element)),
        ("set", Some(element), None, None) => Some(Type::Set(element)),
        ("map", Some(key), Some(value), None) => Some(Type::Map(key, value)),
        _ => None,
    }
}

/// Follows every alias to its end, each link once.
fn alias_targets(model: &Model) -> Vec<Option<Type>> {
    let direct: Vec<Option<Type>> = model.types.iter().map(|declared| alias_of(model, declared)).collect();
    let next: Vec<Vec<usize>> = direct.iter().map(|ty| next_alias(model, ty.as_ref())).collect();
    let component = graph::components(&next);
    // Components are numbered after all that they lead to, so the target of each alias is already resolved.
    let mut order: Vec<usize> = (0..direct.len()).collect();
    order.sort_by_key(|index| component[*index]);
    let mut targets: Vec<Option<Type>> = vec![None; direct.len()];
    for index in order {
        targets[index] = match next[index].first() {
            None => direct[index].clone(),
            Some(next) => targets[*next].clone(),
        };
    }
    targets
}

fn alias_of(model: &Model, declared: &Declared) -> Option<Type> {
    match &declared.item.kind {
        ItemKind::Alias(ty) => model.ty(declared.file, ty),
        _ => None,
    }
}

fn next_alias(model: &Model, ty: Option<&Type>) -> Vec<usize> {
    match ty {
        Some(Type::Named(id)) if matches!(model.declared(*id).item.kind, ItemKind::Alias(_)) => {
            vec![id.0 as usize]
        }
        _ => Vec::new(),
    }
}
