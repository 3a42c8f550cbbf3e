//! [`Server`]: a bound server, which serves until it is stopped. Its settings are in [`super::builder`], its loop in
//! [`crate::driver`].

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::announced::Announced;
use super::beside::Bound;
use super::builder::ServerBuilder;
use super::error::ServeError;
use super::peers::Peers;
use super::task::{Failed, Tasks};
use crate::context::Draining;
use crate::discovery::Announcers;
use crate::fork::Process;
use crate::peer::{Counters, Shared};
use crate::transport::TransportError;

/// The main task of a server, whatever carries its messages.
pub(super) type AnyDriver = Pin<Box<dyn Future<Output = Result<(), TransportError>> + Send>>;

/// How long a server that has drained waits until registries have taken it off their lists. Past that, its entries go by themselves.
const WITHDRAWAL_TIME: Duration = Duration::from_secs(2);

/// A server that is bound to its endpoints, and serves once [`Server::serve_until`] or [`Server::serve`] is called.
pub struct Server {
    driver: AnyDriver,
    process: Process,
    /// Where the endpoints were bound.
    runtime: Handle,
    shared: Arc<Shared>,
    /// Time that calls in flight have once the server drains.
    grace: Duration,
    endpoints: Vec<String>,
    beside: Bound,
    /// Where the server is listed while it serves, and as what.
    announced: Option<Announced>,
}

impl Server {
    /// Returns the builder of a server without services or endpoints yet.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    pub(super) fn new(
        driver: AnyDriver,
        runtime: Handle,
        shared: Arc<Shared>,
        grace: Duration,
        endpoints: Vec<String>,
    ) -> Self {
        let (beside, announced) = (Bound::default(), None);
        Self { driver, process: Process::current(), runtime, shared, grace, endpoints, beside, announced }
    }

    /// Adds what the server runs beside its calls.
    pub(super) fn with(self, beside: Bound) -> Self {
        Self { beside, ..self }
    }

    /// Has the server listed while it serves.
    pub(super) fn announced(self, announced: Option<Announced>) -> Self {
        Self { announced, ..self }
    }

    /// Returns the endpoints as they were bound: `tcp://127.0.0.1:*` has its port.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Returns the endpoints at which events are [published](ServerBuilder::publish) to plain subscribers, as they were bound.
    #[must_use]
    pub fn published_at(&self) -> &[String] {
        &self.beside.published_at
    }

    /// Returns the clients that are connected to the server, of which it may disconnect some.
    #[must_use]
    pub fn peers(&self) -> Peers {
        Peers::new(&self.shared)
    }

    /// Returns the server's counters, which go on counting while it serves.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves until `stop` completes, for example `tokio::signal::ctrl_c`, then drains: new calls are turned away,
    /// those in flight may finish within the [grace time](ServerBuilder::grace), and clients have one second to read
    /// their answers. It is [announced](ServerBuilder::announce) from when it takes calls until it begins to drain.
    ///
    /// # Errors
    /// The socket failed, or this process is a child of the one that is bound.
    ///
    /// # Cancel safety
    /// If the future is dropped, the server stops at once: handlers are dropped, and clients wait for their own deadlines.
    pub async fn serve_until(self, stop: impl Future) -> Result<(), ServeError> {
        if !self.process.is_this() {
            return Err(ServeError::Socket { reason: TransportError::Forked.to_string() });
        }
        let Self { driver, runtime, shared, grace, beside, announced, .. } = self;
        // A task of its own: the caller may be in `block_on`, where futures run more slowly.
        let mut main = AbortOnDrop(runtime.spawn(driver));
        let _publisher = beside.publisher.map(|driver| AbortOnDrop(runtime.spawn(driver)));
        let mut tasks = Tasks::start(beside.tasks, &Draining::new(shared.draining()), &runtime);
        let announcers = announced.map(|announced| {
            let _runtime = runtime.enter();
            announced.begin()
        });
        let first = first(&mut main.0, stop, &mut tasks).await;
        let ended = match first {
            First::Ended(ended) => ended_by(ended),
            First::Asked | First::Failed(_) => {
                // Off the lists first, so that few clients have to be told that the server is going away.
                announcers.iter().for_each(Announcers::withdraw);
                shared.drain(grace);
                let began = Instant::now();
                let ended = (&mut main.0).await;
                let failed = tasks.end(&runtime, grace.saturating_sub(began.elapsed())).await;
                let failed = if let First::Failed(first) = first { Some(first) } else { failed };
                match failed {
                    Some(Failed { task, reason }) => Err(ServeError::Task { task, reason }),
                    None => ended_by(ended),
                }
            }
        };
        if let Some(announcers) = announcers {
            announcers.withdrawn(WITHDRAWAL_TIME).await;
        }
        ended
    }

    /// Serves until the future is dropped: [`Server::serve_until`] without a stop.
    ///
    /// # Errors
    /// The socket failed, or this process is a child of the one that is bound.
    pub async fn serve(self) -> Result<(), ServeError> {
        self.serve_until(std::future::pending::<()>()).await
    }
}

/// How a server's main task ended.
type Ended = Result<Result<(), TransportError>, JoinError>;

/// Why a server does not go on.
enum First {
    Ended(Ended),
    /// Its program has asked for it.
    Asked,
    /// So has a task that it needs.
    Failed(Failed),
}

/// Waits for the first reason not to go on.
async fn first(
    main: &mut JoinHandle<Result<(), TransportError>>,
    stop: impl Future,
    tasks: &mut Tasks,
) -> First {
    let (mut stop, mut failed) = (pin!(stop), pin!(tasks.failed()));
    poll_fn(|context| {
        if let Poll::Ready(ended) = Pin::new(&mut *main).poll(context) {
            return Poll::Ready(First::Ended(ended));
        }
        if stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(First::Asked);
        }
        failed.as_mut().poll(context).map(First::Failed)
    })
    .await
}

fn ended_by(ended: Ended) -> Result<(), ServeError> {
    match ended {
        Ok(result) => result.map_err(|error| ServeError::Socket { reason: error.to_string() }),
        Err(error) => Err(ServeError::Socket { reason: format!("the server's task ended: {error}") }),
    }
}

/// A task that is aborted when this is dropped.
struct AbortOnDrop(JoinHandle<Result<(), TransportError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}
