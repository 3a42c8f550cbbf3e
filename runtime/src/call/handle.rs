//! [`CallHandle`]: a call in flight, held by its future or its stream; and [`ping`].

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::clock;
use crate::codec::Body;
use crate::connection::Connection;
use crate::session::Deadline;
use crate::session::client::{Ticket, Wait};
use crate::status::{Failure, Status};

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
        Err(failure) => Err(Status::of(failure)),
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Waker;

    use super::*;
    use crate::connection::{Config, Link};
    use crate::flow::InboundStream;
    use crate::metadata::Metadata;
    use crate::session::client::{CallRecord, NewCall, Streams};
    use crate::stream::{Outgoing, StreamingHalf};
    use crate::users_bytes::users_bytes;
    use crate::wire::{Batch, RecordBuilder};

    fn send(connection: &Arc<Connection>, streams: &Streams) -> CallHandle {
        let (wait, now) = (Wait { deadline: None, for_ready: true }, clock::now());
        let (method, metadata) = ("a.B/c", &Metadata::default());
        let record = CallRecord::Once(RecordBuilder::call(method, false, &()).unwrap());
        let call =
            NewCall { method, deadline: None, metadata, response: None, streams, credit: None, waker: None };
        match connection.poll_ready(&mut Context::from_waker(Waker::noop()), &mut None, wait, now) {
            Poll::Ready(Ok(permit)) => CallHandle::new(connection, permit.call(call, record, now)),
            _ => panic!("there is room"),
        }
    }

    #[tokio::test]
    async fn a_stream_that_is_dropped_cancels_its_call_and_drops_its_items_without_the_lock() {
        let connection = Connection::new("local".to_owned(), Config::default(), Arc::default(), Link::Local);
        let dropped = Arc::new(AtomicUsize::new(0));
        let asked = Arc::clone(&connection);
        let users = users_bytes(&dropped, move || _ = asked.open_calls());
        let inbound = Arc::new(InboundStream::new(100_000));
        let streams = Streams { inbound: Some(Arc::clone(&inbound)), outbound: None };
        let handle = send(&connection, &streams);
        drop(streams);
        let items = [&[1, 0x94, 5][..], &[u8::try_from(handle.id()).unwrap(), 0xc4, 0, 0x91, 0]].concat();
        let batch = Batch::attach(items.into(), vec![users]).unwrap();
        connection.handle_message(&batch, 0, &mut Vec::new(), usize::MAX, clock::now());
        drop(batch);
        assert_eq!(connection.open_calls(), 1);
        let outgoing: Arc<dyn Outgoing> = Arc::<Connection>::clone(&connection);
        let (id, window) = (handle.id(), 100_000);
        let call: Option<Box<dyn std::any::Any + Send + Sync>> = Some(Box::new(handle));
        drop(StreamingHalf { inbound, outgoing, id, window, call, layer: None });
        assert_eq!(connection.open_calls(), 0, "it was cancelled");
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}
