//! [`FrameHeader`]: the bytes before a frame's body; and [`Assembling`], a body that arrives in pieces.

use bytes::{BufMut, BytesMut};

use super::{Error, Event};

/// More frames of the same message follow.
const MORE: u8 = 1;
/// The length is in eight bytes, not in one.
const LONG: u8 = 2;
/// The frame is a command, not a part of a message.
const COMMAND: u8 = 4;

/// The largest header in bytes: flags and a long length.
const MAX_HEADER_BYTES: usize = 9;

/// What stands before a frame's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether more frames of the same message follow.
    pub has_more: bool,
    /// Whether the frame is a command.
    pub is_command: bool,
    /// Length of the body in bytes.
    pub length: u64,
}

impl FrameHeader {
    /// Creates the header of a frame of a message.
    #[must_use]
    #[inline]
    pub fn message(length: usize, has_more: bool) -> Self {
        Self { has_more, is_command: false, length: length as u64 }
    }

    pub(super) fn command(length: usize) -> Self {
        Self { has_more: false, is_command: true, length: length as u64 }
    }

    /// Appends the bytes of the header, two or nine.
    #[inline]
    pub fn write(self, out: &mut impl BufMut) {
        let flags = if self.has_more { MORE } else { 0 } | if self.is_command { COMMAND } else { 0 };
        if let Ok(short) = u8::try_from(self.length) {
            out.put_slice(&[flags, short]);
        } else {
            out.put_u8(flags | LONG);
            out.put_u64(self.length);
        }
    }

    /// Reads a header. Returns it with its size in bytes, or `None` if there are not enough bytes yet.
    ///
    /// # Errors
    /// The flags are none of ZMTP's.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Error> {
        let Some((&flags, rest)) = bytes.split_first() else { return Ok(None) };
        if flags & !(MORE | LONG | COMMAND) != 0 || flags & COMMAND != 0 && flags & MORE != 0 {
            return Err(Error::Frame);
        }
        let (length, size) = if flags & LONG == 0 {
            let Some(short) = rest.first() else { return Ok(None) };
            (u64::from(*short), 2)
        } else {
            let Some(long) = rest.first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*long), MAX_HEADER_BYTES)
        };
        let (has_more, is_command) = (flags & MORE != 0, flags & COMMAND != 0);
        Ok(Some((Self { has_more, is_command, length }, size)))
    }
}

/// Bytes that a body reserves when it begins, so that most are read to where they stay. More are reserved as they arrive: a peer
/// that announces a long body and sends none costs no more than this, of which the system provides what is written to.
const FIRST_RESERVE_BYTES: usize = 1024 * 1024;

/// The longest frame in bytes that is read and dropped. The connection of a longer one is closed: bytes that are no ZMTP read as
/// one of any length, and there must be an end to waiting for theirs.
pub(super) const MAX_SKIPPED_FRAME_BYTES: usize = 1024 * 1024 * 1024;

/// Number of bytes that are kept of a body that is too long to be kept: as many as tell whose it is.
pub(super) const HEAD_BYTES: usize = 64;

/// The body of a frame whose header has arrived.
#[derive(Debug)]
pub(super) struct Assembling {
    header: FrameHeader,
    /// Length of the whole body.
    length: usize,
    body: BytesMut,
    /// Number of bytes that have arrived and were dropped. Of a body that is kept, none.
    dropped: usize,
    /// Number of bytes that are kept at most.
    max_kept: usize,
}

/// A frame that is complete.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) header: FrameHeader,
    /// Its body, or the beginning of one that was not kept.
    pub(super) body: BytesMut,
    pub(super) is_whole: bool,
}

impl Complete {
    /// Returns the event that tells of a message's frame.
    pub(super) fn into_event(self) -> Event {
        let FrameHeader { has_more, length, .. } = self.header;
        let body = self.body.freeze();
        if self.is_whole {
            return Event::Frame { body, has_more };
        }
        Event::Skipped { head: body, bytes: length, has_more }
    }
}

impl Assembling {
    /// Begins a body of `length` bytes, the length in the header, which the caller has bounded. Of a message's frame of more than
    /// `max` bytes, only the first `head` bytes are kept.
    pub(super) fn new(header: FrameHeader, length: usize, max: usize, head: usize) -> Self {
        let is_kept = header.is_command || length <= max;
        let max_kept = if is_kept { length } else { length.min(head) };
        let body = BytesMut::with_capacity(max_kept.min(FIRST_RESERVE_BYTES));
        Self { header, length, body, dropped: 0, max_kept }
    }

    /// Returns the length of the whole body.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Returns the number of bytes that are missing.
    pub(super) fn missing(&self) -> usize {
        self.length - self.body.len() - self.dropped
    }

