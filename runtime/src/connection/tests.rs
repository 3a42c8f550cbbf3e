//! What a connection does about its lock: no user code runs while it is held.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};

use bytes::Bytes;

use super::*;
use crate::codec::{Plain, decode};
use crate::flow::{InboundStream, OutboundStream};
use crate::metadata::Metadata;
use crate::session::client::{CallRecord, NewCall, Streams, Ticket, Wait};
use crate::stream::{Outgoing, StreamingHalf};
use crate::wire::{Batch, Item, ItemHead, RecordBuilder};

/// Counts how often it was woken while the connection's lock was free, as user code may want it.
struct Locking {
    connection: Arc<Connection>,
    woken: AtomicUsize,
}

impl Wake for Locking {
    fn wake(self: Arc<Self>) {
        assert!(self.connection.state.0.try_lock().is_ok(), "woken under the lock");
        self.woken.fetch_add(1, Ordering::Relaxed);
    }
}

fn connection(config: Config) -> Arc<Connection> {
    Connection::new("local".to_owned(), config, Arc::default(), Link::Local)
}

/// Sends a call, or returns `None` if it has to wait for room.
fn send(
    connection: &Connection,
    waker: &Waker,
    ticket: &mut Option<Ticket>,
    streams: &Streams,
) -> Option<u32> {
    let (wait, now) = (Wait { deadline: None, for_ready: true }, clock::now());
    let (method, metadata) = ("a.B/c", &Metadata::default());
    let record = CallRecord::Once(RecordBuilder::call(method, false, &()).unwrap());
    let call = NewCall { method, deadline: None, metadata, streams, credit: None, waker: Some(waker) };
    match connection.poll_ready(&mut Context::from_waker(waker), ticket, wait, now) {
        Poll::Ready(Ok(permit)) => Some(permit.call(call, record, now)),
        Poll::Ready(Err(status)) => panic!("{status}"),
        Poll::Pending => None,
    }
}

fn receive(connection: &Connection, batch: &Batch, max_wakes: usize) -> (Vec<Waker>, Option<usize>) {
    let mut wakers = Vec::new();
    let next = connection.handle_message(batch, 0, &mut wakers, max_wakes, clock::now());
    (wakers, next)
}

#[tokio::test]
async fn no_task_is_woken_under_the_lock() {
    let connection = connection(Config::default());
    let locking = Arc::new(Locking { connection: Arc::clone(&connection), woken: AtomicUsize::new(0) });
    let waker = Waker::from(Arc::clone(&locking));
    let context = Context::from_waker(&waker);
    // The end, an unknown kind, and, of another call, nothing.
    let batches = [b"\x01\x92\x06\x01", b"\x01\x92\x0c\x02", b"\x01\x92\x06\x09"];
    for (index, batch) in batches.iter().enumerate() {
        let (inbound, outbound) = (Arc::new(InboundStream::new(1)), Arc::new(OutboundStream::new(0)));
        let streams = Streams { inbound: Some(Arc::clone(&inbound)), outbound: Some(Arc::clone(&outbound)) };
        let id = send(&connection, Waker::noop(), &mut None, &streams).unwrap();
        assert!(inbound.poll_chunk(&context).is_pending());
        let mut item = Some(Item::encode::<Plain, u64>(&ItemHead::new(u64::from(id)), &7).unwrap());
        assert!(outbound.poll_push(&context, &mut item).is_pending());
        let (wakers, _) = receive(&connection, &Bytes::from_static(*batch).into(), usize::MAX);
        wake(wakers);
        connection.abandon_call(id, "given up");
        assert_eq!(locking.woken.load(Ordering::Relaxed), 2 * (index + 1));
    }
}

