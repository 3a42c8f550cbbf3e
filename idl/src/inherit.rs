//! Which services a service takes over by `extends`, and who may call their methods by its name.
//!
//! What a service serves is its own methods, those of the services that it extends, and so on. A service that is reached in
//! several ways is there once. The rules are in [`crate::check`].

use crate::ast::{Item, ItemKind, Method, Service};
use crate::graph;
use crate::resolve::{Model, Symbol};
use crate::schema::Access;
use crate::value;

/// What each service serves, by its index in [`Model::services`].
pub(crate) struct Inheritance {
    /// The services that each extends, in the order of the text, without those that are unknown.
    pub(crate) bases: Vec<Vec<Base>>,
    /// Each service itself, then all that it takes over, each once.
    pub(crate) served: Vec<Vec<Served>>,
    /// Where the same methods come in two ways, for different callers.
    pub(crate) contradictions: Vec<Contradiction>,
}

/// One entry after `extends`.
#[derive(Clone, Copy)]
pub(crate) struct Base {
    pub(crate) service: usize,
    /// Index into what the service extends, as written.
    pub(crate) place: usize,
}

/// A service whose methods another one serves.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) service: usize,
    /// Who may call its methods that say nothing themselves: what it says, or else the nearest service that extends it, up to the
    /// one that serves them, and without that: what a service says holds for its own methods, and for the rest of what it serves.
    pub(crate) access: Access,
    /// Index into what the serving service extends, by which it came first; `None` for that service itself.
    pub(crate) by: Option<usize>,
}

/// A service that is taken over in two ways, for different callers.
pub(crate) struct Contradiction {
    /// The service that extends both ways.
    pub(crate) service: usize,
    /// The one that comes twice.
    pub(crate) twice: usize,
    /// The two entries by which it comes, as indices into what the service extends.
    pub(crate) by: (usize, usize),
}

impl Inheritance {
    pub(crate) fn of(model: &Model) -> Self {
        let bases: Vec<Vec<Base>> =
            (0..model.services.len()).map(|service| bases_of(model, service)).collect();
        let says_too_little: Vec<bool> =
            (0..model.services.len()).map(|service| says_too_little(model, service)).collect();
        let mut inheritance =
            Self { served: vec![Vec::new(); bases.len()], bases, contradictions: Vec::new() };
        let edges = inheritance.edges();
        let component = graph::components(&edges);
        // Components are numbered after all that they lead to, so what the bases of each serve is already known. In a circle,
        // which is an error of its own, some of it is not.
        let mut order: Vec<usize> = (0..edges.len()).collect();
        order.sort_by_key(|index| component[*index]);
        for service in order {
            inheritance.serve(model, &says_too_little, service);
        }
        inheritance
    }

    /// Returns the services that each extends, as a graph.
    pub(crate) fn edges(&self) -> Vec<Vec<usize>> {
        self.bases.iter().map(|bases| bases.iter().map(|base| base.service).collect()).collect()
    }

    fn serve(&mut self, model: &Model, says_too_little: &[bool], service: usize) {
        let mut served = vec![Served { service, access: Access::Unsaid, by: None }];
        for base in &self.bases[service] {
            let by_base = said(model.services[base.service].item);
            for taken in &self.served[base.service] {
                let access = match &taken.access {
                    Access::Unsaid => by_base.clone(),
                    said => said.clone(),
                };
                let Some(first) = served.iter().find(|first| first.service == taken.service) else {
                    served.push(Served { service: taken.service, access, by: Some(base.place) });
                    continue;
                };
                if let Some(by) = first.by
                    && !allows_the_same(&first.access, &access)
                    && says_too_little[taken.service]
                {
                    let by = (by, base.place);
                    self.contradictions.push(Contradiction { service, twice: taken.service, by });
                }
            }
            if served.len() > MAX_BASES + 1 {
                break;
            }
        }
        self.served[service] = served;
    }
}

/// Maximum number of services that one takes over, in all. Generated code has a trait for each, and a file could otherwise
/// describe far more methods than it has characters. Past it no more are collected.
pub(crate) const MAX_BASES: usize = 32;

/// Returns what a declaration says as a service. Only services are asked.
pub(crate) fn service(item: &Item) -> Option<&Service> {
    match &item.kind {
        ItemKind::Service(service) => Some(service),
        _ => None,
    }
}

/// Returns the methods that a service declares itself.
pub(crate) fn methods<'a>(model: &Model<'a>, index: usize) -> &'a [Method] {
    service(model.services[index].item).map_or(&[], |service| service.methods.as_slice())
}

fn bases_of(model: &Model, index: usize) -> Vec<Base> {
    let declared = &model.services[index];
    let paths = service(declared.item).map_or(&[][..], |service| service.extends.as_slice());
    let found =
        paths.iter().enumerate().filter_map(|(place, path)| match model.lookup(declared.file, path) {
            Ok(Symbol::Service(service)) => Some(Base { service, place }),
            _ => None,
        });
    found.collect()
}

/// Returns who may call, as a service says. One whose roles are no texts, which is reported, says nothing.
fn said(item: &Item) -> Access {
    value::access(&item.preamble).unwrap_or_default()
}

fn allows_the_same(one: &Access, other: &Access) -> bool {
    let sorted = |access: &Access| {
        let mut roles = access.roles().to_vec();
        roles.sort_unstable();
        roles
    };
    sorted(one) == sorted(other)
}

/// Reports whether some method of a service says nothing of who may call it.
fn says_too_little(model: &Model, service: usize) -> bool {
    methods(model, service).iter().any(|method| value::access(&method.preamble) == Some(Access::Unsaid))
}
