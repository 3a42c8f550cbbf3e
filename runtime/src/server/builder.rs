//! [`ServerBuilder`]: the settings of a server, and how its endpoints are bound. Serving is in [`super::serving`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::announced::Announced;
use super::beside::Beside;
use super::bind::{bind, check_roles};
use super::error::ServeError;
use super::register::Register;
use super::serving::Server;
use super::task::Task;
use crate::auth::Authenticator;
use crate::builtin::{Guarded, Settings};
use crate::clock::{LEAST, bounded};
use crate::curve::CurveServer;
use crate::declaration::Event;
use crate::discovery::{Announce, AnyAnnounce};
use crate::dispatch::Service;
use crate::driver::Core;
use crate::engine::Engine;
use crate::middleware::{ServerMiddleware, ServerStack};
use crate::peer::{Config, MaxRunning};
use crate::publish::Publisher;
use crate::telemetry;
use crate::transport::HandshakeLimits;
use crate::transport::listen::{Reach, is_exposed};

/// The settings of a server that is not bound yet. See [`Server::builder`].
#[must_use = "a builder does nothing until it listens or serves"]
pub struct ServerBuilder {
    services: Vec<Arc<dyn Service>>,
    middleware: ServerStack,
    endpoints: Vec<String>,
    /// Routers to register at.
    routers: Vec<Register>,
    config: Config,
    grace: Duration,
    engine: Option<Engine>,
    curve: Option<CurveServer>,
    tokens: Option<Authenticator>,
    insecure: bool,
    plaintext: Reach,
    /// The services that the server has by itself.
    pub(super) own: Settings,
    beside: Beside,
    registries: Vec<Arc<dyn AnyAnnounce>>,
    advertised: Vec<String>,
}

/// The least number of bytes that may wait for clients: with less, a client that reads would be shed for a few small answers.
const MIN_WAITING_BYTES: usize = 64 * 1024;

impl ServerBuilder {
    /// Creates the builder of a server without services or endpoints yet.
    pub(super) fn new() -> Self {
        Self {
            services: Vec::new(),
            middleware: ServerStack::default(),
            endpoints: Vec::new(),
            routers: Vec::new(),
            config: Config::default(),
            grace: Duration::from_secs(10),
            engine: None,
            curve: None,
            tokens: None,
            insecure: false,
            plaintext: Reach::Network,
            own: Settings::default(),
            beside: Beside::default(),
            registries: Vec::new(),
            advertised: Vec::new(),
        }
    }

    /// Adds a service. Two services with a method of the same name make [`listen`](Self::listen) fail.
    pub fn service(mut self, service: impl Service) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    /// Offers the events of a publisher, which clients then [subscribe](crate::Channel::subscribe) to. A publisher may be offered by
    /// several servers; its events reach the subscribers of all. Two publishers of the same event make [`listen`](Self::listen) fail.
    pub fn events<E: Event>(mut self, publisher: &Publisher<E>) -> Self {
        self.beside.feeds.push(publisher.feed());
        self.service(publisher.clone())
    }

    /// Adds an endpoint at which all [events](Self::events) of the server are published by a PUB socket of ZeroMQ's own, to which a plain SUB
    /// in any language listens, without zsvc. Endpoints are as for [`bind`](Self::bind). May be called several times.
    ///
    /// A message has three frames: the topic, `market.v1.Price/ACME/`, which is the event's full name and each value of its key, followed
    /// by `/`; the sequence number and the epoch, of eight bytes each, the most significant first; the event as MessagePack. **It is lossy, as PUB
    /// is**: events that are published before a subscription has arrived do not come, none that was kept does, and of those that wait for a subscriber that
    /// does not keep up the oldest are dropped, whatever `@slow` says; that shows in the sequence numbers alone.
    ///
    /// With [`curve`](Self::curve), the socket is encrypted as well, and lets the same clients in. Events with `@roles` go to those alone that have
    /// one of the roles by their key; without keys, to none, unless the server is [`insecure`](Self::insecure). Tokens are for calls
    /// alone. On either engine, the socket is served by the code of [`Engine::Zmtp`].
    pub fn publish(mut self, endpoint: impl Into<String>) -> Self {
        self.beside.publish_at.push(endpoint.into());
        self
    }

    /// Adds a task, which runs for as long as the server serves: it starts with the server, is told when the server drains, and has the
    /// [grace time](Self::grace) to end then. What is said of failures and panics is in [`Task::new`].
    pub fn task(mut self, task: Task) -> Self {
        self.beside.tasks.push(task);
        self
    }

