//! [`ChannelBuilder`]: sets a channel up.

use std::sync::Arc;
use std::time::Duration;

use super::Channel;
use super::connect::{self, keep_names_up};
use super::resolve::{Resolve, Resolver, named};
use crate::connection::{ChannelCounters, Config, Connection, Endpoints, Retry};
use crate::middleware::ClientMiddleware;
use crate::status::Status;

/// Sets a channel up. See [`Channel::builder`].
#[derive(Debug, Clone)]
#[must_use = "a channel is there once it is connected"]
pub struct ChannelBuilder {
    pub(super) endpoints: Vec<String>,
    pub(super) config: Config,
    pub(super) resolver: Resolver,
}

impl ChannelBuilder {
    /// Adds a server to call: `tcp://tape.example:7100`, `ipc:///run/tape.sock`, `inproc://tape`. With several, each call goes
    /// to the one that is connected and has the fewest calls in flight; a stream stays where it began.
    ///
    /// libzmq does not watch `inproc`: where such a server goes, or holds its thread up, calls on it fail as `unavailable` only
    /// some twelve seconds later; then the channel connects anew.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Sets the deadline of calls that are answered once, where neither the call nor its method sets one. 30 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = Some(deadline);
        self
    }

    /// Sets no deadline but those of calls and methods.
    pub fn no_deadline(mut self) -> Self {
        self.config.deadline = None;
        self
    }

    /// Sets how long [`ChannelBuilder::connect`] waits for the first server to answer. 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// Sets the maximum number of calls in flight over one connection; past it, calls wait within their deadline. 16,384 by default.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.config.calls = calls.max(1);
        self
    }

    /// Sets the largest encoding of parameters, an answer or an item, in bytes. Past it a call fails with
    /// `resource_exhausted`. 16 MiB by default.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config.message_size = bytes;
        self
    }

    /// Sets how many bytes of items of a server's stream may be on their way or waiting to be read. 1 MiB by default.
    pub fn stream_window(mut self, bytes: u64) -> Self {
        self.config.stream_window = bytes.max(1);
        self
    }

    /// Sets how often a server is asked for a sign of life that has sent nothing; without one for a little over three times
    /// that, the connection is dead. libzmq's own threads ask and answer, so a busy server is not taken for dead; but
    /// a message must get through in that time, which bounds how narrow a link may be (`ZMQ_HEARTBEAT_IVL`). 3 s by default.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = interval;
        self
    }

    /// Has calls fail at once, with `unavailable` and the outcome [`NotSent`](crate::Outcome::NotSent), where no server is
    /// connected. By default they wait for one, within their deadline.
    pub fn fail_fast(mut self) -> Self {
        self.config.wait_for_ready = false;
        self
    }

    /// Sets when calls that have failed are made again. [`Retry::default`] by default; [`Retry::none`] for never.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.config.retry = retry;
        self
    }

    /// Puts middleware around every call. The first is the outermost. See [`crate::middleware`].
    pub fn middleware(mut self, middleware: impl ClientMiddleware) -> Self {
        Arc::make_mut(self.config.middleware.get_or_insert_default()).push(middleware);
        self
    }

    /// Sets how long a server may say nothing while calls are in flight, and leave a ping unanswered, until they fail as
    /// `unavailable` ([`Cause::ServerSilent`](crate::Cause::ServerSilent)). A server that died is found out sooner by its
    /// [heartbeat](Self::heartbeat); this is for those that hang, and those behind a device, which answers in their stead. A
    /// server whose handlers keep all its threads busy answers no ping either, so this is generous: 60 s by default.
    pub fn server_timeout(mut self, timeout: Duration) -> Self {
        self.config.server_timeout = Some(timeout.max(Duration::from_millis(4)));
        self
    }

    /// Sets how often the names of endpoints are looked up again. 30 s by default; sooner, but not more than twice a second,
    /// where none of a name's addresses is connected.
    pub fn lookup_interval(mut self, interval: Duration) -> Self {
        self.config.lookup_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets what finds the addresses of names. The operating system by default.
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
    /// If the future is dropped before it completes, no connection is left.
    pub async fn connect(self) -> Result<Channel, Status> {
        let timeout = self.config.connect_timeout;
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
                connect::lobby(endpoint, &self.config, &counters)
            } else {
                connect::to(endpoint, &self.config, &counters)?
            });
        }
        let endpoints = Endpoints::new(std::mem::take(&mut given.0), self.config, counters);
        keep_names_up(&endpoints, &self.resolver);
        Ok(Channel::of(endpoints))
    }
}

/// Connections of a channel that is being made. If one can't be made, those before it are closed.
struct Given(Vec<Arc<Connection>>);

impl Drop for Given {
    fn drop(&mut self) {
        self.0.iter().for_each(|connection| connection.close_when_sent());
    }
}
