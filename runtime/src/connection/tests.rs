//! What a connection does about its lock: no user code runs while it is held.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};

use bytes::Bytes;

use super::*;
use crate::codec::{Plain, decode};
use crate::flow::{InboundStream, OutboundStream};
use crate::flush::{CallerSender, SentByCaller};
use crate::metadata::Metadata;
use crate::session::client::{CallRecord, NewCall, Streams, Ticket, Wait};
use crate::stream::Outgoing;
use crate::users_bytes::users_bytes;
use crate::wire::{Batch, Item, ItemHead, Message, RecordBuilder};

/// Counts how often it was woken while the connection's lock was free, as user code may want it.
struct Locking {
    connection: Arc<Connection>,
    woken: AtomicUsize,
}

impl Wake for Locking {
    fn wake(self: Arc<Self>) {
        assert!(self.connection.is_unlocked(), "woken under the lock");
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
    let call = NewCall {
        method,
        deadline: None,
        metadata,
        response: None,
        streams,
        credit: None,
        waker: Some(waker),
    };
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

/// Those of a stream's items are in `call/handle.rs`.
#[tokio::test]
async fn unread_bytes_are_not_dropped_under_the_lock() {
    let connection = connection(Config::default());
    let dropped = Arc::new(AtomicUsize::new(0));
    let users = || {
        let connection = Arc::clone(&connection);
        users_bytes(&dropped, move || _ = connection.open_calls())
    };
    let id = send(&connection, Waker::noop(), &mut None, &Streams::default()).unwrap();
    let reply = [&[1, 0x94, 3][..], &[u8::try_from(id).unwrap(), 0xc4, 0, 0x91, 0]].concat();
    let batch = Batch::attach(reply.into(), vec![users()]).unwrap();
    receive(&connection, &batch, usize::MAX);
    drop(batch);
    connection.abandon_call(id, "given up");
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "of a reply");

    // An item of a call that is over.
    let value = users();
    let item = Item::encode::<crate::codec::Blob, _>(&ItemHead::new(u64::from(id)), &value).unwrap();
    let stream = Arc::new(OutboundStream::new(1));
    connection.flush(u64::from(id), &stream, Some(item));
    drop(value);
    assert_eq!(dropped.load(Ordering::Relaxed), 2, "of an item that was not sent");
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
    assert_eq!(decode::<Plain, String>(&body, usize::MAX), Ok("hi".to_owned()));
}

#[tokio::test]
async fn a_call_that_is_dropped_with_its_answer_makes_room_for_the_next() {
    let connection = connection(Config { calls: 1, ..Config::default() });
    let locking = Arc::new(Locking { connection: Arc::clone(&connection), woken: AtomicUsize::new(0) });
    let (waker, mut ticket) = (Waker::from(Arc::clone(&locking)), None);
    let first = send(&connection, Waker::noop(), &mut ticket, &Streams::default()).unwrap();
    // A call that waits to be sent for long would have the next one yield.
    assert!(connection.poll_transmit(&mut Vec::new()).is_some());
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
    assert_eq!(dropped(), [0, 0, 0, 1, 0]);
    connection.handle_lost_message(&mut Vec::new());
    assert_eq!(dropped(), [0, 0, 1, 1, 0]);
}

/// Takes the messages of callers, and says what a test asks for.
#[derive(Debug)]
struct Sender {
    result: SentByCaller,
    taken: AtomicUsize,
}

impl CallerSender for Sender {
    fn send_if_idle(&self, take: &mut dyn FnMut() -> Option<Message>) -> SentByCaller {
        if self.result != SentByCaller::Busy && take().is_some() {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        self.result
    }
}

/// Sends a call while the driver sleeps. Returns its id, and whether the driver was woken.
fn send_alone(connection: &Arc<Connection>) -> (u32, bool) {
    let woken = Arc::new(Locking { connection: Arc::clone(connection), woken: AtomicUsize::new(0) });
    connection.notify().begin_turn();
    assert!(connection.notify().sleep(&Waker::from(Arc::clone(&woken))));
    let id = send(connection, Waker::noop(), &mut None, &Streams::default()).unwrap();
    (id, woken.woken.load(Ordering::Relaxed) > 0)
}

fn end(connection: &Connection, id: u32) {
    let end = [1, 0x92, 6, u8::try_from(id).unwrap()];
    wake(receive(connection, &Bytes::from(end.to_vec()).into(), usize::MAX).0);
}

#[test]
fn calls_that_come_one_after_the_other_are_sent_without_the_driver() {
    for (result, leaves_work) in
        [(SentByCaller::Whole, false), (SentByCaller::InPart, true), (SentByCaller::Busy, true)]
    {
        let connection = connection(Config::default());
        let sender = Arc::new(Sender { result, taken: AtomicUsize::new(0) });
        let taken = || sender.taken.load(Ordering::Relaxed);
        connection.set_caller_sender(Some(Arc::clone(&sender) as _));
        let mut lone = None;
        for _ in 0..16 {
            let (id, is_woken) = send_alone(&connection);
            let is_left = connection.poll_transmit(&mut Vec::new()).is_some();
            assert_eq!(is_left, taken() == 0, "either of the two has sent it");
            end(&connection, id);
            lone = Some((is_woken, taken()));
        }
        let (is_woken, last) = lone.unwrap();
        assert_eq!((is_woken, last > 8), (leaves_work, result != SentByCaller::Busy), "{result:?}");
        // With company it waits for what the others send.
        let (first, _) = send_alone(&connection);
        connection.poll_transmit(&mut Vec::new());
        let before = taken();
        let (second, is_woken) = send_alone(&connection);
        assert!(is_woken && taken() == before);
        assert!(connection.poll_transmit(&mut Vec::new()).is_some());
        end(&connection, first);
        end(&connection, second);
        // So does the first of those that are likely to have company.
        assert!(send_alone(&connection).1 && taken() == before);
    }
}

#[test]
fn a_driver_that_is_awake_sends_what_it_has_taken_first() {
    let connection = connection(Config::default());
    let sender = Arc::new(Sender { result: SentByCaller::Whole, taken: AtomicUsize::new(0) });
    connection.set_caller_sender(Some(Arc::clone(&sender) as _));
    connection.notify().begin_turn();
    for _ in 0..16 {
        let id = send(&connection, Waker::noop(), &mut None, &Streams::default()).unwrap();
        assert!(connection.poll_transmit(&mut Vec::new()).is_some());
        end(&connection, id);
        connection.notify().begin_turn();
    }
    assert_eq!(sender.taken.load(Ordering::Relaxed), 0);
}

/// A connection that was closed, or whose address is gone, may still come up, and is not counted.
#[cfg(feature = "metrics")]
#[test]
fn the_recorder_counts_connections_that_are_up_and_runs_without_the_lock() {
    let recorder = Recorder::default();
    metrics::with_local_recorder(&recorder, || {
        let ups = || recorder.gauge.ups.load(Ordering::Relaxed);
        let local = connection(Config::default());
        assert_eq!(ups(), 1, "a local connection is up from the start");
        local.close_now(None);
        assert_eq!(ups(), 0);
        let connection =
            Connection::new("tcp://a:1".to_owned(), Config::default(), Arc::default(), Link::Monitored);
        *recorder.gauge.connection.lock().unwrap() = Some(Arc::clone(&connection));
        connection.handle_connected(&mut Vec::new());
        connection.handle_connected(&mut Vec::new());
        assert_eq!(ups(), 1);
        connection.handle_disconnected(&mut Vec::new());
        assert_eq!(ups(), 0);
        connection.retire();
        connection.handle_connected(&mut Vec::new());
        assert_eq!(ups(), 0);
    });
}

/// Counts connections for a program, and, as user code may, wants a connection's lock.
#[cfg(feature = "metrics")]
#[derive(Default)]
struct Gauge {
    connection: std::sync::Mutex<Option<Arc<Connection>>>,
    ups: std::sync::atomic::AtomicIsize,
}

#[cfg(feature = "metrics")]
impl Gauge {
    fn add(&self, more: isize) {
        let connection = self.connection.lock().unwrap();
        assert!(
            connection.as_ref().is_none_or(|connection| connection.is_unlocked()),
            "recorded under the lock"
        );
        self.ups.fetch_add(more, Ordering::Relaxed);
    }
}

#[cfg(feature = "metrics")]
impl metrics::GaugeFn for Gauge {
    fn increment(&self, _: f64) {
        self.add(1);
    }

    fn decrement(&self, _: f64) {
        self.add(-1);
    }

    fn set(&self, _: f64) {}
}

#[cfg(feature = "metrics")]
#[derive(Default)]
struct Recorder {
    gauge: Arc<Gauge>,
}

#[cfg(feature = "metrics")]
impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn describe_histogram(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        metrics::Counter::noop()
    }

    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::from_arc(Arc::clone(&self.gauge))
    }

    fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}
