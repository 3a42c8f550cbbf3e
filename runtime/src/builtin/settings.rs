//! [`Settings`]: which services a server has by itself, and for whom.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::guard::Guard;
use super::health::{HealthServer, Reporter, Watched};
use super::reflection::Mirror;
use super::stats::{Board, StatsServer, StatsSource};
use crate::dispatch::{Handling, Incoming, Service};
use crate::method::Method;
use crate::schema::ServiceSchema;
use crate::status::Status;

/// Which services a server has by itself, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) reflection: bool,
    pub(crate) health: bool,
    pub(crate) stats: bool,
    /// What the program says of its services.
    pub(crate) reporter: Reporter,
    /// Roles of which a client needs one to ask the server about itself. With none, it follows what else the server asks for.
    pub(crate) roles: Vec<String>,
}

/// Whether anything at a server needs an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// Methods have roles, or calls may have tokens.
    Yes,
    No,
    /// The program lets every client call every method.
    Insecure,
}

impl Guarded {
    /// Returns whether anything needs an identity at a server of these services.
    pub(crate) fn of(services: &[Arc<dyn Service>], has_tokens: bool, is_insecure: bool) -> Self {
        let mut methods = services.iter().flat_map(|service| service.methods());
        if is_insecure {
            Self::Insecure
        } else if has_tokens || methods.any(|method| !method.required_roles().is_empty()) {
            Self::Yes
        } else {
            Self::No
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { reflection: true, health: true, stats: true, reporter: Reporter::new(), roles: Vec::new() }
    }
}

impl Settings {
    /// Returns the services of a server: those of the program, and its own. A service of the program takes the place of one of
    /// the same name.
    ///
    /// The second of what is returned has to be told which server it is about.
    pub(crate) fn with_own(
        self,
        mut services: Vec<Arc<dyn Service>>,
        guarded: Guarded,
    ) -> (Vec<Arc<dyn Service>>, StatsSource) {
        let measured = StatsSource::default();
        let guard = self.guard(guarded);
        let named = names(&services);
        let is_free = |service: &Arc<dyn Service>| names(std::slice::from_ref(service)).is_disjoint(&named);
        let mut own: Vec<Arc<dyn Service>> = Vec::new();
        if self.health {
            let known = named.iter().map(|name| (*name).to_owned()).collect();
            own.push(Arc::new(Own(HealthServer::new(Watched::new(self.reporter, known)))));
        }
        if self.stats {
            own.push(Arc::new(Own(StatsServer::new(Board::new(guard.clone(), measured.clone())))));
        }
        own.retain(is_free);
        services.append(&mut own);
        if self.reflection {
            let reflection: Arc<dyn Service> = Arc::new(Own(Mirror::of(guard, &services)));
            services.extend(Some(reflection).filter(is_free));
        }
        (services, measured)
    }

    fn guard(&self, guarded: Guarded) -> Guard {
        match guarded {
            Guarded::Insecure => Guard::Open,
            _ if !self.roles.is_empty() => Guard::Roles(self.roles.clone()),
            Guarded::Yes => Guard::Known,
            Guarded::No => Guard::Open,
        }
    }
}

/// A service that a server has by itself.
struct Own<S>(S);

impl<S: Service> Service for Own<S> {
    fn methods(&self) -> &'static [Method] {
        self.0.methods()
    }

    fn dispatch(&self, method: usize, call: Incoming) -> Result<Handling, Status> {
        self.0.dispatch(method, call)
    }

    fn schema(&self) -> Option<&'static ServiceSchema> {
        self.0.schema()
    }

    fn is_of_server(&self) -> bool {
        true
    }
}

/// Returns the full names of services.
fn names(services: &[Arc<dyn Service>]) -> BTreeSet<&'static str> {
    services.iter().flat_map(|service| service.methods()).filter_map(Method::service).collect()
}
