//! A client and a server in one process, without a socket between them. Everything else is as ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, Link, Rest};
use super::counters::ChannelCounters;
use super::limits::Limits;
use super::state::Wakers;
use crate::server::{self, Core, Service, Shared};
use crate::status::Status;

/// Carries messages between one connection and a server's core.
struct Local {
    connection: Arc<Connection>,
    core: Core,
    wakers: Wakers,
    tick: Pin<Box<Sleep>>,
}

/// Rounds before other tasks of the thread get their turn.
const ROUNDS: usize = 16;

/// The route of the only client.
const ROUTE: &[u8] = b"local";

/// A connection to a service in this process. Must be called within a tokio runtime.
pub(super) fn connect(
    service: Arc<dyn Service>,
    limits: Limits,
    counters: Arc<ChannelCounters>,
) -> Arc<Connection> {
    let connection = Connection::new("local".to_owned(), limits, counters, Link::Local);
    let core = Core::new(vec![service], Shared::new(server::Limits::default()));
    match core {
        Ok(core) => {
            let tick = Box::pin(sleep_until(Instant::now()));
            tokio::spawn(Local { connection: Arc::clone(&connection), core, wakers: Wakers::new(), tick });
        }
        // One service can't have two methods of one name, unless its generated code was edited.
        Err(duplicate) => {
            let why = Status::internal(format!("the service has two methods `{}`", duplicate.0));
            connection.close(&why, &mut Wakers::new());
        }
    }
    connection
}

impl Local {
    /// Carries everything that there is, both ways; whether there was anything.
    fn carry(&mut self) -> bool {
        let mut any = false;
        while let Some(message) = self.connection.take_message(&mut self.wakers) {
            self.core.receive(ROUTE, &Bytes::from(message));
            any = true;
        }
        for message in self.core.take_messages() {
            self.connection.receive(&Bytes::from(message), &mut self.wakers);
            any = true;
        }
        any
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.connection.expire(Instant::now(), &mut self.wakers) else {
            return Poll::Pending;
        };
        if self.tick.deadline() != next {
            self.tick.as_mut().reset(next);
        }
        self.tick.as_mut().poll(context)
    }
}

impl Future for Local {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..ROUNDS {
            this.connection.bell.answer();
            this.core.shared.bell.answer();
            let any = this.carry();
            this.wake();
            if any {
                continue;
            }
            if this.connection.rest(false) == Rest::Done {
                return Poll::Ready(());
            }
            let ticked = this.poll_tick(context).is_ready();
            this.wake();
            // Both are asked: each is to wake this task.
            let quiet = this.connection.bell.sleep(context.waker());
            if this.core.shared.bell.sleep(context.waker()) && quiet && !ticked {
                return Poll::Pending;
            }
        }
        // Or a stream at full speed would keep the calls beside it from ever running out of time.
        let _ = this.poll_tick(context);
        this.wake();
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.connection.close_now();
        self.wake();
    }
}
