//! [`ChannelBuilder`]: the settings of a channel, and how it connects.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::Channel;
use super::connect::{self, follow, keep_names_up};
use super::local;
use super::resolve::{Discovery, Resolve, Resolver, named};
use crate::clock::{LEAST, bounded};
use crate::connection::{ChannelCounters, Config, Connection, Endpoints, Retry};
use crate::curve::CurveClient;
use crate::discovery::Discover;
use crate::dispatch::Service;
use crate::engine::Engine;
use crate::identity::Identity;
use crate::middleware::ClientMiddleware;
#[cfg(feature = "schema-check")]
use crate::schema::{HasSchema, ServiceSchema};
use crate::status::Status;

/// The settings of a channel that is not connected yet. See [`Channel::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct ChannelBuilder {
    pub(super) endpoints: Vec<String>,
    pub(super) config: Config,
    pub(super) resolver: Resolver,
    /// Schemas of clients that the server is checked for.
    #[cfg(feature = "schema-check")]
    pub(super) checked: Vec<&'static ServiceSchema>,
    pub(super) discoveries: Vec<Discovery>,
}

impl ChannelBuilder {
    /// Adds a server to call: `tcp://tape.example:7100`, `ipc:///run/tape.sock`, `inproc://tape`. With several, each call goes
    /// to the connected one with the fewest calls in flight; a stream stays on its connection.
    ///
    /// Both sides of an `inproc` endpoint must have the same [engine](Self::engine). On [`Engine::Zmtp`], it is like any other. On
    /// [`Engine::Libzmq`], nothing tells that such a server has ended: if it does, or blocks its thread, calls to it fail with
    /// `unavailable` only about twelve seconds later; then the channel connects again.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Adds the servers of a service, as a registry knows them, now and later: `market.v1.Tape`. See [`crate::discovery`]. Of each server, the
    /// first endpoint is connected to that a client can have; of more than 32 servers, 32, which are others for each channel.
    ///
    /// While the registry can't be asked, and where it knows no server at all, the channel keeps those that it has. A server that is gone
    /// from the registry takes no new calls; those in flight go on.
    pub fn discover(mut self, registry: impl Discover, service: impl Into<String>) -> Self {
        self.discoveries.push(Discovery::new(registry, service.into()));
        self
    }

