//! What peers without the right keys, and those between two peers, try.

use super::*;
use crate::zmtp::{Credentials, command, properties};

/// The bytes that a client sends in a handshake, and those that a server sends.
struct Recorded {
    client: [Vec<u8>; 3],
    server: [Vec<u8>; 3],
}

/// Runs a handshake, and returns what was sent: greetings, `HELLO` and `INITIATE`, `WELCOME` and `READY`.
fn recorded() -> Recorded {
    let (mut client, mut server) = (client(), server());
    let mut recorded = Recorded { client: Default::default(), server: Default::default() };
    for turn in 0..3 {
        // The greetings cross; after that, the server answers.
        recorded.client[turn] = client.take();
        server.give(&recorded.client[turn], usize::MAX);
        recorded.server[turn] = server.take();
        client.give(&recorded.server[turn], usize::MAX);
    }
    assert!(client.is_ready() && server.is_ready());
    recorded
}

/// Asserts that a side has failed for this reason, and never was ready.
fn assert_failed(side: &Side, error: &Error) {
    assert_eq!(side.failure(), Some(error));
    assert!(!side.is_ready());
}

#[test]
fn a_client_that_knows_another_public_key_of_the_server_is_told_nothing() {
    let (mut client, mut server) = (client_of(CLIENT, 9), server());
    talk(&mut client, &mut server, usize::MAX);
    assert_failed(&server, &Error::Unopened { what: "`HELLO`" });
    assert!(client.events.is_empty(), "no `ERROR` either: {:?}", client.events);
}

#[test]
fn a_server_without_the_right_secret_key_can_not_answer() {
    let mut client = client();
    let other = Mechanism::CurveServer(Server::new(key(9), entropy()));
    let mut server = side(SocketType::Router, other);
    talk(&mut client, &mut server, usize::MAX);
    assert_failed(&server, &Error::Unopened { what: "`HELLO`" });
    // Nor by what the right one has answered to another.
    let [greeting, welcome, _] = recorded().server;
    let mut client = super::client();
    client.give(&greeting, usize::MAX);
    client.give(&welcome, usize::MAX);
    assert_failed(&client, &Error::Unopened { what: "`WELCOME`" });
}

#[test]
fn a_key_that_is_refused_is_told_with_its_status() {
    for (why, told) in [
        (Rejection::Denied, Some("400, this side is not let in")),
        (Rejection::Internal, Some("500, checking this side has failed")),
        (Rejection::Temporary, None),
    ] {
        let (mut client, mut server) = (client(), server());
        server.against = Some(why);
        talk(&mut client, &mut server, 7);
        assert_failed(&server, &Error::Rejected { why });
        let reason = told.map(|told| Error::Refused { reason: told.to_owned() });
        assert_eq!(client.failure(), reason.as_ref());
        assert!(!client.is_ready());
        server.connection.accept_key();
        server.look();
        assert!(!server.is_ready() && server.take().is_empty(), "it is too late");
    }
}

#[test]
fn a_client_sends_nothing_before_it_is_let_in() {
    let (mut client, mut server) = (client(), server());
    for _ in 0..2 {
        server.give(&client.take(), usize::MAX);
        client.give(&server.take(), usize::MAX);
    }
    server.connection.handle_bytes(Instant::now(), &client.take());
    assert_eq!(server.connection.poll_event(), Some(Event::Key(key(CLIENT).public_key())));
    assert!(server.connection.poll_timeout().is_some(), "the time of the handshake runs on");
    server.connection.handle_bytes(Instant::now(), &frame(b"too early"));
    server.look();
    assert!(matches!(server.failure(), Some(Error::Command { .. })));
    server.connection.accept_key();
    server.look();
    assert!(!server.is_ready() && server.connection.take_sealer().is_none());
}

/// The program hears of the key, and of what came after it, at the same time.
#[test]
fn a_client_that_does_not_wait_to_be_let_in_is_not_let_in() {
    let (mut client, mut server) = (client(), server());
    for _ in 0..2 {
        server.give(&client.take(), usize::MAX);
        client.give(&server.take(), usize::MAX);
    }
    let sent = [client.take(), frame(b"too early")].concat();
    server.give(&sent, usize::MAX);
    assert!(
        matches!(&server.events[..], [Event::Key(_), Event::Failed(Error::Command { .. })]),
        "{:?}",
        server.events
    );
    assert!(server.connection.take_sealer().is_none());
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    FrameHeader::message(body.len(), false).write(&mut bytes);
    [&bytes[..], body].concat()
}

