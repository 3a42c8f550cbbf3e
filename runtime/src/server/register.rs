//! [`Register`]: where a server registers as a worker, and as what.

use std::fmt;
use std::time::Duration;

use super::error::ServeError;
use crate::curve::CurveClient;
use crate::identity::{Identity, Mechanism};
use crate::telemetry;
use crate::transport::LinkConfig;
use crate::transport::listen::{Reach, may_be_elsewhere};
use crate::transport::zmtp::{Dialler, Role};
use crate::wire::Registration;

/// Time between two heartbeats to a router that says nothing.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Time that it has to answer one.
const SILENCE: Duration = Duration::from_secs(10);

/// Why a server on another engine does not register.
pub(super) const NOT_TO_A_ROUTER: &str = "a server registers at a router on the engine `zmtp` alone; choose that, or bind an endpoint for the router to connect to";

/// Why a server does not register that says who a router is which proves nothing.
const ROUTER_WITHOUT_KEY: &str = "the server says who the router is by `Register::router`, and any program could be there: the router proves that it is this one only where `Register::curve` has its public key";

/// Where a server registers as a worker of a router, and as what. See [`ServerBuilder::register`](crate::ServerBuilder::register).
///
/// ```
/// let register = zsvc::Register::at("tcp://router:7200").name("tape-1").capacity(100);
/// let server = zsvc::Server::builder().register(register);
/// ```
#[derive(Clone)]
#[must_use = "it is to be given to a server's builder"]
pub struct Register {
    endpoint: String,
    curve: Option<CurveClient>,
    router: Option<Identity>,
    registration: Registration,
}

impl Register {
    /// Returns where a router listens: `tcp://router:7200`, or `ipc:///run/router.sock`.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), curve: None, router: None, registration: Registration::default() }
    }

    /// Sets what the router's log and errors call this server. By default the router chooses.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.registration.name = name.into();
        self
    }

    /// Sets how many calls the router gives this server at a time; past it, they wait at the router, where any worker may take them. By
    /// default the router chooses. Set what the server [runs at a time](crate::ServerBuilder::max_running).
    pub fn capacity(mut self, calls: u32) -> Self {
        self.registration.capacity = calls;
        self
    }

    /// Has this server stand by: it gets calls only while no worker of a group before its own can be reached. Servers are in group 0 by
    /// default.
    pub fn standby(mut self, group: u8) -> Self {
        self.registration.standby = group;
        self
    }

    /// Has the connection encrypted, and tells the router by a key who this server is.
    pub fn curve(mut self, curve: CurveClient) -> Self {
        self.curve = Some(curve);
        self
    }

    /// Says who the router is, once it has proved to have the secret key of the public one that [`curve`](Self::curve) was given:
    /// [`Context::identity`](crate::Context::identity) of its calls, with the roles by which it may call. The router's callers have none
    /// here. Without it, the router is a client that is not known, and can't call methods with `@roles`.
    ///
    /// Without `curve`, [`listen`](crate::ServerBuilder::listen) fails.
    ///
    /// ```
    /// # fn register(curve: zsvc::curve::CurveClient) {
    /// use zsvc::{Identity, Register};
    ///
    /// let router = Identity::new("router").with_role("trader");
    /// let register = Register::at("tcp://router:7200").curve(curve).router(router);
    /// # }
    /// ```
    pub fn router(mut self, identity: Identity) -> Self {
        self.router = Some(identity);
        self
    }

    /// Reports whether the router may call methods for which one of these roles is needed.
    pub(super) fn router_may_have(&self, roles: &[&str]) -> bool {
        self.router.as_ref().is_some_and(|router| roles.iter().any(|role| router.has_role(role)))
    }

    /// Checks that the connection is encrypted, or that it stays on this machine. Warns of it where that is not asked for.
    ///
    /// # Errors
    /// It is neither, and is to be: `plaintext` says how far what is not encrypted may go.
    pub(super) fn check_private(&self, plaintext: Reach) -> Result<(), ServeError> {
        if self.curve.is_some() || !may_be_elsewhere(&self.endpoint) {
            return Ok(());
        }
        if plaintext == Reach::Machine {
            return Err(ServeError::PlaintextRouter { endpoint: self.endpoint.clone() });
        }
        telemetry::registering_in_the_clear(&self.endpoint);
        Ok(())
    }

    /// Creates what connects to the router, and registers a server with these services there.
    ///
    /// # Errors
    /// The endpoint can't be read, or the router can't prove who it is said to be.
    pub(super) fn dialler(&self, link: LinkConfig, services: Vec<String>) -> Result<Dialler, ServeError> {
        let registration = Registration { services, ..self.registration.clone() };
        // The router is this side's to watch, as a server is a client's.
        let link = LinkConfig { heartbeat: HEARTBEAT, silence: SILENCE, ..link };
        let router = match (&self.router, &self.curve) {
            (Some(_), None) => return Err(ServeError::Curve { reason: ROUTER_WITHOUT_KEY }),
            (Some(router), Some(curve)) => {
                Some(router.clone().with_key(*curve.server()).with_mechanism(Mechanism::Curve))
            }
            (None, _) => None,
        };
        let role = Role::Client(self.curve.clone());
        Dialler::new(&self.endpoint, role, link, &registration)
            .map(|dialler| dialler.knowing(router))
            .map_err(|error| ServeError::Bind { endpoint: self.endpoint.clone(), reason: error.to_string() })
    }
}

impl From<&str> for Register {
    fn from(endpoint: &str) -> Self {
        Self::at(endpoint)
    }
}

impl From<String> for Register {
    fn from(endpoint: String) -> Self {
        Self::at(endpoint)
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
