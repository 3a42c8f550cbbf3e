//! [`Server`]: a bound server, which serves until it is stopped. Its settings are in [`super::builder`], its loop in
//! [`crate::driver`].

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::builder::ServerBuilder;
use super::error::ServeError;
use crate::fork::Process;
use crate::peer::{Counters, Shared};
use crate::transport::TransportError;

/// The main task of a server, whatever carries its messages.
pub(super) type AnyDriver = Pin<Box<dyn Future<Output = Result<(), TransportError>> + Send>>;

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
        Self { driver, process: Process::current(), runtime, shared, grace, endpoints }
    }

    /// Returns the endpoints as they were bound: `tcp://127.0.0.1:*` has its port.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Returns the server's counters, which go on counting while it serves.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves until `stop` completes, for example `tokio::signal::ctrl_c`, then drains: new calls are turned away,
    /// those in flight may finish within the [grace time](ServerBuilder::grace), and clients have one second to read
    /// their answers.
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
        let shared = self.shared;
        // A task of its own: the caller may be in `block_on`, where futures run more slowly.
        let mut task = AbortOnDrop(self.runtime.spawn(self.driver));
        let ended = if let Some(ended) = either(&mut task.0, stop).await {
            ended
        } else {
            shared.drain(self.grace);
            (&mut task.0).await
        };
        match ended {
            Ok(result) => result.map_err(|error| ServeError::Socket { reason: error.to_string() }),
            Err(error) => Err(ServeError::Socket { reason: format!("the server's task ended: {error}") }),
        }
    }

    /// Serves until the future is dropped: [`Server::serve_until`] without a stop.
    ///
    /// # Errors
    /// The socket failed, or this process is a child of the one that is bound.
    pub async fn serve(self) -> Result<(), ServeError> {
        self.serve_until(std::future::pending::<()>()).await
    }
}

/// Returns the output of the first future, or `None` if the second is done before it.
async fn either<F: Future + Unpin>(mut first: F, second: impl Future) -> Option<F::Output> {
    let mut second = pin!(second);
    poll_fn(|context| match Pin::new(&mut first).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => second.as_mut().poll(context).map(|_| None),
    })
    .await
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
