//! Two ends of a connection of CURVE, and an attacker between them who changes, repeats, drops and adds bytes. Neither end may panic, what they
//! hold must be bounded, and what arrives must be what was sent: the first of the frames, in their order, and nothing else.

#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zsvc_proto::keys::SecretKey;
use zsvc_proto::zmtp::curve::{Client, ENTROPY_BYTES, Entropy, Rejection, Sealer, Server};
use zsvc_proto::zmtp::{Config, Connection, Event, Heartbeat, Mechanism, SocketType, Transmit};

/// What one case does.
#[derive(Debug, Arbitrary)]
struct Case {
    knows_server: bool,
    is_let_in: bool,
    /// Whether nothing disturbs the handshake.
    is_past_handshake: bool,
    steps: Vec<Step>,
}

/// What an end does, or the attacker between them. `to_server` names the direction.
#[derive(Debug, Arbitrary)]
enum Step {
    /// An end sends a frame.
    Send {
        to_server: bool,
        length: u16,
        has_more: bool,
    },
    /// Bytes that wait go on, in pieces of this size.
    Deliver {
        to_server: bool,
        bytes: u16,
        piece: u8,
    },
    /// A byte that waits is changed.
    Change {
        to_server: bool,
        at: u16,
        to: u8,
    },
    /// Bytes that wait are taken away, or come twice.
    Drop {
        to_server: bool,
        at: u16,
        bytes: u16,
    },
    Repeat {
        to_server: bool,
        at: u16,
        bytes: u16,
    },
    /// Bytes are put in.
    Insert {
        to_server: bool,
        at: u16,
        bytes: Vec<u8>,
    },
    /// Time passes.
    Wait(u16),
}

const MAX_FRAME_BYTES: usize = 4_096;
const MAX_FRAMES: usize = 16;
const MAX_WAITING: usize = 300;

fuzz_target!(|case: Case| play(case));

/// One end, with what its program does.
struct End {
    connection: Connection,
    sealer: Option<Box<Sealer>>,
    is_let_in: bool,
    has_failed: bool,
    /// What it has sent and its peer has not received.
    sent: VecDeque<(Vec<u8>, bool)>,
    frames_in_message: usize,
    /// Bytes on their way to the other.
    waiting: Vec<u8>,
}

fn play(case: Case) {
    let now = Instant::now();
    let (server_key, client_key) = (key(1), key(2));
    let known = if case.knows_server { server_key.public_key() } else { client_key.public_key() };
    let client = Mechanism::CurveClient(Client::new(known, client_key, &entropy(3)));
    let server = Mechanism::CurveServer(Server::new(server_key, entropy(4)));
    let mut ends = [
        End::new(SocketType::Dealer, client, now, case.is_let_in),
        End::new(SocketType::Router, server, now, case.is_let_in),
    ];
    if case.is_past_handshake {
        for turn in 0..8 {
            deliver(&mut ends, turn % 2 == 0, usize::MAX, usize::MAX, now);
        }
        let is_ready = ends.iter().all(|end| end.sealer.is_some());
        assert_eq!(is_ready, case.knows_server && case.is_let_in);
    }
    let mut time = now;
    for step in case.steps {
        match step {
            Step::Send { to_server, length, has_more } => {
                ends[from(to_server)].send(usize::from(length), has_more)
            }
            Step::Deliver { to_server, bytes, piece } => {
                deliver(&mut ends, to_server, usize::from(bytes), usize::from(piece).max(1), time);
            }
            Step::Wait(millis) => {
                time += Duration::from_millis(u64::from(millis));
                for end in &mut ends {
                    end.connection.handle_timeout(time);
                    end.look(None);
                }
            }
            step => disturb(&mut ends, step),
        }
    }
    for to_server in [true, false] {
        deliver(&mut ends, to_server, usize::MAX, usize::MAX, time);
    }
}

fn key(number: u8) -> Arc<SecretKey> {
    Arc::new(SecretKey::from_bytes(&[number; 32]))
}

fn entropy(number: u8) -> Entropy {
    Entropy::take(&mut [number; ENTROPY_BYTES])
}

fn from(to_server: bool) -> usize {
    usize::from(!to_server)
}

fn disturb(ends: &mut [End; 2], step: Step) {
    let range = |waiting: &[u8], at: u16, bytes: u16| {
        let start = usize::from(at).min(waiting.len());
        start..(start + usize::from(bytes)).min(waiting.len())
    };
    match step {
        Step::Change { to_server, at, to } => {
            if let Some(byte) = ends[from(to_server)].waiting.get_mut(usize::from(at)) {
                *byte = to;
            }
        }
        Step::Drop { to_server, at, bytes } => {
            let waiting = &mut ends[from(to_server)].waiting;
            let range = range(waiting, at, bytes);
            waiting.drain(range);
        }
        Step::Repeat { to_server, at, bytes } => {
            let waiting = &mut ends[from(to_server)].waiting;
            let range = range(waiting, at, bytes);
            waiting.extend_from_within(range);
        }
        Step::Insert { to_server, at, bytes } => {
            let waiting = &mut ends[from(to_server)].waiting;
            let at = range(waiting, at, 0).start;
            waiting.splice(at..at, bytes);
        }
        Step::Send { .. } | Step::Deliver { .. } | Step::Wait(_) => {}
    }
}

