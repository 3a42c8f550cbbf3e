//! Servers within the process: what [`crate::Channel::local`] and [`crate::testing`] start.

use std::sync::Arc;
use std::time::Duration;

use crate::builtin::{Guarded, Settings};
use crate::dispatch::Service;
use crate::driver::{Core, DuplicateMethod, ServerDriver};
use crate::peer::{Config, Counters, Shared};
use crate::transport::memory::SimNetwork;

/// A server at a network within the process. Dropped, it goes on.
pub(crate) struct ServerWithin(Arc<Shared>);

impl ServerWithin {
    /// Puts a server there, in place of the one before. Must be called within a tokio runtime.
    pub(crate) fn start(network: &Arc<SimNetwork>, core: Core) -> Self {
        let (shared, methods) = (Arc::clone(&core.shared), core.idempotent_methods());
        let transport = network.listen(Box::new(move |method| methods.contains(method)));
        tokio::spawn(ServerDriver::new(transport, core));
        Self(shared)
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.0.counters)
    }

    /// Has the server end once its calls have ended, or after `grace`.
    pub(crate) fn drain(&self, grace: Duration) {
        self.0.drain(grace);
    }
}

/// Serves services at a network, with everything as it is by default. Must be called within a tokio runtime.
pub(crate) fn serve_within(
    network: &Arc<SimNetwork>,
    services: Vec<Arc<dyn Service>>,
) -> Result<(), DuplicateMethod> {
    let guarded = Guarded::of(&services, false, false);
    let (services, measured) = Settings::default().with_own(services, guarded);
    let core = Core::new(services, Config::default())?;
    measured.by(&core.shared);
    ServerWithin::start(network, core);
    Ok(())
}
