//! Both sides of CURVE, which hand each other their bytes: what works. What attackers do is in [`attacks`].

mod attacks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::keys::{PublicKey, SecretKey};
use crate::zmtp::{
    Config, Connection, Error, Event, FrameHeader, Heartbeat, Mechanism, SIGN_OF_LIFE, SocketType, Transmit,
};

const MAX_FRAME_BYTES: usize = 100_000;

/// A side with what its program does: it judges keys, encrypts, and keeps what has happened.
struct Side {
    connection: Connection,
    sealer: Option<Box<Sealer>>,
    events: Vec<Event>,
    /// Why the program refuses keys, if it does.
    against: Option<Rejection>,
}

/// Returns a key that is always the same for the same number.
fn key(number: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_bytes(&[number; 32]))
}

/// Returns bytes that are random enough for tests, and others each time.
fn entropy() -> Entropy {
    use std::hash::BuildHasher as _;
    let random = std::collections::hash_map::RandomState::new();
    let mut bytes = [0; ENTROPY_BYTES];
    for (index, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&random.hash_one(index).to_le_bytes());
    }
    Entropy::take(&mut bytes)
}

const SERVER: u8 = 1;
const CLIENT: u8 = 2;

fn side(socket_type: SocketType, mechanism: Mechanism) -> Side {
    let config = Config {
        socket_type,
        routing_id: Bytes::from_static(b"me"),
        mechanism,
        max_frame_bytes: MAX_FRAME_BYTES,
        max_frames: 10,
        handshake_timeout: Duration::from_secs(10),
        heartbeat: Some(Heartbeat { interval: Duration::from_secs(3), timeout: Duration::from_secs(1) }),
    };
    let connection = Connection::new(config, Instant::now());
    Side { connection, sealer: None, events: Vec::new(), against: None }
}

fn server() -> Side {
    side(SocketType::Router, Mechanism::CurveServer(Server::new(key(SERVER), entropy())))
}

/// Returns a client with a key, for the server with a public key.
fn client_of(own: u8, server: u8) -> Side {
    let client = Client::new(key(server).public_key(), key(own), &entropy());
    side(SocketType::Dealer, Mechanism::CurveClient(client))
}

fn client() -> Side {
    client_of(CLIENT, SERVER)
}

impl Side {
    /// Returns what this side has to send.
    fn take(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(next) = self.connection.poll_transmit() {
            match (next, &mut self.sealer) {
                (Transmit::Command(frame), Some(sealer)) => sealer.seal_frames(&frame, &mut out).unwrap(),
                (Transmit::Command(bytes) | Transmit::Handshake(bytes), _) => out.extend_from_slice(&bytes),
            }
        }
        out
    }

    /// Takes bytes that arrive, in pieces.
    fn give(&mut self, bytes: &[u8], piece: usize) {
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() {
                let taken = self.connection.handle_bytes(Instant::now(), piece);
                piece = &piece[taken..];
                self.look();
            }
        }
    }

    fn look(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match (&event, self.against) {
                (Event::Key(_), None) => self.connection.accept_key(),
                (Event::Key(_), Some(why)) => self.connection.reject(why),
                (Event::Ready(_), _) => self.sealer = self.connection.take_sealer(),
                _ => {}
            }
            self.events.push(event);
        }
    }

    /// Returns the frames of a message.
    fn seal(&mut self, frames: &[&[u8]]) -> Vec<u8> {
        let (mut out, sealer) = (Vec::new(), self.sealer.as_mut().expect("the handshake is complete"));
        for (index, frame) in frames.iter().enumerate() {
            let (start, middle) = (out.len(), frame.len() / 2);
            sealer.seal(&[&frame[..middle], &frame[middle..]], index + 1 < frames.len(), &mut out).unwrap();
            assert_eq!(out.len() - start, Sealer::sealed_bytes(frame.len()));
        }
        out
    }

    fn is_ready(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Ready(_)))
    }

    fn failure(&self) -> Option<&Error> {
        self.events.iter().find_map(|event| if let Event::Failed(error) = event { Some(error) } else { None })
    }

    fn peers_key(&self) -> Option<PublicKey> {
        self.events
            .iter()
            .find_map(|event| if let Event::Ready(peer) = event { peer.public_key } else { None })
    }

    /// Takes what has happened since the last time, which has to be frames.
    fn frames(&mut self) -> Vec<(Bytes, bool)> {
        let frame = |event| match event {
            Event::Frame { body, has_more } => (body, has_more),
            other => panic!("{other:?}"),
        };
        self.events.drain(..).map(frame).collect()
    }
}

