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
    /// Each service itself, then all that it takes over, each once. At most [`MAX_BASES`] and two, by which one is seen to take
    /// over too many.
    pub(crate) served: Vec<Vec<Served>>,
    /// Where the same methods come in two ways, for different callers.
    pub(crate) contradictions: Vec<Contradiction>,
    /// Who may call, as each service says.
    said: Vec<Access>,
}

/// One entry after `extends`.
#[derive(Clone, Copy)]
pub(crate) struct Base {
    pub(crate) service: usize,
    /// Index into what the service extends, as written.
    pub(crate) place: usize,
}

/// A service whose methods another one serves.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) service: usize,
    /// The service that says who may call its methods that say nothing themselves: this one, or else the nearest that extends it,
    /// up to the one that serves them, and without that: what a service says holds for its own methods, and for the rest of what
    /// it serves. `None` if none of them says anything.
    pub(crate) access: Option<usize>,
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
        let mut inheritance = Self {
            served: vec![Vec::new(); bases.len()],
            bases,
            contradictions: Vec::new(),
            said: model.services.iter().map(|service| said(service.item)).collect(),
        };
        let edges = inheritance.edges();
        let component = graph::components(&edges);
        // Components are numbered after all that they lead to, so what the bases of each serve is already known. In a circle,
        // which is an error of its own, some of it is not.
        let mut order: Vec<usize> = (0..edges.len()).collect();
        order.sort_by_key(|index| component[*index]);
        for service in order {
            inheritance.serve(&says_too_little, service);
        }
        inheritance
    }

    /// Returns the services that each extends, as a graph.
    pub(crate) fn edges(&self) -> Vec<Vec<usize>> {
        self.bases.iter().map(|bases| bases.iter().map(|base| base.service).collect()).collect()
    }

    /// Returns who may call the methods of a service that is served which say nothing themselves.
    pub(crate) fn access(&self, served: &Served) -> Access {
        served.access.map_or(Access::Unsaid, |service| self.said[service].clone())
    }

    fn serve(&mut self, says_too_little: &[bool], service: usize) {
        let mut served = vec![Served { service, access: None, by: None }];
        let bases = self.bases[service].iter();
        let taken = bases.flat_map(|base| self.served[base.service].iter().map(move |taken| (base, taken)));
        for (base, taken) in taken {
            let by_base = Some(base.service).filter(|base| self.said[*base] != Access::Unsaid);
            let access = taken.access.or(by_base);
            let Some(first) = served.iter().find(|first| first.service == taken.service) else {
                served.push(Served { service: taken.service, access, by: Some(base.place) });
                // One more is already an error, and to go on would let a chain of services grow with its square.
                if served.len() > MAX_BASES + 1 {
                    break;
                }
                continue;
            };
            if let Some(by) = first.by
                && says_too_little[taken.service]
                && !self.says_the_same(first.access, access)
            {
                let by = (by, base.place);
                self.contradictions.push(Contradiction { service, twice: taken.service, by });
            }
        }
        self.served[service] = served;
    }

    /// Reports whether two services say the same of who may call. To say that anybody may is not to say nothing: who extends the
    /// latter may still say otherwise.
    fn says_the_same(&self, one: Option<usize>, other: Option<usize>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return one == other };
        let (one, other) = (&self.said[one], &self.said[other]);
        let is_same_kind = std::mem::discriminant(one) == std::mem::discriminant(other);
        is_same_kind && sorted(one.roles()) == sorted(other.roles())
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

fn sorted(roles: &[String]) -> Vec<&String> {
    let mut roles: Vec<&String> = roles.iter().collect();
    roles.sort_unstable();
    roles
}

/// Reports whether some method of a service says nothing of who may call it.
fn says_too_little(model: &Model, service: usize) -> bool {
    methods(model, service).iter().any(|method| value::access(&method.preamble) == Some(Access::Unsaid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Report;
    use crate::{MemoryLoader, load, resolve};

    #[test]
    fn what_a_service_serves_is_bounded_in_a_chain() {
        let chain = (0..200).map(|number| format!("service S{} extends S{number} {{}}\n", number + 1));
        let text = format!("package a;\nservice S0 {{}}\n{}", chain.collect::<String>());
        let loader = MemoryLoader::default().with("a.svc", text);
        let mut report = Report::default();
        let program = load::load(&loader, &["a.svc".to_owned()], &[], &mut report);
        let model = resolve::resolve(&program, &mut report);
        let served = Inheritance::of(&model).served;
        let lengths: Vec<usize> = served.iter().map(Vec::len).collect();
        assert_eq!(lengths[..3], [1, 2, 3]);
        assert_eq!(lengths.iter().copied().max(), Some(MAX_BASES + 2));
    }
}
