//! Errors of encoding and decoding, as texts that a caller can act on.
//!
//! Not statuses: the session decides which code a broken body gets. A path in front of the text says where in the value the error
//! is; see [`super::path`].

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use super::MAX_DEPTH;
use super::memory::MEMORY_PER_BYTE;
use super::path::{prefix, split};
use crate::text::cut;

/// Longest text in bytes that is kept of an error of another crate: serde's quote the peer's strings in full.
const MAX_TEXT_BYTES: usize = 240;

/// A value that can't be written, such as a duration of more nanoseconds than 64 bits hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError {
    text: String,
}

/// Bytes that are not the value they should be. Boxed, because it is in the result of every field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Wrong>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    text: String,
    too_deep: bool,
    too_large: bool,
}

impl EncodeError {
    /// Returns the error of a body that no message can carry.
    #[must_use]
    #[cold]
    pub fn too_large(bytes: usize) -> Self {
        Self { text: format!("it has {bytes} bytes, more than a message can carry") }
    }

    #[cold]
    pub(super) fn new(text: String) -> Self {
        Self { text }
    }
}

impl DecodeError {
    /// Converts an error of another crate, in the words of this one.
    #[cold]
    pub(crate) fn new(error: &dyn Display) -> Self {
        Self::of(describe(error))
    }

    #[cold]
    fn of(text: String) -> Self {
        let too_deep = split(&text).1 == too_deep();
        Self(Box::new(Wrong { text, too_deep, too_large: false }))
    }

    #[cold]
    pub(super) fn too_deep() -> Self {
        Self::of(too_deep())
    }

    /// Returns the error of values that take `bytes` bytes of memory at least, where they may take `max`.
    #[cold]
    pub(super) fn too_large(bytes: usize, max: usize) -> Self {
        let text = format!(
            "too large to be read: {bytes} bytes of memory or more, and the values of a message may take {max}, which is \
             {MEMORY_PER_BYTE} times the maximum size of a message"
        );
        Self(Box::new(Wrong { text, too_deep: false, too_large: true }))
    }

    #[cold]
    pub(super) fn missing(field: &str) -> Self {
        Self::of(format!("field `{field}` is missing"))
    }

    #[cold]
    pub(super) fn trailing_bytes() -> Self {
        Self::of("more bytes follow the value".to_owned())
    }

    #[cold]
    pub(super) fn truncated() -> Self {
        Self::of(TRUNCATED.to_owned())
    }

    /// Adds one step to the front of the path: a field's name, or an index such as `[2]`.
    #[cold]
    pub(super) fn inside(mut self, step: &str) -> Self {
        self.0.text = prefix(step, &self.0.text);
        self
    }

    /// Returns the whole text: the path, if there is one, and what is wrong.
    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    /// Reports whether the value broke the bound on nesting, rather than being of another type.
    #[must_use]
    pub fn is_too_deep(&self) -> bool {
        self.0.too_deep
    }

    /// Reports whether the value would take too much memory (see [`max_decoded`](super::max_decoded)), rather than being of another
    /// type.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.too_large
    }
}

impl Display for EncodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl Error for EncodeError {}
impl Error for DecodeError {}

const TRUNCATED: &str = "the bytes end in the middle of the value";

/// Returns the text for both bounds on nesting.
pub(super) fn too_deep() -> String {
    format!("nested too deep to be read, which may be {MAX_DEPTH} levels, or fewer of large structs")
}

/// Returns the text for a value that would take too much stack to be written.
pub(super) fn too_deep_to_write() -> String {
    format!("nested too deep to be written; peers read up to {MAX_DEPTH} levels")
}

/// Returns the text of another crate's error in the words of this one, and of bounded length.
#[cold]
pub(super) fn describe(error: &dyn Display) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error while decoding value: ").unwrap_or(&text);
    if split(text).0.is_some() {
        // Was converted already, one step further in.
        return text.to_owned();
    }
    if let Some(marker) = text.strip_prefix("wrong msgpack marker ") {
        return format!("invalid type: {}", name_of_marker(marker));
    }
    if text.starts_with("IO error while reading") {
        return TRUNCATED.to_owned();
    }
    if text == "depth limit exceeded" {
        return too_deep();
    }
    match text.strip_prefix("invalid type: unit value") {
        Some(rest) => format!("invalid type: nil{rest}"),
        None => shorten(text),
    }
}

fn shorten(text: &str) -> String {
    let shown = cut(text, MAX_TEXT_BYTES);
    if shown.len() < text.len() { format!("{shown}…") } else { text.to_owned() }
}

/// Returns serde's word for the type that `rmp-serde` met and names by its marker.
fn name_of_marker(marker: &str) -> &'static str {
    const NAMES: [(&str, &str); 9] = [
        ("Null", "nil"),
        ("Str", "string"),
        ("Bin", "byte array"),
        ("Array", "sequence"),
        ("Map", "map"),
        ("Ext", "extension type"),
        ("Reserved", "the byte 0xc1, which MessagePack never uses"),
        ("True", "boolean"),
        ("False", "boolean"),
    ];
    let kind = marker.strip_prefix("Fix").unwrap_or(marker);
    NAMES.iter().find(|(start, _)| kind.starts_with(start)).map_or("number", |(_, name)| name)
}
