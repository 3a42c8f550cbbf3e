//! [`Connection`]: one connection from its greeting to its end. The order of calls is at the head of [`super`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::command::{self, Command};
use super::events::Events;
use super::frame::{Assembling, FrameHeader, MAX_SKIPPED_FRAME_BYTES};
use super::greeting::{self, GREETING_BYTES};
use super::handshake::{self, Handshake, Step};
use super::heartbeat::{Liveness, Verdict};
use super::properties::MAX_ROUTING_ID_BYTES;
use super::{Credentials, Error, Heartbeat, Mechanism, Peer, SocketType};

/// What a connection is to be like.
#[derive(Debug, Clone)]
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
    Credentials(Credentials),
    /// The handshake is complete: messages may be sent.
    Ready(Peer),
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
    /// The connection is over.
    Failed(Error),
}

/// The largest command in bytes that is read. Those of NULL and PLAIN are far shorter, and metadata are few.
const MAX_COMMAND_BYTES: usize = 8 * 1024;
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
    handshake: Handshake,
    liveness: Liveness,
    config: Limits,
    /// Bytes of a greeting or of a header that is not complete.
    partial: BytesMut,
    /// The frame that is arriving.
    assembling: Option<Assembling>,
    /// Number of frames of the message that is arriving, whose last has not come.
    frames: usize,
    events: Events,
    transmit: VecDeque<Bytes>,
    /// Number of pongs in `transmit`.
    pongs: usize,
    /// Whether a ping is in `transmit`.
    has_ping: bool,
}

#[derive(Debug)]
struct Limits {
    max_frame_bytes: usize,
    max_frames: usize,
    handshake_timeout: Duration,
    handshake_until: Option<Instant>,
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
        let handshake_until = now.checked_add(config.handshake_timeout);
        Self {
            stage: Stage::Greeting,
            handshake: Handshake::new(mechanism, socket_type, routing_id),
            liveness: Liveness::new(config.heartbeat, now),
            config: Limits {
                max_frame_bytes: config.max_frame_bytes,
                max_frames: config.max_frames,
                handshake_timeout: config.handshake_timeout,
                handshake_until,
            },
            partial: BytesMut::new(),
            assembling: None,
            frames: 0,
            events: Events::default(),
            transmit: VecDeque::from([Bytes::copy_from_slice(&greeting)]),
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

    /// Returns the length in bytes of the frame that is arriving, once its header has arrived.
    #[must_use]
    #[inline]
    pub fn arriving(&self) -> Option<usize> {
        self.assembling.as_ref().map(Assembling::length)
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
        if self.config.handshake_until.is_some_and(|until| now >= until) {
            return self.fail(Error::HandshakeTimeout { after: self.config.handshake_timeout });
        }
        if self.stage != Stage::Traffic {
            return;
        }
        match self.liveness.check(now) {
            Verdict::Dead(after) => self.fail(Error::Silent { after }),
            // No time to live: how long this side may be silent is this side's own affair.
            Verdict::Ping if !self.has_ping => {
                self.has_ping = true;
                self.send(command::write("PING", &[&[0, 0]]));
            }
            // Where a ping was not sent yet, the peer reads nothing.
            Verdict::Nothing | Verdict::Ping => {}
        }
    }

    /// Returns when [`Connection::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Greeting | Stage::Handshake => self.config.handshake_until,
            Stage::Traffic => self.liveness.next(),
            Stage::Failed => None,
        }
    }

    /// Returns the next thing that has happened.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Returns the next bytes to send.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let bytes = self.transmit.pop_front()?;
        if self.transmit.is_empty() {
            // Not kept: there is something to send at the beginning, and rarely after that.
            (self.transmit, self.pongs, self.has_ping) = (VecDeque::new(), 0, false);
        }
        Some(bytes)
    }

    /// Accepts the client whose credentials came as an event.
    pub fn accept(&mut self, credentials: &Credentials) {
        let step = self.handshake.judge(Some(credentials.username().clone()));
        self.take_step(step);
    }

    /// Refuses the client whose credentials came as an event.
    pub fn deny(&mut self) {
        let step = self.handshake.judge(None);
        self.take_step(step);
    }

    fn send(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.transmit.push_back(bytes.into());
        }
    }

    #[cold]
    fn fail(&mut self, error: Error) {
        if self.stage == Stage::Failed {
            return;
        }
        if let Some(reason) = error.reason_for_peer().filter(|_| self.stage == Stage::Handshake) {
            let mut text = Vec::new();
            command::short_string(&mut text, reason.as_bytes());
            self.send(command::write("ERROR", &[&text]));
        }
        self.stage = Stage::Failed;
        self.config.handshake_until = None;
        (self.assembling, self.partial) = (None, BytesMut::new());
        self.events.push(Event::Failed(error));
    }
}

