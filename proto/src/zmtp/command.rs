//! Commands: a name and data, in a frame of its own.

use bytes::{BufMut, Bytes};

use super::frame::FrameHeader;

/// A command that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    body: Bytes,
    /// Length of the name.
    name: usize,
}

impl Command {
    /// Reads a command, or returns `None` if it has no whole name.
    pub(super) fn read(body: Bytes) -> Option<Self> {
        let name = usize::from(*body.first()?);
        (name > 0 && body.len() > name).then_some(Self { body, name })
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.body[1..=self.name]
    }

    pub(super) fn data(&self) -> Bytes {
        self.body.slice(1 + self.name..)
    }
}

/// Returns the frame of a command.
pub(super) fn write(name: &str, data: &[&[u8]]) -> Vec<u8> {
    let length = 1 + name.len() + data.iter().map(|part| part.len()).sum::<usize>();
    let mut frame = Vec::with_capacity(length + 9);
    FrameHeader::command(length).write(&mut frame);
    short_string(&mut frame, name.as_bytes());
    for part in data {
        frame.extend_from_slice(part);
    }
    frame
}

/// Appends a string after its length in one byte. A longer one is cut: names and reasons of ours are short, and
/// credentials are checked when they are set.
pub(super) fn short_string(out: &mut Vec<u8>, text: &[u8]) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.put_u8(length);
    out.extend_from_slice(&text[..usize::from(length)]);
}

/// Splits a string after its length in one byte off the front of `data`.
pub(super) fn take_short_string(data: &mut Bytes) -> Option<Bytes> {
    let length = usize::from(*data.first()?);
    (data.len() > length).then(|| {
        let text = data.slice(1..=length);
        *data = data.slice(1 + length..);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_it_was_written() {
        let frame = write("PING", &[&[0, 10], b"context"]);
        assert_eq!(frame, b"\x04\x0e\x04PING\x00\x0acontext");
        let command = Command::read(Bytes::from(frame).slice(2..)).unwrap();
        assert_eq!((command.name(), &command.data()[..]), (&b"PING"[..], &b"\x00\x0acontext"[..]));
    }

    #[test]
    fn a_command_without_a_whole_name_is_none() {
        for body in [&b""[..], b"\x00", b"\x05PING"] {
            assert_eq!(Command::read(Bytes::copy_from_slice(body)), None);
        }
        assert!(Command::read(Bytes::from_static(b"\x04PING")).is_some_and(|it| it.data().is_empty()));
    }

    #[test]
    fn short_strings_are_split_off() {
        let mut data = Bytes::from_static(b"\x02ab\x00\x03c");
        assert_eq!(take_short_string(&mut data), Some(Bytes::from_static(b"ab")));
        assert_eq!(take_short_string(&mut data), Some(Bytes::new()));
        assert_eq!(take_short_string(&mut data), None);
    }
}
