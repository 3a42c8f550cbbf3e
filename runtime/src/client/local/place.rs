//! [`Place`]: where connections find a server in their process, and what is to go wrong on the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::client::connection::Connection;
use crate::flush::DriverNotify;
use crate::server::Core;

/// What is known to the server's task, to the channels, and to whoever gives orders.
pub(crate) struct Place {
    pub(super) notify: DriverNotify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: Rules,
    arrivals: Vec<Arc<Connection>>,
    orders: Vec<Order>,
    /// Nobody will come or give orders any more.
    closed: bool,
}

/// What happens to messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    pub(crate) to_server: Way,
    pub(crate) to_client: Way,
    /// Calls of idempotent methods arrive twice.
    pub(crate) repeats: bool,
}

/// What happens to messages in one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Way {
    /// How much later they arrive.
    pub(crate) delay: Duration,
    /// They never do.
    pub(crate) loses: bool,
}

/// What is to happen once.
pub(crate) enum Order {
    /// Every connection ends, and is made again.
    Cut,
    /// The server is gone, with all that it was doing.
    Crash,
    /// A server is there, in place of the one before.
    Start(Box<Core>),
    /// The server shuts down; calls in flight may go on for so long.
    Drain(Duration),
}

impl Place {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { notify: DriverNotify::new(), state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock but for lack of memory; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.notify.notify();
    }

    /// A connection is to be served.
    pub(super) fn arrive(&self, connection: Arc<Connection>) {
        self.change(|state| state.arrivals.push(connection));
    }

    pub(crate) fn order(&self, order: Order) {
        self.change(|state| state.orders.push(order));
    }

    pub(crate) fn set(&self, set: impl FnOnce(&mut Rules)) {
        self.change(|state| set(&mut state.rules));
    }

    /// Nobody will come or give orders any more: the server's task ends with its last connection.
    pub(crate) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) fn rules(&self) -> Rules {
        self.lock().rules
    }

    /// Whoever has come, and what was ordered, since it was last asked.
    pub(super) fn take(&self) -> (Vec<Arc<Connection>>, Vec<Order>) {
        let mut state = self.lock();
        (std::mem::take(&mut state.arrivals), std::mem::take(&mut state.orders))
    }
}
