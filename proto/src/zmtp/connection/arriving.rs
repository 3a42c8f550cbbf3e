//! What arrives on a [`Connection`]: bytes become frames, and frames events. What is encrypted is decrypted here.

use bytes::{Bytes, BytesMut};

use super::{
    Connection, Event, MAX_COMMAND_BYTES, MAX_HANDSHAKE_COMMAND_BYTES, MAX_PING_CONTEXT_BYTES,
    MAX_WAITING_PONGS, Stage, TIME_TO_LIVE_UNIT,
};
use crate::zmtp::Error;
use crate::zmtp::command::{self, Command};
use crate::zmtp::curve::{OVERHEAD_BYTES, SKIPPED_HEAD_BYTES};
use crate::zmtp::frame::{Assembling, Complete, FrameHeader, HEAD_BYTES, MAX_SKIPPED_FRAME_BYTES};
use crate::zmtp::greeting::{self, GREETING_BYTES};
use crate::zmtp::handshake::{self, Step};

/// What a publisher can't make sense of.
const NO_SUBSCRIPTION: Error =
    Error::Command { expected: "a subscription, which is one frame that starts with 1 or 0" };

impl Connection {
    pub(super) fn take_greeting(&mut self, bytes: &mut &[u8]) -> Result<(), Error> {
        let length = (GREETING_BYTES - self.partial.len()).min(bytes.len());
        let (own, rest) = bytes.split_at(length);
        self.partial.extend_from_slice(own);
        *bytes = rest;
        greeting::check(&self.partial)?;
        let Some(whole) = self.partial.first_chunk() else { return Ok(()) };
        let Some(opening) = &self.opening else { return Ok(()) };
        let greeting = greeting::read(whole, opening.handshake.mechanism().name())?;
        self.partial = BytesMut::new();
        self.stage = Stage::Handshake;
        if greeting.minor == 0 {
            self.liveness.peer_knows_no_pings();
        }
        self.step(|handshake| handshake.handle_greeting(greeting));
        Ok(())
    }

