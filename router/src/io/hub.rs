//! [`Hub`]: the lock around a forwarder, and who is told once it is released.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::wake::Wake;
use crate::board::Board;
use crate::forwarder::{self, CallerKey, Limits, WorkerKey};
use crate::names::Findings;

/// The key of a caller of a hub.
pub(crate) type Caller = CallerKey<Arc<Wake>>;
/// The key of a worker of a hub.
pub(crate) type Worker = WorkerKey<Arc<Wake>>;
pub(crate) type Forwarder = forwarder::Forwarder<Arc<Wake>>;

/// Calls that wait are looked through this often: their deadlines may come in any order.
const CLOCK_PAUSE: Duration = Duration::from_millis(20);

/// Maximum number of callers behind devices, as of clients at a server. Each connection has one besides.
const MAX_BEHIND_DEVICES: usize = 131_072;

/// Returns the time by the clock of the runtime.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A forwarder that tasks share.
#[derive(Debug)]
pub(crate) struct Hub {
    forwarder: Mutex<Forwarder>,
    /// Told when the first call waits.
    clock: Notify,
    /// Whether the clock looks after calls that wait.
    is_clock_running: AtomicBool,
    /// Number of callers besides the first of each connection.
    behind_devices: AtomicUsize,
    /// The events that the router has itself.
    board: Board,
    /// What is known of the names of the configuration.
    findings: Findings,
}

impl Hub {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        let (instance, seed) = (zsvc::forward::random() >> 32, zsvc::forward::random());
        Arc::new(Self {
            forwarder: Mutex::new(Forwarder::new(limits, instance, seed)),
            clock: Notify::new(),
            is_clock_running: AtomicBool::new(false),
            behind_devices: AtomicUsize::new(0),
            board: Board::default(),
            findings: Findings::default(),
        })
    }

    /// Does something with the forwarder, and tells the tasks that have something to send after that.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Forwarder, Instant) -> R) -> R {
        let mut ready = Vec::new();
        let now = now();
        let (result, is_clock_due) = {
            // Nothing in the forwarder panics; and what a panic left would still be whole records.
            let mut forwarder = self.forwarder.lock().unwrap_or_else(PoisonError::into_inner);
            let result = work(&mut forwarder, now);
            forwarder.take_ready(&mut ready);
            let has_waiting = forwarder.poll_timeout().is_some();
            (result, has_waiting && !self.is_clock_running.swap(true, Ordering::AcqRel))
        };
        for wake in ready {
            wake.tell();
        }
        if is_clock_due {
            self.clock.notify_one();
        }
        result
    }

    /// Returns the events that the router has itself.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Returns what is known of the names of the configuration.
    pub(crate) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Counts a caller behind a device. Returns `false` if there are as many as may be.
    pub(crate) fn enter(&self) -> bool {
        let entered = self.behind_devices.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |number| {
            (number < MAX_BEHIND_DEVICES).then_some(number + 1)
        });
        entered.is_ok()
    }

    /// Counts callers behind devices that are forgotten.
    pub(crate) fn leave(&self, callers: usize) {
        self.behind_devices.fetch_sub(callers, Ordering::Relaxed);
    }

    /// Looks after calls that wait, for as long as the future is polled.
    pub(crate) async fn run_clock(&self) {
        loop {
            self.clock.notified().await;
            while self.look_after_waiting() {
                tokio::time::sleep(CLOCK_PAUSE).await;
            }
        }
    }

    /// Ends calls that have waited for too long. Returns whether others wait.
    fn look_after_waiting(&self) -> bool {
        self.with(|forwarder, now| {
            forwarder.handle_timeout(now);
            let has_waiting = forwarder.poll_timeout().is_some();
            // Under the lock, so that no call begins to wait in between.
            self.is_clock_running.store(has_waiting, Ordering::Release);
            has_waiting
        })
    }
}
