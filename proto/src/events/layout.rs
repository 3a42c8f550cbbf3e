//! [`Layout`]: where the key fields of an event stand in its bytes, for those who pass events on that they have no types for.

use std::fmt;

use bytes::Bytes;
use rmpv::Value;

use super::event_type::EventType;
use super::filter::is_of;
use super::key::{BadKey, Key, KeyWriter, MAX_KEY_BYTES};
use super::posted::{Posted, Unpostable};
use crate::codec::dynamic::{Raw, RawValue};
use crate::codec::{DecodeError, Fields, Plain, Reader, max_decoded};

/// What is known of an event without its type: enough to read the values of its key fields.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    event: &'static EventType,
    /// Numbers and names of the key fields, in ascending order of the numbers.
    names: &'static [(u16, &'static str)],
    /// The encoded default of each key field; empty if it has none.
    defaults: &'static [Bytes],
}

/// Why bytes are no event, or none that can be published.
#[derive(Debug)]
pub enum Unreadable {
    /// Bytes that are not of the event's form.
    Undecodable(DecodeError),
    /// An event that can't be published.
    Unpostable(Unpostable),
}

impl Layout {
    /// Creates a layout from the numbers and names of the key fields, and the encoded default of each, which is empty if there is none. A
    /// key field without a name has to come by its number.
    #[must_use]
    pub const fn new(
        event: &'static EventType,
        names: &'static [(u16, &'static str)],
        defaults: &'static [Bytes],
    ) -> Self {
        Self { event, names, defaults }
    }

    /// Returns what the schema says of the event.
    #[must_use]
    pub const fn event(&self) -> &'static EventType {
        self.event
    }

    /// Takes an event that another side has encoded. Its bytes stay as they are, and get memory of their own: a short event is in a block
    /// beside others, and a long one in its message, which it would hold as long as it is kept.
    ///
    /// # Errors
    /// The bytes are larger than `max_bytes`, or no event of this form; its key is too long.
    pub fn read(&self, bytes: &[u8], max_bytes: usize) -> Result<Posted, Unreadable> {
        if bytes.len() > max_bytes {
            return Err(Unpostable::TooLarge { bytes: bytes.len(), max: max_bytes }.into());
        }
        let key = self.key(bytes)?;
        Ok(Posted::of(key, Bytes::copy_from_slice(bytes)))
    }

    fn key(&self, bytes: &[u8]) -> Result<Key, Unreadable> {
        let mut reader = Reader::of_bytes(bytes, max_decoded(bytes.len()));
        let mut fields = Fields::sparse(&mut reader, self.names)?;
        let mut key = KeyWriter::default();
        for (place, field) in self.event.key_fields().iter().enumerate() {
            let written = fields.optional::<Raw, RawValue>(field.number().into())?.map(RawValue::into_bytes);
            let default = || self.defaults.get(place).filter(|bytes| !bytes.is_empty()).cloned();
            let Some(written) = written.or_else(default) else {
                return Err(DecodeError::missing_field(field.name()).into());
            };
            if written.len() > MAX_KEY_BYTES {
                return Err(Unpostable::KeyTooLong.into());
            }
            // It is short, so it nests little; and what can't be read is of no kind.
            let value = rmpv::decode::read_value(&mut &written[..]).unwrap_or(Value::Nil);
            if !is_of(field.kind, &value) {
                let (name, what) = (field.name(), field.kind.what());
                return Err(DecodeError::told(format_args!(
                    "the key field `{name}` is no value of its type: {what}"
                ))
                .into());
            }
            key.write::<Plain, Value>(&value);
        }
        fields.end()?;
        if !reader.has_ended() {
            return Err(DecodeError::told("something follows the event").into());
        }
        key.finish().map_err(|error| match error {
            BadKey::Unencodable(error) => Unpostable::Unencodable(error).into(),
            BadKey::TooLong => Unpostable::KeyTooLong.into(),
        })
    }
}

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Self {
        Self::Undecodable(error)
    }
}