    /// Adds a middleware around every call of every service. The first one added is the outermost. See [`crate::middleware`].
    pub fn middleware(mut self, middleware: impl ServerMiddleware) -> Self {
        self.middleware.push(middleware);
        self
    }

    /// Adds an endpoint to listen at: `tcp://127.0.0.1:7100`, `tcp://[::1]:7100`, `tcp://*:7100`, `tcp://127.0.0.1:*` for any
    /// free port, `tcp://localhost:7100`, `tcp://eth0:7100` for a network interface of Unix,
    /// `ipc:///run/tape.sock`, `ipc://@tape` for an abstract name of Linux, `inproc://tape`. May be called several times.
    ///
    /// A name may have several addresses. The server listens at the first that this machine has. If that one is taken,
    /// [`listen`](Self::listen) fails: clients connect to all of them, so servers at two would share them.
    ///
    /// The file of a Unix socket goes with its server. A file that a server has left behind is taken over; where a server listens,
    /// or where a file is no socket, [`listen`](Self::listen) fails. Clients of an `inproc` endpoint are channels of
    /// the same process with the same engine.
    pub fn bind(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Registers at a router, which gives its callers' calls to this server: over a connection that this server makes, and makes again when
    /// it is lost, so that it needs no port of its own. May be called several times, for several routers; and beside
    /// [`bind`](Self::bind), or without. On [`Engine::Zmtp`] alone.
    ///
    /// A router that refuses is told of in the log, with the feature `tracing`, and asked again every few seconds. A server that drains
    /// tells its routers, which give its calls to others.
    pub fn register(mut self, router: impl Into<Register>) -> Self {
        self.routers.push(router.into());
        self
    }

    /// Sets what carries the server's messages. See [`Engine`] for the default.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Has connections encrypted, and lets the clients in whose keys are known. See [`crate::curve`]. On [`Engine::Libzmq`] where its libzmq has
    /// CURVE, and without `inproc` there; over `inproc`, nothing is encrypted, and everything of this process is let in.
    ///
    /// A client without keys, or with others, is refused; there is no way to talk to the server in the clear. Who a client is, and
    /// with that which methods with roles it may call, says [`CurveServer::allow_as`].
    pub fn curve(mut self, curve: CurveServer) -> Self {
        self.curve = Some(curve);
        self
    }

    /// Takes tokens: a call whose metadata has `authorization` with `Bearer` and a token is made by the client that the authenticator says
    /// has it, and by no other; a token that is not good fails the call with `unauthenticated`, and no handler sees it. A call without one
    /// is made by the client of the connection, as far as that is known. See [`crate::auth`].
    ///
    /// Everyone who reads a token can use it: take tokens over encrypted connections alone, as with
    /// [`any_client`](CurveServer::any_client) for clients that have no keys.
    pub fn tokens(mut self, authenticator: impl Into<Authenticator>) -> Self {
        self.tokens = Some(authenticator.into());
        self
    }

    /// Has [`listen`](Self::listen) fail, with [`ServeError::Plaintext`], where other machines could reach the server and nothing would be
    /// encrypted: at every address of TCP but those of the loopback interface, also by a name, unless there is [`curve`](Self::curve). Without this, such
    /// an endpoint is warned of in the log, once for each server.
    ///
    /// It fails with [`ServeError::PlaintextRouter`] where the server [registers](Self::register) at a router that may be on another machine,
    /// which every name but `localhost` may be, without [`Register::curve`](crate::Register::curve).
    pub fn deny_plaintext(mut self) -> Self {
        self.plaintext = Reach::Machine;
        self
    }

    /// Lists the server in a registry, so that channels [discover](crate::ChannelBuilder::discover) it, from when it serves until it drains.
    /// See [`crate::discovery`]. May be called several times. That a registry can't be reached keeps no server from serving: the log says so,
    /// and the server is listed once it can.
    ///
    /// The server is listed with the endpoints that it is bound to, but for those of `inproc`, unless there are
    /// [advertised](Self::advertise) ones.
    pub fn announce(mut self, registry: impl Announce) -> Self {
        self.registries.push(Arc::new(registry));
        self
    }

    /// Sets an endpoint by which clients reach the server, to be [announced](Self::announce) in place of those that it is bound to:
    /// `tcp://tape-1.example:7100`. Needed where the server is bound to all addresses of its machine, as by `tcp://*:7100`, or is behind
    /// a translation of addresses. May be called several times.
    pub fn advertise(mut self, endpoint: impl Into<String>) -> Self {
        self.advertised.push(endpoint.into());
        self
    }

    /// Lets anybody call every method, whatever roles the schema asks for. For development and tests: without it, a server of
    /// methods with `@roles` does not listen where it can't know who its clients are.
    pub fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// Sets the maximum size of encoded parameters, of an answer and of an item, in bytes. A call with larger ones fails with
    /// `resource_exhausted` and [`Cause::TooLarge`](crate::Cause::TooLarge). So does a message of more than four times this size and
    /// 256 KiB, which is not kept; on [`Engine::Libzmq`] it closes its sender's connection. 16 MiB by default.
    ///
    /// The values of a message may take eight times this size in memory, at least 64 KiB: an array of nils takes 40 times its size
    /// as a `value`. A call with larger ones fails with `resource_exhausted`, too, before they take it.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config.session.max_body = bytes.max(1);
        self
    }

