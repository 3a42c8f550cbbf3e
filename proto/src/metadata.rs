//! [`Metadata`]: names and values beside a call's parameters, for middleware and handlers; [`ResponseMetadata`], those beside its
//! answer.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Names and values beside a call's parameters, for example `traceparent` (W3C Trace Context).
///
/// A name has one value; names are compared byte by byte. A call whose metadata is past [`Metadata::MAX_ENTRIES`] or
/// [`Metadata::MAX_BYTES`] fails with `resource_exhausted`.
///
/// Printed without the value of `authorization`, which may be a token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<(String, MetadataValue)>,
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            if name.eq_ignore_ascii_case("authorization") {
                map.entry(&name, &format_args!(".."));
            } else {
                map.entry(&name, value);
            }
        }
        map.finish()
    }
}

/// One value of [`Metadata`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataValue {
    /// Text.
    Text(String),
    /// Bytes of any kind.
    Bytes(Bytes),
}

impl Metadata {
    /// Largest number of entries of a call.
    pub const MAX_ENTRIES: usize = 64;
    /// Largest sum in bytes of the names and values of a call.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Sets the value of a name, and replaces the one that it had.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<MetadataValue>) {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((name, value)),
        }
    }

    /// Removes a name, and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<MetadataValue> {
        let at = self.entries.iter().position(|(known, _)| known == name)?;
        Some(self.entries.remove(at).1)
    }

    /// Returns the value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&MetadataValue> {
        self.entries.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns the value of a name if it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            MetadataValue::Text(text) => Some(text),
            MetadataValue::Bytes(_) => None,
        }
    }

    /// Returns all names and values, in the order in which they were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &MetadataValue)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the number of entries.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Reports whether there are no entries.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns a text that says what is past its limit, if anything is. `what` carries the metadata.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    #[must_use]
    #[inline]
    pub fn excess(&self, what: &str) -> Option<String> {
        let bytes = self.entries.iter().map(|(name, value)| name.len() + value.as_bytes().len()).sum();
        Self::excess_of(what, self.len(), bytes)
    }

    /// Returns a text that says which limit these numbers of entries and bytes are past, if any.
    #[inline]
    pub(crate) fn excess_of(what: &str, entries: usize, bytes: usize) -> Option<String> {
        let (number, noun, max) = if entries > Self::MAX_ENTRIES {
            (entries, "metadata entries", Self::MAX_ENTRIES)
        } else if bytes > Self::MAX_BYTES {
            (bytes, "bytes of metadata", Self::MAX_BYTES)
        } else {
            return None;
        };
        Some(format!("{what} carries {number} {noun}; at most {max} may be"))
    }
}

/// Names and values that a server sends beside its answer or its stream, as far as they have arrived.
///
/// A caller makes one and hands it to the call. It may be read at any time, from clones, too: what the server sends first is there
/// before the first item of its stream; all of it is there once the call has ended, whether well or not. A call that is made
/// again begins with none.
///
/// At most [`Metadata::MAX_ENTRIES`] and [`Metadata::MAX_BYTES`] are kept: a call whose server sends more fails with
/// `resource_exhausted`.
#[derive(Debug, Clone, Default)]
pub struct ResponseMetadata(Arc<Mutex<Metadata>>);

impl ResponseMetadata {
    /// Creates an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what has arrived.
    #[must_use]
    pub fn get(&self) -> Metadata {
        self.lock().clone()
    }

    /// Returns the value of a name if it is text and has arrived.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.lock().text(name).map(str::to_owned)
    }

    /// Forgets what has arrived.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    pub fn clear(&self) {
        *self.lock() = Metadata::default();
    }

    /// Adds what has arrived; a later value of a name replaces the one before.
    ///
    /// # Errors
    /// It is more than there may be. The text says what of.
    pub(crate) fn add(&self, metadata: Metadata) -> Result<(), String> {
        let mut known = self.lock();
        for (name, value) in metadata.entries {
            known.insert(name, value);
            if known.len() > Metadata::MAX_ENTRIES {
                break;
            }
        }
        known.excess("the answer").map_or(Ok(()), Err)
    }

    fn lock(&self) -> MutexGuard<'_, Metadata> {
        // Nothing panics while the lock is held but for lack of memory; the entries are whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetadataValue {
    /// Returns the bytes; for text, its UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl fmt::Display for MetadataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => write!(f, "{bytes:?}"),
        }
    }
}

impl From<&str> for MetadataValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for MetadataValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for MetadataValue {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for MetadataValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}
