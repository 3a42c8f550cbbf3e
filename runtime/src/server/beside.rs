//! [`Beside`]: what a server runs beside its calls: the PUB socket of its events, and its program's tasks.

use std::sync::Arc;

use super::error::ServeError;
use super::serving::AnyDriver;
use super::task::Task;
use crate::curve::CurveServer;
use crate::driver::PublishDriver;
use crate::peer::Shared;
use crate::publish::Feed;
use crate::transport::listen::Reach;
use crate::transport::zmtp::{Role, ZmtpListener};
use crate::transport::{HandshakeLimits, LinkConfig, TransportError};

/// What a server is to run beside its calls.
#[derive(Default)]
pub(super) struct Beside {
    /// The publishers that the server offers.
    pub(super) feeds: Vec<Feed>,
    /// Endpoints of the PUB socket.
    pub(super) publish_at: Vec<String>,
    pub(super) tasks: Vec<Task>,
}

/// What a server runs beside its calls, bound.
#[derive(Default)]
pub(super) struct Bound {
    /// The main task of the PUB socket, if there is one.
    pub(super) publisher: Option<AnyDriver>,
    /// Endpoints of the PUB socket, as they were bound.
    pub(super) published_at: Vec<String>,
    pub(super) tasks: Vec<Task>,
}

/// Size in bytes of the largest frame that a PUB socket takes: a subscription, and what the engine adds to every bound.
const MAX_SUBSCRIPTION_BYTES: usize = 4 * 1024;

impl Beside {
    /// Reports whether there is to be a PUB socket.
    pub(super) fn publishes(&self) -> bool {
        !self.publish_at.is_empty()
    }

    /// Binds the PUB socket, if there is to be one. Must be called within a tokio runtime.
    pub(super) fn bind(
        self,
        reach: Reach,
        (link, handshakes): (LinkConfig, HandshakeLimits),
        curve: Option<CurveServer>,
        is_insecure: bool,
        shared: &Arc<Shared>,
    ) -> Result<Bound, ServeError> {
        if self.publish_at.is_empty() {
            return Ok(Bound { tasks: self.tasks, ..Bound::default() });
        }
        let (link, role) = (LinkConfig { max_body: MAX_SUBSCRIPTION_BYTES, ..link }, Role::Publisher(curve));
        let (listener, published_at) =
            ZmtpListener::bind(&self.publish_at, reach, link, handshakes, role).map_err(bind_failed)?;
        let driver = PublishDriver::new(listener, self.feeds, is_insecure, Arc::clone(shared));
        Ok(Bound { publisher: Some(Box::pin(driver)), published_at, tasks: self.tasks })
    }
}

/// Returns the error of an endpoint that can't be bound.
pub(super) fn bind_failed((endpoint, error): (String, TransportError)) -> ServeError {
    let reason = error.to_string();
    if let TransportError::Exposed(address) = error {
        ServeError::Plaintext { endpoint, address }
    } else if endpoint.is_empty() {
        ServeError::Socket { reason }
    } else {
        ServeError::Bind { endpoint, reason }
    }
}
