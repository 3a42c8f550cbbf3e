//! Rules about uses of types, and about aliases.

use super::walk;
use crate::ast::Type as TypeUse;
use crate::diagnostic::{self, Diagnostic, Report};
use crate::graph;
use crate::resolve::Model;
use crate::schema::{Builtin, Type};
use crate::source::FileId;
use crate::value::{describe, enum_values};

/// Reports elements of sets that are not what a map's key may be: only of these are two the same on every side.
pub(super) fn set_elements(model: &Model, report: &mut Report) {
    for (file, set) in walk::types(model).into_iter().filter(|(_, ty)| ty.path.text() == "set") {
        let [element] = set.arguments.as_slice() else { continue };
        let Some(ty) = model.ty(file, element) else { continue };
        let Some(resolved) = model.resolved(&ty) else { continue };
        if can_be_key(model, &resolved) {
            continue;
        }
        let message = format!("`{}` can't be in a set", describe(model, &ty));
        let diagnostic = Diagnostic::new(diagnostic::SET_ELEMENT, message)
            .at(element.span, "")
            .help("a set has strings, integers, `bool`s, `uuid`s or enums; `list<T>` takes any type");
        report.add(diagnostic);
    }
}

/// Reports map keys that are not a string, an integer, a bool, a uuid or an enum.
pub(super) fn map_keys(model: &Model, report: &mut Report) {
    for (file, map) in walk::types(model) {
        let [key, _] = map.arguments.as_slice() else { continue };
        let Some(ty) = model.ty(file, key) else { continue };
        let Some(resolved) = model.resolved(&ty) else { continue };
        if map.path.text() != "map" || can_be_key(model, &resolved) {
            continue;
        }
        let diagnostic =
            Diagnostic::new(diagnostic::MAP_KEY, format!("`{}` can't be a map's key", describe(model, &ty)))
                .at(key.span, "")
                .help("a key is a string, an integer, a `bool`, a `uuid` or an enum");
        report.add(diagnostic);
    }
}

/// Reports whether a type is one of which two values are the same on every side.
pub(super) fn can_be_key(model: &Model, ty: &Type) -> bool {
    match ty {
        Type::Builtin(builtin) => !matches!(
            builtin,
            Builtin::F32
                | Builtin::F64
                | Builtin::Bytes
                | Builtin::Timestamp
                | Builtin::Duration
                | Builtin::Value
        ),
        Type::Named(id) => enum_values(model, *id).is_some(),
        Type::List(_) | Type::Set(_) | Type::Map(..) | Type::Optional(_) => false,
    }
}

/// Reports optionals of optionals: a value is present or absent, there is no third state.
pub(super) fn optional_twice(model: &Model, report: &mut Report) {
    for (file, ty) in walk::types(model) {
        let Some(mark) = ty.optional.last() else { continue };
        if ty.optional.len() < 2 && !is_optional_already(model, file, ty) {
            continue;
        }
        let what = if ty.optional.len() < 2 {
            format!("`{}` is optional already", ty.path.text())
        } else {
            "this is optional twice".to_owned()
        };
        report.add(
            Diagnostic::new(diagnostic::OPTIONAL_TWICE, what)
                .at(*mark, "one too many")
                .help("remove this `?`")
                .suggest(*mark, ""),
        );
    }
}

fn is_optional_already(model: &Model, file: FileId, ty: &TypeUse) -> bool {
    match model.ty(file, ty) {
        Some(Type::Optional(inner)) => matches!(model.resolved(&inner), Some(Type::Optional(_))),
        _ => false,
    }
}

/// Reports aliases that stand for themselves, also inside a list.
pub(super) fn alias_cycles(model: &Model, report: &mut Report) {
    for cycle in graph::cycles(&aliases_of_aliases(model)) {
        let names: Vec<&str> =
            cycle.iter().map(|index| model.types[*index].item.full_name.as_str()).collect();
        let message = format!("{}, without end", graph::describe_cycle(&names, "stands for"));
        let diagnostic = Diagnostic::new(diagnostic::ALIAS_CYCLE, message)
            .at(model.types[cycle[0]].item.name.span, "")
            .help("a type that holds itself is a `struct` or a `union`");
        report.add(diagnostic);
    }
}

/// Returns the aliases that each alias is made of, by type id. Empty for what is not an alias.
pub(super) fn aliases_of_aliases(model: &Model) -> Vec<Vec<usize>> {
    let edges = model.types.iter().map(|declared| {
        declared.item.aliased().map(|ty| aliases_in(model, declared.file, ty)).unwrap_or_default()
    });
    edges.collect()
}

/// Returns the aliases in a type. Recursion is bounded: types nest at most `MAX_TYPE_DEPTH` deep.
fn aliases_in(model: &Model, file: FileId, ty: &TypeUse) -> Vec<usize> {
    let mut found: Vec<usize> =
        ty.arguments.iter().flat_map(|argument| aliases_in(model, file, argument)).collect();
    if let Ok(crate::resolve::Symbol::Type(id)) = model.lookup(file, &ty.path)
        && model.declared(id).item.aliased().is_some()
    {
        found.push(id.0 as usize);
    }
    found
}
