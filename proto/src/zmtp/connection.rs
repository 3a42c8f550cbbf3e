//! [`Connection`]: one connection from its greeting to its end. The order of calls is at the head of [`super`]; what becomes of bytes that
//! arrive is in [`arriving`].

mod arriving;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::command;
use super::curve::{OVERHEAD_BYTES, Opener, Rejection, Sealer};
use super::events::Events;
use super::frame::Assembling;
use super::greeting;
use super::handshake::{Handshake, Step};
use super::heartbeat::{Liveness, Verdict};
use super::properties::MAX_ROUTING_ID_BYTES;
use super::{Credentials, Error, Heartbeat, Mechanism, Peer, SocketType};
use crate::keys::PublicKey;

/// What a connection is to be like.
#[derive(Debug)]
pub struct Config {
    /// This side's socket.
    pub socket_type: SocketType,
    /// The routing id to announce, of up to 255 bytes; a longer one is cut. Empty: the peer gives one.
    pub routing_id: Bytes,
    /// How peers prove who they are. Both sides must have the same.
    pub mechanism: Mechanism,
    /// Maximum size in bytes of a frame of a message. A longer one is read and dropped, so that what else is on the connection
    /// goes on; past 1 GiB the peer is cut off. How much of a message is kept is for the user of its frames to bound.
    pub max_frame_bytes: usize,
    /// Maximum number of frames of a message. A peer that sends more is cut off.
    pub max_frames: usize,
    /// How long a peer may take for its handshake. After that it is cut off.
    pub handshake_timeout: Duration,
    /// When the peer is pinged, if ever. A peer that speaks ZMTP 3.0 is not, since it knows no pings.
    pub heartbeat: Option<Heartbeat>,
}

/// What has happened on a connection.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client of PLAIN has said who it is: the program calls [`Connection::accept`] or [`Connection::deny`].
    Credentials(Box<Credentials>),
    /// A client of CURVE has proved that it has this key: the program calls [`Connection::accept_key`] or [`Connection::reject`].
    Key(PublicKey),
    /// The handshake is complete: messages may be sent. With CURVE, by what [`Connection::take_sealer`] returns.
    Ready(Box<Peer>),
    /// A frame of a message has arrived; more follow, or it was the last.
    Frame {
        /// The frame's body.
        body: Bytes,
        /// Whether more frames of the same message follow.
        has_more: bool,
    },
    /// A frame of a message has arrived that was longer than [`Config::max_frame_bytes`], and was not kept.
    Skipped {
        /// The first bytes of the frame's body.
        head: Bytes,
        /// Length of the whole body in bytes.
        bytes: u64,
        /// Whether more frames of the same message follow.
        has_more: bool,
    },
    /// A subscriber of this side's PUB socket wants messages that start with these bytes, or does not any more.
    Subscription {
        /// The bytes.
        prefix: Bytes,
        /// Whether it wants them.
        is_wanted: bool,
    },
    /// The connection is over.
    Failed(Error),
}

/// Something to send before any message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// The greeting, or a command of the handshake: to be sent as it is.
    Handshake(Bytes),
    /// The frame of a command, once the handshake is complete: to be encrypted like a message where there is a [`Sealer`].
    Command(Bytes),
}

/// The largest command in bytes that is read once the handshake is complete.
const MAX_COMMAND_BYTES: usize = 8 * 1024;
/// The largest command in bytes of the handshake. Those of all mechanisms are shorter, and metadata are few; anything can connect, and have
/// this much kept of a command that never ends.
const MAX_HANDSHAKE_COMMAND_BYTES: usize = 1_024;
/// The largest context in bytes of a ping that is answered. Source: RFC 37.
const MAX_PING_CONTEXT_BYTES: usize = 16;
/// A frame that tells a peer that [knows pings](Peer::knows_pings) of life, without having been asked: a `PONG`. It may be sent
/// between two messages.
pub const SIGN_OF_LIFE: &[u8] = b"\x04\x05\x04PONG";
/// Maximum number of frames that are taken at a time: short frames take far less room on the wire than their events do here, and
/// commands without end must not keep others waiting.
const MAX_FRAMES_PER_TURN: usize = 256;
/// Pongs that wait to be sent. A peer that pings and does not read gets no more of them.
const MAX_WAITING_PONGS: usize = 16;
/// The unit of a ping's time to live.
const TIME_TO_LIVE_UNIT: Duration = Duration::from_millis(100);

