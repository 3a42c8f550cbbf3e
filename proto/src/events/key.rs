//! [`Key`]: the values of an event's key fields, encoded.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rmpv::{Value, ValueRef};

use super::event_type::MAX_KEY_FIELDS;
use crate::codec::{EncodeError, WriteForm, encode};

/// Largest size in bytes of all key fields of one event, as encoded. Keys are kept and compared, one by one.
pub const MAX_KEY_BYTES: usize = 1024;

/// Room in bytes that most keys have in.
const USUAL_BYTES: usize = 32;

/// The values of an event's key fields as they are on the wire, each in the shortest form, so that equal values have equal bytes. Clones
/// share them. Keys of one event type are compared by their bytes alone: where each value ends stands in these.
#[derive(Debug, Clone, Default)]
pub struct Key {
    /// The values, laid end to end.
    bytes: Arc<[u8]>,
    /// Where each value ends; those past the last are 0.
    ends: [u16; MAX_KEY_FIELDS],
    fields: u8,
}

/// Takes the values of an event's key fields, in the order of their numbers.
#[derive(Debug, Default)]
pub struct KeyWriter {
    bytes: Vec<u8>,
    ends: [u16; MAX_KEY_FIELDS],
    fields: u8,
    error: Option<EncodeError>,
    is_too_long: bool,
}

impl KeyWriter {
    /// Adds the value of the next key field.
    pub fn write<F: WriteForm<T>, T: ?Sized>(&mut self, value: &T) {
        let before = self.bytes.len();
        if before == 0 {
            self.bytes.reserve(USUAL_BYTES);
        }
        if let Err(error) = encode::<F, T>(value, &mut self.bytes) {
            self.error.get_or_insert(error);
            return;
        }
        let Some(end) = self.ends.get_mut(usize::from(self.fields)) else { return };
        if self.bytes.len() > MAX_KEY_BYTES {
            self.bytes.truncate(before);
            self.is_too_long = true;
        }
        *end = u16::try_from(self.bytes.len()).unwrap_or(u16::MAX);
        self.fields += 1;
    }

    /// Returns the key.
    ///
    /// # Errors
    /// A value can't be encoded, or they have more than [`MAX_KEY_BYTES`] bytes.
    pub(super) fn finish(self) -> Result<Key, BadKey> {
        match self.error {
            Some(error) => Err(BadKey::Unencodable(error)),
            None if self.is_too_long => Err(BadKey::TooLong),
            None => Ok(Key { bytes: self.bytes.into(), ends: self.ends, fields: self.fields }),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

// So that tables of keys are asked by the bytes that a filter has.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why an event has no key.
#[derive(Debug)]
pub(super) enum BadKey {
    Unencodable(EncodeError),
    TooLong,
}

impl Key {
    /// Returns the values, laid end to end.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the encoded value of the key field at a place, counted from 0; empty if there is none.
    pub(super) fn value(&self, place: usize) -> &[u8] {
        let end = self.ends.get(place).copied().unwrap_or(0);
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(usize::from(start)..usize::from(end)).unwrap_or(&[])
    }

    /// Returns the values in order. They are read anew each time: for what is done once for each event.
    pub fn values(&self) -> impl Iterator<Item = Value> + '_ {
        (0..usize::from(self.fields)).map(|place| {
            // It was written by this side; nil stands for what can't be.
            rmpv::decode::read_value(&mut self.value(place)).unwrap_or(Value::Nil)
        })
    }

    /// As [`Key::values`], with texts and bytes that are not copied.
    pub(super) fn value_refs(&self) -> impl Iterator<Item = ValueRef<'_>> {
        (0..usize::from(self.fields))
            .map(|place| rmpv::decode::read_value_ref(&mut self.value(place)).unwrap_or(ValueRef::Nil))
    }
}
