//! Rules about the services that a service extends, and which methods are told of where they are declared.

use std::collections::BTreeSet;

use super::Comparison;
use super::change::Change;
use crate::diagnostic;
use crate::schema::{Base, Method, PackageId, Schema, Service, ServiceId};

/// A service that both schemas may have: its package in the newer one, and its name.
pub(super) type Known<'a> = (PackageId, &'a str);

impl Comparison<'_> {
    /// Returns the service that declares a method which another one takes over, if the newer schema may have it, too.
    pub(super) fn declared_before(&self, method: &Method) -> Option<Known<'_>> {
        self.known_before(method.declared_by?)
    }

    /// Returns the service that declares a method which another one takes over.
    pub(super) fn declared_now(&self, method: &Method) -> Option<Known<'_>> {
        Some(self.known_now(method.declared_by?))
    }

    /// Returns all services that one of the older schema takes over.
    pub(super) fn taken_over_before(&self, service: &Service) -> BTreeSet<Known<'_>> {
        self.old.bases(service).into_iter().filter_map(|base| self.known_before(base)).collect()
    }

    /// Returns all services that one of the newer schema takes over.
    pub(super) fn taken_over_now(&self, service: &Service) -> BTreeSet<Known<'_>> {
        self.new.bases(service).into_iter().map(|base| self.known_now(base)).collect()
    }

    fn known_before(&self, id: ServiceId) -> Option<Known<'_>> {
        Some((self.pairs.package(id.package)?, &self.old.service(id).name))
    }

    fn known_now(&self, id: ServiceId) -> Known<'_> {
        (id.package, &self.new.service(id).name)
    }

    /// Compares which services a service extends itself, in any order.
    pub(super) fn extends_changed(&self, before: &Service, after: &Service) -> Option<Change> {
        let was: Vec<Option<Known<'_>>> =
            before.extends.iter().map(|base| self.known_before(base.service)).collect();
        let is: Vec<Known<'_>> = after.extends.iter().map(|base| self.known_now(base.service)).collect();
        let gone: Vec<&Base> = was
            .iter()
            .zip(&before.extends)
            .filter(|(it, _)| it.is_none_or(|it| !is.contains(&it)))
            .map(|(_, base)| base)
            .collect();
        let come = is.iter().zip(&after.extends).filter(|(it, _)| !was.contains(&Some(**it)));
        let come: Vec<&Base> = come.map(|(_, base)| base).collect();
        let (left, joined) = (shown(self.old, &gone), shown(self.new, &come));
        let name = &after.name;
        let message = match (gone.first(), come.first()) {
            (None, None) => return None,
            (Some(_), None) => format!("service `{name}` no longer extends {left}"),
            (None, Some(_)) => format!("service `{name}` extends {joined} now"),
            (Some(_), Some(_)) => format!("service `{name}` extends {joined} now, and no longer {left}"),
        };
        let change = Change::new(diagnostic::EXTENDS_CHANGED, message)
            .was(gone.first().map_or(before.span, |base| base.span), "before")
            .is(come.first().map_or(after.span, |base| base.span), "now")
            .source()
            .why("on the wire only its methods count, and those that came or went are told by themselves; but Rust code that implements the service implements the trait of each service that it extends")
            .help("implement the methods that moved in the trait of the service that declares them");
        Some(change)
    }
}

/// Returns the names of services, as a list.
fn shown(schema: &Schema, bases: &[&Base]) -> String {
    let names = bases.iter().map(|base| format!("`{}`", schema.service(base.service).name));
    names.collect::<Vec<_>>().join(", ")
}
