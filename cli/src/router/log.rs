//! [`log`]: what a router writes to standard error; and what the runtime below it reports, such as clients that are refused.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes a line to the log: peers and processes may have written a part of it, which is not to look like lines of its own. A closed
/// stream has no reader.
pub(super) fn log(line: &str) {
    let line: String = line.chars().flat_map(printable).collect();
    let _ = writeln!(anstream::stderr(), "zsvc router: {line}");
}

/// Has what the runtime reports written to the log, from here on.
pub(super) fn follow_runtime() {
    // It is the only one of this process.
    let _ = tracing::subscriber::set_global_default(RuntimeLog);
}

/// Writes the events of the runtime, a line each. There are no spans: the router has no calls of its own.
struct RuntimeLog;

impl Subscriber for RuntimeLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Also where the runtime only asks whether an event would be heard.
        !metadata.is_span() && metadata.target() == "zsvc" && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        log(&format!("{}{}", line.message, line.fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event as text.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        // Mostly there are none.
        if field.name() != "suppressed" || value > 0 {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, ", {name}: {value:?}"),
        };
    }
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let (escaped, plain) = if character.is_control() && character != '\t' {
        (Some(character.escape_default()), None)
    } else {
        (None, Some(character))
    };
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_would_break_a_line_is_escaped() {
        let shown: String = "a\nb\u{1b}c\t\u{e9}".chars().flat_map(printable).collect();
        assert_eq!(shown, "a\\nb\\u{1b}c\t\u{e9}");
    }
}
