//! The server's side: [`ServerMiddleware`], and the stack that runs it around a handler.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::response::{Direction, Reply, Response, Traffic};
use crate::caught::{Caught, Panicked};
use crate::context::PeerId;
use crate::dispatch::{HandlerLayer, Handling, Incoming, Service};
use crate::identity::Identity;
use crate::metadata::{Metadata, MetadataValue};
use crate::method::{Method, MethodKind};
use crate::session::server::Answer;
use crate::status::{Cause, Failure, Outcome, Status};

/// User code around the calls that a server takes, of every kind.
///
/// A middleware runs where the handler will run, within the call's deadline: once the call is cancelled or its deadline
/// passes, the middleware's future is dropped, and the handler's with it. Calls that a middleware makes inherit the
/// deadline. A panic ends the call with `internal`, and the server goes on.
///
/// ```
/// use zsvc::Status;
/// use zsvc::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest};
///
/// /// Turns away calls that name no tenant.
/// struct Tenants;
///
/// impl ServerMiddleware for Tenants {
///     async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
///         match request.metadata().text("tenant") {
///             Some(_) => next.run(request).await,
///             None => Status::unauthenticated("send `tenant` in the metadata").into(),
///         }
///     }
/// }
/// ```
pub trait ServerMiddleware: Send + Sync + 'static {
    /// Handles one call, in most cases by running what comes next.
    ///
    /// For a method that streams, what comes next ends when the stream does.
    ///
    /// # Cancel safety
    /// The future is dropped when the call is cancelled or its deadline passes.
    fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> impl Future<Output = Response> + Send;
}

/// A call on its way to its handler. Its parameters have not been read yet.
pub struct ServerRequest {
    incoming: Incoming,
}

impl ServerRequest {
    /// Returns the method that is called.
    #[must_use]
    pub fn method(&self) -> &'static Method {
        self.incoming.method()
    }

    /// Returns what the caller sent beside the parameters, and what other middleware has added.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.incoming.metadata()
    }

    /// Returns the metadata to be changed: the handler finds it in its [`Context`](crate::Context). What a caller sent proves
    /// nothing; a middleware that vouches for an entry sets it in any case.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        self.incoming.metadata_mut()
    }

    /// Sends a name and a value beside the answer, or the stream: see [`Context::send_metadata`](crate::Context::send_metadata).
    ///
    /// # Errors
    /// `resource_exhausted`: more were sent than may be, by the handler and all middleware together. `failed_precondition`: a
    /// one-way call has no answer.
    pub fn send_metadata(
        &self,
        name: impl AsRef<str>,
        value: impl Into<MetadataValue>,
    ) -> Result<(), Status> {
        self.incoming.send_metadata(name.as_ref(), &value.into())
    }

    /// Returns who the caller is, if the server knows. Calls that the client's roles do not allow come to no middleware.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.incoming.identity()
    }

    /// Returns what tells the caller's connection from others: the same for every call over one connection.
    #[must_use]
    pub fn peer(&self) -> &PeerId {
        self.incoming.peer_id()
    }

    /// Returns the address and the port that the caller's connection comes from, over TCP and on the engine
    /// [`Zmtp`](crate::Engine::Zmtp). `None` over `ipc` and `inproc`, within the process, and on
    /// [`Libzmq`](crate::Engine::Libzmq).
    ///
    /// It is the other end of the connection, which may be a device or a proxy with many clients behind it. It proves nothing: use it
    /// for logs, and not to decide who may call.
    #[must_use]
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.incoming.peer_address()
    }

    /// Returns the call's deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.incoming.deadline()
    }

    /// Returns the time left until the deadline, zero once it has passed; `None` without a deadline.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.incoming.time_left()
    }

    /// Returns when the message that holds the call was received. The time since then is what the call has waited in queues.
    #[must_use]
    pub fn received(&self) -> Instant {
        self.incoming.received()
    }

    /// Returns the size of the parameters in bytes, as encoded.
    #[must_use]
    pub fn parameter_bytes(&self) -> usize {
        self.incoming.params_len()
    }

    /// Returns the bytes that the call carries, to be read while it runs and after.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let (inbound, outbound) = self.incoming.streams();
        Traffic {
            params: self.incoming.params_len() as u64,
            items: inbound.cloned().map_or(Direction::None, Direction::In),
            answers: outbound.cloned().map_or(Direction::None, Direction::Out),
        }
    }
}

impl fmt::Debug for ServerRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerRequest")
            .field("method", self.method())
            .field("peer", self.peer())
            .field("identity", &self.identity())
            .field("deadline", &self.deadline())
            .field("metadata", self.metadata())
            .finish_non_exhaustive()
    }
}

/// The rest of the stack: the middleware that was added later, then the handler.
pub struct ServerNext<'a> {
    rest: &'a [Arc<dyn Erased>],
    target: &'a Target,
}

