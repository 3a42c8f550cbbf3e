//! What follows the handshake: [`Sealer`] encrypts the frames that are sent, [`Opener`] decrypts those that arrive.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use crate::keys::{OpeningTail, SharedKey, StreamKey, TAG_BYTES};
use crate::zmtp::Error;
use crate::zmtp::frame::FrameHeader;

/// What a frame begins with.
const NAME: &[u8; 8] = b"\x07MESSAGE";
/// Length of what stands before a box, in bytes: the name, and the frame's number.
const HEAD_BYTES: usize = NAME.len() + 8;
/// Number of bytes that an encrypted frame has beyond its body: the last is that of its flags.
pub(in crate::zmtp) const OVERHEAD_BYTES: usize = HEAD_BYTES + TAG_BYTES + 1;
/// Number of bytes that are kept of a frame that is too long to be kept. Of the box, they are whole blocks.
pub(in crate::zmtp) const SKIPPED_HEAD_BYTES: usize = HEAD_BYTES + TAG_BYTES + 96;

/// More frames of the same message follow.
const MORE: u8 = 1;
/// The frame is a command.
const COMMAND: u8 = 2;

/// Both directions of a connection whose handshake is complete.
#[derive(Debug)]
pub(in crate::zmtp) struct Traffic {
    pub(in crate::zmtp) sealer: Box<Sealer>,
    pub(in crate::zmtp) opener: Box<Opener>,
}

impl Traffic {
    /// Creates that of a client, by the numbers of the last commands of both sides.
    pub(super) fn of_client(session: &SharedKey, own: u64, theirs: u64) -> Self {
        Self::of(session, [b"CurveZMQMESSAGEC", b"CurveZMQMESSAGES"], own, theirs)
    }

    /// Creates that of a server, likewise.
    pub(super) fn of_server(session: &SharedKey, own: u64, theirs: u64) -> Self {
        Self::of(session, [b"CurveZMQMESSAGES", b"CurveZMQMESSAGEC"], own, theirs)
    }

    fn of(session: &SharedKey, [out, into]: [&[u8; 16]; 2], own: u64, theirs: u64) -> Self {
        let sealer = Box::new(Sealer { key: session.stream(out), last: own });
        let opener = Box::new(Opener { key: session.stream(into), last: theirs, skipping: None });
        Self { sealer, opener }
    }
}

/// Encrypts the frames of a connection of CURVE, in the order in which they are sent.
///
/// [`Connection::take_sealer`](crate::zmtp::Connection::take_sealer) returns it. Frames have to be sent in the order in which they were
/// sealed, and none may be left out.
pub struct Sealer {
    key: StreamKey,
    /// Number of the last frame, or command of the handshake.
    last: u64,
}

impl Sealer {
    /// Returns the length in bytes of the encrypted frame for a body of `bytes` bytes, with its header.
    #[must_use]
    pub const fn sealed_bytes(bytes: usize) -> usize {
        let body = bytes.saturating_add(OVERHEAD_BYTES);
        body.saturating_add(if body > u8::MAX as usize { 9 } else { 2 })
    }

    /// Appends the encrypted frame of a message, whose body is given in parts.
    ///
    /// # Errors
    /// As many frames were sent as there are numbers.
    pub fn seal(&mut self, body: &[&[u8]], has_more: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        self.seal_flagged(body, if has_more { MORE } else { 0 }, out)
    }

    /// Appends the encrypted frames for frames that are as another mechanism has them: of a message, or commands.
    ///
    /// # Errors
    /// As for [`Sealer::seal`]; or they are no whole frames.
    pub fn seal_frames(&mut self, mut frames: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        while !frames.is_empty() {
            let (header, size) = FrameHeader::read(frames)?.ok_or(Error::Frame)?;
            let length = usize::try_from(header.length).map_err(|_| Error::Frame)?;
            let body = frames[size..].get(..length).ok_or(Error::Frame)?;
            let more = if header.has_more { MORE } else { 0 };
            self.seal_flagged(&[body], more | if header.is_command { COMMAND } else { 0 }, out)?;
            frames = &frames[size + length..];
        }
        Ok(())
    }

    fn seal_flagged(&mut self, body: &[&[u8]], flags: u8, out: &mut Vec<u8>) -> Result<(), Error> {
        self.last = self.last.checked_add(1).ok_or(Error::Exhausted)?;
        let number = self.last.to_be_bytes();
        let bytes = body.iter().map(|part| part.len()).sum();
        out.reserve(Self::sealed_bytes(bytes));
        FrameHeader::message(bytes + OVERHEAD_BYTES, false).write(out);
        let start = out.len();
        for part in [&NAME[..], &number, &[0; TAG_BYTES], &[flags]] {
            out.extend_from_slice(part);
        }
        for part in body {
            out.extend_from_slice(part);
        }
        let (tag, sealed) = out[start + HEAD_BYTES..].split_at_mut(TAG_BYTES);
        tag.copy_from_slice(&self.key.seal(number, sealed));
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("last", &self.last).finish_non_exhaustive()
    }
}

/// Decrypts the frames that arrive.
pub(in crate::zmtp) struct Opener {
    key: StreamKey,
    /// Number of the last frame, or command of the handshake.
    last: u64,
    /// The authentication of a frame that is arriving, and is not kept.
    skipping: Option<Box<OpeningTail>>,
}

/// A frame that was decrypted.
#[derive(Debug)]
pub(in crate::zmtp) struct Opened {
    pub(in crate::zmtp) body: Bytes,
    pub(in crate::zmtp) has_more: bool,
    pub(in crate::zmtp) is_command: bool,
}

