//! [`Router`]: a router that is bound to its endpoints, and how it runs.

use std::collections::HashSet;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use zsvc::ServeError;
use zsvc::forward::{CallerLink, Front, normalized};
use zsvc_proto::session::server::{Drain, DrainStep};

use crate::admin::Office;
use crate::board::EventView;
use crate::config::{Config, ListedWorker};
use crate::discovery::{self, Finder, Followed};
use crate::error::RouterError;
use crate::event::Event;
use crate::file::{FileError, Mistake};
use crate::forwarder::{Counters, Silence, WorkerView};
use crate::io::{CallerTask, Hub, Policy};
use crate::members::{Changes, Members};
use crate::names::Inspector;
use crate::processes::Processes;
use crate::relay::Relay;

/// Time that callers have to prove that they have read everything.
const FLUSH_TIME: Duration = Duration::from_secs(1);
/// How often a router that drains looks whether it is done.
const DRAIN_PAUSE: Duration = Duration::from_millis(5);
/// Maximum number of configurations that wait to be taken.
const MAX_WAITING_RELOADS: usize = 4;

/// A router that is bound to its endpoints, and routes once [`Router::serve_until`] is called.
pub struct Router {
    front: Front,
    endpoints: Vec<String>,
    config: Config,
    hub: Arc<Hub>,
    policy: Arc<Policy>,
    members: Members,
    /// Workers that are listed.
    listed: Vec<ListedWorker>,
    finder: Finder,
    processes: Processes,
    /// What tells of the router, if it does.
    office: Option<Office>,
    /// What has events for clients.
    relay: Relay,
    /// What asks workers whether they have what the configuration names.
    inspector: Option<Inspector>,
    /// Where its numbers are told, if they are.
    metrics: Option<SocketAddr>,
    tasks: JoinSet<()>,
    reloads: (mpsc::Sender<Reload>, mpsc::Receiver<Reload>),
}

struct Reload {
    config: Config,
    answer: oneshot::Sender<Result<Changes, RouterError>>,
}

/// What looks into a router that runs, and changes it.
#[derive(Clone)]
pub struct RouterHandle {
    hub: Arc<Hub>,
    reloads: mpsc::Sender<Reload>,
}

impl Router {
    /// Binds the endpoints, and begins to connect to the workers. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// There is no endpoint, one can't be bound or read, or there are too many workers. Or metrics can't be told where they are to be.
    pub fn bind(mut config: Config) -> Result<Self, RouterError> {
        if config.listen.is_empty() {
            return Err(RouterError::NoEndpoint);
        }
        let bound = Front::bind(&config.listen, &config.settings, config.curve.take(), config.deny_plaintext);
        let (front, endpoints) = bound.map_err(RouterError::Serve)?;
        let hub = Hub::new(config.limits);
        let silence = Silence { of_callers: config.settings.silence, of_workers: config.worker_timeout };
        hub.with(|forwarder, _| {
            forwarder.set_max_body(config.settings.max_message_size);
            forwarder.set_silence(silence);
            forwarder.set_shards(std::mem::take(&mut config.shards));
        });
        let mut tasks = JoinSet::new();
        let mut relay =
            Relay::new(Arc::clone(&hub), config.settings, config.relay_pause, config.observer.clone());
        let relayed = relay.prepare(&config.rules, &config.events, config.grace)?;
        relay.commit(relayed, (&config.rules, &config.events), config.grace, &mut tasks);
        hub.findings().set(std::mem::take(&mut config.names));
        let inspector = Inspector::new(Arc::clone(&hub), config.settings, config.observer.clone());
        let policy = Policy::new(std::mem::take(&mut config.rules), config.observer.clone());
        let key = config.worker_key.take();
        let members = Members::new(Arc::clone(&hub), config.settings, key, config.observer.clone());
        let mut members = members.keep_private(config.deny_plaintext);
        let listed = std::mem::take(&mut config.workers);
        members.replace(listed.clone(), config.grace, &mut tasks)?;
        let mut finder = Finder::new(config.observer.clone());
        let followed = finder.prepare(std::mem::take(&mut config.discovered))?;
        finder.follow(followed);
        expect(&hub, &finder);
        let office =
            if config.has_admin { Some(Office::open(&hub, &config.settings, &mut tasks)?) } else { None };
        let metrics = config.metrics.map(|address| tell_numbers(address, &config, &mut tasks)).transpose()?;
        let processes = Processes::new(config.observer.clone());
        let reloads = mpsc::channel(MAX_WAITING_RELOADS);
        Ok(Self {
            front,
            endpoints,
            config,
            hub,
            policy,
            members,
            listed,
            finder,
            processes,
            office,
            relay,
            inspector: Some(inspector),
            metrics,
            tasks,
            reloads,
        })
    }

    /// Returns the endpoints as they were bound: `tcp://127.0.0.1:*` has its port.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Returns the address at which the router tells its numbers, with its port, if it [does](Config::metrics).
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Returns a handle of the router, which is good for as long as it routes.
    #[must_use]
    pub fn handle(&self) -> RouterHandle {
        RouterHandle { hub: Arc::clone(&self.hub), reloads: self.reloads.0.clone() }
    }