impl ServerNext<'_> {
    /// Runs the rest, and returns how the call ended. Parameters are read only once the last middleware has called this.
    ///
    /// A handler that panics has ended with `internal`, and so has a middleware in between.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the handler is dropped, too. The middleware then decides what the caller is
    /// told.
    pub async fn run(self, request: ServerRequest) -> Response {
        let Some((first, rest)) = self.rest.split_first() else { return self.target.run(request).await };
        let next = ServerNext { rest, target: self.target };
        let response = Caught::new(first.handle(request, next)).await.unwrap_or_else(|Panicked| {
            Response::failed(
                Status::internal("a middleware of the server panicked").caused_by(Cause::Panicked),
            )
        });
        self.target.settle(response)
    }
}

impl fmt::Debug for ServerNext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerNext").field("middleware", &self.rest.len()).finish_non_exhaustive()
    }
}

/// A [`ServerMiddleware`] as an object.
trait Erased: Send + Sync {
    fn handle<'a>(&'a self, request: ServerRequest, next: ServerNext<'a>) -> Handled<'a>;
}

type Handled<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

impl<M: ServerMiddleware> Erased for M {
    fn handle<'a>(&'a self, request: ServerRequest, next: ServerNext<'a>) -> Handled<'a> {
        Box::pin(ServerMiddleware::handle(self, request, next))
    }
}

/// The handler that a call is for, and how far the call has come.
struct Target {
    service: Arc<dyn Service>,
    method: usize,
    /// One of [`UNSEEN`], [`RUNNING`] and [`DONE`]. Only the call's own future writes it.
    progress: AtomicU8,
}

/// No handler has seen the call.
const UNSEEN: u8 = 0;
/// The handler was begun. If the handler is dropped, this stays.
const RUNNING: u8 = 1;
/// The handler has ended.
const DONE: u8 = 2;

impl Target {
    async fn run(&self, request: ServerRequest) -> Response {
        match Handling::by(&*self.service, self.method, request.incoming).begin() {
            Err(refusal) => {
                // What reads the parameters has panicked, and how far it got can't be known.
                if refusal.outcome() != Outcome::NotSent {
                    self.progress.store(RUNNING, Ordering::Relaxed);
                }
                Response::failed(refusal)
            }
            Ok(handler) => {
                self.progress.store(RUNNING, Ordering::Relaxed);
                let answer = Caught::new(handler).await;
                self.progress.store(DONE, Ordering::Relaxed);
                answer.map_or_else(|Panicked| Response::failed(Handling::panicked()), Response::from)
            }
        }
    }

    /// Corrects the outcome of a response where it contradicts how far the call has come.
    fn settle(&self, mut response: Response) -> Response {
        if let Err(Failure::Status(status)) = &mut response.result {
            let outcome = match (self.progress.load(Ordering::Relaxed), status.outcome()) {
                (UNSEEN, _) => Outcome::NotSent,
                (RUNNING, _) => Outcome::MaybeExecuted,
                (_, Outcome::NotSent) => Outcome::Executed,
                (_, outcome) => outcome,
            };
            status.set_outcome(outcome);
        }
        response
    }
}

/// The middleware of a server, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct ServerStack {
    layers: Vec<Arc<dyn Erased>>,
}

impl ServerStack {
    pub(crate) fn push(&mut self, middleware: impl ServerMiddleware) {
        self.layers.push(Arc::new(middleware));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl HandlerLayer for ServerStack {
    /// Returns a handler with all of the middleware around it.
    fn surround(self: Arc<Self>, service: Arc<dyn Service>, method: usize, mut call: Incoming) -> Handling {
        // Middleware may wait, and what the client sends meanwhile must find its stream.
        call.open_streams();
        let stack = self;
        Handling::of(async move {
            let target = Target { service, method, progress: AtomicU8::new(UNSEEN) };
            let (counters, is_one_way) = (call.counters(), call.method().kind() == MethodKind::OneWay);
            let next = ServerNext { rest: &stack.layers, target: &target };
            let response = next.run(ServerRequest { incoming: call }).await;
            if !response.is_ok() && target.progress.load(Ordering::Relaxed) == UNSEEN {
                if is_one_way { counters.count_refused_one_way() } else { counters.count_refused() }
            }
            response.into()
        })
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        Self {
            result: match answer {
                Answer::Reply(reply) => Ok(Reply::Record(reply)),
                Answer::End => Ok(Reply::Nothing),
                Answer::Failure(failure) => Err(failure),
            },
        }
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        match response.result {
            Ok(Reply::Record(reply)) => Self::Reply(reply),
            // A client's reply can't get here: a server's middleware is given none, and can't create one.
            Ok(Reply::Nothing | Reply::Body(_)) => Self::End,
            Err(failure) => Self::Failure(failure),
        }
    }
}
