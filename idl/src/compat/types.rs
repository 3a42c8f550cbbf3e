//! Rules about whole declared types.

use std::collections::BTreeMap;

use super::change::{Change, Kind};
use super::events::event_of;
use super::members::Owner;
use super::notes::notes;
use super::relation::Place;
use super::{Comparison, Flow, shown, variants};
use crate::diagnostic;
use crate::schema::{Schema, Type, TypeDefinition, TypeId, TypeKind};

impl Comparison<'_> {
    /// Compares one type that both schemas have.
    pub(super) fn ty(&self, old: TypeId, new: TypeId, out: &mut Vec<Change>) {
        let (before, after) = (self.old.definition(old), self.new.definition(new));
        let is_same_package = self.pairs.package(before.package) == Some(after.package);
        let are_events = event_of(before).is_some() && event_of(after).is_some();
        if (before.name != after.name || !is_same_package) && !are_events {
            out.push(self.type_renamed(old, new));
        }
        self.event(old, new, out);
        self.definitions(old, new, self.flows.of_type(old), out);
        let what = format!("`{}`", after.name);
        notes(&what, (before.span, &before.notes), (after.span, &after.notes), out);
    }

    /// Compares the members of two types, whether they are matched or not.
    pub(super) fn definitions(&self, old: TypeId, new: TypeId, flow: Flow, out: &mut Vec<Change>) {
        let (before, after) = (self.old.definition(old), self.new.definition(new));
        let owner = owner(before, after, flow);
        match (&before.kind, &after.kind) {
            (TypeKind::Alias(old), TypeKind::Alias(new)) => self.alias(before, after, flow, (old, new), out),
            (TypeKind::Struct(old), TypeKind::Struct(new)) => {
                self.fields(&owner, &old.fields, &new.fields, out);
            }
            (TypeKind::Enum(old), TypeKind::Enum(new)) => variants::values(&owner, old, new, out),
            (TypeKind::Flags(old), TypeKind::Flags(new)) => variants::values(&owner, old, new, out),
            (TypeKind::Union(old), TypeKind::Union(new)) | (TypeKind::Error(old), TypeKind::Error(new)) => {
                self.variants(&owner, old, new, out);
            }
            (TypeKind::Union(old), TypeKind::Error(new)) | (TypeKind::Error(old), TypeKind::Union(new)) => {
                out.push(error_or_union(before, after));
                self.variants(&owner, old, new, out);
            }
            _ => self.other_kind(old, new, flow, out),
        }
    }

    fn alias(
        &self,
        before: &TypeDefinition,
        after: &TypeDefinition,
        flow: Flow,
        (old, new): (&Type, &Type),
        out: &mut Vec<Change>,
    ) {
        let mut inside = Vec::new();
        let place = Place {
            what: format!("alias `{}`", after.name),
            old: before.target_span.unwrap_or(before.span),
            new: after.target_span.unwrap_or(after.span),
            flow,
        };
        self.type_change(&place, old, new, &mut inside);
        out.extend(inside.into_iter().map(|change| match change.kind() {
            Kind::Safe => change,
            Kind::Wire | Kind::Risk | Kind::Source => of_alias(change, before, after),
        }));
    }

    /// Reports a type of another kind: a struct that has become an enum, and so on; or an alias, which may be the same
    /// type after all.
    fn other_kind(&self, old: TypeId, new: TypeId, flow: Flow, out: &mut Vec<Change>) {
        let (before, after) = (self.old.definition(old), self.new.definition(new));
        let relation = self.relate_targets(old, new, flow);
        let message = format!(
            "`{}` was {}, and is {} now",
            after.name,
            shown::kind(&before.kind),
            shown::kind(&after.kind)
        );
        let why = if relation.fails() {
            "the two differ in form, so each side refuses or misreads what the other writes"
        } else {
            "the bytes are the same, so programs go on talking; but in Rust it is another type"
        };
        let change = Change::new(diagnostic::TYPE_KIND, message)
            .was(before.span, format!("{} here", shown::kind(&before.kind)))
            .is(after.span, format!("{} here", shown::kind(&after.kind)))
            .effects(relation.effects(flow))
            .why(why)
            .help("leave it as it is, and declare a type of another name");
        out.push(change);
    }

    /// `nested` are the names of the types of its package that are inside of others, by those that they have in Rust.
    pub(super) fn type_added(&self, new: TypeId, nested: &BTreeMap<String, &str>) -> Change {
        let after = self.new.definition(new);
        let change =
            Change::new(diagnostic::TYPE_ADDED, format!("`{}` is new", after.name)).is(after.span, "new");
        match nested.get(&after.name) {
            Some(other) => change
                .source()
                .why(format!(
                    "no program uses it yet; but in Rust its name was that of `{other}`, which gets another"
                ))
                .help("choose another name"),
            None => change.why("no program uses it yet").help("nothing needs to be done"),
        }
    }

    pub(super) fn type_removed(&self, old: TypeId) -> Change {
        let before = self.old.definition(old);
        Change::new(diagnostic::TYPE_REMOVED, format!("`{}` is gone", before.name))
            .was(before.span, "there before")
            .source()
            .why("names of types are not sent, so its removal alone breaks nothing on the wire; a type that replaces it is reported where it is used; but Rust code may use the name")
            .help("keep it, and say by `@deprecated` that it should not be used")
    }

    fn type_renamed(&self, old: TypeId, new: TypeId) -> Change {
        let (before, after) = (self.old.definition(old), self.new.definition(new));
        let (old_name, new_name) = (shown::full_name(self.old, old), shown::full_name(self.new, new));
        let change = Change::new(diagnostic::TYPE_RENAMED, format!("`{old_name}` is named `{new_name}` now"))
            .was(before.span, "named so")
            .is(after.span, "the same type");
        let (before, after) = (in_rust(&before.name), &after.name);
        let package = |schema: &Schema, id| schema.package(schema.definition(id).package).full_name();
        let is_same_package = package(self.old, old) == package(self.new, new);
        if before == in_rust(after) && is_same_package {
            let why = format!("names of types are not sent, and either is `{before}` in Rust");
            return change.why(why).help("nothing has to be done");
        }
        change
            .source()
            .why("names of types are not sent, so old and new programs still understand each other; but Rust code uses the name")
            .help(format!("to let Rust code be, keep the old name: `type {before} = {after};`"))
    }
}

