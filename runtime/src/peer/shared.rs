//! [`Shared`]: what the drivers of a server share with each other, and with handlers on other threads.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::config::Config;
use super::connected::Connected;
use super::counters::Counters;
use crate::clock;
use crate::flush::DriverNotify;
use crate::measure::MethodMeasure;
use crate::session::server;

/// What the drivers of a server and its handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Notifies the main driver: the only one, or the one that accepts connections.
    pub(crate) notify: Arc<DriverNotify>,
    pub(crate) counters: Arc<Counters>,
    /// State that the sessions of all clients share.
    pub(crate) sessions: Arc<server::Shared>,
    /// Number of clients that are known, by all drivers, without the first of each connection with a driver of its own.
    pub(super) clients: AtomicUsize,
    /// The clients that are known, for the server's program.
    pub(crate) connected: Connected,
    /// When the server began to drain, and the time that calls in flight have from then on.
    drain: OnceLock<(Instant, Duration)>,
    /// Whether the server drains. Handlers wait for changes.
    drains: watch::Sender<bool>,
    /// When the server was created.
    began: Instant,
    /// What is known of the calls of each method, by its index; unset if the server does not measure.
    measures: OnceLock<Box<[MethodMeasure]>>,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            notify: Arc::new(DriverNotify::new()),
            counters: Arc::default(),
            sessions: server::Shared::new(config.session.clone()),
            clients: AtomicUsize::new(0),
            connected: Connected::default(),
            drain: OnceLock::new(),
            drains: watch::Sender::new(false),
            began: clock::now(),
            measures: OnceLock::new(),
            config,
        })
    }

    /// Measures the calls of methods from now on, which have these names, in the order of their indices. Called once, before any call.
    pub(crate) fn measure(&self, methods: impl Iterator<Item = &'static str>) {
        let _ = self.measures.set(methods.map(MethodMeasure::new).collect());
    }

    /// Returns what is known of the calls of each method, by its index; nothing if the server does not measure.
    #[inline]
    pub(crate) fn measures(&self) -> &[MethodMeasure] {
        self.measures.get().map_or(&[], |measures| measures)
    }

    /// Returns the number of clients that have said something and may still be there.
    pub(crate) fn connections(&self) -> usize {
        self.connected.len()
    }

    /// Returns the time since the server was created.
    pub(crate) fn uptime(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }

    /// Notifies the main driver if the server drains and the last call has ended.
    #[inline]
    pub(super) fn notify_if_drained(&self) {
        if self.sessions.is_drained() {
            self.notify.notify();
        }
    }

    /// Begins to drain: new calls are turned away, and the server ends once those in flight have ended. They have the time
    /// `grace`, which only the first call of this function sets.
    pub(crate) fn drain(&self, grace: Duration) {
        let _ = self.drain.set((clock::now(), grace));
        self.sessions.drain();
        self.drains.send_replace(true);
        self.notify.notify();
    }

    /// Returns when the server began to drain, and the time that calls in flight have from then on, if it drains. All drivers count
    /// from the same time, however late they notice.
    pub(crate) fn drain_began(&self) -> Option<(Instant, Duration)> {
        self.drain.get().copied().filter(|_| self.sessions.is_draining())
    }

    /// Returns a receiver that becomes `true` when the server begins to drain.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.drains.subscribe()
    }
}
