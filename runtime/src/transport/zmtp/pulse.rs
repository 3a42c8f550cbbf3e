//! Signs of life for connections whose task is kept from running.
//!
//! A peer takes a connection for dead whose heartbeats are not answered for long. They are answered by the task of the
//! connection. That task can't run while handlers hold up the threads of its runtime, although nothing is wrong with the
//! connection. So a thread of its own finds out that threads are held up, and tells the peers of the connections concerned
//! that this side lives: by a `PONG` that was not asked for. RFC 37 has any traffic count as a sign of life.
//!
//! The thread is there for as long as there are connections. It looks at each runtime, and at the threads that run handlers,
//! four times a second; at the connections only while something is held up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;

use super::outlet::Outlet;
use crate::fork::PerProcess;
use crate::holdup;
use crate::sweep::SweepPace;

/// Time between two looks. A runtime or a handler that has not gone on for as long is held up.
const INTERVAL: Duration = Duration::from_millis(250);

/// Maximum number of peers of a runtime that are told at a time: each costs a system call.
const MAX_TOLD: usize = 32_768;

/// Number of looks after which connections that have ended are looked for in any case: the thread ends with the last of them.
const LOOKS_PER_SWEEP: u32 = 64;

/// All connections that are to be kept alive.
#[derive(Debug)]
struct Pulse {
    runtimes: Vec<Runtime>,
    is_thread_running: bool,
}

/// The connections of one tokio runtime, and whether it runs tasks.
#[derive(Debug)]
struct Runtime {
    id: Id,
    probe: Arc<Probe>,
    /// Each with its number of turns at the last look.
    connections: Vec<(Weak<Outlet>, u32)>,
    /// When those that have ended are looked for.
    pace: SweepPace,
    /// Number of looks so far.
    looks: u32,
    /// The connection after the one whose peer was told last.
    next: usize,
}

/// Asks the task of a runtime to run.
#[derive(Debug, Default)]
struct Probe {
    asked: Notify,
    /// Whether the task has not run since it was asked.
    is_unanswered: AtomicBool,
}

fn pulse() -> MutexGuard<'static, Pulse> {
    // A child has neither the thread nor the runtimes.
    static PULSE: PerProcess<Mutex<Pulse>> = PerProcess::new();
    let pulse = PULSE.get(|| Mutex::new(Pulse { runtimes: Vec::new(), is_thread_running: false }));
    // Nothing panics while the lock is held but for lack of memory; the lists are whole in any case.
    pulse.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a connection, whose task is the one that calls. Must be called within a tokio runtime.
pub(super) fn add(outlet: &Arc<Outlet>) {
    let mut pulse = pulse();
    pulse.runtime(Handle::current().id()).add(outlet);
    if !pulse.is_thread_running {
        let thread = std::thread::Builder::new().name("zsvc-pulse".to_owned());
        // Without the thread, peers take connections for dead while handlers hold up all threads, and nothing else is lost.
        // The next connection tries again.
        pulse.is_thread_running = thread.spawn(run).is_ok();
    }
}

/// The thread.
fn run() {
    loop {
        std::thread::sleep(INTERVAL);
        let are_threads_held_up = holdup::look();
        // The lock is not held while the peers are told: connections are added under it.
        let (silent, is_over) = pulse().look(are_threads_held_up);
        for outlet in silent {
            outlet.send_sign_of_life();
        }
        if is_over {
            return;
        }
    }
}

impl Pulse {
    /// Looks at every runtime. Returns the connections whose peers are to be told that this side lives; and `true` if there are no
    /// connections left, so that the thread ends.
    fn look(&mut self, are_threads_held_up: bool) -> (Vec<Arc<Outlet>>, bool) {
        let mut silent = Vec::new();
        self.runtimes.retain_mut(|runtime| runtime.look(are_threads_held_up, &mut silent));
        let is_over = self.runtimes.is_empty();
        self.is_thread_running = !is_over;
        (silent, is_over)
    }

    /// Returns the state of the current runtime, whose id this is.
    fn runtime(&mut self, id: Id) -> &mut Runtime {
        let known = self.runtimes.iter().position(|runtime| runtime.id == id);
        let index = known.unwrap_or_else(|| {
            self.runtimes.push(Runtime::current(id));
            self.runtimes.len() - 1
        });
        &mut self.runtimes[index]
    }
}

impl Runtime {
    /// Creates the state of the current runtime, and the task that shows whether it runs tasks.
    fn current(id: Id) -> Self {
        let probe = Arc::<Probe>::default();
        tokio::spawn(answer(Arc::downgrade(&probe)));
        Self { id, probe, connections: Vec::new(), pace: SweepPace::new(), looks: 0, next: 0 }
    }

    fn add(&mut self, outlet: &Arc<Outlet>) {
        if self.pace.is_due(self.connections.len()) {
            self.sweep();
            self.pace.swept(self.connections.len());
        }
        self.connections.push((Arc::downgrade(outlet), outlet.turns()));
    }

    /// Forgets connections that have ended.
    fn sweep(&mut self) {
        self.connections.retain(|(outlet, _)| outlet.strong_count() > 0);
    }

    /// Looks whether the runtime has run its task, and asks it to do so again. If it is held up, or a thread is, adds the connections
    /// whose task has not run either to `silent`, in their turn. Returns `false` if there are no connections left.
    fn look(&mut self, are_threads_held_up: bool, silent: &mut Vec<Arc<Outlet>>) -> bool {
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(LOOKS_PER_SWEEP) {
            self.sweep();
        }
        let is_held_up = self.probe.is_unanswered.swap(true, Ordering::Relaxed);
        if is_held_up || are_threads_held_up {
            self.collect_silent(silent);
        }
        self.probe.asked.notify_one();
        !self.connections.is_empty()
    }

    /// Adds the connections whose task has not run since the last look: each second one, so that each is told every other look, and
    /// no more than [`MAX_TOLD`], beginning where the last look has ended.
    fn collect_silent(&mut self, silent: &mut Vec<Arc<Outlet>>) {
        let (number, most) = (self.connections.len(), silent.len() + MAX_TOLD);
        let first = self.next.min(number);
        let (before, after) = self.connections.split_at_mut(first);
        for (place, (outlet, seen)) in after.iter_mut().chain(before).enumerate() {
            let Some(outlet) = outlet.upgrade() else { continue };
            let turns = outlet.turns();
            let is_silent = std::mem::replace(seen, turns) == turns;
            let index = (first + place) % number;
            if is_silent && index % 2 == self.looks as usize % 2 && silent.len() < most {
                silent.push(outlet);
                self.next = index + 1;
            }
        }
    }
}

/// Shows that a runtime runs tasks, for as long as the runtime has connections.
async fn answer(asked: Weak<Probe>) {
    while let Some(probe) = asked.upgrade() {
        probe.asked.notified().await;
        probe.is_unanswered.store(false, Ordering::Relaxed);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Its task finds that it alone still holds the probe, and ends.
        self.probe.asked.notify_one();
    }
}
