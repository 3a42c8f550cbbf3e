//! [`CallHandle`]: a call in flight, held by its future or its stream; and [`ping`].

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::clock;
use crate::codec::Body;
use crate::connection::Connection;
use crate::session::Deadline;
use crate::session::client::{Ticket, Wait};
use crate::status::{CallError, Failure, Status};

/// Why a call is cancelled whose caller waits no longer.
pub(super) const GIVEN_UP: &str = "the call was given up";

/// A call in flight. Dropped before it has ended, it is cancelled.
#[derive(Debug)]
pub(super) struct CallHandle {
    /// The connection by which it was sent.
    connection: Arc<Connection>,
    id: u32,
    has_ended: bool,
}

impl CallHandle {
    #[inline]
    pub(super) fn new(connection: &Arc<Connection>, id: u32) -> Self {
        Self { connection: Arc::clone(connection), id, has_ended: false }
    }

    #[inline]
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(super) fn id(&self) -> u64 {
        u64::from(self.id)
    }

    /// Returns how the call ended, once it has. Must not be called again then.
    #[inline]
    pub(super) fn poll_reply(&mut self, context: &Context<'_>) -> Poll<Result<Body, Failure>> {
        let reply = self.connection.poll_reply(self.id, context);
        self.has_ended = reply.is_ready();
        reply
    }
}

impl Drop for CallHandle {
    fn drop(&mut self) {
        if !self.has_ended {
            self.connection.abandon_call(self.id, GIVEN_UP);
        }
    }
}

/// A place in a connection's queue of callers that wait for room. Dropped, it is free for the next.
struct Place {
    connection: Arc<Connection>,
    ticket: Option<Ticket>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.leave_queue(&mut self.ticket);
    }
}

/// Waits for the pong to a ping, which proves that the server has read all that was sent before.
///
/// # Errors
/// The answer was not received before the deadline, or the connection was lost.
pub(crate) async fn ping(connection: &Arc<Connection>, deadline: Option<Deadline>) -> Result<(), Status> {
    let id = match connection.ping_now(deadline) {
        Some(id) => id,
        None => ping_when_ready(connection, deadline).await?,
    };
    let mut handle = CallHandle::new(connection, id);
    match poll_fn(|context| handle.poll_reply(context)).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(Status::from_failure(failure)),
    }
}

async fn ping_when_ready(connection: &Arc<Connection>, deadline: Option<Deadline>) -> Result<u32, Status> {
    let mut place = Place { connection: Arc::clone(connection), ticket: None };
    let wait = Wait { deadline, for_ready: true };
    poll_fn(|context| {
        let now = clock::now();
        let permit = connection.poll_ready(context, &mut place.ticket, wait, now);
        permit.map_ok(|permit| permit.ping(deadline, now))
    })
    .await
}
