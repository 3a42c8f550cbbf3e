//! [`Item`]: one item of a stream, encoded.

use super::pool::BufferPool;
use super::{Buffer, Message, SEPARATE_MESSAGE_BYTES, VERSION, kind, write};
use crate::codec::{Attachments, EncodeError, WriteForm, encode};

/// An encoded item with the start of a message in front of it, so that a large item is sent as it is, as a message of its own.
#[derive(Debug)]
pub struct Item {
    bytes: Vec<u8>,
    /// Index of the value's first byte.
    body: usize,
    /// Its out-of-line parts, if it has any.
    out_of_line: Option<Box<OutOfLine>>,
}

#[derive(Debug)]
struct OutOfLine {
    attachments: Attachments,
    /// Length of the value in bytes, these included. The record's places come after the value in `bytes`.
    length: usize,
}

/// The bytes before the value in a message with one item of a stream. All but the value's length is the same for each item.
#[derive(Debug, Clone, Copy)]
pub struct ItemHead {
    bytes: [u8; MAX_HEAD_BYTES],
    length: usize,
}

/// Size in bytes of a version, the header of an array, a kind, the largest id, and the header of a `bin 32`.
const MAX_HEAD_BYTES: usize = 1 + 1 + 1 + 9 + 5;
/// Elements of an items record without places: kind, id, items.
const ELEMENTS: u8 = 3;

impl ItemHead {
    /// Creates the head for items of the call `id`.
    #[must_use]
    pub fn new(id: u64) -> Self {
        let mut head = vec![VERSION];
        write::head(&mut head, ELEMENTS, kind::ITEMS, id);
        head.extend_from_slice(&[0xc6, 0, 0, 0, 0]);
        let mut bytes = [0; MAX_HEAD_BYTES];
        bytes[..head.len()].copy_from_slice(&head);
        Self { bytes, length: head.len() }
    }
}

impl Item {
    /// Encodes a value as an item of the stream that `head` is for.
    pub fn encode<F: WriteForm<T>, T>(head: &ItemHead, value: &T) -> Result<Self, EncodeError> {
        let mut bytes = BufferPool::acquire();
        let body = head.length;
        bytes.extend_from_slice(&head.bytes[..body]);
        let attachments = match encode::<F, T>(value, &mut bytes) {
            Ok(attachments) => attachments,
            Err(error) => {
                BufferPool::release(bytes);
                return Err(error);
            }
        };
        let length = bytes.len() - body;
        BufferPool::note_body(length);
        let Ok(header) = u32::try_from(length) else {
            return Err(EncodeError::too_large(length));
        };
        bytes[body - 4..body].copy_from_slice(&header.to_be_bytes());
        let out_of_line = attachments.if_any().map(|attachments| attach(&mut bytes, attachments, length));
        let out_of_line = out_of_line.map(Box::new);
        Ok(Self { bytes, body, out_of_line })
    }

    /// Returns the length of the value in bytes, out-of-line parts included.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a value has at least one byte")]
    pub fn len(&self) -> usize {
        self.out_of_line.as_ref().map_or(self.bytes.len() - self.body, |parts| parts.length)
    }

    /// Returns the value, provided that it has no out-of-line parts.
    #[inline]
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// Reports whether it travels as a message of its own.
    #[inline]
    pub(super) fn is_separate(&self) -> bool {
        self.len() >= SEPARATE_MESSAGE_BYTES || self.out_of_line.is_some()
    }

    /// Returns a message with nothing but this item.
    pub(super) fn into_message(self) -> Message {
        let attachments = self.out_of_line.map_or_else(Attachments::none, |parts| parts.attachments);
        Message::new(Buffer::Own(self.bytes), attachments)
    }

    /// Returns the buffer to the pool.
    #[inline]
    pub(crate) fn recycle(self) {
        if self.out_of_line.is_none() {
            BufferPool::release(self.bytes);
        }
    }
}

/// Appends the places of a value's out-of-line parts to its message. `length` is that of the value without them.
#[cold]
fn attach(message: &mut Vec<u8>, attachments: Attachments, length: usize) -> OutOfLine {
    write::places(message, ELEMENTS, &attachments, length);
    let length = length + attachments.bytes();
    OutOfLine { attachments, length }
}
