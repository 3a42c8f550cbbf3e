//! Servers in the process of a test, which fail as the test says: to test what a program does about failures.
//!
//! A [`TestServer`] is a server without a socket, at an endpoint that channels of the same process connect to as to any other: calls
//! are encoded, wait, have deadlines and credit, are tried again and cancelled as ever, on tokio's clock and on nothing else. So with a
//! paused clock (`tokio::time::pause`), a test that waits out a deadline of a minute takes no time.
//!
//! What such a server answers can be said by a mock, which `zsvc_codegen::Builder::mocks` generates for each service.
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

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::client::{Host, Order, Place, Way};
use crate::dispatch::Service;
use crate::server::{ServeError, Server, ServerBuilder};

/// What the endpoints of test servers start with.
const SCHEME: &str = "test://";

/// A server in this process that fails when it is told to. Dropped, it is gone for good, and its clients can't reach it.
pub struct TestServer {
    endpoint: String,
    place: Arc<Place>,
}

/// All test servers, by their endpoints.
static SERVERS: Mutex<BTreeMap<String, Weak<Place>>> = Mutex::new(BTreeMap::new());

fn servers() -> MutexGuard<'static, BTreeMap<String, Weak<Place>>> {
    // Nothing panics while it holds the lock but for lack of memory; the map is whole in any case.
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The test server at an endpoint, if it is one's.
pub(crate) fn find(endpoint: &str) -> Option<Result<Arc<Place>, String>> {
    endpoint.starts_with(SCHEME).then(|| {
        let place = servers().get(endpoint).and_then(Weak::upgrade);
        place.ok_or_else(|| "there is no such `TestServer` in this process, or it was dropped".to_owned())
    })
}

impl TestServer {
    /// Starts a server, with the services, bounds and middleware of a builder; what it was to bind is not bound. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// Two services have a method of the same name.
    pub fn start(server: ServerBuilder) -> Result<Self, ServeError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let core = server.into_core()?;
        let endpoint = format!("{SCHEME}{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let place = Place::new();
        servers().insert(endpoint.clone(), Arc::downgrade(&place));
        tokio::spawn(Host::new(Arc::clone(&place), core));
        Ok(Self { endpoint, place })
    }

    /// Starts a server of one service, with everything as it is by default. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As for [`TestServer::start`], where generated code was edited.
    pub fn of(service: impl Service) -> Result<Self, ServeError> {
        Self::start(Server::builder().service(service))
    }

    /// Where clients find it: for `connect` of generated clients, and for [`crate::ChannelBuilder::endpoint`].
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Has messages arrive so much later, both ways. They keep their order.
    pub fn delay(&self, by: Duration) {
        self.delay_calls(by);
        self.delay_answers(by);
    }

    /// Has what clients send arrive so much later.
    pub fn delay_calls(&self, by: Duration) {
        self.place.set(|rules| rules.to_server.delay = by);
    }

    /// Has what the server sends arrive so much later.
    pub fn delay_answers(&self, by: Duration) {
        self.place.set(|rules| rules.to_client.delay = by);
    }

    /// What clients send never arrives, and nobody is told: as behind a device that has lost its server.
    pub fn lose_calls(&self) {
        self.place.set(|rules| rules.to_server.loses = true);
    }

    /// What the server sends never arrives, and nobody is told: calls run, and their callers don't hear of it.
    pub fn lose_answers(&self) {
        self.place.set(|rules| rules.to_client.loses = true);
    }

    /// Has calls of `@idempotent` methods arrive twice, the second time as if another client had made them. Of what is not
    /// idempotent, no fault makes two calls.
    pub fn repeat_idempotent(&self) {
        self.place.set(|rules| rules.repeats = true);
    }

    /// Nothing is delayed, lost or repeated any more. What was lost stays lost.
    pub fn heal(&self) {
        self.place.set(|rules| {
            (rules.to_server, rules.to_client, rules.repeats) = (Way::default(), Way::default(), false);
        });
    }

    /// Ends every connection, with all that is on its way, as when a cable is pulled. Clients connect again a tenth of a second later.
    pub fn cut(&self) {
        self.place.order(Order::Cut);
    }

    /// The server is gone, with all that it was doing, as when its process is killed.
    pub fn crash(&self) {
        self.place.order(Order::Crash);
    }

    /// Shuts down as [`Server::serve_until`] does: clients are told, calls in flight may go on for so long, and then it is gone.
    pub fn drain(&self, grace: Duration) {
        self.place.order(Order::Drain(grace));
    }

    /// A server is there again, at the same endpoint, in place of one that may still be there. Clients connect to it a tenth of a
    /// second after they lost the one before.
    ///
    /// # Errors
    /// As for [`TestServer::start`]. Everything stays as it was then.
    pub fn restart(&self, server: ServerBuilder) -> Result<(), ServeError> {
        self.place.order(Order::Start(Box::new(server.into_core()?)));
        Ok(())
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        servers().remove(&self.endpoint);
        self.place.order(Order::Crash);
        self.place.close();
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
