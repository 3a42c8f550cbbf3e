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
            Self::WorkerUnreachable { name, why } => write!(f, "the worker `{name}` can't be reached: {why}"),
        }
    }
}

type Observe = dyn Fn(&Event) + Send + Sync;

/// What is told of events.
#[derive(Clone)]
pub(crate) struct Observer {
    observe: Option<Arc<Observe>>,
    /// Names of workers that are up, for those who wait for one.
    up: broadcast::Sender<String>,
}

/// Number of names of workers that are up which wait to be looked at. Past that, the oldest are forgotten.
const MAX_UPS: usize = 256;

impl Observer {
    pub(crate) fn new(observer: Arc<Observe>) -> Self {
        Self { observe: Some(observer), ..Self::default() }
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        let has_waiting = self.up.receiver_count() > 0;
        if self.observe.is_none() && !has_waiting {
            return;
        }
        let event = event();
        if let Some(observer) = &self.observe {
            observer(&event);
        }
        if has_waiting && let Event::WorkerUp { name } = event {
            let _ = self.up.send(name);
        }
    }

    /// Returns what tells of workers that are up from now on.
    pub(crate) fn ups(&self) -> Ups {
        Ups(self.up.subscribe())
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self { observe: None, up: broadcast::channel(MAX_UPS).0 }
    }
}

/// Tells of workers that are up.
pub(crate) struct Ups(broadcast::Receiver<String>);

impl Ups {
    /// Waits until the worker of this name is up. It may go unseen where very many are up at once.
    pub(crate) async fn wait_for(&mut self, name: &str) {
        loop {
            match self.0.recv().await {
                Ok(up) if up == name => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
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