/// One connection of ZMTP, without its bytes.
///
/// What it holds is bounded: one frame that is arriving; the events of some
/// hundred frames; and the answers to handshake and pings.
#[derive(Debug)]
pub struct Connection {
    stage: Stage,
    /// Until the handshake is complete, or the connection is over: an idle connection does not keep it.
    opening: Option<Box<Opening>>,
    liveness: Liveness,
    max_frame_bytes: usize,
    max_frames: usize,
    /// Whether this side's socket is a PUB: what its peers send are subscriptions.
    is_publisher: bool,
    /// Bytes of a greeting or of a header that is not complete.
    partial: BytesMut,
    /// The frame that is arriving.
    assembling: Option<Assembling>,
    /// Number of frames of the message that is arriving, whose last has not come.
    frames: usize,
    events: Events,
    /// What decrypts the frames that arrive, with CURVE.
    opener: Option<Box<Opener>>,
    /// What encrypts the frames that are sent, with CURVE, until the program has taken it.
    sealer: Option<Box<Sealer>>,
    transmit: VecDeque<Transmit>,
    /// Number of pongs in `transmit`.
    pongs: usize,
    /// Whether a ping is in `transmit`.
    has_ping: bool,
}

/// The handshake, and the time that it may take.
#[derive(Debug)]
struct Opening {
    handshake: Handshake,
    timeout: Duration,
    until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    Handshake,
    Traffic,
    Failed,
}

