//! [`Channel`]: where calls go.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::Instant;

use super::call::{self, BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall, UnaryCall};
use super::connection::{Connection, Link};
use super::counters::ChannelCounters;
use super::deadline::Deadline;
use super::driver;
use super::endpoints::Endpoints;
use super::launch::Launch;
use super::limits::{Limits, Patience};
use super::local;
use super::resolve::{self, Lobby, Name, Resolve, Resolver, named};
use super::retry::Retry;
use super::states::{EndpointState, StateWatch};
use crate::codec::{Encode, Form};
use crate::dispatch::Service;
use crate::method::Method;
use crate::middleware::ClientMiddleware;
use crate::status::{CallError, Status};
use crate::testing;

/// Where a client's calls go: one endpoint or several that serve the same. Cheap to clone; clones share connections,
/// which are closed when the last is dropped.
///
/// A connection that is lost is brought up again. While it is down, calls wait for it within their deadline; those that
/// were on it have failed at once, with `unavailable`.
#[derive(Clone)]
pub struct Channel {
    endpoints: Arc<Endpoints>,
}

/// Sets a channel up. See [`Channel::builder`].
#[derive(Debug, Clone)]
#[must_use = "a channel is there once it is connected"]
pub struct ChannelBuilder {
    endpoints: Vec<String>,
    limits: Limits,
    resolver: Resolver,
}

impl ChannelBuilder {
    /// A server to call: `tcp://tape.example:7100`, `ipc:///run/tape.sock`, `inproc://tape`. With several, each call goes
    /// to the one that is connected and has the fewest calls in flight; a stream stays where it began.
    ///
    /// libzmq does not watch `inproc`: where such a server goes, or holds its thread up, calls on it fail as `unavailable` only
    /// some twelve seconds later; then the channel connects anew.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// The deadline of calls that are answered once, where neither the call nor its method sets one. 30 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.deadline = Some(deadline);
        self
    }

    /// No deadline but those that calls and methods set.
    pub fn no_deadline(mut self) -> Self {
        self.limits.deadline = None;
        self
    }

    /// How long [`ChannelBuilder::connect`] waits for the first server to answer. 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// The most calls in flight over one connection; past it, calls wait within their deadline. 16,384 by default.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.limits.calls = calls.max(1);
        self
    }

    /// The largest encoding of parameters, an answer or an item, in bytes. Past it a call fails with
    /// `resource_exhausted`. 16 MiB by default.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.limits.message_size = bytes;
        self
    }

    /// How many bytes of items of a server's stream may be on their way or waiting to be read. 1 MiB by default.
    pub fn stream_window(mut self, bytes: u64) -> Self {
        self.limits.stream_window = bytes.max(1);
        self
    }

    /// How often a server is asked for a sign of life that has sent nothing; without one for a little over three times
    /// that, the connection is dead. libzmq's own threads ask and answer, so a busy server is not taken for dead; but
    /// a message must get through in that time, which bounds how narrow a link may be (`ZMQ_HEARTBEAT_IVL`). 3 s by default.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.limits.heartbeat = interval;
        self
    }

    /// Has calls fail at once, with `unavailable` and the outcome [`NotSent`](crate::Outcome::NotSent), where no server is
    /// connected. By default they wait for one, within their deadline.
    pub fn fail_fast(mut self) -> Self {
        self.limits.patience = Patience::FailFast;
        self
    }

    /// When calls that have failed are made again. [`Retry::default`] by default; [`Retry::none`] for never.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.limits.retry = retry;
        self
    }

    /// Puts a middleware around every call. The first is the outermost. See [`crate::middleware`].
    pub fn middleware(mut self, middleware: impl ClientMiddleware) -> Self {
        Arc::make_mut(self.limits.middleware.get_or_insert_default()).push(middleware);
        self
    }

    /// How long a server may say nothing while calls are in flight, and leave a ping unanswered, until they fail as
    /// `unavailable` ([`Cause::ServerSilent`](crate::Cause::ServerSilent)). A server that died is found out sooner by its
    /// [heartbeat](Self::heartbeat); this is for those that hang, and those behind a device, which answers in their stead. A
    /// server whose handlers keep all its threads busy answers no ping either, so this is generous: 60 s by default.
    pub fn server_timeout(mut self, timeout: Duration) -> Self {
        self.limits.server_timeout = Some(timeout.max(Duration::from_millis(4)));
        self
    }

    /// How often the names of endpoints are looked up again. 30 s by default; sooner, but not more than twice a second,
    /// where none of a name's addresses is connected.
    pub fn lookup_interval(mut self, interval: Duration) -> Self {
        self.limits.lookup_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Who finds the addresses of names. The system by default.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Resolver::new(resolver);
        self
    }

    /// Connects, and waits until one of the servers has answered.
    ///
    /// # Errors
    /// An endpoint is no endpoint, or no server has answered within the connect timeout.
    ///
    /// # Cancel safety
    /// Dropped before it is done, no connection is left.
    pub async fn connect(self) -> Result<Channel, Status> {
        let timeout = self.limits.connect_timeout;
        let channel = self.connect_lazy()?;
        channel.first_answer(timeout).await?;
        Ok(channel)
    }

    /// Connects without waiting: calls wait, within their deadline, until the server is there. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// There is no endpoint, or one is no endpoint.
    pub fn connect_lazy(self) -> Result<Channel, Status> {
        if self.endpoints.is_empty() {
            return Err(Status::invalid_argument(
                "the channel has no endpoint; call `endpoint`, for example with `tcp://127.0.0.1:7100`",
            )
            .not_sent());
        }
        let counters = Arc::<ChannelCounters>::default();
        let mut given = Given(Vec::with_capacity(self.endpoints.len()));
        for endpoint in self.endpoints {
            given.0.push(if named(&endpoint).is_some() {
                lobby(endpoint, &self.limits, &counters)
            } else {
                connect(endpoint, &self.limits, &counters)?
            });
        }
        let endpoints = Endpoints::new(std::mem::take(&mut given.0), self.limits, counters);
        keep_names_up(&endpoints, &self.resolver);
        Ok(Channel { endpoints })
    }
}

