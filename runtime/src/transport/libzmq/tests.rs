//! Sockets among themselves, without sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Dealer, Router};
use crate::codec::{Blob, List, decode};
use crate::transport::listen::Reach;
use crate::transport::{
    Arrival, COPIED_BELOW_BYTES, ClientTransport, Delivered, LinkConfig, Routed, Sent, ServerTransport,
};
use crate::wire::{Item, ItemHead, Message, Outbox, Record};

/// After this long, a test has failed.
const HANGS: Duration = Duration::from_secs(20);

extern "C" fn nothing(_: libc::c_int) {}

/// Signals this thread without pause until it is dropped, as profilers do, if less often.
struct Signals {
    stop: Arc<AtomicBool>,
    sender: Option<std::thread::JoinHandle<()>>,
}

impl Signals {
    fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // SAFETY: the handler does nothing, so it may interrupt anything.
        unsafe { libc::signal(libc::SIGUSR1, nothing as *const () as libc::sighandler_t) };
        // SAFETY: it has no conditions.
        let target = unsafe { libc::pthread_self() };
        let sender = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for this one before it ends, in `drop`.
                unsafe { libc::pthread_kill(target, libc::SIGUSR1) };
                std::thread::yield_now();
            }
        });
        Self { stop, sender: Some(sender) }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.sender.take().map(std::thread::JoinHandle::join);
    }
}

/// Sends, again and again while the queue counts as full: libzmq looks only now and then how much the other side has read.
fn until_sent(mut message: Message, mut send: impl FnMut(Message) -> Sent) {
    let began = Instant::now();
    while began.elapsed() < HANGS {
        match send(message) {
            Sent::Yes => return,
            Sent::Full(back) => message = back,
            Sent::Unreachable => panic!("the other side is there"),
        }
    }
    panic!("there is no room");
}

/// Receives until something arrives.
fn until_received<T>(mut receive: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < HANGS {
        if let Some(received) = receive() {
            return received;
        }
    }
    panic!("nothing comes");
}

/// A message with one item: a small one, a large one, or one with two out-of-line parts.
fn message(round: usize) -> Message {
    let mut outbox = Outbox::default();
    outbox.push_item(1, Item::encode::<List<Blob>, _>(&ItemHead::new(1), &value(round)).unwrap());
    outbox.take().unwrap()
}

fn value(round: usize) -> Vec<Bytes> {
    let bytes = |length| Bytes::from(vec![u8::try_from(round % 251).unwrap(); length]);
    match round % 3 {
        0 => vec![bytes(10)],
        1 => vec![bytes(COPIED_BELOW_BYTES + round % 1_000)],
        _ => vec![bytes(40_000), bytes(10), bytes(40_000 + round % 1_000)],
    }
}

fn assert_same(received: Delivered, round: usize) {
    let length = message(round).len();
    let (bytes, received, sent) = (received.bytes, received.batch.unwrap(), message(round).into_batch());
    assert_eq!((received.bytes(), bytes), (sent.bytes(), length));
    let Some(Record::Items { items, .. }) = received.records().unwrap().next().unwrap() else {
        panic!("it has one item")
    };
    assert_eq!(decode::<List<Blob>, _>(&received.body(items), usize::MAX), Ok(value(round)));
}

/// Small messages are copied, large ones handed over, some of them in several frames; an interruption may come at any frame.
#[tokio::test]
async fn signals_neither_fail_nor_lose_nor_mangle_anything() {
    let config = LinkConfig {
        max_body: COPIED_BELOW_BYTES,
        heartbeat: Duration::from_secs(3),
        silence: Duration::from_secs(10),
    };
    let (mut router, endpoints) =
        Router::bind(&["inproc://signals".to_owned()], Reach::Network, config, None).unwrap();
    let mut dealer = Dealer::connect(&endpoints[0], config, None).unwrap();
    let signals = Signals::new();
    for round in 0..20_000_usize {
        until_sent(message(round), |message| dealer.send(message).unwrap());
        let (route, received) = until_received(|| {
            let Arrival::Message { route, message } = router.receive().unwrap()? else {
                panic!("a short route")
            };
            Some((route.to_vec(), message))
        });
        assert_same(received, round);
        until_sent(message(round), |message| match router.send(&route, message, None).unwrap() {
            Routed::Yes => Sent::Yes,
            Routed::Full(message) => Sent::Full(message),
            Routed::Unreachable(_) => Sent::Unreachable,
        });
        let received = until_received(|| dealer.receive().unwrap());
        assert_same(received, round);
        assert!(dealer.has_changed().unwrap());
    }
    drop(signals);
}

