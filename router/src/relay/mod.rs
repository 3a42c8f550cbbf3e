//! [`Relay`]: the events that the router has for its clients: what one of them or a worker publishes goes to all who have subscribed.
//!
//! They are offered by a server in the router's own process for each realm, which the router reaches as it does any worker, and which
//! stands in for the workers of these events. So whatever holds for calls holds for subscriptions, too. What is kept, and what waits for
//! whom, is decided in [`zsvc_proto::events`], as at any publisher.

mod declared;
mod lives;
mod progress;
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use zsvc::forward::{Relayed, Settings, WorkerLink};
use zsvc::{Engine, Server};
use zsvc_proto::events::Limits;

pub(crate) use declared::Declared;
use source::Source;

use crate::board::Entry;
use crate::config::OWN_NAME;
use crate::error::RouterError;
use crate::event::Observer;
use crate::forwarder::NewWorker;
use crate::io::{Hub, WorkerKey, WorkerTask};
use crate::rights::Rules;

/// Number of subscriptions in one realm, and of events that are published at a time.
const CAPACITY: u32 = 1_000_000;
/// The largest of what is kept of one event, in bytes.
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes that may be on their way to subscribers of one realm within the router.
const MAX_WAITING_BYTES: usize = 1 << 30;
/// What surrounds an event in an item, at most, in bytes.
const ITEM_OVERHEAD: usize = 64;
/// How long a server waits for the one that takes its place to be up.
const MAX_OVERLAP: Duration = Duration::from_secs(5);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(5);