/// Lets two sides talk until neither has anything to say.
fn talk(one: &mut Side, other: &mut Side, piece: usize) {
    loop {
        let (from_one, from_other) = (one.take(), other.take());
        if from_one.is_empty() && from_other.is_empty() {
            return;
        }
        other.give(&from_one, piece);
        one.give(&from_other, piece);
    }
}

/// Returns a client and a server whose handshake is complete.
fn pair() -> (Side, Side) {
    let (mut client, mut server) = (client(), server());
    talk(&mut client, &mut server, usize::MAX);
    assert!(client.is_ready() && server.is_ready());
    client.events.clear();
    server.events.clear();
    (client, server)
}

#[test]
fn a_handshake_is_complete_whatever_pieces_it_arrives_in() {
    for piece in [1, 2, 7, 64, 65, 200, usize::MAX] {
        let (mut client, mut server) = (client(), server());
        talk(&mut client, &mut server, piece);
        assert_eq!(client.peers_key(), Some(key(SERVER).public_key()));
        assert_eq!(server.peers_key(), Some(key(CLIENT).public_key()));
        assert!(matches!(&server.events[..], [Event::Key(shown), Event::Ready(peer)]
            if *shown == key(CLIENT).public_key() && peer.routing_id == "me" && peer.username.is_none()));
        assert!(matches!(&client.events[..], [Event::Ready(peer)] if peer.socket_type == SocketType::Router));
    }
}

/// Source: RFC 26, "High-level Grammar".
#[test]
fn commands_have_the_lengths_that_the_rfc_gives() {
    let (mut client, mut server) = (client(), server());
    let length = |bytes: &[u8], name: &[u8]| {
        let (header, size) = FrameHeader::read(bytes).unwrap().unwrap();
        assert!(header.is_command && bytes[size..].starts_with(name));
        assert_eq!(bytes.len() - size, usize::try_from(header.length).unwrap());
        bytes.len() - size
    };
    let (from_client, from_server) = (client.take(), server.take());
    assert_eq!((from_client.len(), from_server.len()), (64, 64));
    server.give(&from_client, usize::MAX);
    client.give(&from_server, usize::MAX);
    let hello = client.take();
    assert_eq!(length(&hello, b"\x05HELLO\x01\x00"), 200);
    server.give(&hello, usize::MAX);
    let welcome = server.take();
    assert_eq!(length(&welcome, b"\x07WELCOME"), 168);
    client.give(&welcome, usize::MAX);
    let properties = 4 + 11 + 1 + 6 + 4 + 8 + 1 + 2;
    let initiate = client.take();
    assert_eq!(length(&initiate, b"\x08INITIATE"), 257 + properties);
    server.give(&initiate, usize::MAX);
    assert_eq!(length(&server.take(), b"\x05READY"), 30 + properties);
}

#[test]
fn frames_of_every_length_arrive_in_both_directions() {
    let (mut client, mut server) = pair();
    let around = |length: usize| length - 2..length + 2;
    let lengths =
        (0..300).chain(around(4_096)).chain(around(65_536)).chain(MAX_FRAME_BYTES - 1..=MAX_FRAME_BYTES);
    for length in lengths {
        let body: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let sent = client.seal(&[&body, b"", b"last"]);
        assert!(length < 16 || !sent.windows(16).any(|window| window == &body[..16]), "it is encrypted");
        server.give(&sent, 65_536);
        let expected =
            [(Bytes::from(body), true), (Bytes::new(), true), (Bytes::from_static(b"last"), false)];
        assert_eq!(server.frames(), expected);
        let back = server.seal(&[&expected[0].0]);
        client.give(&back, usize::MAX);
        assert_eq!(client.frames(), [(expected[0].0.clone(), false)]);
    }
}

#[test]
fn frames_arrive_whatever_pieces_they_come_in() {
    let (mut client, mut server) = pair();
    for piece in 1..400 {
        server.give(&client.seal(&[b"route", &[7; 300], b""]), piece);
        let lengths: Vec<_> =
            server.frames().iter().map(|(body, has_more)| (body.len(), *has_more)).collect();
        assert_eq!(lengths, [(5, true), (300, true), (0, false)]);
    }
}

#[test]
fn a_long_frame_is_read_to_where_it_stays_and_decrypted_there() {
    let (mut client, mut server) = pair();
    let sent = client.seal(&[&vec![7; MAX_FRAME_BYTES]]);
    server.give(&sent[..1_000], usize::MAX);
    let mut at = 1_000;
    let mut place = None;
    while let Some((buffer, missing)) = server.connection.frame_buffer(1) {
        assert_eq!(missing, sent.len() - at);
        place = Some(buffer.as_ptr() as usize);
        buffer.extend_from_slice(&sent[at..]);
        at = sent.len();
        server.connection.handle_filled(Instant::now());
    }
    server.look();
    let frames = server.frames();
    assert_eq!(frames, [(Bytes::from(vec![7; MAX_FRAME_BYTES]), false)]);
    assert_eq!(frames[0].0.as_ptr() as usize, place.unwrap() + OVERHEAD_BYTES);
}

