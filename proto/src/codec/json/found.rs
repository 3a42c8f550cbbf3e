//! Errors of the mapping, in the words of a reader of JSON.

use rmpv::Value;

use super::description::Malformed;
use crate::codec::MAX_DEPTH;
use crate::codec::error::DecodeError;
use crate::text::cut;

/// Longest text of the input that an error shows, in bytes.
const MAX_SHOWN_BYTES: usize = 60;

/// Names that an error lists.
const MAX_NAMES: usize = 12;

/// Number of lists and objects that a value may still nest, as they are in the format for people: so what is written can be read.
/// A variant's name by itself counts as an object, since on the wire it is in a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    left: usize,
    too_deep: fn() -> DecodeError,
}

impl Levels {
    /// The levels of a value that is read.
    pub(super) const TO_READ: Self = Self { left: MAX_DEPTH, too_deep: DecodeError::too_deep };

    /// The levels of a value that is written.
    pub(super) const TO_WRITE: Self = Self { left: MAX_DEPTH, too_deep: too_deep_to_write };

    /// Returns the levels of a part of a value that is read.
    pub(super) fn to_read(left: usize) -> Self {
        Self { left, ..Self::TO_READ }
    }

    /// Returns the levels of a part of a value that is written.
    pub(super) fn to_write(left: usize) -> Self {
        Self { left, ..Self::TO_WRITE }
    }

    /// Returns the levels that are left inside a list or an object.
    pub(super) fn enter(self) -> Result<Self, DecodeError> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err((self.too_deep)()),
        }
    }
}

#[cold]
fn too_deep_to_write() -> DecodeError {
    DecodeError::new(&format_args!("nested too deep to be written, which may be {MAX_DEPTH} levels"))
}

impl From<Malformed> for DecodeError {
    fn from(_: Malformed) -> Self {
        Self::new(&"the description of the type is malformed: generate its code again")
    }
}

/// Returns the error of a value of another type than expected.
#[cold]
pub(super) fn unexpected(value: &Value, expected: &str) -> DecodeError {
    let found = match value {
        Value::Nil => "null".to_owned(),
        Value::Boolean(value) => format!("the boolean `{value}`"),
        Value::Integer(_) => format!("the number `{value}`"),
        Value::F32(number) => format!("the number `{number:?}`"),
        Value::F64(number) => format!("the number `{number:?}`"),
        Value::String(text) => format!("the string {}", quoted(text.as_str().unwrap_or_default())),
        Value::Binary(_) => "bytes".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Map(_) => "an object".to_owned(),
        Value::Ext(..) => "an extension type".to_owned(),
    };
    DecodeError::new(&format_args!("invalid type: {found}, expected {expected}"))
}

/// Returns the error of a name that is none of those of a type.
#[cold]
pub(super) fn unknown<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>) -> DecodeError {
    let mut known: Vec<String> = names.take(MAX_NAMES + 1).map(|name| format!("`{name}`")).collect();
    if known.len() > MAX_NAMES {
        known.truncate(MAX_NAMES);
        known.push("…".to_owned());
    }
    let known =
        if known.is_empty() { "there is none".to_owned() } else { format!("there are {}", known.join(", ")) };
    DecodeError::new(&format_args!("unknown {kind} {}: {known}", quoted(name)))
}

/// Returns a text of the input for an error: quoted, and cut if it is long.
pub(super) fn quoted(text: &str) -> String {
    let shown = cut(text, MAX_SHOWN_BYTES);
    if shown.len() < text.len() { format!("{:?}", format!("{shown}…")) } else { format!("{text:?}") }
}