    /// Reports whether all of the body is kept.
    pub(super) fn is_kept(&self) -> bool {
        self.max_kept == self.length
    }

    /// Returns what is kept of the body so far.
    pub(super) fn kept(&self) -> &[u8] {
        &self.body
    }

    /// Takes what belongs to the body from the front of `bytes`. Returns what of that was dropped.
    pub(super) fn fill<'a>(&mut self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let (own, rest) = bytes.split_at(self.missing().min(bytes.len()));
        let kept = own.len().min(self.max_kept - self.body.len());
        self.reserve(kept);
        self.body.extend_from_slice(&own[..kept]);
        self.dropped += own.len() - kept;
        *bytes = rest;
        &own[kept..]
    }

    /// Returns the body with room for the bytes to be read next.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        self.reserve(1);
        &mut self.body
    }

    /// Makes room for `bytes` more: twice what there is, up to the whole.
    fn reserve(&mut self, bytes: usize) {
        if self.body.capacity() - self.body.len() < bytes {
            let wanted = (self.body.len() * 2).max(self.body.len() + bytes).min(self.max_kept);
            self.body.reserve(wanted - self.body.len());
        }
    }

    /// Returns the frame if it is complete. Bytes past its end, which a caller may have read by mistake, are dropped.
    pub(super) fn complete(mut self) -> Result<Complete, Self> {
        if self.body.len() + self.dropped < self.length {
            return Err(self);
        }
        let is_whole = self.is_kept();
        self.body.truncate(self.max_kept);
        Ok(Complete { header: self.header, body: self.body, is_whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(header: FrameHeader) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        bytes
    }

    #[test]
    fn headers_are_written_as_the_rfc_has_them_and_read_back() {
        for (header, expected) in [
            (FrameHeader::message(0, false), vec![0, 0]),
            (FrameHeader::message(255, true), vec![1, 255]),
            (FrameHeader::message(256, false), vec![2, 0, 0, 0, 0, 0, 0, 1, 0]),
            (FrameHeader::message(256, true), vec![3, 0, 0, 0, 0, 0, 0, 1, 0]),
            (FrameHeader::command(5), vec![4, 5]),
            (FrameHeader::command(256), vec![6, 0, 0, 0, 0, 0, 0, 1, 0]),
        ] {
            assert_eq!(written(header), expected);
            assert_eq!(FrameHeader::read(&expected), Ok(Some((header, expected.len()))));
            for cut in 0..expected.len() {
                assert_eq!(FrameHeader::read(&expected[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn unknown_flags_and_commands_with_more_are_refused() {
        for flags in (0..=u8::MAX).filter(|flags| ![0, 1, 2, 3, 4, 6].contains(flags)) {
            assert_eq!(FrameHeader::read(&[flags, 0]), Err(Error::Frame), "{flags}");
        }
    }

    #[test]
    fn a_long_body_reserves_as_its_bytes_arrive() {
        let mut assembling =
            Assembling::new(FrameHeader::message(1 << 30, false), 1 << 30, 1 << 30, HEAD_BYTES);
        assert!(assembling.body.capacity() <= 2 * FIRST_RESERVE_BYTES);
        let piece = vec![7; FIRST_RESERVE_BYTES];
        for count in 1..=16 {
            assembling.fill(&mut &piece[..]);
            assert!(assembling.body.capacity() <= 2 * (count + 1) * FIRST_RESERVE_BYTES);
        }
        assert_eq!(assembling.missing(), (1 << 30) - 16 * FIRST_RESERVE_BYTES);
    }

    #[test]
    fn a_body_takes_its_own_bytes_and_no_more() {
        let mut assembling = Assembling::new(FrameHeader::message(3, false), 3, 3, HEAD_BYTES);
        let mut bytes = &b"ab"[..];
        assembling.fill(&mut bytes);
        assert!(bytes.is_empty());
        let mut assembling = assembling.complete().unwrap_err();
        let mut bytes = &b"cde"[..];
        assembling.fill(&mut bytes);
        assert_eq!((bytes, &assembling.complete().unwrap().body[..]), (&b"de"[..], &b"abc"[..]));
    }

    #[test]
    fn of_a_body_that_is_skipped_only_the_beginning_is_kept() {
        let length = 3 * FIRST_RESERVE_BYTES;
        let mut assembling =
            Assembling::new(FrameHeader::message(length, false), length, length - 1, HEAD_BYTES);
        for _ in 0..3 {
            assert!(!assembling.is_kept());
            assembling.fill(&mut &vec![7; FIRST_RESERVE_BYTES][..]);
            assert!(assembling.body.capacity() < 2 * HEAD_BYTES);
        }
        let complete = assembling.complete().unwrap();
        assert_eq!((complete.is_whole, complete.body.len()), (false, HEAD_BYTES));
    }
}
