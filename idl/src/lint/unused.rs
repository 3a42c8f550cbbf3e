//! Finds unused imports, and types that no call carries.

use std::collections::{BTreeMap, BTreeSet};

use super::allow::allows;
use super::context::{Context, Findings};
use super::uses::{self, Use};
use crate::ast::ItemKind;
use crate::check::places::Place;
use crate::check::subjects::Node;
use crate::resolve::Model;
use crate::schema::{PackageId, TypeId};
use crate::source::{FileId, Span};

/// Reports imports of files of which nothing is used.
pub(super) fn unused_import(context: &Context, findings: &mut Findings) {
    let model = context.model;
    let mut used: BTreeSet<(FileId, FileId)> = BTreeSet::new();
    for subject in &context.subjects {
        used.extend(uses::of(model, subject).into_iter().map(|it| (subject.file, it.declared.file)));
    }
    for (file, targets) in model.program.files.iter().zip(&model.program.targets) {
        for (import, target) in file.imports.iter().zip(targets) {
            let is_unused = |target: &FileId| !used.contains(&(file.id, *target));
            if target.as_ref().is_some_and(is_unused) {
                let message = format!("nothing of `{}` is used here", import.path);
                findings.add(import.path_span, message, "remove the import");
            }
        }
    }
}

/// Reports types that no call carries, in packages with a service. A package without one is for others to use. A type
/// inside of one that is reported goes with it.
pub(super) fn unused_type(context: &Context, findings: &mut Findings) {
    let reached = Reached::of(context);
    let ids = ids_by_name(context.model);
    let is_unused = |id: &TypeId| !reached.types[id.0 as usize];
    for (declared, id) in context.model.types.iter().zip(0..).map(|(declared, id)| (declared, TypeId(id))) {
        let mut around = context.model.around(id);
        let goes_with_another = around.any(|outer| ids.get(&outer.name.span).is_some_and(is_unused));
        if reached.serving.contains(&declared.package) && is_unused(&id) && !goes_with_another {
            let message = format!("`{}` is used by no method", declared.item.full_name);
            findings.add(
                declared.item.name.span,
                message,
                "remove it, or use it; if it travels inside a `value` or `bytes`, say so by `@allow(unused_type)`",
            );
        }
    }
}

/// What calls, and packages without services, lead to.
struct Reached {
    /// Packages that have a service.
    serving: BTreeSet<PackageId>,
    /// Whether each type is reached, by [`TypeId`].
    types: Vec<bool>,
}

impl Reached {
    fn of(context: &Context) -> Self {
        let model = context.model;
        let services = model.items().filter(|(_, item)| matches!(item.kind, ItemKind::Service(_)));
        let serving = services.map(|(file, _)| model.package(file)).collect();
        let mut reached = Self { serving, types: vec![false; model.types.len()] };
        let ids = ids_by_name(model);
        let mut next: Vec<TypeId> = Vec::new();
        let mut held: Vec<Vec<TypeId>> = vec![Vec::new(); model.types.len()];
        // Types that are allowed to be unused: what they hold travels with them.
        let mut allowed: Vec<TypeId> = Vec::new();
        for subject in &context.subjects {
            let owner = subject.item.and_then(|item| ids.get(&item.name.span).copied());
            let is_declaration = matches!(subject.node, Node::Item(_));
            allowed.extend(owner.filter(|_| is_declaration && allows(subject, "unused-type")));
            // An event travels by itself.
            next.extend(owner.filter(|_| subject.place == Place::Event));
            let found = uses::of(model, subject);
            let used = found.iter().filter_map(|it: &Use| ids.get(&it.declared).copied());
            match owner {
                Some(TypeId(owner)) => held[owner as usize].extend(used),
                _ => next.extend(used),
            }
        }
        // A type that holds one that travels is needed for its name.
        for (id, held) in held.iter_mut().enumerate() {
            let around = model.around(TypeId(crate::source::offset(id)));
            held.extend(around.filter_map(|outer| ids.get(&outer.name.span).copied()));
        }
        let exported = model.types.iter().zip(0..).filter(|(it, _)| !reached.serving.contains(&it.package));
        next.extend(exported.map(|(_, id)| TypeId(id)));
        reached.follow(next, &mut held);
        let inside = allowed.iter().flat_map(|TypeId(id)| std::mem::take(&mut held[*id as usize])).collect();
        reached.follow(inside, &mut held);
        reached
    }

    /// Marks these types, and all that they hold.
    fn follow(&mut self, mut next: Vec<TypeId>, held: &mut [Vec<TypeId>]) {
        while let Some(TypeId(id)) = next.pop() {
            let index = id as usize;
            if !std::mem::replace(&mut self.types[index], true) {
                next.append(&mut held[index]);
            }
        }
    }
}

/// Returns types by the spans of their names.
fn ids_by_name(model: &Model) -> BTreeMap<Span, TypeId> {
    model.types.iter().zip(0..).map(|(declared, id)| (declared.item.name.span, TypeId(id))).collect()
}