fn deliver(ends: &mut [End; 2], to_server: bool, bytes: usize, piece: usize, now: Instant) {
    let [client, server] = ends;
    let (one, other) = if to_server { (client, server) } else { (server, client) };
    one.collect();
    let bytes: Vec<u8> = one.waiting.drain(..bytes.min(one.waiting.len())).collect();
    for mut piece in bytes.chunks(piece) {
        while !piece.is_empty() {
            let taken = if let Some((buffer, missing)) = other.connection.frame_buffer(64) {
                let (own, _) = piece.split_at(missing.min(piece.len()));
                buffer.extend_from_slice(own);
                other.connection.handle_filled(now);
                own.len()
            } else {
                other.connection.handle_bytes(now, piece)
            };
            assert!(other.look(Some(&mut one.sent)) || taken > 0, "bytes are left, and nothing has happened");
            piece = &piece[taken..];
        }
    }
}

impl End {
    fn new(socket_type: SocketType, mechanism: Mechanism, now: Instant, is_let_in: bool) -> Self {
        let config = Config {
            socket_type,
            routing_id: Bytes::new(),
            mechanism,
            max_frame_bytes: MAX_FRAME_BYTES,
            max_frames: MAX_FRAMES,
            handshake_timeout: Duration::from_secs(10),
            heartbeat: Some(Heartbeat { interval: Duration::from_secs(3), timeout: Duration::from_secs(5) }),
        };
        Self {
            connection: Connection::new(config, now),
            sealer: None,
            is_let_in,
            has_failed: false,
            sent: VecDeque::new(),
            frames_in_message: 0,
            waiting: Vec::new(),
        }
    }

    /// Sends a frame, if the handshake is complete.
    fn send(&mut self, length: usize, has_more: bool) {
        self.collect();
        let has_more = has_more && self.frames_in_message + 1 < MAX_FRAMES;
        let Some(sealer) = &mut self.sealer else { return };
        let body: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("less than 251")).collect();
        sealer.seal(&[&body], has_more, &mut self.waiting).expect("few frames are sent");
        self.frames_in_message = if has_more { self.frames_in_message + 1 } else { 0 };
        self.sent.push_back((body, has_more));
    }

    /// Takes what the connection has to send. Commands come between messages.
    fn collect(&mut self) {
        if self.frames_in_message > 0 {
            return;
        }
        let mut count = 0;
        while let Some(next) = self.connection.poll_transmit() {
            count += 1;
            match (next, &mut self.sealer) {
                (Transmit::Command(frame), Some(sealer)) => {
                    sealer.seal_frames(&frame, &mut self.waiting).expect("it is a whole frame");
                }
                (Transmit::Command(bytes), None) => panic!("in the clear: {bytes:?}"),
                (Transmit::Handshake(bytes), _) => self.waiting.extend_from_slice(&bytes),
            }
        }
        assert!(count <= MAX_WAITING);
    }

    /// Takes what has happened, and checks it against what the peer has sent. Returns whether anything has.
    fn look(&mut self, mut sent: Option<&mut VecDeque<(Vec<u8>, bool)>>) -> bool {
        let mut events = 0;
        while let Some(event) = self.connection.poll_event() {
            events += 1;
            assert!(!self.has_failed, "after the end: {event:?}");
            let mut next = || sent.as_mut().and_then(|sent| sent.pop_front()).expect("the peer has sent it");
            match event {
                Event::Key(_) if self.is_let_in => self.connection.accept_key(),
                Event::Key(_) => self.connection.reject(Rejection::Denied),
                Event::Ready(peer) => {
                    assert!(peer.public_key.is_some());
                    // There is none if the connection has failed right after that.
                    self.sealer = self.connection.take_sealer();
                }
                Event::Failed(_) => self.has_failed = true,
                Event::Frame { body, has_more } => assert_eq!((body.to_vec(), has_more), next()),
                Event::Skipped { head, bytes, has_more } => {
                    let (body, had_more) = next();
                    assert!(body.starts_with(&head) && body.len() as u64 == bytes && has_more == had_more);
                    assert!(body.len() > MAX_FRAME_BYTES);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(events <= MAX_WAITING, "{events} events");
        events > 0
    }
}
