//! What a router tells of itself, and the orders that it takes: the service `zsvc.router.v1.Admin`.
//!
//! It is answered by a server in the router's own process, which the router reaches as it does any worker. So whatever holds for calls holds
//! for these, too.

#[allow(unused_imports, reason = "macros import traits that not every type needs")]
mod generated;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use zsvc::health::{self, Reporter};
use zsvc::{Context, Engine, Error, Server};

pub use generated::zsvc::router::v1::*;

use crate::board::EventView;
use crate::config::OWN_NAME;
use crate::error::RouterError;
use crate::event::Observer;
use crate::forwarder::{self, NewWorker};
use crate::io::{Hub, WorkerTask};
use zsvc::forward::{Settings, WorkerLink};

/// The services that the router answers itself.
const SERVICES: [&str; 2] = ["zsvc.router.v1.Admin", "zsvc.health.v1.Health"];
/// Number of calls to the router itself at a time.
const CAPACITY: u32 = 1_000;
/// Number of workers of an event whose names are told.
const MAX_PUBLISHERS: usize = 100;

/// The server that tells of the router, until it is told to stop.
#[derive(Debug)]
pub(crate) struct Office {
    reporter: Reporter,
    stop: oneshot::Sender<()>,
}

impl Office {
    /// Begins to answer. Must be called within a tokio runtime.
    pub(crate) fn open(
        hub: &Arc<Hub>,
        settings: &Settings,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, RouterError> {
        // Unlike that of any other router of this process.
        let endpoint = format!("inproc://zsvc-router-{:016x}", zsvc::forward::random());
        let reporter = Reporter::new();
        let server = Server::builder()
            .engine(Engine::Zmtp)
            .service(AdminServer::new(Board(Arc::clone(hub))))
            .health_reporter(&reporter)
            .bind(&endpoint)
            .listen()
            .map_err(RouterError::Serve)?;
        let failed = |reason| RouterError::Worker { name: OWN_NAME.to_owned(), reason };
        let link = WorkerLink::connect(&endpoint, settings, None).map_err(failed)?;
        let worker = NewWorker {
            name: OWN_NAME.to_owned(),
            services: SERVICES.map(str::to_owned).to_vec(),
            capacity: CAPACITY,
            standby: 0,
            realm: String::new(),
        };
        let (hub, observer) = (Arc::clone(hub), Observer::default());
        let task = WorkerTask::new(link, worker, hub, observer);
        tasks.spawn(task.ok_or(RouterError::TooMany)?);
        let (stop, stopped) = oneshot::channel();
        tasks.spawn(async move {
            // It has no socket that could fail; and what comes after it is the end of the router.
            let _ = server.serve_until(stopped).await;
        });
        Ok(Self { reporter, stop })
    }

    /// Says that the router is about to stop, and ends the calls that tell of it.
    pub(crate) fn close(self) {
        self.reporter.set_server(health::Status::NotServing);
        drop(self.stop);
    }
}

/// The service.
struct Board(Arc<Hub>);

impl Board {
    /// Has workers of a name get no new calls, or get them again.
    fn set_draining(&self, name: String, is_draining: bool) -> Result<(), Error<AdminError>> {
        let found = self.0.with(|forwarder, now| {
            let keys = if name == OWN_NAME { Vec::new() } else { forwarder.workers_called(&name) };
            for key in &keys {
                forwarder.drain_worker(*key, is_draining, now);
            }
            !keys.is_empty()
        });
        if found { Ok(()) } else { Err(AdminError::NoSuchWorker { name }.into()) }
    }

