//! [`Output`]: standard output, whose reader may go at any time: `zsvc call … | head -1`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

/// Standard output has no reader any more, so that the command is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// Standard output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    is_terminal: bool,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal() }
    }

    /// Reports whether people read it.
    pub(crate) fn is_terminal(self) -> bool {
        self.is_terminal
    }

    /// Writes a line, which leaves at once: the next may be long in coming. On a terminal, what would control it is escaped as in JSON.
    pub(crate) fn line(self, text: &str) -> Result<(), Closed> {
        let escaped = if self.is_terminal { escaped(text) } else { None };
        let mut out = io::stdout().lock();
        let written = out.write_all(escaped.as_deref().unwrap_or(text).as_bytes());
        written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).map_err(|_| Closed)
    }
}

/// Returns a text without what controls terminals, if there is any: JSON leaves those of the second block as they are.
fn escaped(text: &str) -> Option<String> {
    let controls = |char: char| char.is_control() && char != '\n';
    text.contains(controls).then(|| {
        text.chars().fold(String::new(), |mut all, char| {
            if controls(char) {
                // A string takes whatever is written to it.
                let _ = write!(all, "\\u{:04x}", u32::from(char));
            } else {
                all.push(char);
            }
            all
        })
    })
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        assert_eq!(escaped("{\"a\": \"\u{9b}2J\"}\n").as_deref(), Some("{\"a\": \"\\u009b2J\"}\n"));
        assert_eq!(escaped("{\"a\": \"naïve\"}"), None);
    }
}
