//! Lints about who may call.

use std::collections::BTreeSet;

use super::context::{Context, Findings};
use crate::ast::{Item, ItemKind, Preamble, Service};
use crate::check::subjects::Node;
use crate::inherit::{self, Inheritance};
use crate::resolve::Model;
use crate::schema::PackageId;

/// Reports events, and methods that say nothing of who may call them, and whose services do not either, in packages in which anything has
/// roles: they are open to anybody, which may have been forgotten.
pub(super) fn unsaid_roles(context: &Context, findings: &mut Findings) {
    let guarded: BTreeSet<PackageId> = context
        .subjects
        .iter()
        .filter(|subject| subject.preamble.find("roles").is_some())
        .map(|subject| context.model.package(subject.file))
        .collect();
    for subject in &context.subjects {
        let Node::Item(item) = subject.node else { continue };
        if guarded.contains(&context.model.package(subject.file)) && !says(&item.preamble) {
            unsaid(item, findings);
        }
    }
    taken_over(context.model, &guarded, findings);
}

/// Reports an event; a service once if none of its methods says anything, and otherwise those that do not.
fn unsaid(item: &Item, findings: &mut Findings) {
    let help = "say so with `@public` if anybody may, or give it `@roles`";
    let methods = match &item.kind {
        ItemKind::Service(Service { methods, .. }) => methods,
        ItemKind::Struct(fields) if fields.is_event => {
            let message = format!("anybody may subscribe to `{}`, which does not say so", item.name.text);
            return findings.add(item.name.span, message, help);
        }
        _ => return,
    };
    if methods.iter().any(|method| says(&method.preamble)) {
        for method in methods.iter().filter(|method| !says(&method.preamble)) {
            let message = format!("anybody may call `{}`, which does not say so", method.name.text);
            findings.add(method.name.span, message, help);
        }
    } else if !methods.is_empty() {
        let message = format!("anybody may call the methods of `{}`, which does not say so", item.name.text);
        findings.add(item.name.span, message, help);
    }
}

/// Reports services that are extended, and of whose methods nothing says who may call them. Those of packages with roles are told
/// where they are declared.
fn taken_over(model: &Model, guarded: &BTreeSet<PackageId>, findings: &mut Findings) {
    let inheritance = Inheritance::of(model);
    for (declared, served) in model.services.iter().zip(&inheritance.served) {
        if !guarded.contains(&declared.package) || says(&declared.item.preamble) {
            continue;
        }
        let extends = inherit::service(declared.item).map_or(&[][..], |service| service.extends.as_slice());
        for from in served.iter().filter(|from| from.access.is_none()) {
            let Some(path) = from.by.and_then(|place| extends.get(place)) else { continue };
            let base = &model.services[from.service];
            let methods = inherit::methods(model, from.service);
            if guarded.contains(&base.package) || methods.iter().all(|method| says(&method.preamble)) {
                continue;
            }
            let (name, base) = (&declared.item.name.text, &base.item.name.text);
            let message = format!(
                "anybody may call methods that `{name}` takes over from `{base}`, which do not say so"
            );
            findings.add(
                path.span,
                message,
                format!("say on `{name}` by `@public` that anybody may, or give it `@roles`"),
            );
        }
    }
}

fn says(preamble: &Preamble) -> bool {
    preamble.find("roles").is_some() || preamble.find("public").is_some()
}
