//! Rules about whole services, and added and removed methods.

use std::collections::BTreeMap;

use super::access::access;
use super::change::{Change, Effects};
use super::notes::notes;
use super::pairs::{answer, common_methods, incoming};
use super::relation::Relation;
use super::{Comparison, Flow};
use crate::diagnostic;
use crate::schema::{Method, MethodKind, Package, Service};

impl Comparison<'_> {
    /// Compares the services of a package that has kept its name.
    pub(super) fn services(&self, old: &Package, new: &Package, out: &mut Vec<Change>) {
        let known = by_name(&old.services);
        let new_names = by_name(&new.services);
        let mut come: Vec<&Service> =
            new.services.iter().filter(|service| !known.contains_key(service.name.as_str())).collect();
        for before in &old.services {
            if let Some(after) = new_names.get(before.name.as_str()) {
                self.service(before, after, out);
            } else if let Some(at) = come.iter().position(|after| is_renamed(before, after)) {
                out.push(renamed(before, come.remove(at)));
            } else {
                out.push(removed(before));
            }
        }
        out.extend(come.into_iter().map(added));
    }

    fn service(&self, before: &Service, after: &Service, out: &mut Vec<Change>) {
        let common = common_methods(before, after);
        let (was, is) = (self.taken_over_before(before), self.taken_over_now(after));
        // What both take over is told once, where it is declared.
        let is_old_elsewhere =
            |method: &Method| self.declared_before(method).is_some_and(|it| is.contains(&it));
        let is_new_elsewhere =
            |method: &Method| self.declared_now(method).is_some_and(|it| was.contains(&it));
        for (old, new) in common.iter().filter(|(old, new)| !(is_old_elsewhere(old) && is_new_elsewhere(new)))
        {
            self.method(after, old, new, out);
        }
        access((before, after), &common, out);
        out.extend(self.extends_changed(before, after));
        let gone = before.methods.iter().filter(|method| !has(after, method) && !is_old_elsewhere(method));
        let come = after.methods.iter().filter(|method| !has(before, method) && !is_new_elsewhere(method));
        let mut come: Vec<&Method> = come.collect();
        for old in gone {
            match come.iter().position(|new| self.is_method_renamed(old, new)) {
                Some(at) => out.push(method_renamed(after, old, come.remove(at))),
                None => out.push(method_removed(after, old)),
            }
        }
        out.extend(come.into_iter().map(|new| method_added(before, after, new)));
        let what = format!("service `{}`", after.name);
        notes(&what, (before.span, &before.notes), (after.span, &after.notes), out);
    }

    /// Reports whether two methods may be one under another name: their kind, types and names of parameters are the same,
    /// and at least one type or `oneway` makes them distinctive.
    fn is_method_renamed(&self, old: &Method, new: &Method) -> bool {
        let alike = |old: Option<_>, new: Option<_>| match (old, new) {
            (Some(old), Some(new)) => {
                let relation = self.relate(old, new, Flow::BOTH);
                relation == Relation { respelled: relation.respelled, ..Relation::default() }
            }
            (old, new) => old.is_none() && new.is_none(),
        };
        let parameters = old.parameters.iter().zip(&new.parameters);
        old.parameters.len() == new.parameters.len()
            && std::mem::discriminant(&old.kind) == std::mem::discriminant(&new.kind)
            && (!old.parameters.is_empty()
                || answer(&old.kind).is_some()
                || matches!(old.kind, MethodKind::OneWay))
            && alike(answer(&old.kind), answer(&new.kind))
            && alike(incoming(&old.kind), incoming(&new.kind))
            && parameters
                .into_iter()
                .all(|(old, new)| old.name == new.name && alike(Some(&old.ty), Some(&new.ty)))
    }
}

fn by_name(services: &[Service]) -> BTreeMap<&str, &Service> {
    services.iter().map(|service| (service.name.as_str(), service)).collect()
}

fn has(service: &Service, method: &Method) -> bool {
    service.methods.iter().any(|other| other.name == method.name)
}

/// Reports whether two services may be one under another name: their methods have the same names, and there is at least
/// one.
fn is_renamed(old: &Service, new: &Service) -> bool {
    !old.methods.is_empty()
        && old.methods.len() == new.methods.len()
        && old.methods.iter().all(|method| has(new, method))
}

/// Returns the effects of a removal: new servers answer calls of old clients with `unimplemented`.
fn unimplemented() -> Effects {
    Effects { new_reads_old: true, source: true, flow: Flow::REQUESTS, ..Effects::default() }
}

/// Returns the effects of a rename: [`unimplemented`], and old servers answer calls of new clients so, too.
fn unimplemented_both() -> Effects {
    Effects { old_reads_new: true, ..unimplemented() }
}

fn added(after: &Service) -> Change {
    Change::new(diagnostic::SERVICE_ADDED, format!("service `{}` is new", after.name))
        .is(after.span, "new")
        .why("no client calls it yet; old servers answer calls of it with `unimplemented`")
        .help("deploy the servers before the clients that call it")
}

fn removed(before: &Service) -> Change {
    Change::new(diagnostic::SERVICE_REMOVED, format!("service `{}` is gone", before.name))
        .was(before.span, "there before")
        .effects(unimplemented())
        .why("calls of old clients are answered with `unimplemented`")
        .help("keep it, and say by `@deprecated` that it should not be used, until no client calls it")
}

fn renamed(before: &Service, after: &Service) -> Change {
    let message = format!("service `{}` is named `{}` now", before.name, after.name);
    Change::new(diagnostic::SERVICE_RENAMED, message)
        .was(before.span, "named so")
        .is(after.span, "the same methods")
        .effects(unimplemented_both())
        .why("a call names its service, so calls between old and new are answered with `unimplemented`")
        .help("keep the old service beside the new one until no client calls it, and serve both")
}

fn method_added(before: &Service, service: &Service, after: &Method) -> Change {
    Change::new(diagnostic::METHOD_ADDED, format!("method `{}` of `{}` is new", after.name, service.name))
        .was(before.span, "not there yet")
        .is(after.span, "new")
        .source()
        .why("no client calls it yet, and old servers answer calls of it with `unimplemented`; but Rust code that implements the service must implement it")
        .help("deploy the servers before the clients that call it")
}

fn method_removed(service: &Service, before: &Method) -> Change {
    Change::new(diagnostic::METHOD_REMOVED, format!("method `{}` of `{}` is gone", before.name, service.name))
        .was(before.span, "there before")
        .is(service.span, "gone")
        .effects(unimplemented())
        .why("calls of old clients are answered with `unimplemented`")
        .help("keep it, and say by `@deprecated` that it should not be used, until no client calls it")
}

fn method_renamed(service: &Service, before: &Method, after: &Method) -> Change {
    let message = format!("method `{}` of `{}` is named `{}` now", before.name, service.name, after.name);
    Change::new(diagnostic::METHOD_RENAMED, message)
        .was(before.span, "named so")
        .is(after.span, "takes and gives the same")
        .effects(unimplemented_both())
        .why("a call names its method, so calls between old and new are answered with `unimplemented`")
        .help("keep the old method beside the new one, with `@deprecated`, until no client calls it")
}
