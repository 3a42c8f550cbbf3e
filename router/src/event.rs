//! [`Event`]: what happens to workers, for a log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What has happened to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The worker can be reached, and gets calls.
    WorkerUp {
        /// Its name.
        name: String,
    },
    /// The connection to the worker is lost.
    WorkerDown {
        /// Its name.
        name: String,
    },
    /// The worker gives no sign of life, though its connection, or that of a device, is up. It gets no calls until it does.
    WorkerSilent {
        /// Its name.
        name: String,
    },
    /// No workers of these services are found, or they can't be asked for, for this reason, which is another one than before.
    NoneFound {
        /// The names of the services.
        services: String,
        /// Why.
        why: String,
    },
    /// Workers that were found can't be taken.
    FoundRefused {
        /// Why.
        why: String,
    },
    /// A worker process was started.
    ProcessStarted {
        /// Its name.
        name: String,
        /// The number that the system knows it by.
        id: u32,
    },
    /// A worker process has ended, or could not be started.
    ProcessEnded {
        /// Its name.
        name: String,
        /// What the system says.
        why: String,
        /// Time until it is started again; `None` if it was to stop.
        pause: Option<Duration>,
    },
    /// A worker process has written a line.
    ProcessSays {
        /// Its name.
        name: String,
        /// The line, up to 4,096 bytes of it.
        line: String,
    },
    /// A worker has asked to be registered, and is refused.
    RegistrationRefused {
        /// Where it comes from.
        address: String,
        /// Why, as the worker is told.
        why: String,
        /// Number of refusals before this one that were not told: ten in ten seconds are.
        suppressed: u64,
    },
    /// The router has ended the registration of a worker, which may not serve any more what it does.
    RegistrationEnded {
        /// Its name.
        name: String,
        /// Why, as the worker is told.
        why: String,
    },
    /// A worker sends no events, for this reason, which is another one than before. They come once it does.
    RelayRefused {
        /// The name of the event.
        name: String,
        /// Why, as the worker says.
        why: String,
    },
    /// The configuration names what no worker of the service has that has told what it has.
    NameUnknown {
        /// Where in which file: `router.toml:4:9`.
        place: String,
        /// What a worker does not have, and what to do.
        why: String,
    },
    /// The worker can't be reached, for this reason, which is another one than before.
    WorkerUnreachable {
        /// Its name.
        name: String,
        /// What the system or the handshake says.
        why: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkerUp { name } => write!(f, "the worker `{name}` is up"),
            Self::WorkerDown { name } => write!(f, "the connection to the worker `{name}` is lost"),
            Self::WorkerSilent { name } => write!(f, "the worker `{name}` gives no sign of life"),
            Self::NoneFound { services, why } => write!(f, "no workers of {services} are found: {why}"),
            Self::FoundRefused { why } => write!(f, "workers that were found are not taken: {why}"),
            Self::ProcessStarted { name, id } => write!(f, "started `{name}` as process {id}"),
            Self::ProcessEnded { name, why, pause: Some(pause) } => {
                write!(f, "`{name}` {why}; it is started again in {pause:?}")
            }
            Self::ProcessEnded { name, why, pause: None } => write!(f, "`{name}` {why}"),
            Self::ProcessSays { name, line } => write!(f, "{name}: {line}"),
            Self::RegistrationRefused { address, why, suppressed: 0 } => {
                write!(f, "a worker from {address} is refused: {why}")
            }
            Self::RegistrationRefused { address, why, suppressed } => {
                write!(
                    f,
                    "a worker from {address} is refused: {why}; {suppressed} others before it were, too"
                )
            }
            Self::RegistrationEnded { name, why } => {
                write!(f, "the registration of the worker `{name}` is ended: {why}")
            }
            Self::RelayRefused { name, why } => write!(f, "a worker does not send the event `{name}`: {why}"),
            Self::NameUnknown { place, why } => write!(f, "{place}: {why}"),
            Self::WorkerUnreachable { name, why } => write!(f, "the worker `{name}` can't be reached: {why}"),
        }
    }
}

type Observe = dyn Fn(&Event) + Send + Sync;

/// What is told of events.
#[derive(Clone)]
pub(crate) struct Observer {
    observe: Option<Arc<Observe>>,
    /// Which workers were tried to be reached, for those who wait for one.
    tried: broadcast::Sender<Tried>,
}

/// A try to reach a worker.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    /// The name of the worker.
    pub(crate) name: String,
    /// Whether it is up now.
    pub(crate) is_up: bool,
}

/// Number of tries that wait to be looked at. Past that, the oldest are forgotten.
const MAX_TRIES: usize = 1_024;

impl Observer {
    pub(crate) fn new(observer: Arc<Observe>) -> Self {
        Self { observe: Some(observer), ..Self::default() }
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        let has_waiting = self.tried.receiver_count() > 0;
        if self.observe.is_none() && !has_waiting {
            return;
        }
        let event = event();
        if let Some(observer) = &self.observe {
            observer(&event);
        }
        let tried = match event {
            Event::WorkerUp { name } => Tried { name, is_up: true },
            Event::WorkerUnreachable { name, .. } => Tried { name, is_up: false },
            _ => return,
        };
        let _ = self.tried.send(tried);
    }

    /// Returns what tells of workers that are tried to be reached from now on.
    pub(crate) fn tries(&self) -> Tries {
        Tries(self.tried.subscribe())
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self { observe: None, tried: broadcast::channel(MAX_TRIES).0 }
    }
}

/// Tells of workers that are tried to be reached.
#[derive(Debug)]
pub(crate) struct Tries(broadcast::Receiver<Tried>);

impl Tries {
    /// Waits for the next try; `None` if some went unseen, where there are very many at once.
    pub(crate) async fn next(&mut self) -> Option<Tried> {
        match self.0.recv().await {
            Ok(tried) => Some(tried),
            Err(RecvError::Lagged(_)) => None,
            // It never is: who asks workers has an observer, too.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Waits until the worker of this name is up, or the router is gone. It may go unseen where very many are up at once.
    pub(crate) async fn wait_for(&mut self, name: &str) {
        loop {
            match self.0.recv().await {
                Ok(tried) if tried.is_up && tried.name == name => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                // The router is gone.
                Err(RecvError::Closed) => return,
            }
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.observe.is_some()).finish()
    }
}