/// Returns the name in Rust of a type, which may be inside of others.
pub(super) fn in_rust(name: &str) -> String {
    name.replace('.', "")
}

fn owner<'a>(before: &'a TypeDefinition, after: &'a TypeDefinition, flow: Flow) -> Owner<'a> {
    Owner {
        name: format!("`{}`", after.name),
        old: before.span,
        new: after.span,
        old_reserved: &before.reserved,
        new_reserved: &after.reserved,
        flow,
    }
}

/// Rewords a change of type for the target of an alias.
fn of_alias(change: Change, before: &TypeDefinition, after: &TypeDefinition) -> Change {
    let message = if before.name == after.name {
        format!("alias `{}` stands for another type now", after.name)
    } else {
        format!("alias `{}`, now `{}`, stands for another type", before.name, after.name)
    };
    Change {
        code: diagnostic::ALIAS_CHANGED,
        message,
        help: "leave it as it is, and declare an alias of another name for the new type".to_owned(),
        ..change
    }
}

fn error_or_union(before: &TypeDefinition, after: &TypeDefinition) -> Change {
    let (old, new) = (shown::kind(&before.kind), shown::kind(&after.kind));
    Change::new(diagnostic::ERROR_OR_UNION, format!("`{}` was {old}, and is {new} now", after.name))
        .was(before.span, format!("{old} here"))
        .is(after.span, format!("{new} here"))
        .source()
        .why("on the wire both are the same; but in Rust only an error can be shown, and thrown")
        .help("leave it as it is, and declare a type of another name")
}