    /// Asks the workers that are listed, and can be reached, whether they have what the configuration file names, where no `.svc` file says what
    /// there is. It takes up to two seconds, and none where there is nothing to ask. Workers that come later are asked while the router
    /// routes, which then tells an [event](Event::NameUnknown).
    ///
    /// # Errors
    /// All names that are wrong, with their places. The router can route all the same.
    pub async fn check_names(&mut self) -> Result<(), FileError> {
        let listed = self.listed.iter().map(|it| (it.worker.name.as_str(), it.worker.services.as_slice()));
        match &mut self.inspector {
            Some(inspector) => inspector.start(listed).await,
            None => Ok(()),
        }
    }

    /// Routes until `stop` completes, then drains: new calls are refused, those in flight may go on within the
    /// [grace time](Config::grace), and callers have one second to read their answers.
    ///
    /// # Errors
    /// The listener has failed.
    ///
    /// # Cancel safety
    /// If the future is dropped, the router stops at once: its connections are closed, and calls in flight fail.
    pub async fn serve_until(mut self, stop: impl Future) -> Result<(), RouterError> {
        let clock = Arc::clone(&self.hub);
        self.tasks.spawn(async move { clock.run_clock().await });
        #[cfg(feature = "metrics")]
        self.tasks.spawn(crate::meter::run(Arc::clone(&self.hub)));
        if let Some(inspector) = self.inspector.take() {
            self.tasks.spawn(inspector.run());
        }
        // Not before callers and workers can connect.
        let _ = self.processes.replace(std::mem::take(&mut self.config.processes), self.config.grace);
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                accepted = poll_fn(|context| self.front.poll_accept(context)) => {
                    let link = accepted.map_err(RouterError::Serve)?;
                    self.tasks.spawn(CallerTask::new(link, Arc::clone(&self.hub), Arc::clone(&self.policy)));
                }
                // It never ends: this router has a sender itself.
                Some(reload) = self.reloads.1.recv() => self.reload(reload),
                () = self.finder.changed() => self.take_found(),
                // Tasks of connections that have ended; the clock's never does.
                Some(_) = self.tasks.join_next() => {}
            }
        }
        self.drain().await;
        Ok(())
    }

    /// Takes the workers over that are found by now.
    fn take_found(&mut self) {
        let workers = all_workers(&self.listed, self.finder.sources());
        if let Err(error) = self.members.replace(workers, self.config.grace, &mut self.tasks) {
            self.config.observer.tell(|| Event::FoundRefused { why: error.to_string() });
        }
    }

    /// Takes the workers of a configuration over, those that are listed and those that are found.
    fn replace_workers(&mut self, config: &mut Config) -> Result<Changes, RouterError> {
        let listed = std::mem::take(&mut config.workers);
        let followed = self.finder.prepare(std::mem::take(&mut config.discovered))?;
        let workers = all_workers(&listed, &followed);
        let changes = self.members.replace(workers, config.grace, &mut self.tasks)?;
        self.listed = listed;
        self.finder.follow(followed);
        expect(&self.hub, &self.finder);
        Ok(changes)
    }

    /// Takes another configuration over, as far as that goes while the router runs.
    fn reload(&mut self, Reload { mut config, answer }: Reload) {
        let mut need_restart = Vec::new();
        let old = &self.config;
        for (key, is_same) in [
            ("listen", old.listen == config.listen),
            ("max_message_size", old.settings.max_message_size == config.settings.max_message_size),
            ("key_file", self.members.has_key(config.worker_key.as_ref())),
            ("access_file", old.access_file == config.access_file),
            ("admin", old.has_admin == config.has_admin),
            ("metrics", old.metrics == config.metrics),
            ("deny_plaintext", old.deny_plaintext == config.deny_plaintext),
        ] {
            if !is_same {
                need_restart.push(key);
            }
        }
        let relayed = self.relay.prepare(&config.rules, &config.events, config.grace);
        let changes = relayed.and_then(|relayed| Ok((self.replace_workers(&mut config)?, relayed)));
        let changes = changes.map(|(changes, relayed)| {
            let Self { relay, tasks, .. } = self;
            relay.commit(relayed, (&config.rules, &config.events), config.grace, tasks);
            let (added, removed) = self.processes.replace(config.processes, config.grace);
            changes.and_processes(added, removed)
        });
        if changes.is_ok() {
            self.policy.replace(config.rules);
            self.hub.findings().set(config.names);
            (self.config.limits, self.config.grace) = (config.limits, config.grace);
            self.hub.with(|forwarder, now| {
                forwarder.set_shards(config.shards);
                forwarder.set_limits(config.limits, now);
                // Those that have registered look whether they still may.
                forwarder.wake_workers();
            });
        }
        // Who asked may not wait any more.
        let _ = answer.send(changes.map(|changes| Changes { need_restart, ..changes }));
    }

    /// Tells callers, waits for calls to end, then for callers to read.
    async fn drain(self) {
        let Self { front, hub, policy, processes, office, relay, mut tasks, config, .. } = self;
        if let Some(office) = office {
            office.close();
        }
        processes.hold();
        let mut front = Some(front);
        let mut drain = Drain::new(FLUSH_TIME);
        hub.with(|forwarder, now| {
            drain.begin(now, config.grace);
            forwarder.go_away();
        });
        // Once callers know that they are to go elsewhere.
        relay.close();
        loop {
            let step = hub.with(|forwarder, now| {
                let step = drain.handle_timeout(now, forwarder.calls() == 0, || forwarder.is_flushed());
                if step == DrainStep::Flush {
                    forwarder.flush(now);
                }
                step
            });
            match step {
                // What the router has started does not outlive it.
                DrainStep::Done => return processes.stop(config.grace).await,
                // Who connects now would be sent away at once, and come back.
                DrainStep::Flush => front = None,
                DrainStep::Wait => {}
            }
            tokio::select! {
                () = tokio::time::sleep(DRAIN_PAUSE) => {}
                accepted = accept(&mut front) => {
                    if let Ok(link) = accepted {
                        tasks.spawn(CallerTask::new(link, Arc::clone(&hub), Arc::clone(&policy)));
                    }
                }
            }
        }
    }
}

