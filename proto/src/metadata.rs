//! [`Metadata`]: names and values beside a call's parameters, for middleware and handlers.

use std::fmt;

use bytes::Bytes;

/// Names and values beside a call's parameters, for example `traceparent` (W3C Trace Context).
///
/// A name has one value; names are compared byte by byte. A call whose metadata is past [`Metadata::MAX_ENTRIES`] or
/// [`Metadata::MAX_BYTES`] fails with `resource_exhausted`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<(String, MetadataValue)>,
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

    /// Returns a text that says what is past its limit, if anything is.
    #[doc(hidden)] // For the runtime; the type is public in `zsvc`.
    #[must_use]
    #[inline]
    pub fn excess(&self) -> Option<String> {
        if self.len() > Self::MAX_ENTRIES {
            return Some(format!(
                "the call carries {} metadata entries; at most {} may be",
                self.len(),
                Self::MAX_ENTRIES
            ));
        }
        let bytes: usize = self.entries.iter().map(|(name, value)| name.len() + value.as_bytes().len()).sum();
        (bytes > Self::MAX_BYTES).then(|| {
            format!("the call carries {bytes} bytes of metadata; at most {} may be", Self::MAX_BYTES)
        })
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