    /// Sets the maximum number of calls in flight, of all clients together. Past it a call fails with `resource_exhausted`.
    /// 100,000 by default.
    ///
    /// The last quarter is kept for clients with few calls in flight, so that some clients can't take what belongs to all. There a
    /// client may have one more call while four times its own calls, times the number of clients with calls in flight, is less than
    /// what is left. So a client without calls in flight is served while anything is left. A client past that fails as above, and
    /// is told both numbers. Each connection is a client of its own, and so is each client behind a device.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.config.session.max_calls = calls.max(1);
        self
    }

    /// Sets the maximum number of calls in flight of one client. Past it a call fails with `resource_exhausted`. 20,000
    /// by default.
    pub fn max_calls_per_peer(mut self, calls: usize) -> Self {
        self.config.session.max_calls_per_peer = calls.max(1);
        self
    }

    /// Sets how many calls run at a time, and how many more wait in a queue; past both, a call fails with `resource_exhausted`,
    /// the outcome [`NotSent`](crate::Outcome::NotSent) and a [hint](crate::Status::retry_after) when to call again. A call whose
    /// deadline passes in the queue is not run. A stream counts as a call until it ends. No bound but
    /// [`max_calls`](Self::max_calls) by default; [`crate::middleware`] has bounds per method and per client.
    ///
    /// The calls of a client run in the order in which they came, and clients take turns. The last quarter of the queue is given
    /// out as that of [`max_calls`](Self::max_calls) is.
    pub fn max_running(mut self, running: usize, queued: usize) -> Self {
        self.config.running = Some(MaxRunning { running: running.max(1), queued });
        self
    }

    /// Sets how many connections may be in their handshake at a time: of those that come from one address, and in all. 1,024 and 4,096 by
    /// default, on [`Engine::Zmtp`] alone. An IPv6 address counts as its network of 64 bits, Unix sockets as one address, and `inproc` not at
    /// all.
    ///
    /// Past a bound, an address with many gives way to one with fewer. Where there is none, the connection that has been in its handshake for
    /// longest gives way to a new one, once it has had 2 s, which good clients do not need; otherwise the new one is closed, and its
    /// client connects again. Both are counted as [`Crowded`](crate::HandshakeFailure::Crowded).
    /// Each takes a file descriptor: where these are few, set less. Behind a proxy all clients have its address: set the same for both.
    pub fn max_handshakes(mut self, per_address: usize, all: usize) -> Self {
        let (per_address, all) = (per_address.max(1), all.max(1));
        self.config.handshakes = HandshakeLimits { per_address, all };
        self
    }

    /// Sets how many bytes of answers and items may wait for one client. Past it, the client's new calls are turned away with
    /// `resource_exhausted`; past twice that and one message more, its calls are ended. What waits for a client is what it has
    /// asked for and does not read. Sixteen messages of the largest size by default, and at least 16 MiB, since a client of this
    /// project asks for 1 MiB of each stream; at least 64 KiB.
    pub fn max_waiting_per_peer(mut self, bytes: usize) -> Self {
        self.config.session.max_waiting_per_peer = Some(bytes.max(MIN_WAITING_BYTES));
        self
    }

    /// Sets how many bytes of answers and items may wait for all clients together. Past it, the server ends the calls of the
    /// clients with the most bytes waiting, so that clients that read keep their calls. 1 GiB by default, at
    /// least 64 KiB.
    pub fn max_waiting(mut self, bytes: usize) -> Self {
        self.config.session.max_waiting = bytes.max(MIN_WAITING_BYTES);
        self
    }

    /// Sets how many bytes of items a client's stream may have in transit or unread; past it, the client waits until items are
    /// read. 256 KiB by default, at least the 64 KiB that the protocol grants every stream.
    pub fn stream_window(mut self, bytes: u64) -> Self {
        self.config.session.stream_window = bytes;
        self
    }

    /// Sets the time after which a client with calls in flight is considered lost, and its calls end, if it sends
    /// nothing or reads nothing. The client is asked for a sign of life after a third of that time. 15 s by default, at
    /// least 4 ms.
    pub fn peer_timeout(mut self, timeout: Duration) -> Self {
        self.config.session.peer_timeout = bounded(timeout, 4 * LEAST);
        self
    }

    /// Sets the interval between heartbeats on a connection. A connection without an answer within a third of the interval, and
    /// no less than 5 s, is closed, so that connections which were cut off hold no file descriptors. What is sent must get
    /// through in that time if the client says nothing else meanwhile, which bounds how slow a link may be. When calls end is set
    /// by the [peer timeout](Self::peer_timeout). 30 s by default.
    ///
    /// On [`Engine::Zmtp`], a client is asked once it has sent nothing for the interval, less up to an eighth, so that thousands of
    /// clients which fell silent at once are not asked or given up at once; and each byte that arrives is a sign of life. On
    /// [`Engine::Libzmq`], this is `ZMQ_HEARTBEAT_IVL`, and only whole frames count. There the work of libzmq's thread for heartbeats
    /// grows with the square of the number of connections: with ten thousand connections and 3 s, the thread would do nothing else.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = bounded(interval, LEAST);
        self
    }

    /// Sets how long calls in flight may go on once the server drains; those that have not ended by then fail with `unavailable`.
    /// 10 s by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Returns the maximum memory in bytes of a server with these settings for `clients` clients. On [`Engine::Zmtp`] it holds
    /// whatever they send. On [`Engine::Libzmq`] it holds if the server reads what they send as fast as that arrives; see below. It
    /// is the sum of
    ///
    /// - what waits for clients that do not read: [`max_waiting`](Self::max_waiting) and a quarter, with 64 KiB for each
    ///   client, or twice [`max_waiting_per_peer`](Self::max_waiting_per_peer) and one message for each client, where that is
    ///   less; all of it twice, since buffers grow by doubling;
    /// - for each client, 96 KiB for its connection; what the engine holds to be sent, which is a quarter of
    ///   `max_waiting_per_peer`, but 64 KiB to 1 MiB, and one message, twice; and the message that is coming in, which takes
    ///   up to eight times [`max_message_size`](Self::max_message_size) and 512 KiB until it is whole;
    /// - for each call in flight, of which there are [`max_calls_per_peer`](Self::max_calls_per_peer) for each client but no more
    ///   than [`max_calls`](Self::max_calls) in all, 20 KiB, in which small items of its stream gather and its short `bytes` lie;
    ///   what that stream may hold unread, which is four times [`stream_window`](Self::stream_window) and one message; and the values
    ///   that the handler is called with and one item of the stream, which are made of a message each: for each, sixteen times
    ///   `max_message_size`, at least 128 KiB, since lists grow by doubling, and one message, in which strings and `bytes` lie;
    /// - for each call that may wait for its turn by [`max_running`](Self::max_running), four times `max_message_size`;
    /// - for each handshake that may be under way by [`max_handshakes`](Self::max_handshakes), and for each of as many clients about which
    ///   the program may be [asked](crate::curve::CurveServer::authenticate), 4 KiB; all of it twice with [`publish`](Self::publish).
    ///
    /// The sum leaves out what publishers of events keep, and have waiting, which is bounded by [their own
    /// limits](crate::PublisherBuilder::max_waiting), and not by the events that they keep for each subscriber; what else handlers hold; what types of your own that serde reads hold; what middleware holds; and what the
    /// operating system keeps for its sockets. A client over `inproc` adds up to 512 KiB on [`Engine::Zmtp`]; on
    /// [`Engine::Libzmq`] it shares memory with the server, in an amount that can't be known.
    ///
    /// On [`Engine::Zmtp`], a connection of which enough is in hand is not read from, and TCP makes its client wait. On
    /// [`Engine::Libzmq`], the sum leaves out what libzmq has received and the server has not taken yet. That is next to nothing,
    /// unless handlers hold up every thread: then it is all that clients send meanwhile. Clients of this project send their calls
    /// in flight, what is granted to streams, and 4 MiB of one-way calls. Other clients may send without end, and so may one that
    /// floods faster than it can be read, for libzmq has no bound for it that a client could not use to end the process.
    #[must_use]
    pub fn worst_case_memory(&self, clients: usize) -> u64 {
        let handshakes = self.config.memory_of_handshakes();
        let beside = if self.beside.publishes() { handshakes } else { 0 };
        self.config.worst_case_memory(clients).saturating_add(beside)
    }

    /// Binds the endpoints. Clients may connect from then on, and are answered once the server serves. Must be called
    /// within a tokio runtime, in which the server then runs.
    ///
    /// Blocks its thread while the system looks a name up, as that of `tcp://tape.example:7100`, which may take as long as a name
    /// server does not answer; and up to a second in all while other servers take over files of sockets in the same folder.
    ///
    /// # Errors
    /// There is no endpoint, no runtime, one can't be bound, or not [in the clear](Self::deny_plaintext), two services have a method of the same name, the engine can't be used, the
    /// server has keys and lets no client in, or an engine that does not encrypt, or methods have roles, and the server has no way to
    /// know who its clients are, or knows that none of them has one; or the server is to be [announced](Self::announce), and not at an endpoint that clients could connect to.
    pub fn listen(mut self) -> Result<Server, ServeError> {
        if self.endpoints.is_empty() && self.routers.is_empty() {
            return Err(ServeError::NoEndpoint);
        }
        let runtime = Handle::try_current().map_err(|_| ServeError::NoRuntime)?;
        let (link, handshakes) = (self.config.link(), self.config.handshakes);
        let (addresses, grace, engine) = (self.endpoints.clone(), self.grace, self.engine);
        let (curve, beside) = (self.curve.take(), std::mem::take(&mut self.beside));
        let (is_insecure, has_tokens) = (self.insecure, self.tokens.is_some());
        let (registries, advertised) =
            (std::mem::take(&mut self.registries), std::mem::take(&mut self.advertised));
        let (is_encrypted, routers) = (curve.is_some(), std::mem::take(&mut self.routers));
        let plaintext = self.plaintext;
        let reach = if is_encrypted { Reach::Network } else { plaintext };
        let core = self.into_core()?;
        if !is_insecure && !has_tokens {
            check_roles(&core, engine, curve.as_ref(), (&addresses, &routers))?;
        }
        routers.iter().try_for_each(|router| router.check_private(plaintext))?;
        let shared = Arc::clone(&core.shared);
        let beside = beside.bind(reach, (link, handshakes), curve.clone(), is_insecure, &shared)?;
        let (services, instance) = (core.services(), shared.config.session.instance);
        let (driver, endpoints) =
            bind(engine, (&addresses, &routers), reach, (link, handshakes), curve, core)?;
        let exposed = endpoints.iter().chain(&beside.published_at).find(|endpoint| is_exposed(endpoint));
        if !is_encrypted && let Some(endpoint) = exposed {
            telemetry::in_the_clear(endpoint);
        }
        let announced = Announced::new(registries, advertised, services, &endpoints, instance)?;
        Ok(Server::new(driver, runtime, shared, grace, endpoints).with(beside).announced(announced))
    }

    /// Creates the server without its sockets.
    pub(crate) fn into_core(mut self) -> Result<Core, ServeError> {
        // Drawn anew: a builder may be older than the process, and its copies bind in other children.
        self.config.session.instance = Config::instance();
        let guarded = Guarded::of(&self.services, self.tokens.is_some(), self.insecure);
        self.config.measures = self.own.stats;
        let (services, measured) = self.own.with_own(self.services, guarded);
        let core = Core::new(services, self.config)
            .map_err(|duplicate| ServeError::DuplicateMethod { method: duplicate.0 })?;
        measured.by(&core.shared);
        let core = if self.insecure { core.ignoring_roles() } else { core };
        let core = core.with_middleware(self.middleware);
        Ok(match self.tokens {
            Some(tokens) => core.with_tokens(tokens, !self.insecure),
            None => core,
        })
    }

    /// Binds and serves. See [`Server::serve_until`]. Its first poll blocks where [`listen`](Self::listen) does.
    ///
    /// # Errors
    /// As for [`ServerBuilder::listen`] and [`Server::serve_until`].
    pub async fn serve_until(self, stop: impl Future) -> Result<(), ServeError> {
        self.listen()?.serve_until(stop).await
    }

    /// Binds and serves. See [`Server::serve`]. Its first poll blocks where [`listen`](Self::listen) does.
    ///
    /// # Errors
    /// As for [`ServerBuilder::listen`] and [`Server::serve`].
    pub async fn serve(self) -> Result<(), ServeError> {
        self.listen()?.serve().await
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}
