//! Lints about who may call.

use std::collections::BTreeSet;

use super::context::{Context, Findings};
use crate::ast::{Item, ItemKind, Preamble};
use crate::check::subjects::Node;
use crate::schema::PackageId;

/// Reports methods that say nothing of who may call them, and whose services do not either, in packages in which anything has
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
}

/// Reports a service once if none of its methods says anything, and otherwise those that do not.
fn unsaid(item: &Item, findings: &mut Findings) {
    let ItemKind::Service(methods) = &item.kind else { return };
    let help = "say so with `@public` if anybody may, or give it `@roles`";
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

fn says(preamble: &Preamble) -> bool {
    preamble.find("roles").is_some() || preamble.find("public").is_some()
}
