//! What the events of a connection's session lead to: its channel, its counters and the metrics are told, with the lock released.

use std::sync::{MutexGuard, Weak};
use std::task::Waker;

use super::connection::{Connection, State};
use crate::session::client::{Event, Phase};
use crate::telemetry::{self, End};

/// Hears of a connection's events. Called while no lock is held; must not wake tasks, but collect them.
pub(super) trait Watcher: std::fmt::Debug + Send + Sync {
    /// Says that the connection is up. Collects the tasks that may go on because of it.
    fn connected(&self, connection: &Connection, wakers: &mut Vec<Waker>);
    /// Says that something is different that a channel shows of its connections.
    fn changed(&self);
}

impl State {
    /// Does what an event means to the state itself.
    fn note(&mut self, event: Event) {
        match event {
            Event::Connected { .. } => {
                self.is_counted |= !matches!(self.session.phase(), Phase::Retiring | Phase::Closed);
            }
            Event::Disconnected => self.is_counted = false,
            Event::Renew => self.must_renew = true,
            Event::Changed | Event::Dropped { .. } => {}
        }
    }
}

impl Connection {
    /// Sets what is told of the connection's events. Only the first time counts.
    pub(super) fn set_watcher(&self, watcher: Weak<dyn Watcher>) {
        let _ = self.watcher.set(watcher);
    }

    /// Reads the events of the session, lets go of the lock, and tells the channel and the metrics.
    #[cold]
    pub(super) fn report_events(
        &self,
        mut state: MutexGuard<'_, State>,
        first: Event,
        wakers: &mut Vec<Waker>,
    ) {
        let mut events = vec![first];
        events.extend(std::iter::from_fn(|| state.session.poll_event()));
        let was_counted = state.is_counted;
        for event in &events {
            state.note(*event);
        }
        let is_counted = state.is_counted;
        // A connection that is closed on purpose is not lost.
        let may_come_back = !matches!(state.session.phase(), Phase::Retiring | Phase::Closed);
        drop(state);
        if may_come_back {
            for event in &events {
                self.log(*event);
            }
        }
        count_up(was_counted, is_counted);
        for event in events {
            self.report_event(event, wakers);
        }
    }

    fn log(&self, event: Event) {
        match event {
            Event::Connected { again: true } => telemetry::connection_back(self.endpoint()),
            Event::Disconnected => telemetry::connection_lost(self.endpoint()),
            _ => {}
        }
    }

    fn report_event(&self, event: Event, wakers: &mut Vec<Waker>) {
        let watcher = || self.watcher.get().and_then(Weak::upgrade);
        match event {
            Event::Dropped { reason, count } => self.counters.drops(reason, count),
            Event::Renew => self.notify.notify(),
            Event::Connected { again } => {
                if again {
                    self.counters.reconnected();
                }
                if let Some(watcher) = watcher() {
                    watcher.connected(self, wakers);
                    watcher.changed();
                }
            }
            Event::Disconnected | Event::Changed => {
                if let Some(watcher) = watcher() {
                    watcher.changed();
                }
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let was_counted = self.lock().is_counted;
        count_up(was_counted, false);
    }
}

/// Tells the metrics that a connection came up, or went down. Runs the code of the program's recorder.
pub(super) fn count_up(was_up: bool, is_up: bool) {
    match (was_up, is_up) {
        (false, true) => telemetry::connected(End::Client),
        (true, false) => telemetry::disconnected(End::Client),
        (false, false) | (true, true) => {}
    }
}