/// A connection by a socket, or to a test's server in this process. Must be called within a tokio runtime.
fn connect(
    endpoint: String,
    limits: &Limits,
    counters: &Arc<ChannelCounters>,
) -> Result<Arc<Connection>, Status> {
    match testing::find(&endpoint) {
        None => driver::connect(endpoint, limits, counters),
        Some(Ok(place)) => Ok(local::connect_to(&place, endpoint, limits.clone(), Arc::clone(counters))),
        Some(Err(why)) => {
            Err(Status::invalid_argument(format!("can't connect to `{endpoint}`: {why}")).not_sent())
        }
    }
}

/// Where calls wait for an address of a name.
fn lobby(endpoint: String, limits: &Limits, counters: &Arc<ChannelCounters>) -> Arc<Connection> {
    let connection = Connection::new(endpoint, limits.clone(), Arc::clone(counters), Link::None);
    connection.troubled(resolve::UNKNOWN);
    tokio::spawn(Lobby::new(Arc::clone(&connection)));
    connection
}

fn keep_names_up(endpoints: &Arc<Endpoints>, resolver: &Resolver) {
    for given in endpoints.given() {
        if let Some((host, port)) = named(given.endpoint()) {
            let name = Name {
                host: host.to_owned(),
                port,
                resolver: resolver.clone(),
                lobby: Arc::clone(given),
                endpoints: Arc::downgrade(endpoints),
                changes: endpoints.changes(),
            };
            tokio::spawn(name.keep_up());
        }
    }
}

/// Connections on their way into a channel: where one can't be made, those before it are closed.
struct Given(Vec<Arc<Connection>>);

impl Drop for Given {
    fn drop(&mut self) {
        self.0.iter().for_each(|connection| connection.close_when_sent());
    }
}

#[cfg(fuzzing)]
impl Channel {
    pub(super) fn of(endpoints: Arc<Endpoints>) -> Self {
        Self { endpoints }
    }
}

