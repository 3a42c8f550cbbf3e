//! Two ends of a connection within the process, whose pipe holds as little as a test asks for. Real sockets and hostile peers
//! are in `runtime/tests`.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::closed::Closed;
use super::inproc::{self, InprocListener};
use super::link::Link;
use super::outlet::Outlet;
use super::role::Role;
use super::server::ZmtpPeer;
use super::stream::Stream;
use crate::codec::{Blob, List};
use crate::flush::{CallerSender, SentByCaller};
use crate::transport::{Arrival, LinkConfig, Routed, ServerTransport};
use crate::users_bytes::users_bytes;
use crate::wire::{Item, ItemHead, Message, Outbox};

const CONFIG: LinkConfig =
    LinkConfig { max_body: 1 << 20, heartbeat: Duration::from_secs(3), silence: Duration::from_secs(10) };

fn dealer(pipe: DuplexStream) -> Link {
    Link::new(Stream::Pipe(pipe), Role::Client(None), CONFIG, None).unwrap()
}

/// Returns both ends of a connection whose handshake is complete. Each direction of the pipe holds this many bytes.
async fn pair(room: usize) -> (Link, ZmtpPeer) {
    let (ours, theirs) = duplex(room);
    let (mut client, mut server) =
        (dealer(ours), ZmtpPeer::new(Stream::Pipe(theirs), 7, Role::Server(None), CONFIG, None).unwrap());
    poll_fn(|context| {
        let _ = client.poll_io(context);
        let _ = server.poll_changed(context);
        if client.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (client, server)
}

fn message(bytes: &[u8]) -> Message {
    Message::from(bytes.to_vec())
}

/// Returns the next message at the server with its route, while the client writes on.
async fn arrives(client: &mut Link, server: &mut ZmtpPeer) -> (Vec<u8>, Bytes) {
    poll_fn(|context| {
        let _ = client.poll_io(context);
        let _ = server.poll_changed(context);
        match server.receive() {
            Ok(Some(Arrival::Message { route, message })) => {
                let batch = message.batch.map(|batch| batch.bytes().clone()).unwrap_or_default();
                Poll::Ready((route.to_vec(), batch))
            }
            Ok(None) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => panic!("no message has arrived"),
        }
    })
    .await
}

#[tokio::test]
async fn a_message_larger_than_the_room_is_written_to_its_end_before_the_next_is_taken() {
    let (mut client, mut server) = pair(100).await;
    let large = vec![5; 100_000];
    client.send(Bytes::new, message(&large), None).expect("there is room");
    let back = client.send(Bytes::new, message(b"\x01next"), None).expect_err("the first is not written");
    assert!(!client.take_room_again());
    assert_eq!(arrives(&mut client, &mut server).await.1, large);
    poll_fn(|context| client.poll_io(context)).await;
    assert!(client.take_room_again(), "it is told that there is room");
    let again = poll_fn(|context| Poll::Ready(client.poll_io(context))).await;
    assert!(again.is_pending() && !client.take_room_again(), "once");
    client.send(Bytes::new, back, None).expect("there is room");
    assert_eq!(arrives(&mut client, &mut server).await.1, b"\x01next".as_slice());
}

#[tokio::test]
async fn a_caller_sends_only_where_nothing_waits_to_be_written() {
    let (mut client, mut server) = pair(100).await;
    let outlet = Arc::clone(client.outlet());
    let send = |bytes: &[u8]| outlet.send_if_idle(&mut || Some(message(bytes)));
    let never = || outlet.send_if_idle(&mut || panic!("it must not be taken"));
    assert_eq!(send(b"\x01first"), SentByCaller::Whole);
    let large = vec![5; 100_000];
    assert_eq!(send(&large), SentByCaller::InPart);
    assert_eq!(never(), SentByCaller::Busy);
    assert_eq!(arrives(&mut client, &mut server).await.1, b"\x01first".as_slice());
    assert_eq!(arrives(&mut client, &mut server).await.1, large, "the connection's task writes the rest");
    assert_eq!(outlet.send_if_idle(&mut || None), SentByCaller::Whole);
    assert_eq!(send(b"\x01last"), SentByCaller::Whole);
    assert_eq!(arrives(&mut client, &mut server).await.1, b"\x01last".as_slice());
    drop(client);
    assert_eq!(never(), SentByCaller::Busy);
}

#[tokio::test]
async fn attachments_come_with_their_batch() {
    let (mut client, mut server) = pair(1_000).await;
    let mut outbox = Outbox::default();
    let value = vec![Bytes::from(vec![7; 40_000]); 3];
    outbox.push_item(1, Item::encode::<List<Blob>, _>(&ItemHead::new(1), &value).unwrap());
    client.send(Bytes::new, outbox.take().unwrap(), None).expect("there is room");
    let arrived = poll_fn(|context| {
        let _ = client.poll_io(context);
        let _ = server.poll_changed(context);
        context.waker().wake_by_ref();
        match server.receive() {
            Ok(Some(Arrival::Message { message, .. })) => Poll::Ready(message),
            _ => Poll::Pending,
        }
    });
    let arrived = arrived.await;
    assert!(arrived.bytes > 120_000 && arrived.batch.is_ok(), "{} bytes", arrived.bytes);
}

/// The frames of a route are those of the devices on the way; a REQ socket leaves an empty one.
#[tokio::test]
async fn an_answer_takes_the_route_back() {
    let (mut client, mut server) = pair(10_000).await;
    let device = super::outgoing::route_frames([&b"device"[..], b""].into_iter());
    client.send(|| device, message(b"\x01call"), None).expect("there is room");
    let (route, batch) = arrives(&mut client, &mut server).await;
    assert_eq!(batch, b"\x01call".as_slice());
    let own = [&[0, 0, 0, 8][..], &7_u64.to_be_bytes()].concat();
    assert_eq!(route, [&own[..], &[0, 0, 0, 6], b"device", &[0, 0, 0, 0]].concat());
    assert!(matches!(server.send(&route, message(b"\x01answer"), None), Ok(Routed::Yes)));
    poll_fn(|context| client.poll_io(context)).await;
    let (answer, others) = client.receive().expect("it has arrived");
    assert_eq!(others.count(), Some(2));
    assert_eq!(answer.batch.unwrap().bytes(), b"\x01answer".as_slice());
}

#[tokio::test]
async fn what_arrived_before_a_connection_was_closed_is_taken_first() {
    let (mut client, mut server) = pair(10_000).await;
    client.send(Bytes::new, message(b"\x01last"), None).expect("there is room");
    drop(client);
    poll_fn(|context| server.poll_changed(context)).await.unwrap();
    assert!(matches!(server.receive(), Ok(Some(Arrival::Message { .. }))));
    poll_fn(|context| server.poll_changed(context)).await.unwrap();
    assert!(matches!(server.receive(), Ok(Some(Arrival::Closed))));
    assert!(matches!(server.send(&[], message(b"\x01late"), None), Ok(Routed::Unreachable(Some(_)))));
}

#[tokio::test]
async fn a_peer_that_does_not_speak_zmtp_is_cut_off() {
    let (ours, mut theirs) = duplex(10_000);
    let mut link = dealer(ours);
    theirs.write_all(b"GET / HTTP/1.1\r\nHost: tape.example\r\n\r\n").await.unwrap();
    poll_fn(|context| link.poll_io(context)).await;
    assert!(matches!(link.closed(), Some(Closed::Protocol(_))), "{link:?}");
    assert!(link.send(Bytes::new, message(b"\x01x"), None).is_err());
}

/// Returns the greeting of a peer that speaks ZMTP 3.1 without security.
fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    greeting[..12].copy_from_slice(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01");
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

#[tokio::test]
async fn what_a_peer_says_that_is_refused_is_not_received() {
    let (ours, mut theirs) = duplex(10_000);
    let mut link = dealer(ours);
    // A REP, which says more in one go, such as a batch with a ping.
    let ready = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REP";
    let said = [&greeting()[..], ready, b"\0\x04\x01\x92\x09\x01"].concat();
    theirs.write_all(&said).await.unwrap();
    poll_fn(|context| link.poll_io(context)).await;
    assert!(matches!(link.closed(), Some(Closed::Protocol(_))), "{link:?}");
    assert!(!link.has_frames() && link.receive().is_none(), "{link:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_cut_off_in_time() {
    for starts in [&b""[..], b"\xff\0\0\0"] {
        let (ours, mut theirs) = duplex(10_000);
        let mut link = dealer(ours);
        theirs.write_all(starts).await.unwrap();
        poll_fn(|context| link.poll_io(context)).await;
        assert!(matches!(link.closed(), Some(Closed::Protocol(_))), "{link:?}");
    }
    let (mut client, _server) = pair(10_000).await;
    poll_fn(|context| client.poll_io(context)).await;
    assert!(matches!(client.closed(), Some(Closed::Protocol(_))), "it answers no ping: {client:?}");
}

#[tokio::test]
async fn a_name_within_the_process_belongs_to_one_server_for_as_long_as_it_is_there() {
    assert!(inproc::connect("zmtp-tests", None).is_err());
    let mut listener = InprocListener::bind("zmtp-tests").unwrap();
    assert!(InprocListener::bind("zmtp-tests").is_err());
    let _client = inproc::connect("zmtp-tests", None).unwrap();
    let _server = poll_fn(|context| listener.poll_accept(context)).await;
    drop(listener);
    assert!(inproc::connect("zmtp-tests", None).is_err());
    InprocListener::bind("zmtp-tests").unwrap();
}

/// The answers to its pings would fill the memory.
#[tokio::test]
async fn a_peer_that_pings_and_does_not_read_is_owed_a_bounded_number_of_answers() {
    const PING: &[u8] = b"\x04\x07\x04PING\0\0";
    const PINGS: usize = 10_000;
    let (ours, mut theirs) = duplex(1_000);
    let mut link = dealer(ours);
    let mut said = greeting();
    said.extend_from_slice(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER");
    said.extend(PING.repeat(PINGS));
    // All of it is read, although nothing reads the answers.
    let reading = tokio::spawn(async move {
        poll_fn(|context| link.poll_io(context)).await;
        assert!(link.is_ready());
        poll_fn(|context| link.poll_io(context)).await;
        link
    });
    theirs.write_all(&said).await.unwrap();
    theirs.shutdown().await.unwrap();
    let link = reading.await.unwrap();
    assert_eq!(link.closed(), Some(&Closed::Stream(None)));
    // All that it holds is printed.
    let held = format!("{link:?}").matches("PONG").count();
    assert!(held <= 32, "{held} answers");
}

/// Frames of one byte each, and more of them than are taken apart at a time.
#[tokio::test]
async fn very_many_short_messages_all_arrive_in_their_order() {
    const MESSAGES: u32 = 20_000;
    let (mut client, mut server) = pair(1 << 20).await;
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            let mut next = Some(message(&number.to_be_bytes()));
            poll_fn(|context| {
                let Some(message) = next.take() else { return Poll::Ready(()) };
                let _ = client.poll_io(context);
                next = client.send(Bytes::new, message, None).err();
                if next.is_none() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        client
    });
    for number in 0..MESSAGES {
        let arrived = poll_fn(|context| {
            if let Ok(Some(Arrival::Message { message, .. })) = server.receive() {
                return Poll::Ready(message.batch.unwrap());
            }
            if server.poll_changed(context).is_ready() {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        });
        assert_eq!(arrived.await.bytes()[..], number.to_be_bytes());
    }
    sending.await.unwrap();
}

/// The lock of what is written to must be free: dropping them may run any code.
#[tokio::test]
async fn users_bytes_that_were_written_or_never_will_be_are_not_dropped_under_the_lock() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (mut client, mut server) = pair(1_000).await;
    let message = |outlet: &Arc<Outlet>| {
        let (outlet, mut outbox) = (Arc::clone(outlet), Outbox::default());
        let value = vec![users_bytes(&dropped, move || _ = outlet.is_empty()); 2];
        outbox.push_item(1, Item::encode::<List<Blob>, _>(&ItemHead::new(1), &value).unwrap());
        outbox.take().expect("an item was queued")
    };
    let first = message(client.outlet());
    client.send(Bytes::new, first, None).expect("there is room");
    poll_fn(|context| {
        let _ = client.poll_io(context);
        let _ = server.poll_changed(context);
        let arrived = matches!(server.receive(), Ok(Some(Arrival::Message { .. })));
        context.waker().wake_by_ref();
        if arrived { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "written");
    let second = message(client.outlet());
    client.send(Bytes::new, second, None).expect("there is room");
    drop(client);
    assert_eq!(dropped.load(Ordering::Relaxed), 2, "never written");
}
