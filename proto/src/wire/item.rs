//! One item of a stream, encoded.

use super::pool::{drafted, keep, spare};
use super::{Buffer, Message, SEPARATE_MESSAGE_BYTES, VERSION, kind, write};
use crate::codec::{Attachments, EncodeError, Form, encode};

/// An item, after all that makes a message of it: a large one travels alone, and is handed to libzmq as it is.
#[derive(Debug)]
pub struct Item {
    bytes: Vec<u8>,
    /// Where the value begins.
    body: usize,
    /// What lies apart of it, if anything does.
    apart: Option<Box<OutOfLine>>,
}

#[derive(Debug)]
struct OutOfLine {
    attachments: Attachments,
    /// The length of the value in all, behind which the places of these stand.
    length: usize,
}

/// What stands before the value in a message with one item of a stream, but for the value's length: the same for each.
#[derive(Debug, Clone, Copy)]
pub struct ItemHead {
    bytes: [u8; MOST],
    length: usize,
}

/// A version, the header of an array, a kind, the largest id, and the header of a `bin 32`.
const MOST: usize = 1 + 1 + 1 + 9 + 5;
/// The elements that are always there: kind, id, items.
const ELEMENTS: u8 = 3;

impl ItemHead {
    /// Of the stream of this call.
    pub fn new(id: u64) -> Self {
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
    pub fn encode<F: Form<T>, T>(head: &ItemHead, value: &T) -> Result<Self, EncodeError> {
        let mut bytes = spare();
        let body = head.length;
        bytes.extend_from_slice(&head.bytes[..body]);
        let attachments = match encode::<F, T>(value, &mut bytes) {
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
        let apart = attachments.if_any().map(|attachments| attach(&mut bytes, attachments, length));
        let apart = apart.map(Box::new);
        Ok(Self { bytes, body, apart })
    }

    /// The length of the value, in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.apart.as_ref().map_or(self.bytes.len() - self.body, |apart| apart.length)
    }

    /// The value, if nothing of it lies apart.
    #[inline]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body..]
    }

    /// Whether it is to travel alone.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.len() >= SEPARATE_MESSAGE_BYTES || self.apart.is_some()
    }

    /// A message with nothing but this item.
    pub(super) fn into_message(self) -> Message {
        let attachments = self.apart.map_or_else(Attachments::none, |apart| apart.attachments);
        Message::new(Buffer::Own(self.bytes), attachments)
    }

    /// Gives the buffer back.
    #[inline]
    pub fn recycle(self) {
        if self.apart.is_none() {
            keep(self.bytes);
        }
    }
}

/// Says at the end of an item's message what lies apart of its value.
#[cold]
fn attach(message: &mut Vec<u8>, attachments: Attachments, length: usize) -> OutOfLine {
    write::places(message, ELEMENTS, &attachments, length);
    let length = length + attachments.bytes();
    OutOfLine { attachments, length }
}