impl Channel {
    /// A channel without endpoints yet.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder { endpoints: Vec::new(), limits: Limits::default(), resolver: Resolver::default() }
    }

    /// Connects to one endpoint, with all settings as they are by default.
    ///
    /// # Errors
    /// As for [`ChannelBuilder::connect`].
    pub async fn connect(endpoint: impl Into<String>) -> Result<Self, Status> {
        Self::builder().endpoint(endpoint).connect().await
    }

    /// Calls a service in this process, without a socket but otherwise as ever: encoded, with deadlines, credit and
    /// cancellation. For tests. Must be called within a tokio runtime.
    #[must_use]
    pub fn local(service: impl Service) -> Self {
        let (limits, counters) = (Limits::default(), Arc::<ChannelCounters>::default());
        let connection = local::connect(Arc::new(service), limits.clone(), Arc::clone(&counters));
        Self { endpoints: Endpoints::new(vec![connection], limits, counters) }
    }

    /// Waits until everything sent so far has been read by the servers, for so long at most, then closes the channel for all
    /// its clones.
    ///
    /// # Errors
    /// A server has not confirmed it in time, or a connection was lost in between with one-way calls on it: some may
    /// never have arrived. The channel is closed in any case.
    pub async fn close(self, within: Duration) -> Result<(), Status> {
        let mut result = self.all_answers(within).await;
        for connection in self.endpoints.all() {
            if connection.lost_one_way() {
                result = result.and(Err(one_way_lost(&connection)));
            }
            connection.close_and_cancel();
        }
        result
    }

    /// The endpoints, in the order in which they were given.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.endpoints.given().iter().map(|connection| connection.endpoint())
    }

    /// How the connections are: one for each endpoint, or for each address where an endpoint has a name.
    #[must_use]
    pub fn states(&self) -> Vec<EndpointState> {
        EndpointState::all(&self.endpoints)
    }

    /// Tells when that changes, from now on. It does not keep the channel open.
    #[must_use]
    pub fn watch(&self) -> StateWatch {
        StateWatch::new(&self.endpoints)
    }

    /// What the channel, with all its clones, has seen so far.
    #[must_use]
    pub fn counters(&self) -> Arc<ChannelCounters> {
        Arc::clone(&self.endpoints.counters)
    }

    /// Waits until every server that was sent something has read it.
    async fn all_answers(&self, timeout: Duration) -> Result<(), Status> {
        let deadline = Deadline::within(Instant::now(), timeout);
        let all = self.endpoints.all();
        let used = all.iter().filter(|connection| connection.was_used());
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

    /// Waits until a server has answered a ping. Names may come to more connections meanwhile.
    async fn first_answer(&self, timeout: Duration) -> Result<(), Status> {
        let deadline = Deadline::within(Instant::now(), timeout);
        let mut asked: Vec<Arc<Connection>> = Vec::new();
        let mut pings = Vec::new();
        std::future::poll_fn(|context| {
            // Whoever waits for an address of a name is woken when one is connected.
            for connection in self.endpoints.all() {
                if !asked.iter().any(|known| Arc::ptr_eq(known, &connection)) {
                    asked.push(Arc::clone(&connection));
                    pings.push(Box::pin(async move { call::ping(&connection, deadline).await }));
                }
            }
            let mut last = None;
            while let Some((index, result)) = first_ready(&mut pings, context) {
                drop(pings.swap_remove(index));
                match result {
                    Ok(()) => return Poll::Ready(Ok(())),
                    // No call was made yet.
                    Err(status) => last = Some(status.not_sent()),
                }
            }
            last.filter(|_| pings.is_empty()).map_or(Poll::Pending, |status| Poll::Ready(Err(status)))
        })
        .await
    }

    fn window(&self) -> u64 {
        self.endpoints.limits.stream_window
    }
}

/// The first of them that is done, and how it ended.
fn first_ready<F: Future>(
    futures: &mut [Pin<Box<F>>],
    context: &mut Context<'_>,
) -> Option<(usize, F::Output)> {
    futures.iter_mut().enumerate().find_map(|(index, future)| match future.as_mut().poll(context) {
        Poll::Ready(output) => Some((index, output)),
        Poll::Pending => None,
    })
}

fn one_way_lost(connection: &Connection) -> Status {
    let endpoint = connection.endpoint();
    let what =
        format!("the connection to `{endpoint}` was lost with one-way calls on it, which may not have run");
    Status::unavailable(what).maybe_executed()
}

/// What generated clients call.
impl Channel {
    /// A call that is answered once.
    pub fn unary<F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
    ) -> UnaryCall<R, E> {
        UnaryCall::new::<F>(Launch::new(&self.endpoints, method, params))
    }

    /// A call that is answered with a stream.
    pub fn server_stream<F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
    ) -> ServerStreamCall<R, E> {
        ServerStreamCall::new::<F>(Launch::new(&self.endpoints, method, params), self.window())
    }

    /// A call that sends a stream and is answered once.
    pub fn client_stream<I: Form<T>, S: Stream<Item = T>, T, F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
        items: S,
    ) -> ClientStreamCall<S, T, R, E> {
        ClientStreamCall::new::<I, F>(Launch::new(&self.endpoints, method, params), items)
    }

    /// A call that sends a stream and is answered with one.
    pub fn bidirectional<I: Form<T>, T, F: Form<R>, R, E: CallError>(
        &self,
        method: &'static Method,
        params: &dyn Encode,
    ) -> BidirectionalCall<T, R, E> {
        BidirectionalCall::new::<I, F>(Launch::new(&self.endpoints, method, params), self.window())
    }

    /// A call that nobody answers.
    pub fn one_way(&self, method: &'static Method, params: &dyn Encode) -> OneWayCall {
        OneWayCall::new(Launch::new(&self.endpoints, method, params))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("endpoints", &self.endpoints().collect::<Vec<_>>()).finish()
    }
}
