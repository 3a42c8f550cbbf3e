//! One item of a stream, encoded.

use super::spare::{drafted, keep, spare};
use super::{LARGE, Message, VERSION, kind};
use crate::codec::{EncodeError, Form, encode};

/// An item, with room before it for what makes a message of it: a large one travels alone, and is handed to libzmq as it is.
#[derive(Debug)]
pub(crate) struct Item {
    bytes: Vec<u8>,
}

/// Version byte, array of three, kind, id as `uint 64`, header of `bin 32`.
const HEAD: usize = 1 + 1 + 1 + 9 + 5;

impl Item {
    /// Encodes a value.
    pub(crate) fn encode<F: Form<T>, T>(value: &T) -> Result<Self, EncodeError> {
        let mut bytes = spare();
        bytes.extend_from_slice(&[0; HEAD]);
        if let Err(error) = encode::<F, T>(value, &mut bytes) {
            keep(bytes);
            return Err(error);
        }
        let length = bytes.len() - HEAD;
        drafted(length);
        if u32::try_from(length).is_err() {
            return Err(EncodeError::too_large(length));
        }
        Ok(Self { bytes })
    }

    /// The length of the value, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - HEAD
    }

    /// The value.
    #[inline]
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[HEAD..]
    }

    /// Whether it is to travel alone.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.len() >= LARGE
    }

    /// A message with nothing but this item of a stream.
    pub(super) fn into_message(mut self, id: u64) -> Message {
        // It was looked at when it was encoded.
        let length = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let head = &mut self.bytes[..HEAD];
        head[..4].copy_from_slice(&[VERSION, 0x93, kind::ITEMS, 0xcf]);
        head[4..12].copy_from_slice(&id.to_be_bytes());
        head[12] = 0xc6;
        head[13..].copy_from_slice(&length.to_be_bytes());
        Message::Own(self.bytes)
    }

    /// Gives the buffer back.
    #[inline]
    pub(crate) fn recycle(self) {
        keep(self.bytes);
    }
}
