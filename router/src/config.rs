//! [`Config`]: what a router is made of.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zsvc::curve::{CurveServer, PublicKey, SecretKey};
use zsvc::forward::{Settings, normalized};
use zsvc_idl::schema::Schema;

use crate::discovery::Discovered;
use crate::event::{Event, Observer};
use crate::forwarder::{Limits, NewWorker, ShardKey, Silence};
use crate::names::{Named, Names};
use crate::processes::WorkerProcess;
use crate::quota::Quota;
use crate::relay::Declared;
use crate::rights::{Grant, Realm, Rules, Scope};

/// What a router is made of: where callers connect, and who answers.
#[derive(Debug)]
#[must_use = "a configuration does nothing until a router is bound with it"]
pub struct Config {
    pub(crate) listen: Vec<String>,
    pub(crate) workers: Vec<ListedWorker>,
    pub(crate) discovered: Vec<Discovered>,
    pub(crate) processes: Vec<WorkerProcess>,
    pub(crate) rules: Rules,
    /// Events of which it is known what they are.
    pub(crate) events: Vec<Declared>,
    /// Whether the router answers calls about itself.
    pub(crate) has_admin: bool,
    /// Where the router tells its numbers to Prometheus, if it does.
    pub(crate) metrics: Option<SocketAddr>,
    /// Parameters by which calls are spread.
    pub(crate) shards: Vec<ShardKey>,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    pub(crate) curve: Option<CurveServer>,
    /// The file by which clients are let in, if there is one.
    pub(crate) access_file: Option<PathBuf>,
    /// The router's own key, by which connections to workers with keys are encrypted.
    pub(crate) worker_key: Option<SecretKey>,
    pub(crate) deny_plaintext: bool,
    pub(crate) grace: Duration,
    pub(crate) worker_timeout: Duration,
    /// How long the router stays subscribed to an event without a subscriber.
    pub(crate) relay_pause: Duration,
    pub(crate) observer: Observer,
    /// What its file names of services, where no schema says what these have.
    pub(crate) names: Names,
}

/// A worker whose address is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWorker {
    /// Where it listens: `tcp://10.0.0.7:7100`.
    pub endpoint: String,
    /// What it answers.
    pub worker: NewWorker,
    /// Its public key, if the connection to it is to be encrypted; the router then has a [key of its own](Config::worker_key).
    pub public_key: Option<PublicKey>,
}

impl ListedWorker {
    /// Reports whether the connection to another one would be the same.
    pub(crate) fn has_same_connection(&self, other: &Self) -> bool {
        normalized(&self.endpoint) == normalized(&other.endpoint) && self.public_key == other.public_key
    }
}

/// What the worker is called that tells of the router itself. No other may have the name.
pub(crate) const OWN_NAME: &str = "zsvc.router";

/// Number of calls that a worker takes at a time, where its configuration says nothing.
pub const DEFAULT_CAPACITY: u32 = 10_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            workers: Vec::new(),
            discovered: Vec::new(),
            processes: Vec::new(),
            rules: Rules::default(),
            events: Vec::new(),
            has_admin: false,
            metrics: None,
            shards: Vec::new(),
            limits: Limits::default(),
            settings: Settings {
                max_message_size: 16 * 1024 * 1024,
                heartbeat: Duration::from_secs(3),
                silence: Duration::from_secs(10),
                handshakes: (1_024, 4_096),
            },
            curve: None,
            access_file: None,
            worker_key: None,
            deny_plaintext: false,
            grace: Duration::from_secs(10),
            worker_timeout: Silence::default().of_workers,
            relay_pause: Duration::from_secs(30),
            observer: Observer::default(),
            names: Names::default(),
        }
    }
}

impl Config {
    /// Returns the configuration of a router without endpoints or workers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an endpoint at which callers connect, as [`ServerBuilder::bind`](zsvc::ServerBuilder::bind) takes it.
    pub fn listen(mut self, endpoint: impl Into<String>) -> Self {
        self.listen.push(endpoint.into());
        self
    }

    /// Adds a worker that listens at an endpoint. It is connected to for as long as the router runs.
    pub fn worker(mut self, worker: ListedWorker) -> Self {
        self.workers.push(worker);
        self
    }

    /// Has workers looked for, which come and go as they are found.
    pub fn discover(mut self, discovered: Discovered) -> Self {
        self.discovered.push(discovered);
        self
    }

    /// Adds a worker process, which the router starts, starts again when it has ended, and stops before it ends itself. The worker is added
    /// by [`Config::worker`], or registers.
    pub fn process(mut self, process: WorkerProcess) -> Self {
        self.processes.push(process);
        self
    }

