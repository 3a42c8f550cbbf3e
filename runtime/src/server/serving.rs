//! [`Server`]: a server that is bound, until it has ended.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::builder::ServerBuilder;
use super::error::ServeError;
use crate::driver::ServerDriver;
use crate::peer::{Counters, Shared};
use crate::transport::TransportError;
use crate::transport::libzmq::Router;

/// A server that is bound, and serves once it is told for how long.
pub struct Server {
    driver: ServerDriver<Router>,
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
        driver: ServerDriver<Router>,
        shared: Arc<Shared>,
        grace: Duration,
        endpoints: Vec<String>,
    ) -> Self {
        Self { driver, shared, grace, endpoints }
    }

    /// Returns the endpoints as they were bound: `tcp://127.0.0.1:*` has got its port.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Returns what the server counts. The counters go on counting while it serves.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves until `stop` is done, for example `tokio::signal::ctrl_c`, then drains: new calls are turned away, those
    /// in flight may finish within the grace time, and clients are given a second to have read their answers.
    ///
    /// # Errors
    /// The socket failed.
    ///
    /// # Cancel safety
    /// Dropped, the server stops at once: handlers are dropped, and their clients wait for their own deadlines.
    pub async fn serve_until(self, stop: impl Future) -> Result<(), ServeError> {
        let shared = self.shared;
        // A task of its own: the caller may wait in `block_on`, which is a slower place to run.
        let mut task = AbortOnDrop(tokio::spawn(self.driver));
        let ended = if let Some(ended) = either(&mut task.0, stop).await {
            ended
        } else {
            shared.drain(self.grace);
            (&mut task.0).await
        };
        match ended {
            Ok(result) => result.map_err(|error| ServeError::Socket { reason: error.to_string() }),
            Err(error) => Err(ServeError::Socket { reason: format!("its task ended: {error}") }),
        }
    }

    /// Serves for as long as the future is polled, as [`Server::serve_until`] with a stop that never comes.
    ///
    /// # Errors
    /// The socket failed.
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