/// libzmq's own thread closes sockets in its own time.
#[tokio::test]
async fn a_name_within_the_process_is_free_as_soon_as_its_router_is_dropped() {
    let config = LinkConfig {
        max_body: COPIED_BELOW_BYTES,
        heartbeat: Duration::from_secs(3),
        silence: Duration::from_secs(10),
    };
    let names = ["inproc://free".to_owned(), "inproc://as-well".to_owned()];
    for _ in 0..50 {
        let (router, endpoints) = Router::bind(&names, Reach::Network, config, None).unwrap();
        assert!(
            Router::bind(&["inproc://free-again".to_owned(), names[0].clone()], Reach::Network, config, None)
                .is_err()
        );
        drop(router);
        // A client that connects too early is connected to the next server.
        let mut dealer = Dealer::connect(&endpoints[1], config, None).unwrap();
        let (mut router, _) = Router::bind(&names, Reach::Network, config, None).unwrap();
        until_sent(vec![1].into(), |message| dealer.send(message).unwrap());
        let Some(Arrival::Message { message, .. }) = router.receive().unwrap() else {
            panic!("the message has arrived")
        };
        assert_eq!(message.batch.unwrap().bytes(), &[1][..]);
    }
}

/// As if the program, or a library in C, seeded `rand` for ends of its own.
#[tokio::test]
async fn connections_are_numbered_at_random_whoever_has_seeded_the_numbers_before() {
    let config = LinkConfig {
        max_body: COPIED_BELOW_BYTES,
        heartbeat: Duration::from_secs(3),
        silence: Duration::from_secs(10),
    };
    let mut numbers = Vec::new();
    for name in ["inproc://numbered", "inproc://numbered-again", "inproc://numbered-at-last"] {
        // SAFETY: it has no conditions.
        unsafe { libc::srand(42) };
        let (mut router, _) = Router::bind(&[name.to_owned()], Reach::Network, config, None).unwrap();
        let mut dealer = Dealer::connect(name, config, None).unwrap();
        until_sent(vec![1].into(), |message| dealer.send(message).unwrap());
        numbers.push(until_received(|| match router.receive().unwrap()? {
            Arrival::Message { route, .. } => Some(route.to_vec()),
            _ => panic!("a message was sent"),
        }));
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
}

/// A router with messages of several frames for a peer that has not read any of them yet.
struct Backlog {
    router: Router,
    peer: zmq::Socket,
}

impl Backlog {
    /// Number of the messages: more than the system holds of a connection, and few enough to be read well within the linger time.
    const MESSAGES: usize = 40;

    fn new() -> Self {
        let config = LinkConfig {
            max_body: 1 << 20,
            heartbeat: Duration::from_secs(3),
            silence: Duration::from_secs(10),
        };
        let (mut router, endpoints) =
            Router::bind(&["tcp://127.0.0.1:*".to_owned()], Reach::Network, config, None).unwrap();
        let peer = zmq::Context::new().socket(zmq::DEALER).unwrap();
        peer.set_linger(0).unwrap();
        peer.set_rcvhwm(1).unwrap();
        peer.set_rcvbuf(64 * 1024).unwrap();
        peer.set_rcvtimeo(i32::try_from(HANGS.as_millis()).unwrap()).unwrap();
        peer.connect(&endpoints[0]).unwrap();
        peer.send(&[1_u8][..], 0).unwrap();
        let route = until_received(|| match router.receive().unwrap()? {
            Arrival::Message { route, .. } => Some(route.to_vec()),
            _ => panic!("a message was sent"),
        });
        for _ in 0..Self::MESSAGES {
            assert!(matches!(router.send(&route, message(2), None), Ok(Routed::Yes)));
        }
        Self { router, peer }
    }
}

#[tokio::test]
async fn what_waits_to_be_sent_leaves_after_a_router_is_dropped() {
    let Backlog { router, peer } = Backlog::new();
    drop(router);
    for number in 0..Backlog::MESSAGES {
        let frames = peer.recv_multipart(0).unwrap_or_else(|error| panic!("message {number}: {error}"));
        assert_eq!(frames.len(), 3);
    }
}

/// The library ends the whole process where it can't go on.
#[tokio::test]
async fn a_peer_may_be_reset_in_the_middle_of_a_message_while_its_router_is_dropped() {
    for _ in 0..30 {
        let Backlog { router, peer } = Backlog::new();
        drop(router);
        drop(peer);
    }
    // Whatever ends the process does so when the thread of the library hears of the reset.
    let Backlog { router, peer } = Backlog::new();
    drop(router);
    assert!(peer.recv_multipart(0).is_ok());
}