impl Connection {
    /// Begins a connection, whose greeting is ready to be sent.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let Config { socket_type, mut routing_id, mechanism, .. } = config;
        routing_id.truncate(MAX_ROUTING_ID_BYTES);
        let greeting = greeting::write(mechanism.name(), mechanism.is_server());
        let timeout = config.handshake_timeout;
        let handshake = Handshake::new(mechanism, socket_type, routing_id);
        Self {
            stage: Stage::Greeting,
            opening: Some(Box::new(Opening { handshake, timeout, until: now.checked_add(timeout) })),
            liveness: Liveness::new(config.heartbeat, now),
            max_frame_bytes: config.max_frame_bytes,
            max_frames: config.max_frames,
            is_publisher: socket_type == SocketType::Pub,
            partial: BytesMut::new(),
            assembling: None,
            frames: 0,
            events: Events::default(),
            opener: None,
            sealer: None,
            transmit: VecDeque::from([Transmit::Handshake(Bytes::copy_from_slice(&greeting))]),
            pongs: 0,
            has_ping: false,
        }
    }

    /// Takes bytes that have arrived. Returns how many were taken: all of them, unless they hold very many frames. The rest is to be
    /// handed in again once the events were taken; others may run before.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) -> usize {
        let length = bytes.len();
        let mut bytes = bytes;
        self.liveness.heard(now);
        for _ in self.events.queued()..MAX_FRAMES_PER_TURN {
            if bytes.is_empty() || self.stage == Stage::Failed {
                break;
            }
            let taken = match self.stage {
                Stage::Greeting => self.take_greeting(&mut bytes),
                _ => self.take_frame(&mut bytes),
            };
            if let Err(error) = taken {
                self.fail(error);
            }
        }
        if self.stage == Stage::Failed { length } else { length - bytes.len() }
    }

    /// Returns where the next bytes may be read to without a copy: the body of a frame that is arriving, with room for
    /// more, and the number of bytes that it lacks. Of a frame that lacks fewer than `min` bytes there is none: a
    /// larger read takes what comes after it along.
    pub fn frame_buffer(&mut self, min: usize) -> Option<(&mut BytesMut, usize)> {
        let assembling = self.assembling.as_mut()?;
        if !assembling.is_kept() || assembling.missing() < min.max(1) {
            return None;
        }
        let missing = assembling.missing();
        Some((assembling.buffer(), missing))
    }

    /// Returns the length in bytes of the frame that is arriving, once its header has arrived; decrypted, with CURVE.
    #[must_use]
    #[inline]
    pub fn arriving(&self) -> Option<usize> {
        let overhead = if self.opener.is_some() { OVERHEAD_BYTES } else { 0 };
        self.assembling.as_ref().map(|assembling| assembling.length().saturating_sub(overhead))
    }

    /// Says that bytes were read to where [`Connection::frame_buffer`] has said.
    pub fn handle_filled(&mut self, now: Instant) {
        self.liveness.heard(now);
        if let Err(error) = self.finish_frame() {
            self.fail(error);
        }
    }

    /// Says that the peer has taken a part of what was being sent before. A ping that waits behind it can't be answered yet, so
    /// this puts off the time at which the peer counts as dead.
    pub fn handle_progress(&mut self, now: Instant) {
        if self.has_ping {
            self.liveness.delayed(now);
        }
    }

    /// Says that the time of [`Connection::poll_timeout`] has passed. May be called earlier.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(opening) = &self.opening
            && opening.until.is_some_and(|until| now >= until)
        {
            let after = opening.timeout;
            return self.fail(Error::HandshakeTimeout { after });
        }
        if self.stage != Stage::Traffic {
            return;
        }
        match self.liveness.check(now) {
            Verdict::Dead(after) => self.fail(Error::Silent { after }),
            // No time to live: how long this side may be silent is this side's own affair.
            Verdict::Ping if !self.has_ping => {
                self.has_ping = true;
                self.send_command(command::write("PING", &[&[0, 0]]));
            }
            // Where a ping was not sent yet, the peer reads nothing.
            Verdict::Nothing | Verdict::Ping => {}
        }
    }

    /// Returns when [`Connection::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Greeting | Stage::Handshake => self.opening.as_ref()?.until,
            Stage::Traffic => self.liveness.next(),
            Stage::Failed => None,
        }
    }

    /// Returns the next thing that has happened.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Returns what is to be sent next.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let next = self.transmit.pop_front()?;
        if self.transmit.is_empty() {
            // Not kept: there is something to send at the beginning, and rarely after that.
            (self.transmit, self.pongs, self.has_ping) = (VecDeque::new(), 0, false);
        }
        Some(next)
    }

    /// Returns what messages have to be encrypted by, once, after [`Event::Ready`] of a connection of CURVE that has not failed since. So must each command be that
    /// [`Connection::poll_transmit`] returns.
    #[must_use]
    pub fn take_sealer(&mut self) -> Option<Box<Sealer>> {
        self.sealer.take()
    }

    /// Accepts the client whose credentials came as an event.
    pub fn accept(&mut self, credentials: &Credentials) {
        self.step(|handshake| handshake.judge(Some(credentials.username().clone())));
    }

    /// Refuses the client whose credentials came as an event.
    pub fn deny(&mut self) {
        self.step(|handshake| handshake.judge(None));
    }

    /// Accepts the client whose key came as an event.
    pub fn accept_key(&mut self) {
        self.step(|handshake| handshake.judge_key(None));
    }

    /// Refuses the client whose key came as an event.
    pub fn reject(&mut self, why: Rejection) {
        self.step(|handshake| handshake.judge_key(Some(why)));
    }

    /// Takes a step of the handshake. There is none once it is complete, or the connection is over: the program's verdict may come later.
    fn step(&mut self, step: impl FnOnce(&mut Handshake) -> Result<Step, Error>) {
        let Some(opening) = &mut self.opening else { return };
        let step = step(&mut opening.handshake);
        self.take_step(step);
    }

    fn send_handshake(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.transmit.push_back(Transmit::Handshake(bytes.into()));
        }
    }

    fn send_command(&mut self, frame: Vec<u8>) {
        self.transmit.push_back(Transmit::Command(frame.into()));
    }

    #[cold]
    fn fail(&mut self, error: Error) {
        if self.stage == Stage::Failed {
            return;
        }
        let opening = self.opening.take().filter(|_| self.stage == Stage::Handshake);
        let is_told = opening.is_some_and(|opening| opening.handshake.tells_errors());
        if let Some(reason) = error.reason_for_peer().filter(|_| is_told) {
            let mut text = Vec::new();
            command::short_string(&mut text, reason.as_bytes());
            self.send_handshake(command::write("ERROR", &[&text]));
        }
        self.stage = Stage::Failed;
        (self.assembling, self.partial) = (None, BytesMut::new());
        (self.opener, self.sealer) = (None, None);
        self.events.push(Event::Failed(error));
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
