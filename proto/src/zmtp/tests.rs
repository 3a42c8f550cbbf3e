//! Two connections that hand each other their bytes, in pieces of every size; and peers that do not keep to the protocol.

use super::*;
use crate::zmtp::{FrameHeader, greeting};

const SECOND: Duration = Duration::from_secs(1);

fn config(socket_type: SocketType, mechanism: Mechanism) -> Config {
    Config {
        socket_type,
        routing_id: Bytes::from_static(b"me"),
        mechanism,
        max_frame_bytes: 1_000_000,
        max_frames: 10,
        handshake_timeout: 10 * SECOND,
        heartbeat: Some(Heartbeat { interval: 3 * SECOND, timeout: SECOND }),
    }
}

fn null(socket_type: SocketType) -> Connection {
    Connection::new(config(socket_type, Mechanism::Null), Instant::now())
}

/// Returns what a side has to send next. Without CURVE, commands are sent as they are.
fn sent(from: &mut Connection) -> Option<Bytes> {
    from.poll_transmit().map(|(Transmit::Handshake(bytes) | Transmit::Command(bytes))| bytes)
}

/// Hands over what one side has to send, in pieces of `size` bytes.
fn carry(from: &mut Connection, to: &mut Connection, size: usize) -> bool {
    let mut any = false;
    while let Some(bytes) = sent(from) {
        any = true;
        for piece in bytes.chunks(size) {
            assert_eq!(to.handle_bytes(Instant::now(), piece), piece.len());
        }
    }
    any
}

/// Lets two sides talk until neither has anything to say. Every client's credentials are judged by `is_good`.
fn talk(one: &mut Connection, other: &mut Connection, size: usize, is_good: bool) -> [Vec<Event>; 2] {
    let mut events = [Vec::new(), Vec::new()];
    loop {
        let any = carry(one, other, size) | carry(other, one, size);
        for (side, events) in [&mut *one, &mut *other].into_iter().zip(&mut events) {
            while let Some(event) = side.poll_event() {
                match &event {
                    Event::Credentials(credentials) if is_good => side.accept(credentials),
                    Event::Credentials(_) => side.deny(),
                    _ => {}
                }
                events.push(event);
            }
        }
        if !any {
            return events;
        }
    }
}

fn pair() -> [Connection; 2] {
    let mut pair = [null(SocketType::Dealer), null(SocketType::Router)];
    let [one, other] = &mut pair;
    talk(one, other, usize::MAX, true);
    pair
}

fn frame(body: &[u8], has_more: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    FrameHeader::message(body.len(), has_more).write(&mut bytes);
    [&bytes[..], body].concat()
}

fn failure(connection: &mut Connection) -> Option<Error> {
    std::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
        Event::Failed(error) => Some(error),
        _ => None,
    })
}

#[test]
fn a_handshake_is_complete_whatever_pieces_it_arrives_in() {
    for size in [1, 2, 7, 64, 65, usize::MAX] {
        let (mut client, mut server) = (null(SocketType::Dealer), null(SocketType::Router));
        let [at_client, at_server] = talk(&mut client, &mut server, size, true);
        let ready = |events: &[Event]| match events {
            [Event::Ready(peer)] => (peer.socket_type, peer.routing_id.clone(), peer.minor_version),
            other => panic!("{other:?}"),
        };
        assert_eq!(ready(&at_client), (SocketType::Router, Bytes::from_static(b"me"), 1));
        assert_eq!(ready(&at_server), (SocketType::Dealer, Bytes::from_static(b"me"), 1));
    }
}