#[test]
fn no_side_of_another_mechanism_is_talked_to() {
    let plain = || Mechanism::PlainClient(Credentials::new("ada", "secret").unwrap());
    let curve = || Mechanism::CurveClient(Client::new(key(SERVER).public_key(), key(CLIENT), &entropy()));
    let serving = || Mechanism::CurveServer(Server::new(key(SERVER), entropy()));
    let pairs: [(Mechanism, Mechanism); 5] = [
        (Mechanism::Null, serving()),
        (plain(), serving()),
        (curve(), Mechanism::Null),
        (curve(), Mechanism::PlainServer),
        (serving(), Mechanism::Null),
    ];
    for (one, other) in pairs {
        let (ours, theirs) = (one.name(), other.name());
        let (mut one, mut other) = (side(SocketType::Dealer, one), side(SocketType::Router, other));
        talk(&mut one, &mut other, usize::MAX);
        assert_failed(&one, &Error::Mechanism { theirs: theirs.to_owned(), ours });
        assert_failed(&other, &Error::Mechanism { theirs: ours.to_owned(), ours: theirs });
    }
    let (mut one, mut other) = (server(), server());
    talk(&mut one, &mut other, usize::MAX);
    assert_failed(&one, &Error::Roles);
}

/// A greeting that says CURVE is no more than that.
#[test]
fn a_handshake_of_another_mechanism_after_the_greeting_is_refused() {
    let properties = properties::write(SocketType::Dealer, b"");
    for said in [
        command::write("READY", &[&properties]),
        command::write("INITIATE", &[&properties]),
        command::write("HELLO", &[b"\x03ada\x06secret"]),
        command::write("WELCOME", &[]),
        command::write("PING", &[&[0, 0]]),
        frame(b"too early"),
    ] {
        for mut side in [client(), server()] {
            side.give(&recorded().client[0], usize::MAX);
            side.give(&said, usize::MAX);
            assert!(
                matches!(side.failure(), Some(Error::Command { .. })),
                "{:?} by {said:?}",
                side.failure()
            );
            assert!(!side.is_ready());
        }
    }
}

#[test]
fn a_handshake_that_was_recorded_is_of_no_use() {
    let recorded = recorded();
    let mut server = server();
    server.give(&recorded.client.concat(), usize::MAX);
    assert_failed(&server, &Error::Unopened { what: "the cookie" });
    let mut client = client();
    client.give(&recorded.server.concat(), usize::MAX);
    assert_failed(&client, &Error::Unopened { what: "`WELCOME`" });
}

#[test]
fn commands_out_of_their_order_are_refused() {
    let Recorded { client: [greeting, hello, initiate], server: [_, welcome, ready] } = recorded();
    let orders: [&[&Vec<u8>]; 4] = [&[&initiate], &[&welcome], &[&ready], &[&hello, &hello]];
    for commands in orders {
        let mut server = server();
        server.give(&greeting, usize::MAX);
        for command in commands {
            server.give(command, usize::MAX);
        }
        assert!(matches!(server.failure(), Some(Error::Command { .. })), "{:?}", server.failure());
        assert!(!server.is_ready());
    }
    for command in [&hello, &initiate, &ready] {
        let mut client = client();
        client.give(&greeting, usize::MAX);
        client.give(command, usize::MAX);
        assert!(matches!(client.failure(), Some(Error::Command { .. })), "{:?}", client.failure());
    }
}

/// Runs a handshake in which one byte after the greeting, counted over all that one side sends, is changed. Returns that side and the
/// other, and whether there was such a byte.
fn with_change(of_client: bool, at: usize, bit: u32) -> (Side, Side, bool) {
    let (mut one, mut other) = if of_client { (client(), server()) } else { (server(), client()) };
    let mut sent = 0;
    let mut any = false;
    loop {
        let (mut from_one, from_other) = (one.take(), other.take());
        if from_one.is_empty() && from_other.is_empty() {
            return (one, other, any);
        }
        if let Some(byte) = (64 + at).checked_sub(sent).and_then(|place| from_one.get_mut(place)) {
            *byte ^= 1 << bit;
            any = true;
        }
        sent += from_one.len();
        other.give(&from_one, usize::MAX);
        one.give(&from_other, usize::MAX);
    }
}

#[test]
fn a_handshake_with_any_byte_changed_is_never_complete() {
    for of_client in [true, false] {
        let mut at = 0;
        loop {
            // One of each byte's bits, and all of them over the bytes.
            let (_, deceived, any) = with_change(of_client, at, u32::try_from(at % 8).unwrap());
            if !any {
                break;
            }
            assert!(!deceived.is_ready(), "byte {at}");
            at += 1;
        }
        assert!(at > if of_client { 500 } else { 200 }, "{at} bytes were changed");
    }
}