#[test]
fn heartbeats_and_signs_of_life_are_encrypted_and_answered() {
    let (mut client, mut server) = pair();
    let at = server.connection.poll_timeout().unwrap();
    server.connection.handle_timeout(at);
    let ping = server.take();
    assert!(!ping.windows(4).any(|window| window == b"PING"));
    client.give(&ping, 1);
    let answer = client.take();
    assert_eq!(answer.len(), Sealer::sealed_bytes(5));
    server.give(&answer, 3);
    let mut sign = Vec::new();
    server.sealer.as_mut().unwrap().seal_frames(SIGN_OF_LIFE, &mut sign).unwrap();
    client.give(&sign, usize::MAX);
    assert!(client.events.is_empty() && server.events.is_empty(), "no frames come of it");
    assert!(server.connection.poll_timeout().unwrap() > at);
}

/// Returns the numbers of the frames, each of up to 255 bytes.
fn numbers(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some((header, size)) = FrameHeader::read(bytes).unwrap() {
        let (frame, rest) = bytes[size..].split_at(usize::try_from(header.length).unwrap());
        assert!(frame.starts_with(b"\x07MESSAGE"));
        numbers.push(u64::from_be_bytes(frame[8..16].try_into().unwrap()));
        bytes = rest;
    }
    numbers
}

/// A nonce is the number, behind a prefix for each direction, under keys of one connection.
#[test]
fn no_nonce_is_used_twice() {
    let mut boxes = std::collections::HashSet::new();
    for _ in 0..3 {
        let (mut client, mut server) = pair();
        let mut last = [None; 2];
        for _ in 0..5 {
            let (mut out, mut back) = (Vec::new(), Vec::new());
            out.extend(client.seal(&[b"a", b"bc"]));
            let at = server.connection.poll_timeout().unwrap();
            server.connection.handle_timeout(at);
            let ping = server.take();
            client.give(&ping, usize::MAX);
            back.extend(ping);
            back.extend(server.seal(&[b"a"]));
            // The answer to the ping.
            out.extend(client.take());
            server.give(&out, usize::MAX);
            assert!(server.failure().is_none());
            for (last, sent) in last.iter_mut().zip([&out, &back]) {
                for number in numbers(sent) {
                    assert!(last.is_none_or(|last| number == last + 1), "{number} after {last:?}");
                    *last = Some(number);
                }
            }
        }
        for side in [&mut client, &mut server] {
            let sealed = side.seal(&[&[7; 64]]);
            let is_new = boxes.insert(sealed[2 + OVERHEAD_BYTES..].to_vec());
            assert!(is_new, "each connection has keys of its own, and each direction nonces of its own");
        }
    }
}

/// What comes after it must not be lost with it, as without encryption.
#[test]
fn a_frame_that_is_too_long_to_be_kept_is_read_to_its_end_and_authenticated() {
    for piece in [1, 15, 1_000, 65_536] {
        let (mut client, mut server) = pair();
        let mut body = vec![7; MAX_FRAME_BYTES + 1];
        body[..4].copy_from_slice(b"head");
        let sent = client.seal(&[&body, b"next"]);
        server.give(&sent, piece);
        let [Event::Skipped { head, bytes, has_more: true }, Event::Frame { .. }] = &server.events[..] else {
            panic!("{:?}", server.failure())
        };
        assert_eq!((&head[..], *bytes), (&body[..64], body.len() as u64));
        let (mut client, mut server) = pair();
        let mut sent = client.seal(&[&body]);
        let at = sent.len() - 1_000;
        sent[at] ^= 1;
        server.give(&sent, piece);
        assert_eq!(server.failure(), Some(&Error::Unopened { what: "a frame" }));
        assert_eq!(server.events.len(), 1, "nothing was said of it before");
    }
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let (mut client, mut server) = (client(), server());
    let before = format!("{:?} {:?}", client.connection, server.connection);
    talk(&mut client, &mut server, usize::MAX);
    let after = format!("{:?} {:?} {:?}", client.connection, server.connection, client.sealer);
    let printed = before + &after;
    for secret in [key(CLIENT), key(SERVER)] {
        assert!(!printed.contains(secret.to_z85().as_str()));
    }
    assert!(!printed.contains("2, 2, 2") && !printed.contains("1, 1, 1"), "{printed}");
    assert!(format!("{:?}", entropy()).len() < 20);
}
