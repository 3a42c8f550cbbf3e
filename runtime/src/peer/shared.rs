//! [`Shared`]: what a server's driver shares with the handlers that run elsewhere.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use super::config::Config;
use super::counters::Counters;
use crate::flush::{DriverNotify, FlushPolicy};
use crate::session::server;

/// What a server's driver and its handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) notify: Arc<DriverNotify>,
    pub(crate) counters: Arc<Counters>,
    /// What the sessions of all clients share.
    pub(crate) sessions: Arc<server::Shared>,
    /// Time that calls in flight have once the server drains; set when that begins.
    grace: OnceLock<Duration>,
    /// Whether the server drains, for handlers to wait for.
    drains: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            notify: Arc::new(DriverNotify::new()),
            counters: Arc::default(),
            sessions: server::Shared::new(config.session.clone()),
            grace: OnceLock::new(),
            drains: watch::Sender::new(false),
            config,
        })
    }

    /// Tells the driver that a peer has something to send.
    #[inline]
    pub(super) fn notify_of_records(&self) {
        self.notify.flush(FlushPolicy::of_server(self.sessions.calls()));
    }

    /// Tells the driver if the last call has ended that it waits for.
    #[inline]
    pub(super) fn notify_if_drained(&self) {
        if self.sessions.is_drained() {
            self.notify.notify();
        }
    }

    /// Reports whether the driver was notified, most often since there is something to send, and no call is in flight that could add
    /// to it.
    #[inline]
    pub(crate) fn is_notified_and_idle(&self) -> bool {
        self.sessions.calls() == 0 && self.notify.is_notified()
    }

    /// Has new calls turned away from now on, and the server end once those in flight have ended.
    /// Calls in flight have `grace`; only the first call sets it.
    pub(crate) fn drain(&self, grace: Duration) {
        let _ = self.grace.set(grace);
        self.sessions.drain();
        self.drains.send_replace(true);
        self.notify.notify();
    }

    /// Returns the time that calls in flight have once the server drains.
    pub(crate) fn grace(&self) -> Duration {
        self.grace.get().copied().unwrap_or_default()
    }

    /// Returns a receiver that becomes `true` when the server begins to drain.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.drains.subscribe()
    }
}
