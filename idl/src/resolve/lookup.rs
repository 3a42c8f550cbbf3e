//! Finds what a path means in a file.

use super::{Model, Symbol};
use crate::ast::{Item, ItemKind, Path};
use crate::schema::{Builtin, PackageId, Type, TypeId};
use crate::source::FileId;

/// Why a path could not be resolved.
pub(crate) enum NameError {
    /// The last word is unknown where it is looked up.
    Unknown,
    /// The words before the last are neither an alias nor a package.
    UnknownPrefix,
    /// An alias and a package of that name both have it.
    Ambiguous,
    /// The name may refer to something that is already reported.
    Silent,
}

/// Returns the built-in type of a name. `list`, `set` and `map` take arguments and are not here.
pub(crate) fn builtin(name: &str) -> Option<Builtin> {
    Some(match name {
        "bool" => Builtin::Bool,
        "u8" => Builtin::U8,
        "u16" => Builtin::U16,
        "u32" => Builtin::U32,
        "u64" => Builtin::U64,
        "i8" => Builtin::I8,
        "i16" => Builtin::I16,
        "i32" => Builtin::I32,
        "i64" => Builtin::I64,
        "f32" => Builtin::F32,
        "f64" => Builtin::F64,
        "string" => Builtin::String,
        "bytes" => Builtin::Bytes,
        "timestamp" => Builtin::Timestamp,
        "duration" => Builtin::Duration,
        "uuid" => Builtin::Uuid,
        "value" => Builtin::Value,
        _ => return None,
    })
}

/// Reports whether a path names a built-in type.
pub(crate) fn is_builtin(path: &Path) -> bool {
    matches!(path.segments.as_slice(), [one] if BUILTINS.contains(&one.text.as_str()))
}

/// The names of all built-in types.
pub(crate) const BUILTINS: [&str; 20] = [
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "i8",
    "i16",
    "i32",
    "i64",
    "f32",
    "f64",
    "string",
    "bytes",
    "timestamp",
    "duration",
    "uuid",
    "value",
    "list",
    "set",
    "map",
];

/// Reports whether a word is a number's type, `bool` or `string`.
pub(crate) fn is_scalar(word: &str) -> bool {
    let is_number = word.ends_with(|last: char| last.is_ascii_digit());
    BUILTINS.contains(&word) && (is_number || matches!(word, "bool" | "string"))
}

impl<'a> Model<'a> {
    /// Returns what a path means in a file.
    pub(crate) fn lookup(&self, file: FileId, path: &Path) -> Result<Symbol<'a>, NameError> {
        let words: Vec<&str> = path.segments.iter().map(|segment| segment.text.as_str()).collect();
        self.lookup_words(file, &words)
    }

    /// Returns the declared type that a path means, with aliases followed; `None` if it means none.
    pub(crate) fn named(&self, file: FileId, path: &Path) -> Option<TypeId> {
        let Ok(Symbol::Type(id)) = self.lookup(file, path) else { return None };
        match self.resolved(&Type::Named(id))? {
            Type::Named(id) => Some(id),
            _ => None,
        }
    }

    pub(crate) fn lookup_words(&self, file: FileId, words: &[&str]) -> Result<Symbol<'a>, NameError> {
        let scope = self.scope_of(file);
        let unknown = |error| if scope.incomplete { NameError::Silent } else { error };
        let Some((last, prefix)) = words.split_last() else { return Err(NameError::Unknown) };
        if prefix.is_empty() {
            return self.in_package(file, scope.package, last).ok_or_else(|| unknown(NameError::Unknown));
        }
        let prefix = prefix.join(".");
        let package = self.package_named(&prefix).filter(|package| scope.packages.contains_key(package));
        let by_package = package.and_then(|package| self.in_package(file, package, last));
        let Some(imported) = scope.aliases.get(prefix.as_str()) else {
            let error = if package.is_some() { NameError::Unknown } else { NameError::UnknownPrefix };
            return by_package.ok_or_else(|| unknown(error));
        };
        let Some(imported) = imported else { return Err(NameError::Silent) };
        let by_alias = self.scope_of(*imported).names.get(last).copied();
        match (by_alias, by_package) {
            (Some(one), Some(other)) if !one.is(&other) => Err(NameError::Ambiguous),
            (Some(found), _) | (None, Some(found)) => Ok(found),
            (None, None) if self.file(*imported).incomplete => Err(NameError::Silent),
            (None, None) => Err(NameError::Unknown),
        }
    }

    /// Looks up a name of a package, as far as this file sees it.
    fn in_package(&self, file: FileId, package: PackageId, name: &str) -> Option<Symbol<'a>> {
        let files = self.scope_of(file).packages.get(&package)?;
        files.iter().find_map(|file| self.scope_of(*file).names.get(name).copied())
    }

    /// Returns the types that a path with these words before the last could mean.
    pub(super) fn type_candidates(&self, file: FileId, prefix: &[&str]) -> Vec<&'a str> {
        let prefix = prefix.join(".");
        let items = self.candidates(file, &prefix);
        let types = items.filter(|item| !matches!(item.kind, ItemKind::Const { .. } | ItemKind::Service(_)));
        types.map(|item| item.name.text.as_str()).collect()
    }

    /// Returns the services that a path with this text before the last dot could mean.
    pub(super) fn service_candidates(&self, file: FileId, prefix: &str) -> Vec<&'a str> {
        let items = self.candidates(file, prefix);
        let services = items.filter(|item| matches!(item.kind, ItemKind::Service(_)));
        services.map(|item| item.name.text.as_str()).collect()
    }

    /// Returns the declarations that a path with this text before the last dot could mean.
    fn candidates<'s>(&'s self, file: FileId, prefix: &str) -> impl Iterator<Item = &'a Item> + use<'a, 's> {
        let scope = self.scope_of(file);
        let package = if prefix.is_empty() { Some(scope.package) } else { self.package_named(prefix) };
        let by_package =
            package.and_then(|package| scope.packages.get(&package)).into_iter().flatten().copied();
        let files = by_package.chain(scope.aliases.get(prefix).copied().flatten());
        // Taken from the tree, not from the map of names, whose order differs between runs.
        files.flat_map(|file| &self.file(file).items)
    }
}

impl Symbol<'_> {
    fn is(&self, other: &Symbol) -> bool {
        match (self, other) {
            (Symbol::Type(one), Symbol::Type(other)) => one == other,
            (Symbol::Constant(one), Symbol::Constant(other)) => one.name.span == other.name.span,
            (Symbol::Service(one), Symbol::Service(other)) => one == other,
            (Symbol::Broken, _) | (_, Symbol::Broken) => true,
            _ => false,
        }
    }
}