/// Tells the numbers of this process at an address, for as long as the router runs. Returns the address with its port.
#[cfg(feature = "prometheus")]
fn tell_numbers(
    address: SocketAddr,
    config: &Config,
    tasks: &mut JoinSet<()>,
) -> Result<SocketAddr, RouterError> {
    let failed = |why: &dyn fmt::Display| RouterError::Metrics { address, reason: why.to_string() };
    if config.deny_plaintext && !address.ip().is_loopback() {
        return Err(failed(&"other machines could read them in the clear, which is denied"));
    }
    let exporter = crate::exporter::Exporter::bind(address).map_err(|why| failed(&why))?;
    let bound = exporter.address().map_err(|why| failed(&why))?;
    tasks.spawn(exporter.run());
    Ok(bound)
}

#[cfg(not(feature = "prometheus"))]
fn tell_numbers(address: SocketAddr, _: &Config, _: &mut JoinSet<()>) -> Result<SocketAddr, RouterError> {
    Err(RouterError::Metrics { address, reason: "it was built without the feature `prometheus`".to_owned() })
}

/// Has calls of services wait of which no worker was found yet.
fn expect(hub: &Hub, finder: &Finder) {
    hub.with(|forwarder, _| forwarder.expect_services(finder.services()));
}

/// Returns the workers that are listed, and those that are found besides.
fn all_workers(listed: &[ListedWorker], followed: &[Followed]) -> Vec<ListedWorker> {
    let endpoints: HashSet<_> = listed.iter().map(|listed| normalized(&listed.endpoint)).collect();
    let names: HashSet<_> = listed.iter().map(|listed| listed.worker.name.as_str()).collect();
    let is_listed = |found: &ListedWorker| {
        endpoints.contains(&normalized(&found.endpoint)) || names.contains(found.worker.name.as_str())
    };
    let found = discovery::workers(followed).filter(|found| !is_listed(found));
    listed.iter().cloned().chain(found).collect()
}

async fn accept(front: &mut Option<Front>) -> Result<CallerLink, ServeError> {
    match front {
        Some(front) => poll_fn(|context| front.poll_accept(context)).await,
        None => std::future::pending().await,
    }
}

impl RouterHandle {
    /// Takes another configuration over without losing a call: workers come and go, limits change. Workers that go get no new calls, and
    /// finish what they have. What takes effect only when the router is started anew is [told](Changes::need_restart).
    ///
    /// # Errors
    /// A worker can't be connected to whatever happens, two have the same name, there are too many, or the router has stopped. Then all stays
    /// as it is.
    ///
    /// # Cancel safety
    /// If the future is dropped, the configuration may be taken over all the same.
    pub async fn reload(&self, config: Config) -> Result<Changes, RouterError> {
        let (answer, answered) = oneshot::channel();
        let reload = Reload { config, answer };
        self.reloads.send(reload).await.map_err(|_| RouterError::Stopped)?;
        answered.await.map_err(|_| RouterError::Stopped)?
    }

    /// Returns what was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.hub.with(|forwarder, _| *forwarder.counters())
    }

    /// Returns the workers that there are.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerView> {
        self.hub.with(|forwarder, now| forwarder.workers(now).collect())
    }

    /// Returns the events that the router has itself: those that clients publish, and those that it relays.
    #[must_use]
    pub fn events(&self) -> Vec<EventView> {
        self.hub.board().views()
    }

    /// Returns what of the configuration file no worker has that has told what it has, where no `.svc` file says what there is.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        self.hub.findings().mistakes().1
    }

    /// Returns the number of calls in flight, and how many of these wait for a worker.
    #[must_use]
    pub fn calls(&self) -> (usize, usize) {
        self.hub.with(|forwarder, _| (forwarder.calls(), forwarder.queued()))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl fmt::Debug for RouterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterHandle").finish_non_exhaustive()
    }
}