    fn event_route(&self, view: &EventView) -> EventRoute {
        let publishers = || {
            self.0.with(|forwarder, _| forwarder.publisher_names(&view.realm, &view.event, MAX_PUBLISHERS))
        };
        EventRoute {
            relayed: view.is_relayed,
            published: view.is_published,
            publishers: if view.is_relayed { publishers() } else { Vec::new() },
            subscribers: view.subscribers as u64,
            kept: view.kept as u64,
            kept_bytes: view.kept_bytes as u64,
            sent: view.sent,
            dropped: view.dropped,
            disconnected: view.disconnected,
        }
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl From<forwarder::WorkerView> for Worker {
    fn from(view: forwarder::WorkerView) -> Self {
        let state = match view.state {
            _ if view.is_silent => WorkerState::Silent,
            forwarder::WorkerState::Down => WorkerState::Down,
            forwarder::WorkerState::Up => WorkerState::Up,
            forwarder::WorkerState::GoingAway => WorkerState::GoingAway,
        };
        Self {
            name: view.name,
            realm: view.realm,
            state,
            draining: view.is_draining,
            ejected: view.is_ejected,
            in_flight: view.in_flight,
            capacity: view.capacity,
            services: view.services,
        }
    }
}

impl From<forwarder::RouteView> for Route {
    fn from(view: forwarder::RouteView) -> Self {
        let (workers, live, waiting) = (number(view.workers), number(view.live), number(view.waiting));
        Self { service: view.service, realm: view.realm, workers, live, waiting, event: None }
    }
}

impl Admin for Board {
    async fn read(&self, _: &Context) -> Result<Snapshot, zsvc::Status> {
        let events = self.0.board().counted();
        Ok(self.0.with(|forwarder, now| {
            let live = forwarder.workers(now).filter(|worker| worker.state == forwarder::WorkerState::Up);
            let counted = forwarder.counters().by_name().into_iter().chain(events);
            Snapshot {
                clients: forwarder.callers() as u64,
                workers: live.filter(|worker| worker.name != OWN_NAME).count() as u64,
                calls: forwarder.calls() as u64,
                waiting: forwarder.queued() as u64,
                counted: counted.map(|(name, count)| (name.to_owned(), count)).collect(),
            }
        }))
    }

    async fn workers(&self, _: &Context) -> Result<Vec<Worker>, zsvc::Status> {
        let mut workers: Vec<_> = self.0.with(|forwarder, now| forwarder.workers(now).collect());
        workers.retain(|worker| worker.name != OWN_NAME);
        workers.sort_by(|one, other| (&one.name, &one.realm).cmp(&(&other.name, &other.realm)));
        Ok(workers.into_iter().map(Worker::from).collect())
    }

    async fn routes(&self, _: &Context) -> Result<Vec<Route>, zsvc::Status> {
        let views: Vec<_> = self.0.with(|forwarder, _| forwarder.routes().collect());
        let views = views.into_iter().filter(|view| !SERVICES.contains(&view.service.as_str()));
        let mut routes: BTreeMap<_, _> =
            views.map(|view| ((view.service.clone(), view.realm.clone()), Route::from(view))).collect();
        for event in self.0.board().views() {
            let key = (event.event.clone(), event.realm.clone());
            let event = Some(self.event_route(&event));
            match routes.entry(key) {
                Entry::Occupied(mut route) => route.get_mut().event = event,
                // Clients alone publish it.
                Entry::Vacant(vacant) => {
                    let (service, realm) = vacant.key().clone();
                    vacant.insert(Route { service, realm, workers: 0, live: 0, waiting: 0, event });
                }
            }
        }
        Ok(routes.into_values().collect())
    }

    async fn mistakes(&self, _: &Context) -> Result<Vec<Mistake>, zsvc::Status> {
        let findings = self.0.findings();
        let mistakes = findings.mistakes().1.into_iter();
        let told = mistakes.map(|mistake| Mistake {
            place: findings.place_of(&mistake),
            message: mistake.message().to_owned(),
            help: mistake.help().to_owned(),
        });
        Ok(told.collect())
    }

    async fn clients(&self, _: &Context, limit: u32) -> Result<Vec<Client>, zsvc::Status> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let callers = self.0.with(|forwarder, _| forwarder.busiest_callers(limit));
        Ok(callers
            .into_iter()
            .map(|view| Client {
                name: view.name,
                address: view.address.map(|address| address.to_string()),
                realm: view.realm,
                calls: number(view.calls),
                waiting: number(view.waiting),
                unread: view.unread as u64,
            })
            .collect())
    }

    async fn drain(&self, _: &Context, worker: String) -> Result<(), Error<AdminError>> {
        self.set_draining(worker, true)
    }

    async fn resume(&self, _: &Context, worker: String) -> Result<(), Error<AdminError>> {
        self.set_draining(worker, false)
    }
}
