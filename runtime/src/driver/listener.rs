//! [`ListenerDriver`]: the main task of a server whose connections have drivers of their own. It accepts them, runs calls that
//! have waited for their turn, and sees to what concerns all clients.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{ConnectionDriver, note_refusal};
use super::core::{Core, CoreSeed};
use super::server::FLUSH_TIME;
use crate::dispatch::Directory;
use crate::flush::DriverNotify;
use crate::fork::{Owned, Process};
use crate::session::server::{Drain, DrainStep};
use crate::transport::{Accepted, Listener, TransportError};

/// Owns the endpoints of a server, and the tasks of its connections, which end with it.
pub(crate) struct ListenerDriver<L> {
    /// `None` once no connection is accepted any more.
    listener: Option<Owned<L>>,
    core: Core,
    /// What the connections' drivers make theirs from.
    seed: Arc<CoreSeed>,
    directory: Arc<Directory>,
    connections: JoinSet<Result<(), TransportError>>,
    /// What notifies the drivers of the connections.
    notifies: HashMap<Id, Arc<DriverNotify>>,
    drain: Drain,
    tick: Pin<Box<Sleep>>,
    process: Process,
}

/// Maximum number of connections that are accepted, and of tasks whose end is looked at, before other work is done.
const CONNECTIONS_PER_TURN: usize = 64;
/// Maximum number of rounds before other tasks of the thread run.
const ROUNDS_PER_POLL: usize = 16;

impl<L: Listener> ListenerDriver<L> {
    /// Creates the driver. Must be called within a tokio runtime.
    pub(crate) fn new(listener: L, core: Core) -> Self {
        let directory = Directory::new();
        Self {
            listener: Some(Owned::new(listener)),
            process: Process::current(),
            seed: core.for_connections(Arc::clone(&directory)),
            core,
            directory,
            connections: JoinSet::new(),
            notifies: HashMap::new(),
            drain: Drain::new(FLUSH_TIME),
            tick: Box::pin(sleep_until(Instant::now())),
        }
    }

    /// Accepts connections. Returns whether there may be more.
    fn accept(&mut self, context: &mut Context<'_>) -> Result<bool, TransportError> {
        let Some(listener) = &mut self.listener else { return Ok(false) };
        for _ in 0..CONNECTIONS_PER_TURN {
            match listener.poll_accept(context)? {
                Poll::Pending => return Ok(false),
                Poll::Ready(Accepted::Refused(refusal)) => note_refusal(&self.core.shared, &refusal),
                Poll::Ready(Accepted::Connection(connection)) => {
                    let notify = Arc::new(DriverNotify::new());
                    let driver =
                        ConnectionDriver::new(connection, Arc::clone(&self.seed), Arc::clone(&notify));
                    let task = self.connections.spawn(driver);
                    self.notifies.insert(task.id(), notify);
                }
            }
        }
        Ok(true)
    }

    /// Forgets connections that have ended. Returns whether there may be more.
    fn reap(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..CONNECTIONS_PER_TURN {
            let id = match self.connections.poll_join_next_with_id(context) {
                Poll::Ready(Some(Ok((id, _)))) => id,
                // It has panicked, as a user's `Drop` or waker may. Its clients are told by the end of their connection.
                Poll::Ready(Some(Err(error))) => error.id(),
                Poll::Ready(None) | Poll::Pending => return false,
            };
            self.notifies.remove(&id);
        }
        true
    }

    fn notify_all(&self) {
        self.notifies.values().for_each(|notify| notify.notify());
    }

    /// Takes the next step of draining, if the server drains. Each connection takes the same steps by itself.
    fn advance_drain(&mut self) -> DrainStep {
        let (sessions, now) = (&self.core.shared.sessions, Instant::now().into_std());
        if let Some((began, grace)) = self.core.shared.drain_began()
            && self.drain.begin(began, grace)
        {
            self.notify_all();
        }
        let is_idle = sessions.calls() == 0;
        let step = self.drain.handle_timeout(now, is_idle, || self.connections.is_empty());
        if step == DrainStep::Flush {
            // Clients that connect now would be sent away at once, and come back.
            self.listener = None;
            self.core.end_calls();
            self.notify_all();
        }
        step
    }

    fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.drain.poll_timeout().map(Instant::from_std) else { return Poll::Pending };
        if self.tick.deadline() != next {
            self.tick.as_mut().reset(next);
        }
        self.tick.as_mut().poll(context)
    }

    fn poll_driver(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let _entered = self.core.notify().enter();
        for _ in 0..ROUNDS_PER_POLL {
            self.core.notify().begin_turn();
            let may_have_more = self.core.run_queued() | self.accept(context)? | self.reap(context);
            self.directory.shed_load(&self.core.shared);
            match self.advance_drain() {
                DrainStep::Done => return Poll::Ready(Ok(())),
                DrainStep::Flush => continue,
                DrainStep::Wait => {}
            }
            if may_have_more || self.poll_tick(context).is_ready() {
                continue;
            }
            if self.core.notify().sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<L: Listener> Future for ListenerDriver<L> {
    type Output = Result<(), TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.process.is_this() {
            return Poll::Ready(Err(TransportError::Forked));
        }
        self.poll_driver(context)
    }
}