    /// Adds a grant. Without any, everybody may call everything, and no worker may register; with some, clients may do what is granted to
    /// one of their roles, or to everybody, and nothing else.
    pub fn grant(mut self, grant: Grant) -> Self {
        self.rules.grants.push(grant);
        self
    }

    /// Tells the router what the events of a schema are, so that clients may publish them to whom that is [granted](Grant::publish).
    pub fn events(mut self, schema: Schema) -> Self {
        self.events.extend(Declared::all(schema));
        self
    }

    /// Has the router subscribe to events of workers once for all clients, and keep what they keep.
    pub fn relay(mut self, events: Scope) -> Self {
        self.rules.relay.push(events);
        self
    }

    /// Sets how long the router stays subscribed to an event that it [relays](Self::relay) once no client is. 30 s by default; a reload does
    /// not change it.
    pub fn relay_pause(mut self, pause: Duration) -> Self {
        self.relay_pause = pause;
        self
    }

    /// Adds a realm: its clients see its workers, and no others. Workers that register are of the realm of their roles.
    pub fn realm(mut self, realm: Realm) -> Self {
        self.rules.realms.push(realm);
        self
    }

    /// Adds a quota, past which calls are refused with a time to wait. The first that a client has counts.
    pub fn quota(mut self, quota: Quota) -> Self {
        self.rules.quotas.push(quota);
        self
    }

    /// Has the router answer calls about itself: those of [`crate::admin`], to clients to which they are granted by name, and those of
    /// `zsvc.health.v1`.
    pub fn admin(mut self) -> Self {
        self.has_admin = true;
        self
    }

    /// Has the router tell its numbers to Prometheus over HTTP, at `/metrics` of an address; with port 0 at any free one. Any program that can reach
    /// it may read them, in the clear. They are those of the whole process, so all routers of it tell the same. Needs the feature
    /// `prometheus`: without it, [`Router::bind`](crate::Router::bind) fails.
    pub fn metrics(mut self, address: SocketAddr) -> Self {
        self.metrics = Some(address);
        self
    }

    /// Has calls of a method spread by a parameter: those with equal values go to the same worker, as far as it gets calls. Calls of other
    /// methods of the service that have an equal key go there, too.
    pub fn shard(mut self, key: ShardKey) -> Self {
        self.shards.push(key);
        self
    }

    /// Sets what the router may hold, and for how long.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the maximum size of a body in bytes, which should be that of the workers. A larger one fails its call with
    /// `resource_exhausted`. 16 MiB by default.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.settings.max_message_size = bytes.max(1);
        self
    }

    /// Sets how long a peer may be silent until its connection counts as lost, and a caller behind a device that is asked. 10 s by default.
    pub fn peer_timeout(mut self, time: Duration) -> Self {
        self.settings.silence = time.max(Duration::from_millis(100));
        self
    }

    /// Sets how long a worker that has calls, and is asked, may be silent until these count as lost, though its connection, or that of a device,
    /// is up. A minute by default: longer than handlers hold up all its threads.
    pub fn worker_timeout(mut self, time: Duration) -> Self {
        self.worker_timeout = time.max(Duration::from_millis(100));
        self
    }

    /// Has the connections of callers encrypted, and lets those in whose keys are known. See [`zsvc::curve`].
    pub fn curve(mut self, curve: CurveServer) -> Self {
        self.curve = Some(curve);
        self
    }

    /// Says by which file clients are let in, so that [`RouterHandle::reload`](crate::RouterHandle::reload) notices another one.
    pub(crate) fn access_file(mut self, path: PathBuf) -> Self {
        self.access_file = Some(path);
        self
    }

    /// Says what a file names of services, so that workers may be asked whether they have it.
    pub(crate) fn names(mut self, named: Vec<Named>) -> Self {
        self.names.named = named;
        self
    }

    /// Says which file it is.
    pub(crate) fn named_in(mut self, path: PathBuf) -> Self {
        self.names.path = path;
        self
    }

    /// Sets the key by which the router proves to workers who it is, those that have a [public key](ListedWorker::public_key) here.
    pub fn worker_key(mut self, key: SecretKey) -> Self {
        self.worker_key = Some(key);
        self
    }

    /// Has something told of what happens to workers, for a log. It is called by the tasks of connections, and must not wait.
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(Arc::new(observer));
        self
    }

    /// Has [`Router::bind`](crate::Router::bind) fail where other machines could reach the router and nothing would be encrypted.
    pub fn deny_plaintext(mut self) -> Self {
        self.deny_plaintext = true;
        self
    }

    /// Sets how long calls in flight may go on once the router drains. 10 s by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}