/// What arrives.
impl Connection {
    fn take_greeting(&mut self, bytes: &mut &[u8]) -> Result<(), Error> {
        let length = (GREETING_BYTES - self.partial.len()).min(bytes.len());
        let (own, rest) = bytes.split_at(length);
        self.partial.extend_from_slice(own);
        *bytes = rest;
        greeting::check(&self.partial)?;
        let Some(whole) = self.partial.first_chunk() else { return Ok(()) };
        let greeting = greeting::read(whole, self.handshake.mechanism().name())?;
        self.partial = BytesMut::new();
        self.stage = Stage::Handshake;
        if greeting.minor == 0 {
            self.liveness.peer_knows_no_pings();
        }
        let step = self.handshake.handle_greeting(greeting);
        self.take_step(step);
        Ok(())
    }

    /// Takes a part of a frame: of its header, or of its body.
    fn take_frame(&mut self, bytes: &mut &[u8]) -> Result<(), Error> {
        if self.assembling.is_none() {
            let Some(header) = self.take_header(bytes)? else { return Ok(()) };
            let length = self.bounded(header)?;
            self.assembling = Some(Assembling::new(header, length, self.config.max_frame_bytes));
        }
        if let Some(assembling) = &mut self.assembling {
            assembling.fill(bytes);
        }
        self.finish_frame()
    }

    /// Takes a header from the front of `bytes`. One that is cut is kept until its rest comes.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Result<Option<FrameHeader>, Error> {
        if self.partial.is_empty()
            && let Some((header, size)) = FrameHeader::read(bytes)?
        {
            *bytes = &bytes[size..];
            return Ok(Some(header));
        }
        // A byte at a time: it is a header's rest, nine bytes at most.
        while let Some((first, rest)) = bytes.split_first() {
            self.partial.extend_from_slice(&[*first]);
            *bytes = rest;
            if let Some((header, _)) = FrameHeader::read(&self.partial)? {
                self.partial.clear();
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// Checks a frame against the bounds, and counts it. Returns its length.
    fn bounded(&mut self, header: FrameHeader) -> Result<usize, Error> {
        if header.is_command {
            // Commands may come between messages only. Source: RFC 37, "traffic".
            if self.frames > 0 {
                return Err(Error::Frame);
            }
            let length = usize::try_from(header.length).ok().filter(|length| *length <= MAX_COMMAND_BYTES);
            return length.ok_or(Error::Command { expected: "one of up to 8 KiB" });
        }
        if self.stage != Stage::Traffic {
            return Err(Error::Command { expected: "the commands of the handshake before any message" });
        }
        let (max, max_frames) = (self.config.max_frame_bytes, self.config.max_frames);
        let length = usize::try_from(header.length).ok();
        let length = length.filter(|length| *length <= max.max(MAX_SKIPPED_FRAME_BYTES));
        let length = length.ok_or(Error::FrameTooLong { bytes: header.length, max })?;
        if self.frames >= max_frames {
            return Err(Error::TooManyFrames { max: max_frames });
        }
        self.frames = if header.has_more { self.frames + 1 } else { 0 };
        Ok(length)
    }

    fn finish_frame(&mut self) -> Result<(), Error> {
        let Some(assembling) = self.assembling.take() else { return Ok(()) };
        match assembling.complete() {
            Err(assembling) => {
                self.assembling = Some(assembling);
                Ok(())
            }
            Ok(frame) if frame.header.is_command => {
                let wrong = Error::Command { expected: "a name" };
                self.take_command(&Command::read(frame.body).ok_or(wrong)?)
            }
            Ok(frame) => {
                self.events.push(frame.into_event());
                Ok(())
            }
        }
    }

    fn take_command(&mut self, command: &Command) -> Result<(), Error> {
        if self.stage == Stage::Handshake {
            let step = self.handshake.handle_command(command);
            self.take_step(step);
            return Ok(());
        }
        match command.name() {
            b"PING" => self.take_ping(&command.data())?,
            b"ERROR" => return Err(handshake::refused(command.data())),
            // Any traffic was taken as a sign of life; other commands are for other sockets than ours, or of later versions.
            _ => {}
        }
        Ok(())
    }

    fn take_ping(&mut self, data: &Bytes) -> Result<(), Error> {
        let wrong = Error::Command { expected: "a time to live and up to 16 bytes in `PING`" };
        let Some((time_to_live, context)) = data.split_first_chunk() else { return Err(wrong) };
        if context.len() > MAX_PING_CONTEXT_BYTES {
            return Err(wrong);
        }
        self.liveness.announced(TIME_TO_LIVE_UNIT * u32::from(u16::from_be_bytes(*time_to_live)));
        if self.pongs < MAX_WAITING_PONGS {
            self.pongs += 1;
            self.send(command::write("PONG", &[context]));
        }
        Ok(())
    }

    fn take_step(&mut self, step: Result<Step, Error>) {
        match step {
            Ok(Step::Send(bytes)) => self.send(bytes),
            Ok(Step::Judge(credentials)) => self.events.push(Event::Credentials(credentials)),
            Ok(Step::Complete(bytes, peer)) => {
                self.send(bytes);
                self.stage = Stage::Traffic;
                self.config.handshake_until = None;
                self.events.push(Event::Ready(peer));
            }
            Err(error) => self.fail(error),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
