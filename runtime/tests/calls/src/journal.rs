//! [`Journal`]: records what happened to handlers, for tests to wait for, and holds the gates at which tests make
//! handlers wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

/// Lines written by handlers, and gates opened by tests. Clones share the same journal.
#[derive(Debug, Clone)]
pub struct Journal {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    open: BTreeSet<String>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }
}

impl Journal {
    /// Adds a line.
    pub fn write(&self, line: impl Into<String>) {
        self.state.send_modify(|state| state.lines.push(line.into()));
    }

    /// Returns all lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.state.borrow().lines.clone()
    }

    /// Returns how often a line occurs.
    #[must_use]
    pub fn count(&self, line: &str) -> usize {
        self.state.borrow().lines.iter().filter(|known| *known == line).count()
    }

    /// Waits until a line occurs.
    pub async fn has(&self, line: &str) {
        self.has_times(line, 1).await;
    }

    /// Waits until a line occurs the given number of times.
    pub async fn has_times(&self, line: &str, times: usize) {
        self.until(|state| state.lines.iter().filter(|known| *known == line).count() >= times).await;
    }

    /// Opens a gate: handlers that wait at it continue, and later ones do not wait.
    pub fn open(&self, gate: impl Into<String>) {
        self.state.send_modify(|state| {
            state.open.insert(gate.into());
        });
    }

    /// Reports whether a gate is open.
    #[must_use]
    pub fn is_open(&self, gate: &str) -> bool {
        self.state.borrow().open.contains(gate)
    }

    /// Waits until a gate is open.
    pub async fn gate(&self, name: &str) {
        self.until(|state| state.open.contains(name)).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        let mut changes = self.state.subscribe();
        // `self` holds the sender, so waiting can't fail.
        let _ = changes.wait_for(|state| condition(state)).await;
    }

    /// Writes `NAME began` now, and later `NAME done`, or `NAME dropped` if the handler was dropped before its end.
    #[must_use]
    pub fn begin(&self, name: impl Into<String>) -> Entry {
        let entry = Entry { journal: self.clone(), name: name.into(), done: false };
        self.write(format!("{} began", entry.name));
        entry
    }
}

/// A handler that has begun. See [`Journal::begin`].
#[derive(Debug)]
pub struct Entry {
    journal: Journal,
    name: String,
    done: bool,
}

impl Entry {
    /// Records that the handler reached its end.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.journal.write(format!("{} {}", self.name, if self.done { "done" } else { "dropped" }));
    }
}
