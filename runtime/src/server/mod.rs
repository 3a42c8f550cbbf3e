//! The server: endpoints, services, bounds, and the way out.
//!
//! - [`dispatch`]: what generated code implements and calls.
//! - [`core`]: what batches mean, without sockets. [`driver`]: the task that owns the socket.
//! - [`clients`]: all of them, and who has gone. [`peer`]: one, its calls in flight and what it is to be sent.
//! - [`start`]: how calls come to their handlers. [`queue`]: those that wait until fewer run. [`handler`]: running them.
//! - [`shared`]: what handlers and the driver share.
//! - [`limits`], [`counters`]: what is bounded, and what is counted.

mod calls;
mod clients;
mod core;
mod counters;
mod dispatch;
mod driver;
mod handler;
mod limits;
mod peer;
mod queue;
mod shared;
mod start;
#[cfg(test)]
mod tests;

pub use counters::{Counters, Dropped};
pub use dispatch::{AcceptedCall, Handling, Incoming, Params, Service};

pub(crate) use self::core::Core;
pub(crate) use calls::CallKey;
pub(crate) use dispatch::unreadable;
use limits::Concurrency;
pub(crate) use limits::Limits;
pub(crate) use peer::Answer;
pub(crate) use peer::Peer;
pub(crate) use shared::Shared;

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::middleware::{ServerMiddleware, ServerStack};
use crate::socket::Router;
use driver::Driver;

/// Why a server could not start, or had to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeError {
    /// [`ServerBuilder::bind`] was never called.
    NoEndpoint,
    /// An endpoint can't be bound.
    Bind {
        /// Which.
        endpoint: String,
        /// In libzmq's words.
        reason: String,
    },
    /// Two of the services have a method of this name.
    DuplicateMethod {
        /// `package.Service/method`
        method: &'static str,
    },
    /// The socket failed.
    Socket {
        /// In libzmq's words.
        reason: String,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint => f.write_str(
                "the server has no endpoint; call `bind`, for example with `tcp://127.0.0.1:7100`",
            ),
            Self::Bind { endpoint, reason } => write!(f, "can't bind `{endpoint}`: {reason}"),
            Self::DuplicateMethod { method } => {
                write!(f, "two services of the server have the method `{method}`; add each service once")
            }
            Self::Socket { reason } => write!(f, "the server's socket failed: {reason}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// A server that is bound, and serves once it is told until when.
pub struct Server {
    driver: Driver,
    shared: Arc<Shared>,
    endpoints: Vec<String>,
}

/// Sets a server up. See [`Server::builder`].
#[must_use = "a server serves nothing until it is told to"]
pub struct ServerBuilder {
    services: Vec<Arc<dyn Service>>,
    middleware: ServerStack,
    endpoints: Vec<String>,
    limits: Limits,
    grace: Duration,
}

impl Server {
    /// A server without services or endpoints yet.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            services: Vec::new(),
            middleware: ServerStack::default(),
            endpoints: Vec::new(),
            limits: Limits::default(),
            grace: Duration::from_secs(10),
        }
    }

    /// The endpoints as they were bound: `tcp://127.0.0.1:*` has got its port.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// What the server counts. They go on counting while it serves.
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
        // A task of its own: where the caller waits, perhaps in `block_on`, may be a slower place to run.
        let mut task = AbortOnDrop(tokio::spawn(self.driver));
        let ended = if let Some(ended) = either(&mut task.0, stop).await {
            ended
        } else {
            shared.drain();
            (&mut task.0).await
        };
        match ended {
            Ok(result) => result.map_err(|error| ServeError::Socket { reason: error.to_string() }),
            Err(error) => Err(ServeError::Socket { reason: format!("its task ended: {error}") }),
        }
    }

    /// Serves for as long as the future is polled. As [`Server::serve_until`] with a stop that never comes.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn serve(self) -> Result<(), ServeError> {
        self.serve_until(std::future::pending::<()>()).await
    }
}

