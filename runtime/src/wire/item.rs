//! One item of a stream, encoded.

use super::spare::{drafted, keep, spare};
use super::{Buffer, LARGE, Message, VERSION, kind, write};
use crate::codec::{Attachments, EncodeError, Form, encode_apart};

/// An item, after all that makes a message of it: a large one travels alone, and is handed to libzmq as it is.
#[derive(Debug)]
pub(crate) struct Item {
    bytes: Vec<u8>,
    /// Where the value begins.
    body: usize,
    /// Its length, in bytes.
    length: usize,
    /// What lies apart of it, whose places stand behind it.
    attachments: Attachments,
}

/// What stands before the value in a message with one item of a stream, but for the value's length: the same for each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ItemHead {
    bytes: [u8; MOST],
    length: usize,
}

/// A version, the header of an array, a kind, the largest id, and the header of a `bin 32`.
const MOST: usize = 1 + 1 + 1 + 9 + 5;
/// The elements that are always there: kind, id, items.
const ELEMENTS: u8 = 3;

impl ItemHead {
    /// Of the stream of this call.
    pub(crate) fn new(id: u64) -> Self {
        let mut head = vec![VERSION];
        write::head(&mut head, ELEMENTS, kind::ITEMS, id);
        head.extend_from_slice(&[0xc6, 0, 0, 0, 0]);
        let mut bytes = [0; MOST];
        bytes[..head.len()].copy_from_slice(&head);
        Self { bytes, length: head.len() }
    }
}

impl Item {
    /// Encodes a value, for the stream of this head.
    pub(crate) fn encode<F: Form<T>, T>(head: &ItemHead, value: &T) -> Result<Self, EncodeError> {
        let mut bytes = spare();
        let body = head.length;
        bytes.extend_from_slice(&head.bytes[..body]);
        let attachments = match encode_apart::<F, T>(value, &mut bytes) {
            Ok(attachments) => attachments,
            Err(error) => {
                keep(bytes);
                return Err(error);
            }
        };
        let length = bytes.len() - body;
        drafted(length);
        let Ok(header) = u32::try_from(length) else {
            return Err(EncodeError::too_large(length));
        };
        bytes[body - 4..body].copy_from_slice(&header.to_be_bytes());
        if !attachments.is_empty() {
            bytes[1] = 0x90 | (ELEMENTS + 1);
            write::places(&mut bytes, &attachments);
        }
        let length = length + attachments.bytes();
        Ok(Self { bytes, body, length, attachments })
    }

    /// The length of the value, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The value, if nothing of it lies apart.
    #[inline]
    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// Whether it is to travel alone.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.length >= LARGE || !self.attachments.is_empty()
    }

    /// A message with nothing but this item.
    pub(super) fn into_message(self) -> Message {
        Message::new(Buffer::Own(self.bytes), self.attachments)
    }

    /// Gives the buffer back.
    #[inline]
    pub(crate) fn recycle(self) {
        keep(self.bytes);
    }
}