#[test]
fn plain_carries_credentials_and_a_verdict() {
    let credentials = Credentials::new("ada", "secret").unwrap();
    for is_good in [true, false] {
        let client = Mechanism::PlainClient(credentials.clone());
        let mut client = Connection::new(config(SocketType::Dealer, client), Instant::now());
        let mut server = Connection::new(config(SocketType::Router, Mechanism::PlainServer), Instant::now());
        let [at_client, at_server] = talk(&mut client, &mut server, 5, is_good);
        assert_eq!(at_server[0], Event::Credentials(Box::new(credentials.clone())));
        match (&at_client[..], &at_server[1..]) {
            ([Event::Ready(_)], [Event::Ready(peer)]) => {
                assert!(is_good && peer.username.as_deref() == Some(b"ada"));
            }
            ([Event::Failed(Error::Refused { reason })], [Event::Failed(Error::Denied)]) => {
                assert!(!is_good && reason == "Access denied");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(format!("{credentials:?}"), "Credentials { username: \"ada\", .. }");
    assert_eq!(Credentials::new("a".repeat(256), ""), None);
}

#[test]
fn mechanisms_roles_and_socket_types_must_fit() {
    let connect = |one: (SocketType, Mechanism), other: (SocketType, Mechanism)| {
        let mut one = Connection::new(config(one.0, one.1), Instant::now());
        let mut other = Connection::new(config(other.0, other.1), Instant::now());
        let [events, _] = talk(&mut one, &mut other, usize::MAX, true);
        match events.into_iter().next_back() {
            Some(Event::Failed(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let (dealer, router) = (SocketType::Dealer, SocketType::Router);
    assert_eq!(
        connect((dealer, Mechanism::Null), (router, Mechanism::PlainServer)),
        Error::Mechanism { theirs: "PLAIN".to_owned(), ours: "NULL" }
    );
    assert_eq!(connect((router, Mechanism::PlainServer), (router, Mechanism::PlainServer)), Error::Roles);
    let error = connect((SocketType::Req, Mechanism::Null), (SocketType::Dealer, Mechanism::Null));
    assert!(matches!(error, Error::SocketType { .. } | Error::Refused { .. }), "{error:?}");
}

#[test]
fn frames_arrive_whatever_pieces_they_come_in() {
    let sent = [frame(b"route", true), frame(&[7; 300], false), frame(b"", false)].concat();
    for size in 1..sent.len() {
        let [_, mut server] = pair();
        for piece in sent.chunks(size) {
            assert_eq!(server.handle_bytes(Instant::now(), piece), piece.len());
        }
        let frames: Vec<_> = std::iter::from_fn(|| server.poll_event())
            .map(|event| match event {
                Event::Frame { body, has_more } => (body.len(), has_more),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(frames, [(5, true), (300, false), (0, false)]);
    }
}

/// Returns the frame of a command.
fn command(name: &str, data: &[u8]) -> Vec<u8> {
    super::super::command::write(name, &[data])
}

#[test]
fn a_publisher_is_told_of_subscriptions_in_both_versions() {
    let wanted = |prefix: &'static [u8], is_wanted| Event::Subscription {
        prefix: Bytes::from_static(prefix),
        is_wanted,
    };
    let mut sides = [null(SocketType::Sub), null(SocketType::Pub)];
    let [one, server] = &mut sides;
    talk(one, server, usize::MAX, true);
    let sent = [
        frame(b"\x01a/", false),
        command("SUBSCRIBE", b"b/"),
        frame(b"\x01", false),
        frame(b"\x00a/", false),
        command("CANCEL", b"b/"),
    ];
    for piece in sent.concat().chunks(3) {
        server.handle_bytes(Instant::now(), piece);
    }
    let events: Vec<_> = std::iter::from_fn(|| server.poll_event()).collect();
    let expected = [
        wanted(b"a/", true),
        wanted(b"b/", true),
        wanted(b"", true),
        wanted(b"a/", false),
        wanted(b"b/", false),
    ];
    assert_eq!(events, expected);
}

#[test]
fn what_is_no_subscription_ends_its_connection_and_others_are_no_messages() {
    for wrong in
        [frame(b"", false), frame(b"\x02a", false), frame(b"\x01a", true), frame(&vec![1; 1_000_001], false)]
    {
        let mut sides = [null(SocketType::XSub), null(SocketType::Pub)];
        let [one, server] = &mut sides;
        talk(one, server, usize::MAX, true);
        server.handle_bytes(Instant::now(), &wrong);
        assert!(matches!(failure(server), Some(Error::Command { .. })), "{:?}", &wrong[..2]);
    }
    let [_, mut router] = pair();
    router.handle_bytes(Instant::now(), &[command("SUBSCRIBE", b"a"), frame(b"\x01a", false)].concat());
    let frame = Event::Frame { body: Bytes::from_static(b"\x01a"), has_more: false };
    assert_eq!(
        (router.poll_event(), router.poll_event()),
        (Some(frame), None),
        "no other socket has subscriptions"
    );
}

#[test]
fn a_long_frame_is_read_to_where_it_stays() {
    let [_, mut server] = pair();
    let body = vec![7; 500_000];
    let sent = frame(&body, false);
    server.handle_bytes(Instant::now(), &sent[..1_000]);
    assert!(server.frame_buffer(1_000_000).is_none(), "a larger read takes more along");
    let mut at = 1_000;
    while let Some((buffer, missing)) = server.frame_buffer(1) {
        assert_eq!(missing, sent.len() - at);
        let read = (buffer.capacity() - buffer.len()).min(missing);
        buffer.extend_from_slice(&sent[at..at + read]);
        at += read;
        server.handle_filled(Instant::now());
    }
    assert_eq!(server.poll_event(), Some(Event::Frame { body: body.into(), has_more: false }));
}

#[test]
fn a_frame_past_its_bounds_is_refused_by_its_header_alone() {
    let header = |length: usize| {
        let mut bytes = Vec::new();
        FrameHeader::message(length, false).write(&mut bytes);
        bytes
    };
    let [_, mut server] = pair();
    let too_long = (1 << 30) + 1;
    server.handle_bytes(Instant::now(), &header(too_long));
    let bytes = too_long as u64;
    assert_eq!(failure(&mut server), Some(Error::FrameTooLong { bytes, max: 1_000_000 }));
    let [_, mut server] = pair();
    server.handle_bytes(Instant::now(), &frame(b"", true).repeat(1_000));
    assert_eq!(failure(&mut server), Some(Error::TooManyFrames { max: 10 }));
    let [_, mut server] = pair();
    server.handle_bytes(Instant::now(), &[2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(failure(&mut server), Some(Error::FrameTooLong { bytes: u64::MAX, max: 1_000_000 }));
}

/// What comes after it on the connection must not be lost with it.
#[test]
fn a_frame_that_is_too_long_to_be_kept_is_read_to_its_end() {
    let [_, mut server] = pair();
    let mut body = vec![7; 1_000_001];
    body[..4].copy_from_slice(b"head");
    let sent = [frame(&body, true), frame(&body[..1_000_000], false)].concat();
    for piece in sent.chunks(65_536) {
        assert!(server.frame_buffer(1).is_none_or(|(_, missing)| missing <= 1_000_000), "it is not kept");
        server.handle_bytes(Instant::now(), piece);
    }
    let Some(Event::Skipped { head, bytes: 1_000_001, has_more: true }) = server.poll_event() else {
        panic!("it was skipped")
    };
    assert_eq!((&head[..5], head.len() < 1_000), (&b"head\x07"[..], true));
    assert!(matches!(server.poll_event(), Some(Event::Frame { body, .. }) if body.len() == 1_000_000));
}

#[test]
fn commands_come_between_messages_and_unknown_ones_are_skipped() {
    let [_, mut server] = pair();
    server.handle_bytes(Instant::now(), &command::write("LATER", &[b"data"]));
    server.handle_bytes(Instant::now(), &frame(b"a", false));
    assert!(matches!(server.poll_event(), Some(Event::Frame { has_more: false, .. })));
    server.handle_bytes(Instant::now(), &[frame(b"a", true), command::write("PING", &[&[0, 0]])].concat());
    assert_eq!(failure(&mut server), Some(Error::Frame), "inside a message");
    for wrong in [&b"\x04\x00"[..], b"\x04\x04\x05PIN", b"\x06\0\0\0\0\x01\0\0\0", b"\x04\x05\x04PING"] {
        let [_, mut server] = pair();
        server.handle_bytes(Instant::now(), wrong);
        assert!(matches!(failure(&mut server), Some(Error::Command { .. })), "{wrong:?}");
    }
}

#[test]
fn pings_are_answered_with_their_context_and_a_flood_of_them_is_not() {
    let [mut client, mut server] = pair();
    server.handle_bytes(Instant::now(), &command::write("PING", &[&[0, 0], b"context"]));
    assert_eq!(sent(&mut server).as_deref(), Some(&command::write("PONG", &[b"context"])[..]));
    let mut flood = &command::write("PING", &[&[0, 0]]).repeat(10_000)[..];
    let mut turns = 0_usize;
    while !flood.is_empty() {
        let taken = server.handle_bytes(Instant::now(), flood);
        flood = &flood[taken..];
        turns += 1;
    }
    assert_eq!(turns, 10_000_usize.div_ceil(MAX_FRAMES_PER_TURN), "others may run in between");
    let pongs = std::iter::from_fn(|| server.poll_transmit()).count();
    assert_eq!(pongs, MAX_WAITING_PONGS);
    server.handle_bytes(Instant::now(), &command::write("PING", &[&[0, 0], &[7; 17]]));
    assert!(matches!(failure(&mut server), Some(Error::Command { .. })));
    assert!(carry(&mut server, &mut client, 1) || client.poll_event().is_none());
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let now = Instant::now();
    let [mut client, mut server] = pair();
    let at = server.poll_timeout().unwrap();
    assert!(at <= now + 4 * SECOND);
    server.handle_timeout(at);
    carry(&mut server, &mut client, 1);
    let pong = sent(&mut client).unwrap();
    server.handle_bytes(at, &pong);
    assert_eq!(server.poll_timeout(), Some(at + 3 * SECOND));
    server.handle_timeout(at + 3 * SECOND);
    server.handle_timeout(at + 4 * SECOND);
    assert_eq!(failure(&mut server), Some(Error::Silent { after: SECOND }));
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_peer_of_version_3_0_is_never_pinged() {
    let (mut old, mut server) = (null(SocketType::Dealer), null(SocketType::Router));
    let mut greeting = sent(&mut old).unwrap().to_vec();
    greeting[11] = 0;
    server.handle_bytes(Instant::now(), &greeting);
    carry(&mut server, &mut old, 9);
    carry(&mut old, &mut server, 9);
    assert!(matches!(server.poll_event(), Some(Event::Ready(peer)) if peer.minor_version == 0));
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_handshake_has_its_time_and_holds_no_message() {
    let start = Instant::now();
    let mut server = null(SocketType::Router);
    server.handle_bytes(start, &[0xff]);
    let until = server.poll_timeout().unwrap();
    server.handle_timeout(start + SECOND);
    assert_eq!(server.poll_event(), None);
    server.handle_timeout(until);
    assert_eq!(failure(&mut server), Some(Error::HandshakeTimeout { after: 10 * SECOND }));
    server.handle_bytes(until, b"more");
    assert_eq!(server.poll_event(), None, "it is over");

    let mut server = null(SocketType::Router);
    server.handle_bytes(start, &greeting::write("NULL", false));
    server.handle_bytes(start, &frame(b"too early", false));
    assert!(matches!(failure(&mut server), Some(Error::Command { .. })));
    let told: Vec<u8> = std::iter::from_fn(|| sent(&mut server)).flatten().collect();
    assert!(told.windows(5).any(|bytes| bytes == b"ERROR"), "the peer is told");
}

#[test]
fn a_peer_that_speaks_something_else_is_told_apart_at_once() {
    for (bytes, error) in [
        (&b"GET / HTTP/1.1\r\n"[..], Error::NotZmtp),
        (b"\x16\x03\x01\x02\x00", Error::NotZmtp),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01", Error::Version { major: 1 }),
    ] {
        let mut server = null(SocketType::Router);
        server.handle_bytes(Instant::now(), bytes);
        assert_eq!(failure(&mut server), Some(error));
    }
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let mut client = null(SocketType::Dealer);
    client.handle_bytes(Instant::now(), &greeting::write("NULL", false));
    client.handle_bytes(Instant::now(), &command::write("ERROR", &[b"\x07go away"]));
    assert_eq!(failure(&mut client), Some(Error::Refused { reason: "go away".to_owned() }));
}

#[test]
fn what_waits_is_bounded_however_short_the_frames_are() {
    let [_, mut server] = pair();
    let mut flood = &frame(b"x", false).repeat(10_000)[..];
    let mut arrived = 0;
    while !flood.is_empty() {
        let taken = server.handle_bytes(Instant::now(), flood);
        flood = &flood[taken..];
        let waiting = std::iter::from_fn(|| server.poll_event()).count();
        assert!((1..1_000).contains(&waiting), "{waiting} events");
        arrived += waiting;
    }
    assert_eq!(arrived, 10_000);
}

#[test]
fn a_peer_that_does_not_read_has_one_ping_waiting() {
    let start = Instant::now();
    let [_, mut server] = pair();
    for count in 1..100 {
        let at = start + 4 * SECOND * count;
        server.handle_timeout(at);
        server.handle_bytes(at, &frame(b"", false));
    }
    assert_eq!(server.transmit.len(), 1);
    assert!(server.poll_transmit().is_some());
    server.handle_timeout(start + 500 * SECOND);
    assert_eq!(server.transmit.len(), 1, "the one before has left");
}
