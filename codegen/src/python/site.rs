//! [`Site`]: how types are written from within a module, and what the module has to import for that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use zsvc_idl::schema::{Builtin, PackageId, ServiceId, Type, TypeId, TypeKind};

use super::Generation;
use super::names::{BUILTINS, PackageNames, TypeNames};
use super::scope::Scope;

/// The module that is written.
pub(crate) struct Site<'a> {
    pub(crate) generation: &'a Generation<'a>,
    pub(crate) package: PackageId,
    imports: RefCell<BTreeSet<&'static str>>,
    /// The names under which other packages were imported.
    packages: RefCell<BTreeMap<PackageId, String>>,
    scope: RefCell<Scope>,
}

/// Whether the members of a class hide a built-in name, so that it must be written in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtins {
    Plain,
    Hidden,
}

impl Builtins {
    /// Returns how built-in names are written in a class with these members.
    pub(crate) fn among(members: &[String]) -> Self {
        let hides = members.iter().any(|member| BUILTINS.contains(&member.as_str()));
        if hides { Self::Hidden } else { Self::Plain }
    }
}

impl<'a> Site<'a> {
    pub(crate) fn new(generation: &'a Generation<'a>, package: PackageId) -> Self {
        let scope = generation.names.package(package).scope.clone();
        Self {
            generation,
            package,
            imports: RefCell::default(),
            packages: RefCell::default(),
            scope: RefCell::new(scope),
        }
    }