impl Opener {
    /// Decrypts a frame where it lies.
    pub(in crate::zmtp) fn open(&mut self, mut frame: BytesMut) -> Result<Opened, Error> {
        let (number, tag) = self.head(&frame)?;
        if !self.key.open(number, &tag, &mut frame[HEAD_BYTES + TAG_BYTES..]) {
            return Err(Error::Unopened { what: "a frame" });
        }
        self.finish(number, frame)
    }

    /// Takes bytes of a frame that are dropped, after those that are kept.
    pub(in crate::zmtp) fn skip(&mut self, kept: &[u8], dropped: &[u8]) -> Result<(), Error> {
        if dropped.is_empty() {
            return Ok(());
        }
        let (number, _) = self.head(kept)?;
        let tail = self.skipping.get_or_insert_with(|| {
            let mut tail = Box::new(self.key.begin_tail(number));
            tail.take(&kept[HEAD_BYTES + TAG_BYTES..]);
            tail
        });
        tail.take(dropped);
        Ok(())
    }

    /// Decrypts what is kept of a frame whose other bytes were dropped.
    pub(in crate::zmtp) fn open_skipped(&mut self, mut kept: BytesMut) -> Result<Opened, Error> {
        let (number, tag) = self.head(&kept)?;
        if !self.skipping.take().is_some_and(|tail| tail.finish(&tag)) {
            return Err(Error::Unopened { what: "a frame" });
        }
        self.key.decrypt_head(number, &mut kept[HEAD_BYTES + TAG_BYTES..]);
        self.finish(number, kept)
    }

    /// Returns the number and the tag of a frame. Its number has to be the next one.
    fn head(&self, frame: &[u8]) -> Result<([u8; 8], [u8; TAG_BYTES]), Error> {
        let unsealed = Err(Error::Unsealed);
        let Some(rest) = frame.strip_prefix(NAME).filter(|_| frame.len() >= OVERHEAD_BYTES) else {
            return unsealed;
        };
        let Some((number, rest)) = rest.split_first_chunk() else { return unsealed };
        let Some(tag) = rest.first_chunk() else { return unsealed };
        if self.last.checked_add(1) != Some(u64::from_be_bytes(*number)) {
            return Err(Error::Order);
        }
        Ok((*number, *tag))
    }

    fn finish(&mut self, number: [u8; 8], mut frame: BytesMut) -> Result<Opened, Error> {
        self.last = u64::from_be_bytes(number);
        let flags = frame[OVERHEAD_BYTES - 1];
        if flags & !(MORE | COMMAND) != 0 || flags == MORE | COMMAND {
            return Err(Error::Frame);
        }
        frame.advance(OVERHEAD_BYTES);
        Ok(Opened { body: frame.freeze(), has_more: flags & MORE != 0, is_command: flags & COMMAND != 0 })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("last", &self.last).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(last: u64) -> (Sealer, Opener) {
        let key = SharedKey::from_bytes(&[7; 32]).stream(b"CurveZMQMESSAGEC");
        (Sealer { key: key.clone(), last }, Opener { key, last, skipping: None })
    }

    /// Returns the body of the frame, after its header.
    fn sealed(sealer: &mut Sealer, flags: u8) -> BytesMut {
        let mut out = Vec::new();
        sealer.seal_flagged(&[b"body"], flags, &mut out).unwrap();
        BytesMut::from(&out[2..])
    }

    #[test]
    fn flags_that_libzmq_does_not_have_are_refused() {
        for flags in 0..=u8::MAX {
            let (mut sealer, mut opener) = both(1);
            let flagged = opener.open(sealed(&mut sealer, flags)).map(|it| (it.has_more, it.is_command));
            let expected = match flags {
                0 => Ok((false, false)),
                MORE => Ok((true, false)),
                COMMAND => Ok((false, true)),
                _ => Err(Error::Frame),
            };
            assert_eq!(flagged, expected, "{flags}");
        }
    }

    #[test]
    fn no_number_is_used_twice() {
        let (mut sealer, mut opener) = both(u64::MAX - 1);
        let last = sealed(&mut sealer, 0);
        assert_eq!(&opener.open(last.clone()).unwrap().body[..], b"body");
        assert_eq!(opener.open(last).unwrap_err(), Error::Order);
        let mut out = Vec::new();
        assert_eq!(sealer.seal(&[b"body"], false, &mut out), Err(Error::Exhausted));
        assert_eq!(sealer.seal_frames(b"\x04\x05\x04PONG", &mut out), Err(Error::Exhausted));
        assert!(out.is_empty());
    }

    /// Two texts under one number tell how they differ, and how to forge a third.
    #[test]
    fn another_text_under_a_number_that_was_used_is_refused() {
        let (sealer, mut opener) = both(1);
        let again = || Sealer { key: sealer.key.clone(), last: 1 };
        let seal = |body: &[u8]| {
            let mut out = Vec::new();
            again().seal(&[body], false, &mut out).unwrap();
            BytesMut::from(&out[2..])
        };
        assert_eq!(&opener.open(seal(b"one")).unwrap().body[..], b"one");
        assert_eq!(opener.open(seal(b"other")).unwrap_err(), Error::Order);
    }

    #[test]
    fn frames_that_are_not_whole_are_not_sealed() {
        for frames in [&b"\x00"[..], b"\x00\x05abc", b"\x08\x00", b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(both(1).0.seal_frames(frames, &mut Vec::new()), Err(Error::Frame));
        }
    }
}
