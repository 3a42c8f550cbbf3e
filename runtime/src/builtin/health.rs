//! Whether a server and its services are fit to be called: the service `zsvc.health.v1.Health`, which is on by default.
//!
//! A server is fit from its start on. A program that knows better says so by a [`Reporter`]; a server that shuts down is not fit any
//! more, which those who [watch](HealthClient::watch) are told before the end. It is off with
//! [`ServerBuilder::health`](crate::ServerBuilder::health). Everyone who can connect may ask.
//!
//! ```
//! use zsvc::Server;
//! use zsvc::health::{Reporter, Status};
//!
//! let reporter = Reporter::new();
//! let server = Server::builder().health_reporter(&reporter);
//! reporter.set("market.v1.Tape", Status::NotServing); // until its prices are there
//! # drop(server);
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;

pub use super::generated::zsvc::health::v1::*;
use crate::context::{Context, Draining};
use crate::status::{self, Error};
use crate::stream::Sink;
use crate::text::cut;

/// Maximum number of bytes of a service's name in an error.
const MAX_NAME_BYTES: usize = 200;

/// What a program says of the fitness of its services. Cheap to clone; clones say the same. Give it to a server with
/// [`ServerBuilder::health_reporter`](crate::ServerBuilder::health_reporter); several servers may have one.
#[derive(Debug, Clone)]
pub struct Reporter(Arc<watch::Sender<Said>>);

/// What was said. All that nothing was said of is fit.
#[derive(Debug, Default)]
struct Said {
    server: Option<Status>,
    services: BTreeMap<String, Status>,
}

impl Said {
    /// Returns the status of a service, or of the server by an empty name. A server that is not fit has no fit service.
    fn status(&self, service: &str) -> Status {
        let of_service = self.services.get(service).copied().unwrap_or(Status::Serving);
        self.server.filter(|server| *server != Status::Serving).unwrap_or(of_service)
    }
}

impl Reporter {
    /// Creates a reporter by which everything is fit.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }

    /// Says whether a service is fit to be called, by its full name. Those who watch it are told.
    pub fn set(&self, service: impl Into<String>, status: Status) {
        let service = service.into();
        self.0.send_modify(|said| {
            said.services.insert(service, status);
        });
    }

    /// Says whether the server as a whole is fit. If it is not, none of its services is, whatever was said of them.
    pub fn set_server(&self, status: Status) {
        self.0.send_modify(|said| said.server = Some(status));
    }

    /// Returns the status of a service as a client would be told while the server serves; that of the server by an empty name.
    #[must_use]
    pub fn status(&self, service: &str) -> Status {
        self.0.borrow().status(service)
    }
}

impl Default for Reporter {
    fn default() -> Self {
        Self::new()
    }
}

/// The service, for the services that a server has.
pub(super) struct Watched {
    reporter: Reporter,
    known: BTreeSet<String>,
}

impl Watched {
    pub(super) fn new(reporter: Reporter, known: BTreeSet<String>) -> Self {
        Self { reporter, known }
    }

    fn check_known(&self, service: &str) -> Result<(), HealthError> {
        if service.is_empty() || self.known.contains(service) {
            return Ok(());
        }
        Err(HealthError::NoSuchService { service: cut(service, MAX_NAME_BYTES).to_owned() })
    }
}

impl Health for Watched {
    async fn check(&self, _: &Context, service: String) -> Result<Status, Error<HealthError>> {
        self.check_known(&service)?;
        Ok(self.reporter.status(&service))
    }

    async fn watch(
        &self,
        context: &Context,
        service: String,
        sink: Sink<Status>,
    ) -> Result<(), Error<HealthError>> {
        self.check_known(&service)?;
        let (mut said, mut draining) = (self.reporter.0.subscribe(), context.draining());
        let mut told = None;
        loop {
            let is_draining = draining.has_begun();
            let said_now = said.borrow_and_update().status(&service);
            tell(&sink, &mut told, if is_draining { Status::NotServing } else { said_now }).await?;
            if is_draining {
                return Ok(());
            }
            change(&mut said, &mut draining).await;
        }
    }
}

/// Sends a status unless it was the last that was sent.
async fn tell(sink: &Sink<Status>, told: &mut Option<Status>, status: Status) -> Result<(), status::Status> {
    if told.as_ref() == Some(&status) {
        return Ok(());
    }
    *told = Some(status);
    sink.send(status).await
}

/// Waits until something was said, or the server drains.
async fn change(said: &mut watch::Receiver<Said>, draining: &mut Draining) {
    let (mut said, mut draining) = (pin!(said.changed()), pin!(draining.wait()));
    poll_fn(|context| {
        let is_drained = draining.as_mut().poll(context).is_ready();
        if is_drained || said.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_fit_has_no_fit_service() {
        let reporter = Reporter::new();
        assert_eq!((reporter.status(""), reporter.status("a.B")), (Status::Serving, Status::Serving));
        reporter.set("a.B", Status::NotServing);
        assert_eq!((reporter.status(""), reporter.status("a.B")), (Status::Serving, Status::NotServing));
        reporter.set("a.B", Status::Serving);
        reporter.clone().set_server(Status::NotServing);
        assert_eq!((reporter.status(""), reporter.status("a.B")), (Status::NotServing, Status::NotServing));
        reporter.set_server(Status::Serving);
        assert_eq!((reporter.status(""), reporter.status("a.B")), (Status::Serving, Status::Serving));
    }
}