    /// Sets what carries the channel's messages. See [`Engine`] for the default.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.config.engine = Some(engine);
        self
    }

    /// Has connections encrypted, to servers with a known key. See [`crate::curve`]. On [`Engine::Libzmq`] where its libzmq has CURVE; over `inproc`, nothing is
    /// encrypted. All endpoints of a channel have the same key.
    ///
    /// A server without that key, or one that does not encrypt, is not connected to; there is no way to talk to it in the clear.
    pub fn curve(mut self, curve: CurveClient) -> Self {
        self.config.curve = Some(curve);
        self
    }

    /// Says who calls, to servers in this process, which take the program's word: over [`local`](Self::local), to a
    /// [`TestServer`](crate::testing::TestServer), and over `inproc` on [`Engine::Zmtp`]. So the roles of a schema can be tried without
    /// keys. An endpoint that leaves the process makes [`connect`](Self::connect) fail: nothing would prove the identity there.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.config.identity = Some(identity);
        self
    }

    /// Sets the deadline of calls without streams, where neither the call nor its method sets one. Past it, a call fails with
    /// `deadline_exceeded`. 30 s by default; calls with a stream have none.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = Some(deadline);
        self
    }

    /// Removes the channel's deadline: only calls and methods set one.
    pub fn no_deadline(mut self) -> Self {
        self.config.deadline = None;
        self
    }

    /// Sets how long [`ChannelBuilder::connect`] waits for the first server to answer; then it fails. 5 s by default, at
    /// least 1 ms.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = bounded(timeout, LEAST);
        self
    }

    /// Sets the maximum number of calls in flight over one connection; past it, calls wait within their deadline. 16,384 by
    /// default.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.config.calls = calls.max(1);
        self
    }

    /// Sets the maximum size of encoded parameters, of an answer and of an item, in bytes. A call with larger ones fails with
    /// `resource_exhausted` and [`Cause::TooLarge`](crate::Cause::TooLarge). 16 MiB by default.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config.message_size = bytes.max(1);
        self
    }

    /// Sets how many bytes of items a server's stream may have in transit or unread; past it, the server waits until items are
    /// read. 1 MiB by default.
    pub fn stream_window(mut self, bytes: u64) -> Self {
        self.config.stream_window = bytes.max(1);
        self
    }

    /// Sets the interval between heartbeats to a server; a little over three intervals after one without an answer, and no less than
    /// 100 ms, the connection is dead. A server answers while handlers hold up all of its threads, on either engine, so a busy server is not considered
    /// dead. What is sent must get through in that time if the server says nothing else meanwhile, which bounds how slow a link may
    /// be. 3 s by default.
    ///
    /// On [`Engine::Zmtp`], the server is asked once it has sent nothing for the interval, and each byte that arrives is a sign of
    /// life. On [`Engine::Libzmq`], this is `ZMQ_HEARTBEAT_IVL`, and only whole frames count.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = bounded(interval, LEAST);
        self
    }

    /// Makes calls fail at once, with `unavailable` and the outcome [`NotSent`](crate::Outcome::NotSent), where no server is
    /// connected. By default, calls wait for a server within their deadline. [`connect`](Self::connect) fails then as soon as it has
    /// tried each endpoint, or each address of its name, in vain.
    pub fn fail_fast(mut self) -> Self {
        self.config.wait_for_ready = false;
        self
    }

    /// Sets which failed calls are made again, and when. [`Retry::default`] by default; [`Retry::none`] disables retries.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.config.retry = retry;
        self
    }

    /// Adds a middleware around every call. The first one added is the outermost. See [`crate::middleware`].
    pub fn middleware(mut self, middleware: impl ClientMiddleware) -> Self {
        Arc::make_mut(self.config.middleware.get_or_insert_default()).push(middleware);
        self
    }

    /// Sets how long a server with calls in flight may send nothing, and not answer a ping, until those calls fail with
    /// `unavailable` ([`Cause::ServerSilent`](crate::Cause::ServerSilent)). A server that died is detected sooner by its
    /// [heartbeat](Self::heartbeat); this timeout is for servers that hang, and for servers behind a device, which answers
    /// heartbeats in their place. A server whose handlers keep all its threads busy answers no ping either, so the timeout is
    /// long: 60 s by default, at least 4 ms.
    pub fn server_timeout(mut self, timeout: Duration) -> Self {
        self.config.server_timeout = Some(bounded(timeout, 4 * LEAST));
        self
    }

    /// Sets the interval at which the names of endpoints are looked up again. 30 s by default, at least 1 ms. A name without any
    /// connected address is looked up sooner, up to twice a second.
    pub fn lookup_interval(mut self, interval: Duration) -> Self {
        self.config.lookup_interval = bounded(interval, LEAST);
        self
    }

    /// Sets the resolver that looks up the addresses of names. The operating system's by default.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Resolver::new(resolver);
        self
    }

    /// Has [`connect`](Self::connect) fail where the server does not understand a generated client, or the client the server: see
    /// [`Channel::check_schema`]. May be called for several clients.
    #[cfg(feature = "schema-check")]
    pub fn check_schema<C: HasSchema>(mut self) -> Self {
        self.checked.push(C::schema());
        self
    }

    /// Returns a channel to a service in this process, as [`Channel::local`] does, with these settings. Endpoints are left out of
    /// account. Must be called within a tokio runtime.
    #[must_use]
    pub fn local(self, service: impl Service) -> Channel {
        let config = Config { runtime: Handle::try_current().ok(), ..self.config };
        let counters = Arc::<ChannelCounters>::default();
        let connection = local::connect(Arc::new(service), &config, &counters);
        Channel::of(Endpoints::new(vec![connection], config, counters))
    }

    /// Connects, and waits until one of the servers has answered.
    ///
    /// # Errors
    /// - `invalid_argument`: an endpoint is invalid, or there is none; there are keys, and an engine that does not encrypt; or there is an
    ///   [identity](Self::identity) that an endpoint can't carry.
    /// - `unavailable`: no server has answered within the connect timeout. The message says of each endpoint what is there: nothing,
    ///   something that speaks no ZeroMQ, or something that speaks it and is no server of zsvc.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no connection is left.
    pub async fn connect(self) -> Result<Channel, Status> {
        let timeout = self.config.connect_timeout;
        #[cfg(feature = "schema-check")]
        let checked = self.checked.clone();
        let channel = self.connect_lazy()?;
        channel.first_answer(timeout).await?;
        #[cfg(feature = "schema-check")]
        for schema in checked {
            super::schema_check::check(&channel, schema).await?;
        }
        Ok(channel)
    }

    /// Connects without waiting: calls wait, within their deadline, until the server is there. Must be called within a
    /// tokio runtime, in which the connections are then. Calls may be awaited in it, in another, or without any.
    ///
    /// # Errors
    /// There is no endpoint, or one is invalid; or there is no runtime.
    pub fn connect_lazy(mut self) -> Result<Channel, Status> {
        if self.endpoints.is_empty() && self.discoveries.is_empty() {
            return Err(Status::invalid_argument(
                "the channel has no endpoint; call `endpoint`, for example with `tcp://127.0.0.1:7100`",
            )
            .not_sent());
        }
        let runtime = Handle::try_current().map_err(|_| no_runtime())?;
        self.config.runtime = Some(runtime);
        let counters = Arc::<ChannelCounters>::default();
        let mut given = Given(Vec::with_capacity(self.endpoints.len()));
        for endpoint in self.endpoints {
            given.0.push(if self.config.identity.is_none() && named(&endpoint).is_some() {
                connect::lobby(endpoint, &self.config, &counters)
            } else {
                connect::to(endpoint, &self.config, &counters)?
            });
        }
        let mut discovered = Vec::with_capacity(self.discoveries.len());
        for discovery in self.discoveries {
            let lobby = connect::lobby(discovery.endpoint(), &self.config, &counters);
            given.0.push(Arc::clone(&lobby));
            discovered.push((discovery, lobby));
        }
        let endpoints = Endpoints::new(std::mem::take(&mut given.0), self.config, counters);
        follow(discovered, &endpoints);
        keep_names_up(&endpoints, &self.resolver);
        Ok(Channel::of(endpoints))
    }
}

fn no_runtime() -> Status {
    let what = "a channel is connected within a tokio runtime, and there is none here; connect in one of its tasks, or \
                after `Runtime::enter`";
    Status::failed_precondition(what).not_sent()
}

/// Connections of a channel that is being created. If one can't be created, dropping this closes those before it.
struct Given(Vec<Arc<Connection>>);

impl Drop for Given {
    fn drop(&mut self) {
        self.0.iter().for_each(|connection| connection.close_when_sent());
    }
}
