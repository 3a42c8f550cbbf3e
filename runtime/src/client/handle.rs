//! What is held of a connection by whoever outlives, or does without, a [`super::launch`]: a place in the line, and a call in
//! flight. Either is given back when dropped.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::connection::{Connection, Wait};
use super::state::State;
use crate::codec::Body;
use crate::status::{Failure, Status};

/// A place in the line of those who wait for room. Dropped, it is free for the next.
#[derive(Debug)]
pub(super) struct Ticket {
    connection: Arc<Connection>,
    number: Option<u64>,
}

impl Ticket {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, number: None }
    }

    /// See [`Connection::poll_send`].
    pub(super) fn poll_send<R>(
        &mut self,
        context: &mut Context<'_>,
        wait: Wait,
        now: Instant,
        write: impl FnOnce(&mut State) -> R,
    ) -> Poll<Result<R, Status>> {
        self.connection.poll_send(context, &mut self.number, wait, now, write)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connection.leave(self.number);
    }
}

/// Why a call is cancelled that nobody waits for any more.
pub(super) const GIVEN_UP: &str = "the call was given up";

/// A call in flight. Dropped before it has ended, it is cancelled.
#[derive(Debug)]
pub(super) struct CallHandle {
    /// By which it was sent.
    connection: Arc<Connection>,
    id: u32,
    ended: bool,
}

impl CallHandle {
    #[inline]
    pub(super) fn new(connection: &Arc<Connection>, id: u32) -> Self {
        Self { connection: Arc::clone(connection), id, ended: false }
    }

    #[inline]
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(super) fn id(&self) -> u64 {
        u64::from(self.id)
    }

    /// How the call ended, once it has. Not to be asked again then.
    #[inline]
    pub(super) fn poll_reply(&mut self, context: &Context<'_>) -> Poll<Result<Body, Failure>> {
        let reply = self.connection.poll_reply(self.id, context);
        self.ended = reply.is_ready();
        reply
    }
}

impl Drop for CallHandle {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.abandon_call(self.id, GIVEN_UP);
        }
    }
}
