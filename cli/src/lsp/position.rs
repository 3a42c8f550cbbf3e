//! Places in texts as editors count them: lines, and characters of a line in UTF-16 or, if the client takes it, in UTF-8.

use ls_types::{Position, Range};

/// How characters of a line are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Encoding {
    /// In units of UTF-16, as every client knows.
    #[default]
    Utf16,
    /// In bytes.
    Utf8,
}

/// The lines of a text.
pub(super) struct Lines<'a> {
    text: &'a str,
    encoding: Encoding,
    /// Offset of the first byte of each line; never empty.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Finds the lines. They end with `\n`, `\r\n` or `\r`, as the protocol has it.
    pub(super) fn of(text: &'a str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes
            .iter()
            .enumerate()
            .filter(|(at, byte)| **byte == b'\n' || **byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, encoding, starts }
    }

    /// Returns the position of a byte. One inside of a character counts as that character's start, one past the end as the end.
    pub(super) fn position(&self, byte: usize) -> Position {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte).saturating_sub(1);
        let before = &self.text[self.starts[line]..byte];
        let character = match self.encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.encode_utf16().count(),
        };
        Position::new(number(line), number(character))
    }

    /// Returns the range of some bytes.
    pub(super) fn range(&self, bytes: std::ops::Range<usize>) -> Range {
        Range::new(self.position(bytes.start), self.position(bytes.end))
    }

    /// Returns the byte at a position. A character past the end of its line counts as the end, a line past the last as the end
    /// of the text, and half of a character as its start: none of them is an error in the protocol.
    pub(super) fn byte(&self, position: Position) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else { return self.text.len() };
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let text = self.text[start..end].trim_end_matches(['\r', '\n']);
        let character = position.character as usize;
        let mut units = 0;
        for (at, next) in text.char_indices() {
            units += match self.encoding {
                Encoding::Utf8 => next.len_utf8(),
                Encoding::Utf16 => next.len_utf16(),
            };
            if units > character {
                return start + at;
            }
        }
        start + text.len()
    }
}

/// Converts an offset into a text; the compiler's texts are far below 4 GiB.
pub(super) fn offset(byte: usize) -> u32 {
    number(byte)
}

/// Converts a count; a text has fewer lines and characters than 2^32, since messages are bounded.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\u{e4}\u{1f600}b\r\n\rc\n";

    #[test]
    fn bytes_and_positions_lead_to_each_other() {
        for (encoding, columns) in [(Encoding::Utf16, [0, 1, 2, 4, 5]), (Encoding::Utf8, [0, 1, 3, 7, 8])] {
            let lines = Lines::of(TEXT, encoding);
            for (byte, column) in [0, 1, 3, 7, 8].into_iter().zip(columns) {
                assert_eq!(lines.position(byte), Position::new(0, column));
                assert_eq!(lines.byte(Position::new(0, column)), byte);
            }
            assert_eq!(lines.position(10), Position::new(1, 0));
            assert_eq!(lines.position(11), Position::new(2, 0));
            assert_eq!(lines.position(TEXT.len()), Position::new(3, 0));
        }
    }

    #[test]
    fn wrong_positions_lead_to_the_nearest_right_one() {
        let lines = Lines::of(TEXT, Encoding::Utf16);
        assert_eq!(lines.byte(Position::new(0, 3)), 3, "half of a character is its start");
        assert_eq!(lines.byte(Position::new(0, u32::MAX)), 8, "a line has an end");
        assert_eq!(lines.byte(Position::new(u32::MAX, 7)), TEXT.len());
        assert_eq!(lines.position(5), Position::new(0, 2));
        assert_eq!(lines.position(usize::MAX), Position::new(3, 0));
        assert_eq!(Lines::of("", Encoding::Utf8).byte(Position::new(3, 3)), 0);
        assert_eq!(Lines::of("\u{e4}", Encoding::Utf8).byte(Position::new(0, 1)), 0);
    }
}
