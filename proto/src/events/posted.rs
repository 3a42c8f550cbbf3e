//! [`Posted`]: an event that was published, encoded once.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use super::event_type::EventType;
use super::key::{BadKey, Key, KeyWriter, MAX_KEY_BYTES};
use super::topic_name::topic_name;
use crate::codec::{Body, EncodeError, WriteForm, encode_body};

/// What an event takes besides its bytes and its key, about: its place in tables and queues.
const OVERHEAD_BYTES: usize = 96;

/// An event that was published. All who keep it or send it share its bytes, which are its own: a program's, in long `bytes`, could run
/// code when they are dropped, and events are dropped under locks.
#[derive(Debug)]
pub struct Posted {
    sequence: u64,
    key: Key,
    body: Body,
    /// Its topic, once it was asked for.
    topic: OnceLock<Bytes>,
}

impl Posted {
    /// Encodes an event whose key `key` writes. It has no sequence number yet, which a topic gives it.
    ///
    /// # Errors
    /// The event can't be encoded, or is too large.
    pub fn encode<F: WriteForm<T>, T>(
        event: &T,
        key: impl FnOnce(&mut KeyWriter),
        max_bytes: usize,
    ) -> Result<Self, Unpostable> {
        let mut writer = KeyWriter::default();
        key(&mut writer);
        let key = writer.finish().map_err(|error| match error {
            BadKey::Unencodable(error) => Unpostable::Unencodable(error),
            BadKey::TooLong => Unpostable::KeyTooLong,
        })?;
        let body = encode_body::<F, T>(event).map_err(Unpostable::Unencodable)?;
        if body.len() > max_bytes {
            return Err(Unpostable::TooLarge { bytes: body.len(), max: max_bytes });
        }
        Ok(Self { sequence: 0, key, body: body.owned(), topic: OnceLock::new() })
    }

    /// Takes an event whose key is known.
    pub(super) fn of(key: Key, bytes: Bytes) -> Self {
        Self { sequence: 0, key, body: bytes.into(), topic: OnceLock::new() }
    }

    /// Returns it with its sequence number.
    pub(super) fn numbered(self, sequence: u64) -> Self {
        Self { sequence, ..self }
    }

    /// Returns it with a key that is equal to its own.
    pub(super) fn with_key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    /// Returns its sequence number: 1 for the first event of a publisher.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the values of its key fields.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns its bytes.
    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    /// Returns its topic, by which plain subscribers of ZeroMQ filter. It is made once.
    pub fn topic(&self, event: &EventType) -> &Bytes {
        self.topic.get_or_init(|| topic_name(event.name(), &self.key).into())
    }

    /// Returns its bytes in one piece. They are copied if long `bytes` lie apart.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.body.clone().into_bytes()
    }

    /// Returns what it counts for in bounds, in bytes.
    pub(super) fn size(&self) -> usize {
        self.body.len() + self.key.bytes().len() + OVERHEAD_BYTES
    }
}

/// Why an event can't be published.
#[derive(Debug)]
pub enum Unpostable {
    /// A value in it can't be encoded.
    Unencodable(EncodeError),
    /// The event has more bytes than one may have.
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The largest size in bytes.
        max: usize,
    },
    /// The key fields have more than [`MAX_KEY_BYTES`] bytes.
    KeyTooLong,
}

impl fmt::Display for Unpostable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unencodable(error) => write!(f, "the event can't be encoded: {error}"),
            Self::TooLarge { bytes, max } => {
                write!(f, "the event has {bytes} bytes, and its publisher takes up to {max}")
            }
            Self::KeyTooLong => write!(f, "the key fields of the event have more than {MAX_KEY_BYTES} bytes"),
        }
    }
}

impl Error for Unpostable {}
