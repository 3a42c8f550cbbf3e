//! Finds what a path means in a file.

use super::{Model, Symbol};
use crate::ast::{Item, ItemId, ItemKind, MAX_PACKAGE_PARTS, Path};
use crate::schema::{Builtin, PackageId, Type, TypeId};
use crate::source::FileId;

/// Why a path could not be resolved.
pub(crate) enum NameError {
    /// A word is unknown where it is looked up: the one after this number of known ones.
    Unknown(usize),
    /// The words before the last are neither an alias nor a package.
    UnknownPrefix,
    /// Two of a type, an alias and a package both have it.
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
        self.lookup_words(file, path, path.segments.len())
    }

    /// Returns the declared type that a path means, with aliases followed; `None` if it means none.
    pub(crate) fn named(&self, file: FileId, path: &Path) -> Option<TypeId> {
        let Ok(Symbol::Type(id)) = self.lookup(file, path) else { return None };
        match self.resolved(&Type::Named(id))? {
            Type::Named(id) => Some(id),
            _ => None,
        }
    }

    /// Returns what the first words of a path mean.
    pub(crate) fn lookup_words(
        &self,
        file: FileId,
        path: &Path,
        count: usize,
    ) -> Result<Symbol<'a>, NameError> {
        let words: Vec<&str> =
            path.segments.iter().take(count).map(|segment| segment.text.as_str()).collect();
        self.meaning(file, path.within, &words)
    }

    /// Returns what words mean in a file, inside of a declaration or outside of all.
    ///
    /// A name of the types around the path is nearest, from the innermost outwards: where one of them declares the first
    /// word, the path means what is inside of that. All else are declarations of this package, and what imports bring; a
    /// path that means several of these is ambiguous.
    fn meaning(&self, file: FileId, within: Option<ItemId>, words: &[&str]) -> Result<Symbol<'a>, NameError> {
        let Some(first) = words.first() else { return Err(NameError::Unknown(0)) };
        match self.nearest(file, within, first) {
            Some(outer) => self.inside(file, Some(outer), words).map_err(NameError::Unknown),
            None => self.outside(file, words),
        }
    }

    /// Returns the type that words mean as [`Self::lookup_words`] finds it.
    pub(super) fn type_of_words(
        &self,
        file: FileId,
        within: Option<ItemId>,
        words: &[&str],
    ) -> Option<TypeId> {
        match self.meaning(file, within, words) {
            Ok(Symbol::Type(id)) => Some(id),
            _ => None,
        }
    }

    /// Returns the types around a declared type, the innermost first.
    pub(crate) fn around(&self, id: TypeId) -> impl Iterator<Item = &'a Item> {
        let (file, id) = (self.file(self.declared(id).file), self.declared(id).id);
        file.around(Some(id)).skip(1).map(|outer| file.item(outer))
    }

    /// Returns the innermost declaration around some place in which a word is declared.
    fn nearest(&self, file: FileId, within: Option<ItemId>, word: &str) -> Option<ItemId> {
        let names = &self.scope_of(file).names;
        let mut around = self.file(file).around(within);
        around.find(|id| names.contains_key(&(Some(*id), word)))
    }

    /// Looks up a path that starts outside of all declarations.
    fn outside(&self, file: FileId, words: &[&str]) -> Result<Symbol<'a>, NameError> {
        let scope = self.scope_of(file);
        let mut found = Found { symbol: Err(0), is_ambiguous: false };
        found.add(0, self.in_package(file, scope.package, words));
        let mut is_silent = scope.incomplete;
        if let [alias, rest @ ..] = words
            && !rest.is_empty()
        {
            match scope.aliases.get(alias) {
                Some(Some(imported)) => {
                    found.add(1, self.inside(*imported, None, rest));
                    is_silent = self.file(*imported).incomplete;
                }
                Some(None) => is_silent = true,
                None => {}
            }
        }
        // A package has no more parts, or is an error itself.
        for count in 1..words.len().min(MAX_PACKAGE_PARTS + 1) {
            let (prefix, rest) = words.split_at(count);
            let package = self.package_named(&prefix.join("."));
            if let Some(package) = package.filter(|package| scope.packages.contains_key(package)) {
                found.add(count, self.in_package(file, package, rest));
            }
        }
        match found.symbol {
            _ if found.is_ambiguous => Err(NameError::Ambiguous),
            Ok(symbol) => Ok(symbol),
            Err(_) if is_silent => Err(NameError::Silent),
            Err(0) if words.len() > 1 => Err(NameError::UnknownPrefix),
            Err(known) => Err(NameError::Unknown(known)),
        }
    }

    /// Looks up words in a package, as far as this file sees it. Returns the number of words that are known if there is
    /// no such declaration.
    fn in_package(&self, file: FileId, package: PackageId, words: &[&str]) -> Result<Symbol<'a>, usize> {
        let mut known = 0;
        for file in self.scope_of(file).packages.get(&package).into_iter().flatten() {
            match self.inside(*file, None, words) {
                Ok(symbol) => return Ok(symbol),
                Err(count) => known = known.max(count),
            }
        }
        Err(known)
    }

    /// Looks up words among what a file declares inside of a declaration, or outside of all.
    fn inside(&self, file: FileId, outer: Option<ItemId>, words: &[&str]) -> Result<Symbol<'a>, usize> {
        let (mut file, mut outer) = (file, outer);
        for (index, word) in words.iter().enumerate() {
            let symbol = self.scope_of(file).names.get(&(outer, *word)).copied().ok_or(index)?;
            match symbol {
                _ if index + 1 == words.len() => return Ok(symbol),
                Symbol::Type(id) => {
                    let declared = self.declared(id);
                    (file, outer) = (declared.file, Some(declared.id));
                }
                Symbol::Broken => return Ok(Symbol::Broken),
                Symbol::Constant(_) | Symbol::Service(_) => return Err(index + 1),
            }
        }
        Err(words.len())
    }

    /// Returns the full name of a type of this package that is inside of another and has this name, if there is only one.
    pub(super) fn nested_name(&self, file: FileId, name: &str) -> Option<&'a str> {
        let scope = self.scope_of(file);
        let files = scope.packages.get(&scope.package).into_iter().flatten();
        let items = files.flat_map(|file| &self.file(*file).items);
        let mut found = items.filter(|item| item.outer.is_some() && item.name.text == name);
        let first = found.next()?;
        found.next().is_none().then_some(first.full_name.as_str())
    }

    /// Returns the names that may follow after some words of a path.
    pub(super) fn type_candidates(
        &self,
        file: FileId,
        within: Option<ItemId>,
        prefix: &[&str],
    ) -> Vec<&'a str> {
        let inside = self.type_of_words(file, within, prefix).map(|id| self.declared(id));
        let inside = inside.into_iter().flat_map(|it| types_inside(self.file(it.file), Some(it.id)));
        if prefix.first().is_some_and(|first| self.nearest(file, within, first).is_some()) {
            return inside.map(|item| item.name.text.as_str()).collect();
        }
        let files = self.files_named(file, &prefix.join("."));
        // Taken from the tree, not from the map of names, whose order differs between runs.
        let outermost = files.flat_map(|file| types_inside(self.file(file), None));
        let near = self.file(file).around(within).filter(|_| prefix.is_empty());
        let near = near.flat_map(|outer| types_inside(self.file(file), Some(outer)));
        near.chain(outermost).chain(inside).map(|item| item.name.text.as_str()).collect()
    }

    /// Returns the services that a path with this text before the last dot could mean.
    pub(super) fn service_candidates(&self, file: FileId, prefix: &str) -> Vec<&'a str> {
        let items = self.files_named(file, prefix).flat_map(|file| &self.file(file).items);
        let services = items.filter(|item| matches!(item.kind, ItemKind::Service(_)));
        services.map(|item| item.name.text.as_str()).collect()
    }

    /// Returns the files whose declarations may follow after a package or an import of this name; without one, those of
    /// the file's own package.
    fn files_named<'s>(&'s self, file: FileId, prefix: &str) -> impl Iterator<Item = FileId> + use<'a, 's> {
        let scope = self.scope_of(file);
        let package = if prefix.is_empty() { Some(scope.package) } else { self.package_named(prefix) };
        let by_package = package.and_then(|package| scope.packages.get(&package)).into_iter().flatten();
        by_package.copied().chain(scope.aliases.get(prefix).copied().flatten())
    }
}

/// The meanings of a path that were found so far.
struct Found<'a> {
    /// The first one, or the number of known words.
    symbol: Result<Symbol<'a>, usize>,
    is_ambiguous: bool,
}

impl<'a> Found<'a> {
    /// Adds what the words after some known ones mean.
    fn add(&mut self, known: usize, result: Result<Symbol<'a>, usize>) {
        match (&self.symbol, result) {
            (Ok(one), Ok(other)) => self.is_ambiguous |= !one.is(&other),
            (Err(_), Ok(symbol)) => self.symbol = Ok(symbol),
            (Err(most), Err(more)) => self.symbol = Err((*most).max(known + more)),
            (Ok(_), Err(_)) => {}
        }
    }
}

/// Returns the types that a file declares directly inside of a declaration, or outside of all.
fn types_inside(file: &crate::ast::File, outer: Option<ItemId>) -> impl Iterator<Item = &Item> {
    let items = file.items.iter().filter(move |item| item.outer == outer);
    items.filter(|item| !matches!(item.kind, ItemKind::Const { .. } | ItemKind::Service(_)))
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