impl From<Unpostable> for Unreadable {
    fn from(error: Unpostable) -> Self {
        Self::Unpostable(error)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecodable(error) => error.fmt(f),
            Self::Unpostable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{KeyField, KeyKind};
    use crate::method::{Method, MethodKind};

    const KEYS: [KeyField; 4] = [
        KeyField::new(1, "symbol", KeyKind::String),
        KeyField::new(2, "side", KeyKind::Integer),
        KeyField::new(4, "is_own", KeyKind::Bool),
        KeyField::new(5, "id", KeyKind::Uuid),
    ];
    static EVENT: EventType =
        EventType::new("a.E", Method::new("a.E/subscribe", MethodKind::ServerStream)).keys(&KEYS);
    static NAMES: [(u16, &str); 4] = [(1, "symbol"), (2, "side"), (4, "is_own"), (5, "id")];
    static DEFAULTS: [Bytes; 4] =
        [Bytes::new(), Bytes::from_static(&[7]), Bytes::new(), Bytes::from_static(&ID)];
    const ID: [u8; 18] = [0xc4, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    const LAYOUT: Layout = Layout::new(&EVENT, &NAMES, &DEFAULTS);

    fn key(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let read = LAYOUT.read(bytes, 4_096);
        read.map(|posted| posted.key().bytes().to_vec()).map_err(|why| why.to_string())
    }

    #[test]
    fn keys_are_the_same_in_every_form_of_the_struct() {
        let all = [&[0xa1, b'x', 7, 0xc3][..], &ID].concat();
        let array = [&[0x95, 0xa1, b'x', 7, 0xc0, 0xc3][..], &ID].concat();
        let numbers = [&[0x84, 1, 0xa1, b'x', 2, 7, 4, 0xc3, 5][..], &ID].concat();
        let names = b"\x83\xa4side\x07\xa6symbol\xa1x\xa6is_own\xc3";
        for bytes in [&array[..], &numbers, names, &[0x94, 0xa1, b'x', 0xc0, 0xc0, 0xc3]] {
            assert_eq!(key(bytes).as_deref(), Ok(&all[..]), "{bytes:x?}");
        }
        // An integer, and the length of a text, in more bytes than they need.
        let long = [0x94, 0xd9, 1, b'x', 0xcf, 0, 0, 0, 0, 0, 0, 0, 7, 0xc0, 0xc3];
        assert_eq!(key(&long).as_deref(), Ok(&all[..]));
    }

    #[test]
    fn an_event_holds_nothing_of_the_message_in_which_it_came() {
        let message = Bytes::from(vec![0; 70_000]);
        for length in [1, 300, 60_000] {
            let event = [&[0x95, 0xa1, b'x', 7, 0xc0, 0xc3][..], &ID, &message[..length]].concat();
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            let event = [&[0x96][..], &event[1..24], &[0xc5, high, low], &event[24..]].concat();
            let message = Bytes::from([&event[..], &message].concat());
            let posted = LAYOUT.read(&message.slice(..event.len()), 100_000).unwrap();
            assert!(message.is_unique(), "{length}");
            assert_eq!(posted.to_bytes(), event);
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for (bytes, what) in [
            (&[][..], "end"),
            (&[0xc1], "0xc1"),
            (&[0xa1, b'x'], "array"),
            (&[0x90], "`symbol`"),
            (&[0x93, 0xa1, b'x', 7, 0xc0], "`is_own`"),
            (&[0x94, 7, 7, 0xc0, 0xc3], "`symbol`"),
            (&[0x94, 0xa1, 0xff, 7, 0xc0, 0xc3], "`symbol`"),
            (&[0x94, 0xa1, b'x', 0x91, 7, 0xc3], "`side`"),
            (&[0x95, 0xa1, b'x', 7, 0xc0, 0xc3, 0xc4, 1, 0], "`id`"),
            (&[0x94, 0xa1, b'x', 7, 0xc0, 0xc3, 0xc0], "follows"),
            (&[0x96, 0xa1, b'x', 7, 0xc0, 0xc3, 0xc0], "end"),
        ] {
            let why = key(bytes).unwrap_err();
            assert!(why.contains(what), "{bytes:x?}: {why}");
        }
        let nested = [&[0x94][..], &vec![0x91; 4_000]].concat();
        assert!(key(&nested).is_err());
        let long = [&[0x94, 0xda, 4, 0][..], &vec![b'x'; 1_024], &[7, 0xc0, 0xc3]].concat();
        assert!(key(&long).unwrap_err().contains("1024"));
        assert!(key(&vec![0x90; 4_097]).unwrap_err().contains("4097"));
    }

    #[test]
    fn every_end_of_the_bytes_is_refused() {
        let whole = [&[0x95, 0xa1, b'x', 7, 0xc0, 0xc3][..], &ID].concat();
        for end in 0..whole.len() {
            assert!(key(&whole[..end]).is_err(), "{end}");
        }
    }
}
