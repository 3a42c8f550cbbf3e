//! Servers in the process of a test that fail when the test says so: to test what a program does about failures.
//!
//! A [`TestServer`] is a server without a socket, at an endpoint that channels of the same process connect to as to any other.
//! Calls are encoded, wait, have deadlines and credit, are retried and cancelled as with a socket, on tokio's clock alone. So
//! with a paused clock (`tokio::time::pause`), a test that waits for a deadline of a minute takes no time.
//!
//! A mock, which `zsvc_codegen::Builder::mocks` generates for each service, can say what such a server answers.
//!
//! ```
//! # use std::time::Duration;
//! # use zsvc::testing::TestServer;
//! # use zsvc::{Channel, Server};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = TestServer::start(Server::builder())?; // with a service, in a real test
//! let channel = Channel::connect(server.endpoint()).await?;
//! server.delay(Duration::from_secs(60));
//! server.cut();
//! # drop(channel);
//! # Ok(())
//! # }
//! ```

mod mock;

#[doc(hidden)]
pub use mock::{MockMethod, Unset};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::Counters;
use crate::dispatch::Service;
use crate::server::{ServeError, Server, ServerBuilder, ServerWithin};
use crate::transport::memory::{self, Fault, SimNetwork};

/// A server in this process that fails when it is told to. If it is dropped, it ends, and its clients can't reach it any more.
pub struct TestServer {
    endpoint: String,
    network: Arc<SimNetwork>,
    runtime: Handle,
    server: Mutex<ServerWithin>,
}

impl TestServer {
    /// Starts a server with the services, bounds and middleware of a builder; the builder's endpoints are not bound. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// Two services have a method of the same name.
    pub fn start(server: ServerBuilder) -> Result<Self, ServeError> {
        let core = server.into_core()?;
        let network = SimNetwork::new();
        let server = Mutex::new(ServerWithin::start(&network, core));
        Ok(Self { endpoint: memory::register(&network), network, runtime: Handle::current(), server })
    }

    /// Starts a server of one service, with everything as it is by default. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As for [`TestServer::start`], if generated code was edited.
    pub fn of(service: impl Service) -> Result<Self, ServeError> {
        Self::start(Server::builder().service(service))
    }

    /// Returns the endpoint for clients: for `connect` of generated clients, and for [`crate::ChannelBuilder::endpoint`].
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the counters of the server that was started last.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.server().counters()
    }

    /// Delays messages by this time in both directions. They keep their order.
    pub fn delay(&self, by: Duration) {
        self.delay_calls(by);
        self.delay_answers(by);
    }

    /// Delays what clients send.
    pub fn delay_calls(&self, by: Duration) {
        self.network.change_rules(|rules| rules.to_server.delay = by);
    }

    /// Delays what the server sends.
    pub fn delay_answers(&self, by: Duration) {
        self.network.change_rules(|rules| rules.to_client.delay = by);
    }

    /// Loses what clients send, and reports nothing: as a device does that has lost its server.
    pub fn lose_calls(&self) {
        self.network.change_rules(|rules| rules.to_server.loses = true);
    }

    /// Loses what the server sends, and reports nothing: calls run, and their callers get no answer.
    pub fn lose_answers(&self) {
        self.network.change_rules(|rules| rules.to_client.loses = true);
    }

    /// Makes calls of `@idempotent` methods arrive twice, the second time as if another client had made them. No fault
    /// repeats a call of another method.
    pub fn repeat_idempotent(&self) {
        self.network.change_rules(|rules| rules.repeats = true);
    }

    /// Ends all delays, losses and repetitions. What was lost stays lost.
    pub fn heal(&self) {
        self.network.change_rules(|rules| {
            (rules.to_server, rules.to_client, rules.repeats) = (Fault::default(), Fault::default(), false);
        });
    }

    /// Ends every connection, and loses all messages on their way, as when a cable is pulled. Clients connect again a
    /// tenth of a second later.
    pub fn cut(&self) {
        self.network.cut();
    }

    /// Ends the server, with all that it was doing, as when its process is killed.
    pub fn crash(&self) {
        self.network.crash();
    }

    /// Shuts down as [`Server::serve_until`] does: clients are told, calls in flight may go on for `grace`, and then the server
    /// is gone.
    pub fn drain(&self, grace: Duration) {
        self.server().drain(grace);
    }

    /// Starts a server again at the same endpoint, in place of one that may still be there. Clients connect to it a tenth of a
    /// second after they lost the one before.
    ///
    /// # Errors
    /// As for [`TestServer::start`]. Everything stays as it was then.
    pub fn restart(&self, server: ServerBuilder) -> Result<(), ServeError> {
        let core = server.into_core()?;
        let _runtime = self.runtime.enter();
        *self.server() = ServerWithin::start(&self.network, core);
        Ok(())
    }

    fn server(&self) -> MutexGuard<'_, ServerWithin> {
        // Nothing panics while the lock is held but for lack of memory.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        memory::unregister(&self.endpoint);
        self.network.crash();
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