/// Headers that say so are as good as bytes that are not there.
#[test]
fn a_handshake_that_is_cut_is_never_complete() {
    let cut = |command: &[u8], length: usize| {
        let (header, size) = FrameHeader::read(command).unwrap().unwrap();
        let mut out = Vec::new();
        FrameHeader { length: length as u64, ..header }.write(&mut out);
        out.extend_from_slice(&command[size..size + length]);
        out
    };
    for length in (0..200).step_by(3) {
        let (mut client, mut server) = (client(), server());
        server.give(&client.take(), usize::MAX);
        client.give(&server.take(), usize::MAX);
        server.give(&cut(&client.take(), length), usize::MAX);
        assert!(server.failure().is_some() && server.take().len() < 64, "{length}");
    }
    for length in (0..257).step_by(3) {
        let (mut client, mut server) = (client(), server());
        for _ in 0..2 {
            server.give(&client.take(), usize::MAX);
            client.give(&server.take(), usize::MAX);
        }
        server.give(&cut(&client.take(), length), usize::MAX);
        assert!(server.failure().is_some() && !server.is_ready(), "{length}");
    }
    let until = server().connection.poll_timeout().unwrap();
    let mut server = server();
    server.give(&recorded().client.concat()[..300], usize::MAX);
    server.connection.handle_timeout(until + Duration::from_secs(1));
    server.look();
    assert!(matches!(server.failure(), Some(Error::HandshakeTimeout { .. })));
}

#[test]
fn more_than_a_hello_is_not_waited_for() {
    let mut server = server();
    server.give(&recorded().client[0], usize::MAX);
    server.give(b"\x04\xc9", usize::MAX);
    assert!(matches!(server.failure(), Some(Error::Command { expected: "`HELLO` of 200 bytes" })));
}

/// A client that does `INITIATE` by hand: its key, the key that it says that it has, the server that its vouch is for, and what it says of
/// itself.
fn forged(own: u8, claimed: u8, server_of_vouch: u8, metadata: &[u8]) -> Side {
    let transient = SecretKey::from_bytes(&[77; 32]);
    let mut server = server();
    server.give(&recorded().client[0], usize::MAX);
    server.take();
    let greeted = transient.agree(&key(SERVER).public_key()).unwrap();
    let signature = greeted.seal(&short_nonce(b"CurveZMQHELLO---", 1), &SIGNED);
    let public = transient.public_key();
    let hello: [&[u8]; 5] =
        [&VERSION, &[0; PADDING_BYTES], public.as_bytes(), &1_u64.to_be_bytes(), &signature];
    server.give(&command::write("HELLO", &hello), usize::MAX);
    let welcome = server.take();
    let nonce: &[u8; 16] = welcome[10..].first_chunk().unwrap();
    let opened = greeted.open(&long_nonce(*b"WELCOME-", nonce), &welcome[26..]).unwrap();
    let (theirs, cookie) = opened.split_first_chunk().unwrap();
    let theirs = PublicKey::from_bytes(*theirs);
    let vouched = [*public.as_bytes(), *key(server_of_vouch).public_key().as_bytes()].concat();
    let vouch = key(own).agree(&theirs).unwrap().seal(&long_nonce(*b"VOUCH---", &[5; 16]), &vouched);
    let claimed = key(claimed).public_key();
    let said = [&claimed.as_bytes()[..], &[5; 16], &vouch, metadata].concat();
    let sealed = transient.agree(&theirs).unwrap().seal(&short_nonce(b"CurveZMQINITIATE", 2), &said);
    server.give(&command::write("INITIATE", &[cookie, &2_u64.to_be_bytes(), &sealed]), usize::MAX);
    server
}

#[test]
fn a_public_key_alone_lets_no_client_in() {
    let metadata = properties::write(SocketType::Dealer, b"");
    assert!(forged(CLIENT, CLIENT, SERVER, &metadata).is_ready(), "the forger knows how");
    let vouch = Error::Unopened { what: "the client's vouch for its key" };
    assert_failed(&forged(9, CLIENT, SERVER, &metadata), &vouch);
    // One that was made for another server, which might pass it on.
    assert_failed(&forged(CLIENT, CLIENT, 9, &metadata), &vouch);
}

#[test]
fn metadata_that_claims_an_identity_changes_nothing() {
    let mut metadata = properties::write(SocketType::Dealer, b"admin");
    let victim = key(9).public_key();
    for (name, value) in [("User-Id", &b"admin"[..]), ("Public-Key", victim.as_bytes()), ("X-Key", b"admin")]
    {
        command::short_string(&mut metadata, name.as_bytes());
        metadata.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        metadata.extend_from_slice(value);
    }
    let server = forged(CLIENT, CLIENT, SERVER, &metadata);
    assert_eq!(server.peers_key(), Some(key(CLIENT).public_key()));
    assert!(matches!(&server.events[..], [_, Event::Ready(peer)] if peer.username.is_none()));
    assert_failed(
        &forged(CLIENT, CLIENT, SERVER, b"\x0bSocket-Type\0\0\0"),
        &Error::Command { expected: "metadata of names and values" },
    );
}

