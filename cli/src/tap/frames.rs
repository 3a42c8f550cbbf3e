//! [`Frames`]: the bytes of one direction of a connection, as messages of ZMTP.

use zsvc_proto::zmtp::FrameHeader;

/// Number of bytes of a greeting, in which bytes 12 to 31 name the mechanism.
const GREETING_BYTES: usize = 64;

/// Maximum size of a message that is looked at, in bytes. What is longer is passed on, and told of.
const MAX_MESSAGE_BYTES: u64 = 64 * 1024 * 1024;

/// What has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The greeting of a connection that is encrypted: nothing more can be seen of it.
    Encrypted,
    /// Bytes that are not ZMTP: nothing more is seen of them.
    Foreign,
    /// A message too long to be looked at.
    TooLong(u64),
    /// The frames of a message.
    Message(Vec<Vec<u8>>),
}

/// The bytes that have arrived and are not understood yet.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    state: State,
    /// The frames of a message whose last is not there yet.
    message: Vec<Vec<u8>>,
    /// Number of bytes of that message.
    length: u64,
    /// Number of bytes to pass over, of a frame that is too long.
    skipped: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Greeting,
    Frames,
    /// Nothing more is to be understood.
    Blind,
}

impl Frames {
    /// Takes bytes, and tells what they complete.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        if self.state == State::Blind {
            return seen;
        }
        let passed = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(bytes.len());
        self.skipped -= passed as u64;
        self.bytes.extend_from_slice(&bytes[passed..]);
        if self.state == State::Greeting && self.greeting(&mut seen) {
            return seen;
        }
        while self.state == State::Frames && self.frame(&mut seen) {}
        if self.state == State::Blind {
            self.bytes = Vec::new();
        }
        seen
    }

    /// Reads the greeting. Returns whether it has not arrived as a whole, or is none.
    fn greeting(&mut self, seen: &mut Vec<Seen>) -> bool {
        if self.bytes.first().is_some_and(|first| *first != 0xff) {
            seen.push(Seen::Foreign);
            self.state = State::Blind;
            return true;
        }
        if self.bytes.len() < GREETING_BYTES {
            return true;
        }
        if &self.bytes[12..17] == b"NULL\0" || &self.bytes[12..18] == b"PLAIN\0" {
            self.state = State::Frames;
            self.bytes.drain(..GREETING_BYTES);
            return false;
        }
        seen.push(Seen::Encrypted);
        self.state = State::Blind;
        true
    }

    /// Reads a frame. Returns whether there was one.
    fn frame(&mut self, seen: &mut Vec<Seen>) -> bool {
        let (header, size) = match FrameHeader::read(&self.bytes) {
            Ok(Some(read)) => read,
            Ok(None) => return false,
            Err(_) => {
                seen.push(Seen::Foreign);
                self.state = State::Blind;
                return false;
            }
        };
        if self.length.saturating_add(header.length) > MAX_MESSAGE_BYTES {
            return self.pass_over(header, size, seen);
        }
        // It is at most the bound above.
        let end = size + usize::try_from(header.length).unwrap_or(usize::MAX);
        if self.bytes.len() < end {
            return false;
        }
        let frame = self.bytes[size..end].to_vec();
        self.bytes.drain(..end);
        if !header.is_command {
            self.length += header.length;
            self.message.push(frame);
            if !header.has_more {
                self.length = 0;
                seen.push(Seen::Message(std::mem::take(&mut self.message)));
            }
        }
        true
    }

    /// Passes over a frame that is too long, and forgets the message that it belongs to.
    fn pass_over(&mut self, header: FrameHeader, size: usize, seen: &mut Vec<Seen>) -> bool {
        seen.push(Seen::TooLong(header.length));
        (self.message, self.length) = (Vec::new(), 0);
        let there = self.bytes.len() - size;
        let passed = usize::try_from(header.length).unwrap_or(usize::MAX).min(there);
        self.bytes.drain(..size + passed);
        self.skipped = header.length - passed as u64;
        self.skipped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(mechanism: &str) -> Vec<u8> {
        let mut greeting = vec![0; GREETING_BYTES];
        (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
        greeting[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
        greeting
    }

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let mut bytes = greeting("NULL");
        // A command, a message of two frames, and one of a long frame.
        bytes.extend_from_slice(b"\x04\x05READY\x01\x02ab\x00\x01c\x02\x00\x00\x00\x00\x00\x00\x00\x02de");
        for piece in 1..bytes.len() {
            let mut frames = Frames::default();
            let seen: Vec<Seen> = bytes.chunks(piece).flat_map(|piece| frames.take(piece)).collect();
            let expected =
                [Seen::Message(vec![b"ab".to_vec(), b"c".to_vec()]), Seen::Message(vec![b"de".to_vec()])];
            assert_eq!(seen, expected, "in pieces of {piece} bytes");
        }
    }

    #[test]
    fn what_can_t_be_read_is_told_once() {
        for (bytes, expected) in [
            (greeting("CURVE"), Seen::Encrypted),
            (b"GET / HTTP/1.1\r\n".to_vec(), Seen::Foreign),
            ([greeting("NULL"), vec![0xf8, 1, 2]].concat(), Seen::Foreign),
        ] {
            let mut frames = Frames::default();
            assert_eq!(frames.take(&bytes), [expected]);
            assert_eq!(frames.take(&bytes), []);
        }
    }

    #[test]
    fn a_long_message_is_passed_over() {
        let mut frames = Frames::default();
        frames.take(&greeting("NULL"));
        let length = MAX_MESSAGE_BYTES + 1;
        let mut head = vec![2];
        head.extend_from_slice(&length.to_be_bytes());
        assert_eq!(frames.take(&head), [Seen::TooLong(length)]);
        let piece = vec![0; 1 << 20];
        for _ in 0..64 {
            assert_eq!(frames.take(&piece), []);
        }
        assert_eq!(frames.take(b"\0\0\x01x"), [Seen::Message(vec![b"x".to_vec()])]);
    }
}