    pub(crate) fn names(&self) -> &'a PackageNames {
        self.generation.names.package(self.package)
    }

    pub(crate) fn own(&self, id: TypeId) -> &'a TypeNames {
        self.generation.names.definition(id)
    }

    /// Notes that a line of import is needed, and returns the name that it gives.
    pub(crate) fn import(&self, name: &'static str) -> &'static str {
        self.imports.borrow_mut().insert(name);
        name
    }

    /// Returns a name of the module of a type, as it is written here.
    pub(crate) fn path(&self, id: TypeId, name: &str) -> String {
        let package = self.generation.schema.definition(id).package;
        if package == self.package { name.to_owned() } else { format!("{}.{name}", self.module(package)) }
    }

    /// Returns the class of a service, as it is written here.
    pub(crate) fn class(&self, id: ServiceId) -> String {
        let name = &self.generation.names.service(id).service;
        if id.package == self.package { name.clone() } else { format!("{}.{name}", self.module(id.package)) }
    }

    /// Reports whether a type is of this module.
    pub(crate) fn is_own(&self, id: TypeId) -> bool {
        self.generation.schema.definition(id).package == self.package
    }

    fn module(&self, package: PackageId) -> String {
        let mut packages = self.packages.borrow_mut();
        let path = &self.generation.names.package(package).path;
        let add = || self.scope.borrow_mut().add(&format!("_{}", path.join("_")));
        packages.entry(package).or_insert_with(add).clone()
    }

    /// Returns an annotation of a type.
    pub(crate) fn annotation(&self, ty: &Type, builtins: Builtins) -> String {
        match ty {
            Type::Builtin(builtin) => self.builtin_annotation(*builtin, builtins),
            Type::List(inner) => {
                format!("{}[{}]", self.builtin("list", builtins), self.annotation(inner, builtins))
            }
            Type::Set(inner) => {
                format!("{}[{}]", self.builtin("set", builtins), self.annotation(inner, builtins))
            }
            Type::Map(key, value) => {
                let (key, value) = (self.annotation(key, builtins), self.annotation(value, builtins));
                format!("{}[{key}, {value}]", self.builtin("dict", builtins))
            }
            Type::Optional(inner) => format!("{} | None", self.annotation(inner, builtins)),
            Type::Named(id) => self.path(*id, &self.own(*id).name),
        }
    }

    fn builtin_annotation(&self, builtin: Builtin, builtins: Builtins) -> String {
        let name = match builtin {
            Builtin::Bool => "bool",
            Builtin::U8
            | Builtin::U16
            | Builtin::U32
            | Builtin::U64
            | Builtin::I8
            | Builtin::I16
            | Builtin::I32
            | Builtin::I64 => "int",
            Builtin::F32 | Builtin::F64 => "float",
            Builtin::String => "str",
            Builtin::Bytes => return "_z.Bytes".to_owned(),
            Builtin::Timestamp => return "_z.Timestamp".to_owned(),
            Builtin::Duration => return "_z.Duration".to_owned(),
            Builtin::Uuid => return self.import("_UUID").to_owned(),
            Builtin::Value => return "_z.Value".to_owned(),
        };
        self.builtin(name, builtins)
    }

    /// Returns a built-in name, in full where a member hides it.
    pub(crate) fn builtin(&self, name: &str, builtins: Builtins) -> String {
        match builtins {
            Builtins::Plain => name.to_owned(),
            Builtins::Hidden => format!("{}.{name}", self.import("_builtins")),
        }
    }

    /// Returns the form of a type on the wire.
    pub(crate) fn form(&self, ty: &Type) -> String {
        match ty {
            Type::Builtin(builtin) => format!("_z.{}", builtin.keyword().to_ascii_uppercase()),
            Type::List(inner) => format!("_z.ListForm({})", self.form(inner)),
            Type::Set(inner) => format!("_z.SetForm({})", self.form(inner)),
            Type::Map(key, value) => format!("_z.MapForm({}, {})", self.form(key), self.form(value)),
            Type::Optional(inner) => format!("_z.OptionalForm({})", self.form(inner)),
            Type::Named(id) => match &self.generation.schema.definition(*id).kind {
                TypeKind::Alias(target) => self.form(target),
                _ => self.path(*id, &self.own(*id).form),
            },
        }
    }

    /// Returns the lines that import what was used.
    pub(crate) fn import_lines(&self) -> Vec<String> {
        const LINES: [(&str, &str); 12] = [
            ("_builtins", "import builtins as _builtins"),
            ("_ABC", "from abc import ABC as _ABC"),
            ("_abstractmethod", "from abc import abstractmethod as _abstractmethod"),
            ("_AsyncIterable", "from collections.abc import AsyncIterable as _AsyncIterable"),
            ("_AsyncIterator", "from collections.abc import AsyncIterator as _AsyncIterator"),
            ("_Iterable", "from collections.abc import Iterable as _Iterable"),
            ("_Iterator", "from collections.abc import Iterator as _Iterator"),
            ("_Final", "from typing import Final as _Final"),
            ("_TypeAlias", "from typing import TypeAlias as _TypeAlias"),
            ("_UUID", "from uuid import UUID as _UUID"),
            ("", ""),
            ("_deprecated", "from typing_extensions import deprecated as _deprecated"),
        ];
        let imports = self.imports.borrow();
        let standard = LINES.iter().take(10).filter(|(name, _)| imports.contains(name));
        let mut lines: Vec<String> = standard.map(|(_, line)| (*line).to_owned()).collect();
        if !lines.is_empty() {
            lines.push(String::new());
        }
        if imports.contains("_deprecated") {
            lines.push(LINES[11].1.to_owned());
        }
        lines.push("from zsvc import generated as _z".to_owned());
        let others = self.package_lines();
        if !others.is_empty() {
            lines.push(String::new());
            lines.extend(others);
        }
        lines
    }

    fn package_lines(&self) -> Vec<String> {
        let up = ".".repeat(self.names().path.len() + 1);
        let packages = self.packages.borrow();
        let imports = packages.iter().map(|(package, alias)| {
            let path = &self.generation.names.package(*package).path;
            let (last, above) =
                path.split_last().map_or(("", &[][..]), |(last, above)| (last.as_str(), above));
            (above.join("."), last, alias)
        });
        let mut imports: Vec<_> = imports.collect();
        imports.sort_by_cached_key(|(above, last, _)| (natural(above), natural(last)));
        let line = |(above, last, alias): (String, &str, &String)| {
            format!("from {up}{above} import {last} as {alias}")
        };
        imports.into_iter().map(line).collect()
    }
}

/// Returns what a name is sorted by as tools for Python sort imports: `p9` comes before `p10`, and case does not matter.
fn natural(name: &str) -> Vec<(String, u128)> {
    let mut parts = vec![(String::new(), 0)];
    let mut is_in_digits = false;
    for letter in name.to_lowercase().chars() {
        let digit = letter.to_digit(10);
        if digit.is_none() && is_in_digits {
            parts.push((String::new(), 0));
        }
        is_in_digits = digit.is_some();
        if let Some((text, number)) = parts.last_mut() {
            match digit {
                // A name has too few letters for that to matter.
                Some(digit) => *number = u128::saturating_mul(*number, 10).saturating_add(digit.into()),
                None => text.push(letter),
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_in_their_order() {
        let mut names = ["b", "a10.x", "a9.x", "a", "A8", "a10.b", "a10b"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["a", "A8", "a9.x", "a10.b", "a10.x", "a10b", "b"]);
    }
}