/// The events that the router has for its clients.
#[derive(Debug)]
pub(crate) struct Relay {
    hub: Arc<Hub>,
    settings: Settings,
    pause: Duration,
    observer: Observer,
    /// The server of each realm that has events.
    stations: BTreeMap<String, Station>,
    /// What brings events of workers along, by realms and names of events.
    sources: BTreeMap<(String, &'static str), (Source, AbortHandle)>,
}

/// The server of one realm, until it is told to stop.
#[derive(Debug)]
struct Station {
    events: Vec<Relayed>,
    key: WorkerKey,
    task: AbortHandle,
    stop: oneshot::Sender<()>,
}

/// The servers that take the place of others, or are new, by their realms.
#[derive(Debug)]
pub(crate) struct Prepared(Vec<(String, Opened)>);

/// A server that does not run yet. Dropped, it is no worker any more.
struct Opened {
    events: Vec<Relayed>,
    server: Server,
    task: WorkerTask,
}

impl Opened {
    /// Begins to offer its events.
    fn start(self, tasks: &mut JoinSet<()>) -> Station {
        let Self { events, server, task } = self;
        let (stop, stopped) = oneshot::channel();
        tasks.spawn(async move {
            // It has no socket that could fail; and what comes after it is the end of the router, or another server.
            let _ = server.serve_until(stopped).await;
        });
        Station { events, key: task.key(), task: tasks.spawn(task), stop }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Relay {
    /// Creates what has no events yet. It stays subscribed to workers for `pause` without a subscriber.
    pub(crate) fn new(hub: Arc<Hub>, settings: Settings, pause: Duration, observer: Observer) -> Self {
        Self { hub, settings, pause, observer, stations: BTreeMap::new(), sources: BTreeMap::new() }
    }

    /// Makes what [`Relay::commit`] needs, which may fail. Dropped, it leaves all as it was. Must be called within a tokio runtime.
    pub(crate) fn prepare(
        &self,
        rules: &Rules,
        declared: &[Declared],
        grace: Duration,
    ) -> Result<Prepared, RouterError> {
        let names: Vec<_> = declared.iter().map(Declared::methods).collect();
        if let Some(scope) = rules.without_event(&names) {
            // Otherwise a name that is written wrong would be found by those alone who miss its events.
            return Err(RouterError::NoSuchEvent { scope: scope.to_string() });
        }
        let mut opened = Vec::new();
        for realm in rules.realms() {
            let wanted: Vec<_> = declared.iter().filter(|event| event.is_wanted(rules, realm)).collect();
            if !wanted.is_empty() && !self.has(realm, &wanted) {
                let events = wanted.iter().map(|declared| self.event(realm, declared)).collect();
                opened.push((realm.to_owned(), self.open(realm, events, grace)?));
            }
        }
        Ok(Prepared(opened))
    }

    /// Has those events that rules let clients publish, or say to relay, in place of those before. What is kept of an event that stays is
    /// kept. Subscriptions go on at another server where there are other events than before.
    pub(crate) fn commit(
        &mut self,
        Prepared(opened): Prepared,
        (rules, declared): (&Rules, &[Declared]),
        grace: Duration,
        tasks: &mut JoinSet<()>,
    ) {
        for realm in self.stations.keys().cloned().collect::<Vec<_>>() {
            let is_wanted = |event: &Declared| event.is_wanted(rules, &realm);
            if !rules.realms().any(|other| other == realm) || !declared.iter().any(is_wanted) {
                self.retire(&realm, None, grace, tasks);
            }
        }
        for (realm, opened) in opened {
            let station = opened.start(tasks);
            self.retire(&realm, Some(station.key), grace, tasks);
            self.stations.insert(realm, station);
        }
        for event in declared {
            let all = self.stations.values().flat_map(|station| &station.events);
            all.filter(|known| is(known, event)).for_each(|known| known.set_check(Arc::clone(&event.check)));
        }
        let of_realms = self.stations.iter();
        let all =
            of_realms.flat_map(|(realm, station)| station.events.iter().map(move |event| (realm, event)));
        let entries = all.map(|(realm, event)| Entry {
            realm: realm.clone(),
            event: event.clone(),
            is_relayed: rules.is_relayed(event.subscribe().name().as_bytes()),
            is_published: rules.is_published(realm, event.publish_method().name().as_bytes()),
        });
        self.hub.board().set(entries.collect());
        self.follow(rules, tasks);
    }

    /// Has the events of workers brought along that are to be relayed, and no others. Those that stay so go on.
    fn follow(&mut self, rules: &Rules, tasks: &mut JoinSet<()>) {
        let mut wanted = BTreeMap::new();
        for (realm, station) in &self.stations {
            let events = station.events.iter();
            for event in events.filter(|event| rules.is_relayed(event.subscribe().name().as_bytes())) {
                let source = Source {
                    hub: Arc::clone(&self.hub),
                    settings: self.settings,
                    pause: self.pause,
                    observer: self.observer.clone(),
                    realm: realm.clone(),
                    event: event.clone(),
                    is_published: rules.is_published(realm, event.publish_method().name().as_bytes()),
                };
                wanted.insert((realm.clone(), event.name()), source);
            }
        }
        self.sources.retain(|key, (source, task)| {
            let stays = wanted.get(key).is_some_and(|wanted| wanted.is(source));
            if !stays {
                task.abort();
                source.event.demand().set_ready(true);
            }
            stays
        });
        for (key, source) in wanted {
            self.sources.entry(key).or_insert_with(|| {
                source.event.demand().set_ready(false);
                (source.clone(), tasks.spawn(source.run()))
            });
        }
    }

    /// Reports whether a realm has these events, and no others.
    fn has(&self, realm: &str, wanted: &[&Declared]) -> bool {
        let known = self.stations.get(realm).map_or(&[][..], |station| &station.events);
        known.len() == wanted.len() && wanted.iter().all(|wanted| known.iter().any(|known| is(known, wanted)))
    }

    /// Returns an event of a realm: the one that is there, or a new one.
    fn event(&self, realm: &str, declared: &Declared) -> Relayed {
        let known = self.stations.get(realm).into_iter().flat_map(|station| &station.events);
        let mut known = known.filter(|known| is(known, declared));
        known.next().cloned().unwrap_or_else(|| {
            let limits = Limits { kept_bytes: MAX_KEPT_BYTES, ..Limits::default() };
            let max_event = self.settings.max_message_size.saturating_sub(ITEM_OVERHEAD);
            let form = declared.form;
            Relayed::new(form.layout, form.methods, (limits, max_event), Arc::clone(&declared.check))
        })
    }

    /// Makes a server of events.
    fn open(&self, realm: &str, events: Vec<Relayed>, grace: Duration) -> Result<Opened, RouterError> {
        // Unlike that of any other router of this process.
        let endpoint = format!("inproc://zsvc-router-events-{:016x}", zsvc::forward::random());
        let server = Server::builder()
            .engine(Engine::Zmtp)
            .max_message_size(self.settings.max_message_size)
            .max_calls(2 * CAPACITY as usize)
            .max_calls_per_peer(CAPACITY as usize)
            .max_waiting_per_peer(MAX_WAITING_BYTES)
            .max_waiting(MAX_WAITING_BYTES)
            .grace(grace)
            .bind(&endpoint);
        let server = events.iter().fold(server, |server, event| server.service(event.clone()));
        let server = server.listen().map_err(RouterError::Serve)?;
        let failed = |reason| RouterError::Worker { name: OWN_NAME.to_owned(), reason };
        let link = WorkerLink::connect(&endpoint, &self.settings, None).map_err(failed)?;
        let worker = NewWorker {
            name: OWN_NAME.to_owned(),
            services: events.iter().map(|event| event.name().to_owned()).collect(),
            capacity: CAPACITY,
            standby: 0,
            realm: realm.to_owned(),
        };
        let task = WorkerTask::of_relay(link, worker, Arc::clone(&self.hub)).ok_or(RouterError::TooMany)?;
        Ok(Opened { events, server, task })
    }

    /// Has the server of a realm end, once the next one is up, if there is one: subscriptions go on there.
    fn retire(&mut self, realm: &str, next: Option<WorkerKey>, grace: Duration, tasks: &mut JoinSet<()>) {
        let Some(Station { key, task, stop, .. }) = self.stations.remove(realm) else { return };
        let hub = Arc::clone(&self.hub);
        if next.is_none() {
            // Before anybody is told, so that those who subscribe again do so elsewhere.
            hub.with(|forwarder, now| forwarder.drain_worker(key, true, now));
        }
        tasks.spawn(async move {
            let is_up = || next.is_none_or(|next| hub.with(|forwarder, _| forwarder.is_worker_live(next)));
            let until = Instant::now() + MAX_OVERLAP;
            while !is_up() && Instant::now() < until {
                tokio::time::sleep(PAUSE).await;
            }
            hub.with(|forwarder, now| forwarder.drain_worker(key, true, now));
            drop(stop);
            // None: as long as it takes.
            let until = Instant::now().checked_add(grace);
            while hub.with(|forwarder, _| !forwarder.is_worker_idle(key))
                && until.is_none_or(|until| Instant::now() < until)
            {
                tokio::time::sleep(PAUSE).await;
            }
            task.abort();
        });
    }

    /// Ends all subscriptions, which clients then make at another router.
    pub(crate) fn close(self) {
        self.sources.into_values().for_each(|(_, task)| task.abort());
        // Dropped, they tell the servers to drain.
        drop(self.stations);
    }
}

fn is(known: &Relayed, declared: &Declared) -> bool {
    std::ptr::eq(known.layout().event(), declared.form.layout.event())
}
