//! Rules about packages, and the walk through all that they hold.

use std::collections::BTreeMap;

use super::change::{Change, Effects};
use super::types::in_rust;
use super::{Comparison, Flow, notes};
use crate::diagnostic;
use crate::schema::{Package, PackageId};
use crate::source::Span;

impl Comparison<'_> {
    /// Returns every change, unordered.
    pub(super) fn packages(&self) -> Vec<Change> {
        let mut out = Vec::new();
        for (id, before) in (0..).map(PackageId).zip(&self.old.packages) {
            match self.pairs.package(id) {
                Some(after) => self.package(before, self.new.package(after), &mut out),
                None => out.push(removed(before)),
            }
            self.types_of(id, before, &mut out);
        }
        for (id, after) in (0..).map(PackageId).zip(&self.new.packages) {
            if self.pairs.has_package(id) {
                let names = after.types.iter().map(|id| self.new.definition(*id).name.as_str());
                let nested: BTreeMap<String, &str> =
                    names.filter(|name| name.contains('.')).map(|name| (in_rust(name), name)).collect();
                let new = after.types.iter().filter(|id| !self.pairs.has_type(**id));
                out.extend(new.map(|id| self.type_added(*id, &nested)));
            } else {
                out.push(added(after));
            }
        }
        out
    }

    fn package(&self, before: &Package, after: &Package, out: &mut Vec<Change>) {
        if before.name == after.name {
            self.services(before, after, out);
        } else {
            out.push(renamed(before, after));
        }
        if before.docs != after.docs {
            let what = format!("package `{}`", after.full_name());
            out.extend(first(before).zip(first(after)).map(|(old, new)| notes::docs(&what, old, new)));
        }
        if let (Some(old), Some(new)) = (first(before), first(after)) {
            let what = format!("package `{}`", after.full_name());
            notes::meta(&what, (old, &before.meta), (new, &after.meta), out);
        }
        self.constants(before, after, out);
    }

    /// Compares the types of a package, wherever they are now. Types of a removed package are not reported one by one.
    fn types_of(&self, id: PackageId, before: &Package, out: &mut Vec<Change>) {
        let is_gone = self.pairs.package(id).is_none();
        for old in before.types.iter().copied() {
            match self.pairs.ty(old) {
                Some(new) => self.ty(old, new, out),
                None if is_gone => {}
                None => out.push(self.event_removed(old).unwrap_or_else(|| self.type_removed(old))),
            }
        }
    }
}

fn first(package: &Package) -> Option<Span> {
    package.spans.first().copied()
}

/// Returns the effects on a package's services, whose names include the package's: old clients call them, and if the
/// package was renamed, new ones do as well.
fn lost_services(package: &Package, renamed: bool) -> Effects {
    let is_called = package.services.iter().any(|service| !service.methods.is_empty());
    let flow = Flow::REQUESTS;
    Effects {
        old_reads_new: is_called && renamed,
        new_reads_old: is_called,
        source: true,
        flow,
        ..Effects::default()
    }
}

fn at(change: Change, old: Option<Span>, new: Option<Span>, texts: (&str, &str)) -> Change {
    let change = old.into_iter().fold(change, |change, span| change.was(span, texts.0));
    new.into_iter().fold(change, |change, span| change.is(span, texts.1))
}

fn added(after: &Package) -> Change {
    let change = Change::new(diagnostic::PACKAGE_ADDED, format!("package `{}` is new", after.full_name()));
    at(change, None, first(after), ("", "new")).why("no program uses it yet").help("nothing needs to be done")
}

fn removed(before: &Package) -> Change {
    let change =
        Change::new(diagnostic::PACKAGE_REMOVED, format!("package `{}` is gone", before.full_name()));
    let why = if before.services.is_empty() {
        "what it declared may be used by Rust code"
    } else {
        "calls of its services are answered with `unimplemented`, and what it declared may be used by Rust code"
    };
    at(change, first(before), None, ("there before", ""))
        .effects(lost_services(before, false))
        .why(why)
        .help("keep it until no program uses it; several versions can exist side by side")
}

fn renamed(before: &Package, after: &Package) -> Change {
    let message = format!("package `{}` is named `{}` now", before.full_name(), after.full_name());
    let why = if before.services.is_empty() {
        "names of types are not sent, so old and new programs still understand each other; but in Rust it is another module"
    } else {
        "a call names its package, so calls between old and new are answered with `unimplemented`"
    };
    at(
        Change::new(diagnostic::PACKAGE_RENAMED, message),
        first(before),
        first(after),
        ("named so", "the same declarations"),
    )
    .effects(lost_services(before, true))
    .why(why)
    .help("keep the old package beside the new one until no program uses it, and serve both")
}