    /// Takes a part of a frame: of its header, or of its body.
    pub(super) fn take_frame(&mut self, bytes: &mut &[u8]) -> Result<(), Error> {
        if self.assembling.is_none() {
            let Some(header) = self.take_header(bytes)? else { return Ok(()) };
            self.assembling = Some(self.begin_frame(header)?);
        }
        if let Some(assembling) = &mut self.assembling {
            let dropped = assembling.fill(bytes);
            if let Some(opener) = &mut self.opener {
                opener.skip(assembling.kept(), dropped)?;
            }
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

    /// Checks a frame against the bounds, and counts it where its header can be trusted. Returns its body, of which nothing has come.
    fn begin_frame(&mut self, header: FrameHeader) -> Result<Assembling, Error> {
        let max = self.max_frame_bytes;
        if self.opener.is_none() {
            let length = self.bounded(header)?;
            return Ok(Assembling::new(header, length, max, HEAD_BYTES));
        }
        // The flags are in the box.
        if header.is_command || header.has_more {
            return Err(Error::Unsealed);
        }
        let length = self.bounded_length(header)?;
        Ok(Assembling::new(header, length, max.saturating_add(OVERHEAD_BYTES), SKIPPED_HEAD_BYTES))
    }

    fn bounded(&mut self, header: FrameHeader) -> Result<usize, Error> {
        if header.is_command {
            // Commands may come between messages only. Source: RFC 37, "traffic".
            if self.frames > 0 {
                return Err(Error::Frame);
            }
            let least = self.opening.as_ref().and_then(|opening| opening.handshake.max_command());
            let (max, expected) = match self.stage {
                Stage::Traffic => (MAX_COMMAND_BYTES, "one of up to 8 KiB"),
                _ => least.unwrap_or((MAX_HANDSHAKE_COMMAND_BYTES, "one of up to 1 KiB in the handshake")),
            };
            let length = usize::try_from(header.length).ok().filter(|length| *length <= max);
            return length.ok_or(Error::Command { expected });
        }
        if self.stage != Stage::Traffic {
            return Err(Error::Command { expected: "the commands of the handshake before any message" });
        }
        let length = self.bounded_length(header)?;
        self.count_frame(header.has_more)?;
        Ok(length)
    }

    fn bounded_length(&self, header: FrameHeader) -> Result<usize, Error> {
        let max = self.max_frame_bytes;
        let length = usize::try_from(header.length).ok();
        let length = length.filter(|length| *length <= max.max(MAX_SKIPPED_FRAME_BYTES));
        length.ok_or(Error::FrameTooLong { bytes: header.length, max })
    }

    fn count_frame(&mut self, has_more: bool) -> Result<(), Error> {
        let max = self.max_frames;
        if self.frames >= max {
            return Err(Error::TooManyFrames { max });
        }
        self.frames = if has_more { self.frames + 1 } else { 0 };
        Ok(())
    }

    pub(super) fn finish_frame(&mut self) -> Result<(), Error> {
        let Some(assembling) = self.assembling.take() else { return Ok(()) };
        match assembling.complete() {
            Err(assembling) => {
                self.assembling = Some(assembling);
                Ok(())
            }
            Ok(frame) if self.opener.is_some() => self.take_sealed(frame),
            Ok(frame) if frame.header.is_command => self.read_command(frame.body.freeze()),
            Ok(frame) => {
                let event = frame.into_event();
                self.push_frame(event)
            }
        }
    }

    /// Takes a frame that is encrypted.
    fn take_sealed(&mut self, frame: Complete) -> Result<(), Error> {
        let Some(opener) = &mut self.opener else { return Err(Error::Unsealed) };
        let (is_whole, length) = (frame.is_whole, frame.header.length);
        let inner = if is_whole { opener.open(frame.body) } else { opener.open_skipped(frame.body) }?;
        if inner.is_command {
            // As of frames that are not encrypted.
            if self.frames > 0 {
                return Err(Error::Frame);
            }
            if !is_whole || inner.body.len() > MAX_COMMAND_BYTES {
                return Err(Error::Command { expected: "one of up to 8 KiB" });
            }
            return self.read_command(inner.body);
        }
        let (mut body, has_more) = (inner.body, inner.has_more);
        self.count_frame(has_more)?;
        self.push_frame(if is_whole {
            Event::Frame { body, has_more }
        } else {
            body.truncate(HEAD_BYTES);
            Event::Skipped { head: body, bytes: length.saturating_sub(OVERHEAD_BYTES as u64), has_more }
        })
    }

    /// Tells of a frame of a message. To a publisher, a message of one frame is a subscription, by its first byte, in both versions of ZMTP;
    /// all others are none, and too long ones can't be. Source: RFC 29, "the PUB socket type".
    fn push_frame(&mut self, event: Event) -> Result<(), Error> {
        if !self.is_publisher {
            self.events.push(event);
            return Ok(());
        }
        let Event::Frame { body, has_more: false } = event else { return Err(NO_SUBSCRIPTION) };
        let is_wanted = match body.first() {
            Some(1) => true,
            Some(0) => false,
            _ => return Err(NO_SUBSCRIPTION),
        };
        self.events.push(Event::Subscription { prefix: body.slice(1..), is_wanted });
        Ok(())
    }

    fn read_command(&mut self, body: Bytes) -> Result<(), Error> {
        let wrong = Error::Command { expected: "a name" };
        self.take_command(&Command::read(body).ok_or(wrong)?)
    }

    fn take_command(&mut self, command: &Command) -> Result<(), Error> {
        if self.stage == Stage::Handshake {
            self.step(|handshake| handshake.handle_command(command));
            return Ok(());
        }
        match command.name() {
            b"PING" => self.take_ping(&command.data())?,
            b"ERROR" => return Err(handshake::refused(command.data())),
            // ZMTP 3.1 has commands for it. Source: RFC 37, "SUBSCRIBE".
            b"SUBSCRIBE" | b"CANCEL" if self.is_publisher => {
                let is_wanted = command.name() == b"SUBSCRIBE";
                self.events.push(Event::Subscription { prefix: command.data(), is_wanted });
            }
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
            self.send_command(command::write("PONG", &[context]));
        }
        Ok(())
    }

    pub(super) fn take_step(&mut self, step: Result<Step, Error>) {
        match step {
            Ok(Step::Send(bytes)) => self.send_handshake(bytes),
            Ok(Step::Judge(credentials)) => self.events.push(Event::Credentials(Box::new(credentials))),
            Ok(Step::JudgeKey(key)) => self.events.push(Event::Key(key)),
            Ok(Step::Complete { bytes, peer, traffic }) => {
                // Its keys are wiped.
                self.opening = None;
                self.send_handshake(bytes);
                if let Some(traffic) = traffic {
                    (self.opener, self.sealer) = (Some(traffic.opener), Some(traffic.sealer));
                }
                self.stage = Stage::Traffic;
                self.events.push(Event::Ready(Box::new(peer)));
            }
            Err(error) => self.fail(error),
        }
    }
}
