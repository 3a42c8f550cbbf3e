//! [`Announced`]: the lists that a server is on while it serves, and as what.

use std::sync::Arc;

use super::bind::is_inproc;
use super::error::ServeError;
use crate::discovery::{Announcement, Announcers, AnyAnnounce};
use crate::transport::address::{Address, Host};

/// The lists that a server is on while it serves, and as what.
pub(super) struct Announced {
    registries: Vec<Arc<dyn AnyAnnounce>>,
    server: Announcement,
}

impl Announced {
    /// Returns what a server is announced as, if it is to be: at the endpoints that are advertised, or else at those that it is bound to.
    ///
    /// # Errors
    /// Clients could not connect there.
    pub(super) fn new(
        registries: Vec<Arc<dyn AnyAnnounce>>,
        advertised: Vec<String>,
        services: Vec<String>,
        bound: &[String],
        instance: u64,
    ) -> Result<Option<Self>, ServeError> {
        if registries.is_empty() {
            return Ok(None);
        }
        let endpoints = if advertised.is_empty() {
            bound.iter().filter(|endpoint| !is_inproc(endpoint)).cloned().collect()
        } else {
            advertised
        };
        if endpoints.is_empty() {
            let reason = "no endpoint leads into the process from outside; call `bind` with one of TCP, or `advertise`";
            return Err(ServeError::Announce { reason: reason.to_owned() });
        }
        for endpoint in &endpoints {
            can_be_connected_to(endpoint).map_err(|why| ServeError::Announce {
                reason: format!(
                    "clients can't connect to `{endpoint}`: {why}; call `advertise` with an endpoint that they can reach"
                ),
            })?;
        }
        let instance = format!("{instance:016x}");
        Ok(Some(Self { registries, server: Announcement { services, endpoints, instance } }))
    }

    /// Begins to list the server. Must be called within a tokio runtime.
    pub(super) fn begin(self) -> Announcers {
        Announcers::begin(self.registries, &self.server)
    }
}

/// Checks that an endpoint is one for clients.
fn can_be_connected_to(endpoint: &str) -> Result<(), String> {
    match Address::to_connect(endpoint) {
        Ok(Address::Tcp { host: Host::Ip(ip), .. }) if ip.is_unspecified() => {
            Err("it stands for all addresses of this machine".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
