//! [`Channel`]: what a client's calls are made on. How it is set up is in [`super::builder`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use tokio::sync::watch;

use super::builder::ChannelBuilder;
use super::resolve::Resolver;
use crate::call::{
    self, BidirectionalCall, ClientStreamCall, OneWayCall, PendingCall, ServerStreamCall, UnaryCall,
};
use crate::clock::{self, Timer};
use crate::codec::{Encode, Form};
use crate::connection::{ChannelCounters, Config, Connection, EndpointState, Endpoints, StateWatch};
use crate::dispatch::Service;
use crate::method::Method;
use crate::session::Deadline;
use crate::status::{CallError, Cause, Code, Status};

/// A client's connections: to one endpoint, or to several that offer the same services. Cheap to clone; clones share the
/// connections, which are closed when the last clone is dropped.
///
/// A lost connection is connected again. Calls that were in flight on it fail at once, with `unavailable`; new calls wait for it
/// within their deadline.
#[derive(Clone)]
pub struct Channel {
    pub(super) endpoints: Arc<Endpoints>,
}

impl Channel {
    pub(super) fn of(endpoints: Arc<Endpoints>) -> Self {
        Self { endpoints }
    }
}

impl Channel {
    /// Returns a builder without endpoints.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder {
            endpoints: Vec::new(),
            config: Config::default(),
            resolver: Resolver::default(),
            #[cfg(feature = "schema-check")]
            checked: Vec::new(),
            discoveries: Vec::new(),
        }
    }

    /// Connects to one endpoint, with the default settings.
    ///
    /// # Errors
    /// As for [`ChannelBuilder::connect`].
    pub async fn connect(endpoint: impl Into<String>) -> Result<Self, Status> {
        Self::builder().endpoint(endpoint).connect().await
    }

    /// Returns a channel to a service in this process, without a socket. Calls are otherwise the same: encoded, with deadlines,
    /// credit and cancellation. For tests. Must be called within a tokio runtime.
    #[must_use]
    pub fn local(service: impl Service) -> Self {
        Self::builder().local(service)
    }

    /// Waits, for up to `within`, until the servers have read everything sent so far; then closes the channel and all its clones.
    ///
    /// # Errors
    /// A server has not confirmed this in time, or a connection with one-way calls was lost, some of which may never have
    /// arrived. The channel is closed in any case.
    pub async fn close(self, within: Duration) -> Result<(), Status> {
        let mut result = self.all_answers(within).await;
        for connection in self.endpoints.all() {
            if connection.has_lost_one_way() {
                result = result.and(Err(one_way_lost(&connection)));
            }
            connection.close_and_cancel();
        }
        result
    }

    /// Returns the endpoints, in the order in which they were given.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.endpoints.given().iter().map(|connection| connection.endpoint())
    }

    /// Returns the state of each connection: one for each endpoint, or for each address of an endpoint that has a name.
    #[must_use]
    pub fn states(&self) -> Vec<EndpointState> {
        EndpointState::all(&self.endpoints)
    }

    /// Returns a watch that reports changes of these states from now on. The watch does not keep the channel open.
    #[must_use]
    pub fn watch(&self) -> StateWatch {
        StateWatch::new(&self.endpoints)
    }

    /// Returns the counters of the channel and all its clones.
    #[must_use]
    pub fn counters(&self) -> Arc<ChannelCounters> {
        Arc::clone(&self.endpoints.counters)
    }

    /// Waits until every server that was sent something has answered a ping.
    async fn all_answers(&self, timeout: Duration) -> Result<(), Status> {
        let deadline = Deadline::within(clock::now(), timeout);
        let all = self.endpoints.all();
        let used = all.iter().filter(|connection| connection.was_used() && !connection.has_retired());
        let mut pings: Vec<_> = used.map(|connection| Box::pin(call::ping(connection, deadline))).collect();
        let mut all = Ok(());
        std::future::poll_fn(|context| {
            while let Some((index, result)) = first_ready(&mut pings, context) {
                drop(pings.swap_remove(index));
                all = std::mem::replace(&mut all, Ok(())).and(result);
            }
            if pings.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        all
    }

    /// Waits until a server has answered a ping. Names may resolve to more connections meanwhile.
    pub(crate) async fn first_answer(&self, timeout: Duration) -> Result<(), Status> {
        let deadline = Deadline::within(clock::now(), timeout);
        let fails_fast = !self.endpoints.config.wait_for_ready;
        let mut asked: Vec<Arc<Connection>> = Vec::new();
        let mut pings = Vec::new();
        let mut failures = Vec::new();
        let mut change = Box::pin(next_change(self.endpoints.changes()));
        std::future::poll_fn(|context| {
            // Before the connections are looked at, so that none is missed.
            while let Poll::Ready(changes) = change.as_mut().poll(context) {
                change.set(next_change(changes));
            }
            for connection in self.endpoints.all() {
                if !asked.iter().any(|known| Arc::ptr_eq(known, &connection)) {
                    asked.push(Arc::clone(&connection));
                    pings.push(Box::pin(first_ping(connection, deadline)));
                }
            }
            while let Some((index, result)) = first_ready(&mut pings, context) {
                drop(pings.swap_remove(index));
                match result {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(status) => failures.push(status),
                }
            }
            if pings.is_empty() {
                return Poll::Ready(Err(of_all(&failures)));
            }
            let failed = self.all_failures().filter(|_| fails_fast);
            failed.map_or(Poll::Pending, |failed| Poll::Ready(Err(of_all(&failed))))
        })
        .await
    }

    /// Returns why no connection is up, once a try of each has failed.
    fn all_failures(&self) -> Option<Vec<Status>> {
        let all = self.endpoints.all().into_iter().filter(|connection| !connection.is_found_name());
        let failures: Option<Vec<_>> = all.map(|connection| connection.failure()).collect();
        failures.filter(|failures| !failures.is_empty())
    }

    /// Returns a timer that may be polled anywhere.
    pub(crate) fn timer(&self, at: Instant) -> Timer {
        Timer::until(at, self.endpoints.config.runtime.as_ref())
    }

    fn window(&self) -> u64 {
        self.endpoints.config.stream_window
    }
}

/// Returns the first future that is done, with its output.
fn first_ready<F: Future>(
    futures: &mut [Pin<Box<F>>],
    context: &mut Context<'_>,
) -> Option<(usize, F::Output)> {
    futures.iter_mut().enumerate().find_map(|(index, future)| match future.as_mut().poll(context) {
        Poll::Ready(output) => Some((index, output)),
        Poll::Pending => None,
    })
}

/// Waits for a change of a channel's connections, of which there must be one: without a channel it would be ready at once.
async fn next_change(mut changes: watch::Receiver<()>) -> watch::Receiver<()> {
    let _ = changes.changed().await;
    changes
}

/// Waits for the first answer of a server.
async fn first_ping(connection: Arc<Connection>, deadline: Option<Deadline>) -> Result<(), Status> {
    let Err(status) = call::ping(&connection, deadline).await else { return Ok(()) };
    let (endpoint, now) = (connection.endpoint(), clock::now());
    if status.code() != Code::DeadlineExceeded || connection.rank(now).is_none() {
        return Err(status);
    }
    let after = deadline.map(|deadline| deadline.after).unwrap_or_default();
    let what =
        format!("`{endpoint}` speaks ZeroMQ, and has not answered within {after:?} as a server of zsvc does");
    Err(Status::unavailable(what).caused_by(Cause::ServerSilent))
}

/// Returns the failure to connect of several connections: each says why.
fn of_all(failures: &[Status]) -> Status {
    let Some(last) = failures.last() else { return Status::unavailable("there is no endpoint").not_sent() };
    let mut messages: Vec<_> = failures.iter().map(Status::message).collect();
    messages.sort_unstable();
    messages.dedup();
    if let [_] = messages[..] {
        return last.clone().not_sent();
    }
    let all = Status::new(last.code(), messages.join("; "));
    last.cause().map_or(all.clone(), |cause| all.caused_by(cause)).not_sent()
}

fn one_way_lost(connection: &Connection) -> Status {
    let endpoint = connection.endpoint();
    let what =
        format!("the connection to `{endpoint}` was lost with one-way calls on it, which may not have run");
    Status::unavailable(what).maybe_executed()
}

/// The functions that generated clients call.
impl Channel {
    /// Returns a call that is answered once.
    pub fn unary<F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
    ) -> UnaryCall<R, E> {
        UnaryCall::new::<F>(PendingCall::new(&self.endpoints, method, params))
    }

    /// Returns a call that is answered with a stream.
    pub fn server_stream<F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
    ) -> ServerStreamCall<R, E> {
        ServerStreamCall::new::<F>(PendingCall::new(&self.endpoints, method, params), self.window())
    }

    /// Returns a call that sends a stream and is answered once.
    pub fn client_stream<I: Form<T>, S: Stream<Item = T>, T, F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
        items: S,
    ) -> ClientStreamCall<S, T, R, E> {
        ClientStreamCall::new::<I, F>(PendingCall::new(&self.endpoints, method, params), items)
    }

    /// Returns a call that sends a stream and is answered with one.
    pub fn bidirectional<I: Form<T>, T, F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
    ) -> BidirectionalCall<T, R, E> {
        BidirectionalCall::new::<I, F>(PendingCall::new(&self.endpoints, method, params), self.window())
    }

    /// Returns a one-way call.
    pub fn one_way(&self, method: &'static Method, params: &dyn Encode) -> OneWayCall {
        OneWayCall::new(PendingCall::new(&self.endpoints, method, params))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("endpoints", &self.endpoints().collect::<Vec<_>>()).finish()
    }
}
