//! The lines that the driver writes.

use std::fmt::{Debug, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};
use zsvc::{Error, MetadataValue, ResponseMetadata, Status};

use crate::conformance::v1::{Broken, ConformanceRefuseError, Refused};

/// Tells where a server listens.
pub(crate) fn endpoint(of: &str, endpoint: &str) {
    println!("{}", json!({ "of": of, "endpoint": endpoint }));
}

/// Tells the end of a call's stream.
pub(crate) fn end(of: &str) {
    println!("{}", json!({ "of": of, "what": "end" }));
}

/// Tells a value: an `answer` or an `item`.
pub(crate) fn value(of: &str, what: &str, value: &impl Serialize) {
    let encoded = rmp_serde::to_vec(value).expect("generated types can be written");
    let body = hex(&encoded);
    println!("{}", json!({ "of": of, "what": what, "body": body }));
}

/// Tells what has come beside an answer, if anything has.
pub(crate) fn metadata(of: &str, response: &ResponseMetadata) {
    let metadata = response.get();
    let names: Map<String, Value> = metadata
        .iter()
        .map(|(name, value)| match value {
            MetadataValue::Text(text) => (name.to_owned(), json!(text)),
            MetadataValue::Bytes(bytes) => (name.to_owned(), json!({ "hex": hex(bytes) })),
        })
        .collect();
    if !names.is_empty() {
        println!("{}", json!({ "of": of, "what": "metadata", "names": names }));
    }
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string has room");
        digits
    })
}

/// How a call fails, as the suite tells it.
pub(crate) trait Failure {
    /// Tells of it.
    fn tell(&self, of: &str);
}

impl Failure for Status {
    fn tell(&self, of: &str) {
        let outcome = snake(&self.outcome());
        let cause = self.cause().map(|cause| snake(&cause));
        let (code, message) = (self.code().name(), self.message());
        println!(
            "{}",
            json!({ "of": of, "what": "failed", "code": code, "outcome": outcome, "cause": cause, "message": message })
        );
    }
}

impl<E: Declared> Failure for Error<E> {
    fn tell(&self, of: &str) {
        match self {
            Self::Declared(error) => {
                println!(
                    "{}",
                    json!({ "of": of, "what": "error", "text": error.text(), "outcome": "executed" })
                );
            }
            Self::Status(status) => status.tell(of),
        }
    }
}

/// An error that a method declares, as the suite's text.
pub(crate) trait Declared {
    /// Returns the text.
    fn text(&self) -> String;
}

impl Declared for Refused {
    fn text(&self) -> String {
        match self {
            Self::Because { why } => format!("Because {why}"),
            Self::Flatly => "Flatly".to_owned(),
            Self::Unknown(unknown) => format!("unknown {}", unknown.number),
        }
    }
}

impl Declared for Broken {
    fn text(&self) -> String {
        match self {
            Self::Part { part } => format!("Part {part}"),
            Self::Unknown(unknown) => format!("unknown {}", unknown.number),
        }
    }
}

impl Declared for ConformanceRefuseError {
    fn text(&self) -> String {
        match self {
            Self::Refused(error) => error.text(),
            Self::Broken(error) => error.text(),
            Self::Unknown(unknown) => format!("unknown {}", unknown.number),
        }
    }
}

/// Returns the name of a variant as the suite writes it: `NotSent` is `not_sent`.
fn snake(variant: &impl Debug) -> String {
    let name = format!("{variant:?}");
    name.char_indices().fold(String::new(), |mut snake, (at, character)| {
        if at > 0 && character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
        snake
    })
}
