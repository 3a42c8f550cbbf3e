//! Feeds arbitrary bytes of a peer, in pieces of any size, to one end of a ZMTP connection, with a server above it. The connection must
//! not panic, what it holds must be bounded, and nothing may come of it after it has failed.

#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use zsvc::Server;
use zsvc::fuzzing::{FuzzedServer, is_readable};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::ProbeServer;
use zsvc_fuzz_wire::{Message, run, settle};
use zsvc_proto::zmtp::{Config, Connection, Event, FrameHeader, Heartbeat, Mechanism, SocketType};

/// What one case does.
#[derive(Debug, Arbitrary)]
struct Case {
    asks_for_passwords: bool,
    is_past_greeting: bool,
    is_past_handshake: bool,
    /// Size in bytes of the pieces in which bytes arrive.
    piece: u8,
    steps: Vec<Step>,
}

/// What a peer does, or the end that is tested.
#[derive(Debug, Arbitrary)]
enum Step {
    Bytes(Vec<u8>),
    Frame { has_more: bool, body: Vec<u8> },
    Lie { has_more: bool, length: u64, body: Vec<u8> },
    Command { name: String, data: Vec<u8> },
    Message(Message),
    Wait(u16),
}

const MAX_FRAME_BYTES: usize = 4_096;
const MAX_FRAMES: usize = 16;
/// More than the frames that are taken at a time, and than the answers that wait.
const MAX_WAITING: usize = 300;
const GREETING: &[u8; 12] = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01";
const READY: &[u8] = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";

fuzz_target!(|case: Case| run(play(case)));

/// The end that is tested, and the server above it.
struct End {
    connection: Connection,
    server: FuzzedServer,
    frames: Vec<Bytes>,
    now: Instant,
    has_failed: bool,
}

async fn play(case: Case) {
    let builder =
        Server::builder().service(ProbeServer::new(Probe::default())).max_message_size(MAX_FRAME_BYTES);
    let now = Instant::now();
    let mechanism = if case.asks_for_passwords { Mechanism::PlainServer } else { Mechanism::Null };
    let config = Config {
        socket_type: SocketType::Router,
        routing_id: Bytes::new(),
        mechanism,
        max_frame_bytes: MAX_FRAME_BYTES,
        max_frames: MAX_FRAMES,
        handshake_timeout: Duration::from_secs(10),
        heartbeat: Some(Heartbeat { interval: Duration::from_secs(3), timeout: Duration::from_secs(5) }),
    };
    let server = FuzzedServer::new(builder).expect("one service");
    let connection = Connection::new(config, now);
    let mut end = End { connection, server, frames: Vec::new(), now, has_failed: false };
    if case.is_past_greeting {
        let mut greeting = [0; 64];
        greeting[..12].copy_from_slice(GREETING);
        let name: &[u8] = if case.asks_for_passwords { b"PLAIN" } else { b"NULL" };
        greeting[12..12 + name.len()].copy_from_slice(name);
        end.take(&greeting);
        if case.is_past_handshake {
            end.take(READY);
        }
    }
    for step in case.steps {
        match step {
            Step::Wait(millis) => {
                end.now += Duration::from_millis(u64::from(millis));
                end.connection.handle_timeout(end.now);
                end.look();
            }
            step => {
                let bytes = step.bytes();
                bytes.chunks(usize::from(case.piece).max(1)).for_each(|piece| end.take(piece));
            }
        }
        settle().await;
        assert!(end.server.messages().iter().all(|(_, message)| is_readable(message)));
    }
    end.server.lose(b"peer");
    settle().await;
}

impl Step {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Bytes(raw) => bytes.extend_from_slice(raw),
            Self::Frame { has_more, body } => frame(&mut bytes, body, *has_more),
            Self::Lie { has_more, length, body } => {
                bytes.push(2 | u8::from(*has_more));
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(body);
            }
            Self::Command { name, data } => {
                let name = &name.as_bytes()[..name.len().min(20)];
                let data = &data[..data.len().min(200)];
                bytes.push(4);
                bytes.push(u8::try_from(1 + name.len() + data.len()).expect("both are short"));
                bytes.push(u8::try_from(name.len()).expect("it is short"));
                bytes.extend_from_slice(name);
                bytes.extend_from_slice(data);
            }
            Self::Message(message) => {
                message.frames().iter().for_each(|attached| frame(&mut bytes, attached, true));
                frame(&mut bytes, &message.batch(), false);
            }
            Self::Wait(_) => {}
        }
        bytes
    }
}

fn frame(out: &mut Vec<u8>, body: &[u8], has_more: bool) {
    FrameHeader::message(body.len(), has_more).write(out);
    out.extend_from_slice(body);
}

impl End {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = if let Some((buffer, missing)) = self.connection.frame_buffer(64) {
                let (own, _) = bytes.split_at(missing.min(bytes.len()));
                buffer.extend_from_slice(own);
                self.connection.handle_filled(self.now);
                own.len()
            } else {
                self.connection.handle_bytes(self.now, bytes)
            };
            assert!(self.look() || taken > 0, "bytes are left, and nothing has happened");
            bytes = &bytes[taken..];
        }
    }

    /// Takes what has happened. Returns whether anything has.
    fn look(&mut self) -> bool {
        let mut events = 0;
        while let Some(event) = self.connection.poll_event() {
            events += 1;
            assert!(!self.has_failed, "after the end: {event:?}");
            match event {
                Event::Credentials(credentials) if credentials.username().len() % 2 == 0 => {
                    self.connection.accept(&credentials);
                }
                Event::Credentials(_) => self.connection.deny(),
                Event::Failed(_) => self.has_failed = true,
                Event::Frame { body, has_more } => {
                    assert!(body.len() <= MAX_FRAME_BYTES && self.frames.len() < MAX_FRAMES);
                    if has_more {
                        self.frames.push(body);
                    } else {
                        self.server.receive(b"peer", &body, &std::mem::take(&mut self.frames));
                    }
                }
                Event::Skipped { head, bytes, has_more } => {
                    assert!(head.len() <= MAX_FRAME_BYTES && bytes > MAX_FRAME_BYTES as u64);
                    if !has_more {
                        self.frames.clear();
                    }
                }
                _ => {}
            }
        }
        let sent = std::iter::from_fn(|| self.connection.poll_transmit()).count();
        assert!(events <= MAX_WAITING && sent <= MAX_WAITING, "{events} events, {sent} to send");
        events > 0
    }
}