/// A user's bytes, which within one process may be those of an item.
struct Users(Arc<Connection>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Users {
    fn as_ref(&self) -> &[u8] {
        &[7; 5_000]
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        assert!(self.0.state.0.try_lock().is_ok(), "dropped under the lock");
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// Cancels its call when it is dropped, as what a stream keeps does.
struct Cancels(Arc<Connection>, u32);

impl Drop for Cancels {
    fn drop(&mut self) {
        self.0.abandon_call(self.1, "given up");
    }
}

#[tokio::test]
async fn unread_bytes_are_not_dropped_under_the_lock() {
    let connection = connection(Config::default());
    let dropped = Arc::new(AtomicUsize::new(0));
    let users = || Bytes::from_owner(Users(Arc::clone(&connection), Arc::clone(&dropped)));
    let inbound = Arc::new(InboundStream::new(100_000));
    let streams = Streams { inbound: Some(Arc::clone(&inbound)), outbound: None };
    let id = send(&connection, Waker::noop(), &mut None, &streams).unwrap();
    drop(streams);
    let items = [&[1, 0x94, 5][..], &[u8::try_from(id).unwrap(), 0xc4, 0, 0x91, 0]].concat();
    let batch = Batch::attach(items.into(), vec![users()]).unwrap();
    receive(&connection, &batch, usize::MAX);
    drop(batch);
    let outgoing: Arc<dyn Outgoing> = Arc::<Connection>::clone(&connection);
    let call: Box<dyn std::any::Any + Send + Sync> = Box::new(Cancels(Arc::clone(&connection), id));
    let (call, id, window) = (Some(call), u64::from(id), 100_000);
    drop(StreamingHalf { inbound, outgoing, id, window, call, layer: None });
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "of an item of a stream");

    let id = send(&connection, Waker::noop(), &mut None, &Streams::default()).unwrap();
    let reply = [&[1, 0x94, 3][..], &[u8::try_from(id).unwrap(), 0xc4, 0, 0x91, 0]].concat();
    let batch = Batch::attach(reply.into(), vec![users()]).unwrap();
    receive(&connection, &batch, usize::MAX);
    drop(batch);
    connection.abandon_call(id, "given up");
    assert_eq!(dropped.load(Ordering::Relaxed), 2, "of a reply");

    // An item of a call that is over.
    let value = users();
    let item = Item::encode::<crate::codec::Blob, _>(&ItemHead::new(u64::from(id)), &value).unwrap();
    let stream = Arc::new(OutboundStream::new(1));
    connection.flush(u64::from(id), &stream, Some(item));
    drop(value);
    assert_eq!(dropped.load(Ordering::Relaxed), 3, "of an item that was not sent");
}

/// As when others are to be woken first.
#[tokio::test]
async fn a_message_of_which_nothing_was_taken_keeps_its_attachments() {
    let connection = connection(Config::default());
    let id = send(&connection, Waker::noop(), &mut None, &Streams::default()).unwrap();
    let reply = Bytes::from_static(b"\x01\x94\x03\x01\xc4\x01\xa2\x91\x01");
    let batch = Batch::attach(reply, vec![Bytes::from_static(b"hi")]).unwrap();
    let (_, next) = receive(&connection, &batch, 0);
    assert_eq!(next, Some(1));
    assert_eq!(connection.handle_message(&batch, 1, &mut Vec::new(), 1, clock::now()), None);
    let Poll::Ready(Ok(body)) = connection.poll_reply(id, &Context::from_waker(Waker::noop())) else {
        panic!("it has its answer")
    };
    assert_eq!(decode::<Plain, String>(&body), Ok("hi".to_owned()));
}

#[tokio::test]
async fn a_call_that_is_dropped_with_its_answer_makes_room_for_the_next() {
    let connection = connection(Config { calls: 1, ..Config::default() });
    let locking = Arc::new(Locking { connection: Arc::clone(&connection), woken: AtomicUsize::new(0) });
    let (waker, mut ticket) = (Waker::from(Arc::clone(&locking)), None);
    let first = send(&connection, Waker::noop(), &mut ticket, &Streams::default()).unwrap();
    assert!(send(&connection, &waker, &mut ticket, &Streams::default()).is_none());
    // Its answer has come, and was not taken.
    receive(&connection, &Bytes::from_static(b"\x01\x92\x06\x01").into(), usize::MAX);
    assert_eq!(locking.woken.load(Ordering::Relaxed), 0);
    connection.abandon_call(first, "given up");
    assert_eq!(locking.woken.load(Ordering::Relaxed), 1);
    assert!(send(&connection, &waker, &mut ticket, &Streams::default()).is_some());
}

#[tokio::test]
async fn what_is_dropped_is_counted_by_its_reason() {
    use crate::connection::ChannelDropped;
    let connection = connection(Config::default());
    let dropped = || ChannelDropped::ALL.map(|reason| connection.counters.dropped(reason));
    receive(&connection, &Bytes::from_static(b"nonsense").into(), usize::MAX);
    assert_eq!(dropped(), [0, 0, 1, 0]);
    connection.handle_lost_message(&mut Vec::new());
    assert_eq!(dropped(), [0, 1, 1, 0]);
}