#[test]
fn frames_repeated_left_out_or_moved_end_the_connection() {
    let attack = |order: &[usize]| {
        let (mut client, mut server) = pair();
        let frames: Vec<_> = (0..3).map(|number| client.seal(&[&[number]])).collect();
        for number in order {
            server.give(&frames[*number], usize::MAX);
        }
        (server.failure().cloned(), server.events.len())
    };
    assert_eq!(attack(&[0, 1, 2]), (None, 3));
    assert_eq!(attack(&[0, 0]), (Some(Error::Order), 2), "repeated");
    assert_eq!(attack(&[0, 1, 0]), (Some(Error::Order), 3), "repeated later");
    assert_eq!(attack(&[1]), (Some(Error::Order), 1), "the first left out");
    assert_eq!(attack(&[0, 2]), (Some(Error::Order), 2), "left out");
    assert_eq!(attack(&[1, 0, 2]), (Some(Error::Order), 1), "moved");
}

#[test]
fn a_frame_with_any_byte_changed_ends_the_connection() {
    let length = pair().0.seal(&[b"a message", b"of two frames"]).len();
    for at in 0..length {
        for bit in [0, 3, 7] {
            let (mut client, mut server) = pair();
            let mut sent = client.seal(&[b"a message", b"of two frames"]);
            sent[at] ^= 1 << bit;
            // A header may say that more is to come.
            server.give(&sent, usize::MAX);
            server.give(&client.seal(&[&[7; 200]]), usize::MAX);
            server.give(&client.seal(&[&[7; 200]]), usize::MAX);
            let whole = server.events.iter().filter(|event| matches!(event, Event::Frame { .. })).count();
            let is_waiting = server.connection.arriving().is_some_and(|length| length > 200);
            assert!(whole <= 1 && (server.failure().is_some() || is_waiting), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn what_a_side_has_sent_is_not_taken_back_by_it() {
    let (mut client, mut server) = pair();
    let sent = client.seal(&[b"mine"]);
    client.give(&sent, usize::MAX);
    assert!(client.failure().is_some());
    let from_server = server.seal(&[b"mine"]);
    server.give(&from_server, usize::MAX);
    assert!(server.failure().is_some());
}

#[test]
fn nothing_in_the_clear_is_taken_once_the_handshake_is_complete() {
    let unsealed = [
        frame(b"a message in the clear"),
        frame(b""),
        frame(&[7; 100]),
        command::write("PING", &[&[0, 0]]),
        command::write("ERROR", &[b"\x07go away"]),
        command::write("MESSAGE", &[&[7; 40]]),
        command::write("READY", &[]),
        [&[1, 40][..], b"\x07MESSAGE", &[0; 32]].concat(),
    ];
    for bytes in unsealed {
        let (mut client, mut server) = pair();
        for side in [&mut client, &mut server] {
            side.give(&bytes, usize::MAX);
            assert_eq!(side.failure(), Some(&Error::Unsealed), "{bytes:?}");
            assert!(side.take().is_empty(), "no `ERROR`, which would be in the clear");
        }
    }
}

/// Bounds hold inside of the encryption as without it.
#[test]
fn bounds_hold_for_what_was_encrypted() {
    let (mut client, mut server) = pair();
    server.give(&client.seal(&[&b""[..]; 11]), usize::MAX);
    assert_eq!(server.failure(), Some(&Error::TooManyFrames { max: 10 }));
    let sealed_commands = |frames: &[u8]| {
        let (mut client, mut server) = pair();
        let mut out = Vec::new();
        client.sealer.as_mut().unwrap().seal_frames(frames, &mut out).unwrap();
        server.give(&out, usize::MAX);
        server.failure().cloned()
    };
    let ping = command::write("PING", &[&[0, 0]]);
    assert_eq!(sealed_commands(&ping), None);
    assert_eq!(sealed_commands(&[&[1, 1, b'x'][..], &ping].concat()), Some(Error::Frame), "inside a message");
    for size in [9_000, MAX_FRAME_BYTES + 1] {
        let long = command::write("PING", &[&vec![0; size]]);
        assert!(matches!(sealed_commands(&long), Some(Error::Command { .. })));
    }
    assert!(matches!(sealed_commands(b"\x04\x05\x04PING"), Some(Error::Command { .. })));
    let error = command::write("ERROR", &[b"\x07go away"]);
    assert_eq!(sealed_commands(&error), Some(Error::Refused { reason: "go away".to_owned() }));
    let (_, mut server) = pair();
    server.give(&[2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], usize::MAX);
    assert!(matches!(server.failure(), Some(Error::FrameTooLong { .. })));
}
