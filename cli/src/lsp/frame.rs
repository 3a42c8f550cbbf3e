//! Messages on the wire between editor and server: a header that tells the length, and that many bytes.
//!
//! Nothing is trusted: a header has an end, and a message takes the memory of what has arrived, not of what was announced.

use std::io::{self, BufRead, Read, Write};

/// Maximum size of a message in bytes. A longer one is skipped, and answered by an error. It holds any file that the compiler
/// reads, which may have 64 MiB.
pub(super) const MAX_MESSAGE_BYTES: u64 = 160 * 1024 * 1024;
/// Maximum size of all headers of a message in bytes.
const MAX_HEADER_BYTES: u64 = 8 * 1024;

/// What comes in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The content of a message.
    Content(Vec<u8>),
    /// A message that was skipped, of so many bytes.
    TooLarge(u64),
    /// The end of the input.
    End,
}

/// Reads the next message. An error tells what is wrong with a header; nothing after it can be understood.
pub(super) fn read(input: &mut impl BufRead) -> Result<Frame, String> {
    let Some(length) = header(input)? else { return Ok(Frame::End) };
    let failed = |error: io::Error| format!("standard input can't be read: {error}");
    let mut content = input.take(length);
    if length > MAX_MESSAGE_BYTES {
        io::copy(&mut content, &mut io::sink()).map_err(failed)?;
        return Ok(Frame::TooLarge(length));
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).map_err(failed)?;
    if (bytes.len() as u64) < length {
        return Err(format!("the input ends after {} of the {length} bytes of a message", bytes.len()));
    }
    Ok(Frame::Content(bytes))
}

/// Returns the length that the headers tell; `None` if the input ends before them.
fn header(input: &mut impl BufRead) -> Result<Option<u64>, String> {
    let mut headers = input.take(MAX_HEADER_BYTES);
    let (mut length, mut is_first) = (None, true);
    loop {
        let mut line = Vec::new();
        headers
            .read_until(b'\n', &mut line)
            .map_err(|error| format!("standard input can't be read: {error}"))?;
        if line.is_empty() && is_first {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err(
                "a message starts with `Content-Length: N` and an empty line, which are missing".to_owned()
            );
        }
        is_first = false;
        let line = line.trim_ascii_end();
        if line.is_empty() {
            let missing = || "a message has no `Content-Length`".to_owned();
            return length.map(Some).ok_or_else(missing);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(format!("`{}` is no header of a message", shown(line)));
        };
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).ok();
            let value = value.and_then(|value| value.parse().ok());
            length = Some(value.ok_or_else(|| format!("`{}` tells no length", shown(line)))?);
        }
    }
}

/// Returns the start of a line, for a message.
fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(80)]).escape_debug().to_string()
}

/// Writes a message.
pub(super) fn write(output: &mut impl Write, content: &serde_json::Value) -> io::Result<()> {
    let text = content.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut input: &[u8]) -> Vec<Result<Frame, String>> {
        let mut found = Vec::new();
        loop {
            let frame = read(&mut input);
            let is_last = !matches!(frame, Ok(Frame::Content(_) | Frame::TooLarge(_)));
            found.push(frame);
            if is_last {
                return found;
            }
        }
    }

    #[test]
    fn messages_follow_each_other() {
        let input = b"Content-Length: 2\r\n\r\n{}content-length:3\nContent-Type: a\r\n\r\nabc";
        let content = |text: &[u8]| Ok(Frame::Content(text.to_vec()));
        assert_eq!(frames(input), [content(b"{}"), content(b"abc"), Ok(Frame::End)]);
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let long = vec![b'a'; 20_000];
        for (input, expected) in [
            (&b"{\"jsonrpc\":\"2.0\"}\r\n"[..], "are missing"),
            (b"{}\r\n", "no header"),
            (b"no line break", "are missing"),
            (b"Content-Length: 5\r\n\r\nabc", "ends after 3 of the 5"),
            (b"Content-Length: -1\r\n\r\n", "tells no length"),
            (b"Content-Length: 99999999999999999999\r\n\r\n", "tells no length"),
            (b"A: b\r\n\r\n", "no `Content-Length`"),
            (&long, "are missing"),
        ] {
            let found = frames(input);
            assert!(matches!(&found[..], [Err(message)] if message.contains(expected)), "{found:?}");
        }
    }

    #[test]
    fn a_length_alone_takes_no_memory() {
        let header = format!("Content-Length: {}\r\n\r\nabc", u64::MAX);
        assert_eq!(frames(header.as_bytes()), [Ok(Frame::TooLarge(u64::MAX)), Ok(Frame::End)]);
        let header = format!("Content-Length: {MAX_MESSAGE_BYTES}\r\n\r\nabc");
        assert!(matches!(&frames(header.as_bytes())[..], [Err(_)]));
    }
}