/// The output of the first future, or `None` when the second is done before it.
async fn either<F: Future + Unpin>(mut first: F, second: impl Future) -> Option<F::Output> {
    let mut second = pin!(second);
    poll_fn(|context| match Pin::new(&mut first).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => second.as_mut().poll(context).map(|_| None),
    })
    .await
}

struct AbortOnDrop(JoinHandle<Result<(), crate::socket::SocketError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ServerBuilder {
    /// Offers a service.
    pub fn service(mut self, service: impl Service) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    /// Puts a middleware around every call of every service. The first is the outermost. See [`crate::middleware`].
    pub fn middleware(mut self, middleware: impl ServerMiddleware) -> Self {
        self.middleware.push(middleware);
        self
    }

    /// Listens at an endpoint: `tcp://127.0.0.1:7100`, `tcp://*:7100`, `tcp://127.0.0.1:*` for any free port,
    /// `ipc:///run/tape.sock`, `inproc://tape`. May be called several times.
    pub fn bind(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// The largest encoding of parameters, an answer or an item, in bytes. Past it the call fails with
    /// `resource_exhausted`; far past it (four times) the sender's connection is cut. 16 MiB by default.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.limits.message_size = bytes;
        self
    }

    /// The most calls in flight, of all clients together. Past it a call fails with `resource_exhausted`. 100,000 by
    /// default.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.limits.calls = calls;
        self
    }

    /// The most calls in flight of one client. Past it a call fails with `resource_exhausted`. 20,000 by default.
    pub fn max_calls_per_peer(mut self, calls: usize) -> Self {
        self.limits.calls_per_peer = calls;
        self
    }

    /// How many calls run at a time, and how many more wait for their turn; past that a call fails with
    /// `resource_exhausted`, not sent, and a [hint](crate::Status::retry_after) when to call again. A call whose deadline
    /// passes while it waits is not run. Streams are calls for as long as they go on. No bound but
    /// [`max_calls`](Self::max_calls) by default; in [`crate::middleware`] there are bounds by methods and by clients.
    pub fn max_running(mut self, running: usize, queued: usize) -> Self {
        self.limits.concurrency = Some(Concurrency { running: running.max(1), queued });
        self
    }

    /// How many bytes of answers and items may wait for one client before its new calls are turned away with
    /// `resource_exhausted`; at twice that, with one message more, its calls are given up. What waits for a client was
    /// asked for by it and is not read. Sixteen messages of the largest size by default, and at least 16 MiB, since a client of
    /// this project asks for 1 MiB of each stream.
    pub fn max_waiting_per_peer(mut self, bytes: usize) -> Self {
        self.limits.waiting_per_peer = Some(bytes);
        self
    }

    /// How many bytes of answers and items may wait for all clients together. Past it the calls of those are given up for
    /// whom most waits, so clients that read need not fear for theirs. 1 GiB by default.
    pub fn max_waiting(mut self, bytes: usize) -> Self {
        self.limits.waiting = bytes;
        self
    }

    /// How many bytes of items of a client's stream may be on their way or waiting to be read; at least the 64 KiB that
    /// the protocol grants every stream. 256 KiB by default.
    pub fn stream_window(mut self, bytes: u64) -> Self {
        self.limits.stream_window = bytes;
        self
    }

    /// After how long a client with calls in flight is given up if nothing is heard of it, or if it does not read what
    /// it is sent. It is asked for a sign of life after a third of that. 15 s by default.
    pub fn peer_timeout(mut self, timeout: Duration) -> Self {
        self.limits.peer_timeout = timeout;
        self
    }

    /// How often a connection is asked for a sign of life; without one within a third of that, but no less than 5 s, it
    /// is closed, so that connections which were cut off hold no file descriptors (`ZMQ_HEARTBEAT_IVL`). A message must get
    /// through in that time, which bounds how narrow a link may be. What becomes of calls is the
    /// [peer timeout](Self::peer_timeout)'s matter. 30 s by default.
    ///
    /// What libzmq's thread does for it grows with the square of the number of connections: with ten thousand and 3 s, it
    /// would do nothing else.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.limits.heartbeat = interval;
        self
    }

    /// How long calls in flight may go on once the server drains; those that have not ended then fail with
    /// `unavailable`. 10 s by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The most memory, in bytes, that a server with these settings comes to take for so many clients, as long as it takes
    /// what they send as fast as that comes in. It is the sum of
    ///
    /// - what waits for clients that do not read: [`max_waiting`](Self::max_waiting) and a quarter, with 64 KiB for each
    ///   client, or twice [`max_waiting_per_peer`](Self::max_waiting_per_peer) and one message for each client, where that is
    ///   less; all of it twice, since buffers grow by doubling;
    /// - for each client, 64 KiB for its connection; what libzmq holds to be sent, which is a quarter of
    ///   `max_waiting_per_peer`, but 64 KiB to 1 MiB, and one message, twice; and the message that is coming in, which has up
    ///   to four times [`max_message_size`](Self::max_message_size) and 256 KiB;
    /// - for each call in flight, of which there are [`max_calls_per_peer`](Self::max_calls_per_peer) for each client but no
    ///   more than [`max_calls`](Self::max_calls) in all, 20 KiB, in which small items of its stream gather and its short
    ///   `bytes` lie; and what that stream may hold unread, which is four times [`stream_window`](Self::stream_window) and one message;
    /// - for each call that may wait for its turn by [`max_running`](Self::max_running), four times `max_message_size`.
    ///
    /// Not in it is what handlers hold, the values that they are called with among it, and what middleware does; and what has
    /// come in and was not taken yet. That is next to nothing, unless handlers hold up every thread: then it is all that
    /// clients send meanwhile. Those of this project send their calls in flight, what is granted to streams, and 4 MiB of one-way
    /// calls; others may send without end, and so may one that floods faster than it can be read, for libzmq has no bound for
    /// it that a client could not use to end the process. A server that also binds `inproc` shares memory with its clients
    /// there, of which nobody knows how much.
    #[must_use]
    pub fn worst_case_memory(&self, clients: usize) -> u64 {
        self.limits.worst_case_memory(clients)
    }

    /// Binds the endpoints. Clients may connect from here on; they are answered once the server serves. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// There is no endpoint, one can't be bound, or two services have a method of the same name.
    pub fn listen(self) -> Result<Server, ServeError> {
        if self.endpoints.is_empty() {
            return Err(ServeError::NoEndpoint);
        }
        let tuning = self.limits.tuning();
        let (addresses, grace) = (self.endpoints.clone(), self.grace);
        let core = self.into_core()?;
        let shared = Arc::clone(&core.shared);
        let (router, endpoints) = Router::bind(&addresses, tuning).map_err(|(endpoint, error)| {
            let reason = error.to_string();
            if endpoint.is_empty() {
                ServeError::Socket { reason }
            } else {
                ServeError::Bind { endpoint, reason }
            }
        })?;
        Ok(Server { driver: Driver::new(router, core, grace), shared, endpoints })
    }

    /// What calls come to, without the sockets.
    pub(crate) fn into_core(self) -> Result<Core, ServeError> {
        let core = Core::new(self.services, Shared::new(self.limits))
            .map_err(|duplicate| ServeError::DuplicateMethod { method: duplicate.0 })?;
        Ok(core.with_middleware(self.middleware))
    }

    /// Binds and serves. See [`Server::serve_until`].
    ///
    /// # Errors
    /// As for [`ServerBuilder::listen`] and [`Server::serve_until`].
    pub async fn serve_until(self, stop: impl Future) -> Result<(), ServeError> {
        self.listen()?.serve_until(stop).await
    }

    /// Binds and serves. See [`Server::serve`].
    ///
    /// # Errors
    /// As for [`ServerBuilder::listen`] and [`Server::serve`].
    pub async fn serve(self) -> Result<(), ServeError> {
        self.listen()?.serve().await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}
