//! [`RecordBuilder`]: one record in the making, around a body that is encoded straight into it.

use std::sync::Arc;
use std::time::Duration;

use super::pool::BufferPool;
use super::{Buffer, Message, SEPARATE_MESSAGE_BYTES, VERSION, kind, write};
use crate::codec::{Attachments, Encode, EncodeError, Form, NO_ATTACHMENTS, encode, encode_params};
use crate::metadata::Metadata;
use crate::msgpack;

/// A record whose body is written in place. It is a whole message already, so a large one is sent as it is, while a small one is
/// copied into the open batch.
///
/// Layout: a gap, version byte, head, the body's header, body, tail. The gap is what a header shorter than `bin 32` leaves free,
/// so a large body has none before it.
#[derive(Debug)]
pub struct RecordBuilder {
    /// The layout above. Empty while it is shared.
    bytes: Vec<u8>,
    /// `None` for most records.
    rare: Option<Box<Rare>>,
    /// Index of the version byte.
    start: usize,
    /// Index of the body's first byte.
    body: usize,
    /// Index of the first byte after the body.
    tail: usize,
}

/// What few records have.
#[derive(Debug, Default)]
struct Rare {
    /// The record's bytes, if it is a large call that was sent and is kept to be sent again.
    shared: Option<Arc<Vec<u8>>>,
    /// The out-of-line parts of the body.
    attachments: Attachments,
}

/// Size in bytes of a `bin 32` header, which is kept free until the body's length is known.
const BIN32_HEADER_BYTES: usize = 5;
/// Index of a call's id, counted from the version: after the version, the array's header and the kind. The id is written as a
/// `uint 32`, so that it can be set when the call is sent.
const CALL_ID_AT: usize = 3;
/// Elements of a call before its options: kind, id, method, body.
const CALL_ELEMENTS: u8 = 4;
/// Options of a call before the places: time left, metadata, credit.
const CALL_OPTIONS: u8 = 3;
/// Elements of a reply without places: kind, id, body.
const REPLY_ELEMENTS: u8 = 3;

impl RecordBuilder {
    /// Encodes a call, or a one-way call. [`RecordBuilder::address`] completes it.
    ///
    /// # Errors
    /// The parameters can't be encoded.
    pub fn call(method: &str, one_way: bool, params: &dyn Encode) -> Result<Self, EncodeError> {
        let mut bytes = BufferPool::acquire();
        bytes.extend_from_slice(&[
            VERSION,
            0x90 | CALL_ELEMENTS,
            if one_way { kind::ONE_WAY } else { kind::CALL },
        ]);
        bytes.extend_from_slice(&[0xce, 0, 0, 0, 0]);
        write::str(&mut bytes, method);
        Self::around(bytes, None, |bytes| encode_params(params, bytes))
    }

    /// Encodes the reply to the call `id`.
    ///
    /// # Errors
    /// The value can't be encoded.
    pub fn reply<F: Form<T>, T>(id: u64, value: &T) -> Result<Self, EncodeError> {
        let mut bytes = BufferPool::acquire();
        bytes.push(VERSION);
        write::head(&mut bytes, REPLY_ELEMENTS, kind::REPLY, id);
        Self::around(bytes, Some(REPLY_ELEMENTS), |bytes| encode::<F, T>(value, bytes))
    }

    /// Encodes a body behind what `bytes` holds. `elements` is the number of the record's elements if only places may
    /// follow the body.
    #[inline]
    fn around(
        mut bytes: Vec<u8>,
        elements: Option<u8>,
        write_body: impl FnOnce(&mut Vec<u8>) -> Result<Attachments, EncodeError>,
    ) -> Result<Self, EncodeError> {
        bytes.extend_from_slice(&[0; BIN32_HEADER_BYTES]);
        let body = bytes.len();
        let attachments = match write_body(&mut bytes) {
            Ok(attachments) => attachments,
            Err(error) => {
                BufferPool::release(bytes);
                return Err(error);
            }
        };
        let tail = bytes.len();
        BufferPool::note_body(tail - body);
        let Ok(length) = u32::try_from(tail - body) else {
            return Err(EncodeError::too_large(tail - body));
        };
        let is_separate = tail - body >= SEPARATE_MESSAGE_BYTES || !attachments.is_empty();
        let start = write_header(&mut bytes[..body], length, is_separate);
        if let Some(elements) = elements.filter(|_| !attachments.is_empty()) {
            write::places(&mut bytes, elements, &attachments, tail - body);
        }
        let rare = attachments.if_any().map(|attachments| Box::new(Rare { shared: None, attachments }));
        Ok(Self { bytes, rare, start, body, tail })
    }

    #[inline]
    fn attachments(&self) -> &Attachments {
        self.rare.as_ref().map_or(&NO_ATTACHMENTS, |rare| &rare.attachments)
    }

    /// Returns the length of the body in bytes, out-of-line parts included.
    #[inline]
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.tail - self.body + self.attachments().bytes()
    }

    /// Returns the length of the record in bytes, as far as it is complete, out-of-line parts included.
    #[must_use]
    pub fn record_len(&self) -> usize {
        self.bytes.len() - self.start + self.attachments().bytes()
    }

    /// Exchanges a buffer that is much larger than needed for one of the record's own size: many calls may be kept, and for long.
    pub(super) fn fit(&mut self) {
        if BufferPool::is_oversized(self.bytes.capacity(), self.bytes.len()) {
            let fitting = self.bytes.as_slice().to_vec();
            BufferPool::release(std::mem::replace(&mut self.bytes, fitting));
        }
    }

    /// Completes a call with its id and its options. May be done again, for a call that is sent again.
    #[inline]
    pub fn address(&mut self, id: u32, timeout: Option<Duration>, metadata: &Metadata, credit: Option<u64>) {
        let elements = match (timeout, metadata.is_empty(), credit) {
            (None, true, None) => 0,
            (Some(_), true, None) => 1,
            (_, false, None) => 2,
            (_, _, Some(_)) => CALL_OPTIONS,
        };
        if self.rare.is_some() {
            self.unshare();
        }
        let id_at = self.start + CALL_ID_AT + 1;
        self.bytes[id_at..id_at + 4].copy_from_slice(&id.to_be_bytes());
        self.bytes.truncate(self.tail);
        self.bytes[self.start + 1] = 0x90 | (CALL_ELEMENTS + elements);
        if elements > 0 {
            self.push_timeout(timeout);
        }
        if elements > 1 {
            self.push_metadata(metadata);
        }
        if let Some(credit) = credit {
            msgpack::write::uint(&mut self.bytes, credit);
        }
        if self.rare.is_some() {
            self.push_places(elements);
        }
    }

    /// Takes the bytes of a shared record back. Copies them only if the transport still has them.
    #[cold]
    fn unshare(&mut self) {
        if let Some(shared) = self.rare.as_mut().and_then(|rare| rare.shared.take()) {
            self.bytes = Arc::unwrap_or_clone(shared);
        }
    }

    /// Appends the places of the body's out-of-line parts, after `options` options.
    #[cold]
    fn push_places(&mut self, options: u8) {
        let length = self.tail - self.body;
        let attachments = self.rare.as_ref().map_or(&NO_ATTACHMENTS, |rare| &rare.attachments);
        if !attachments.is_empty() {
            (options..CALL_OPTIONS).for_each(|_| msgpack::write::nil(&mut self.bytes));
            write::places(&mut self.bytes, CALL_ELEMENTS + CALL_OPTIONS, attachments, length);
        }
    }

    #[inline]
    fn push_timeout(&mut self, timeout: Option<Duration>) {
        match timeout {
            Some(left) => write::micros(&mut self.bytes, left),
            None => msgpack::write::nil(&mut self.bytes),
        }
    }

    #[inline]
    fn push_metadata(&mut self, metadata: &Metadata) {
        if metadata.is_empty() {
            msgpack::write::nil(&mut self.bytes);
        } else {
            write::metadata(&mut self.bytes, metadata);
        }
    }

    /// Reports whether it travels as a message of its own.
    #[inline]
    pub(super) fn is_separate(&self) -> bool {
        self.tail - self.body >= SEPARATE_MESSAGE_BYTES || !self.attachments().is_empty()
    }

    /// Returns the record as a message.
    pub(super) fn into_message(self) -> Message {
        let Rare { shared, attachments } = self.rare.map(|rare| *rare).unwrap_or_default();
        Message::new(shared.map_or(Buffer::Own(self.bytes), Buffer::Shared), attachments)
    }

    /// Returns the record as a message, and keeps it as well.
    pub(super) fn share(&mut self) -> Message {
        let (bytes, rare) = (&mut self.bytes, self.rare.get_or_insert_default());
        let shared = rare.shared.get_or_insert_with(|| Arc::new(std::mem::take(bytes)));
        Message::new(Buffer::Shared(Arc::clone(shared)), rare.attachments.clone())
    }

    /// Appends the record to a batch.
    #[inline]
    pub(super) fn append_to(&self, batch: &mut Vec<u8>) {
        batch.extend_from_slice(&self.bytes[self.start + 1..]);
    }
}

/// Writes the header of a body of `length` bytes in the shortest form at the end of `before`, the bytes before the body. Those
/// before the place kept free for it move up to it, unless the record is sent as it is (`is_separate`). Returns the
/// index where they begin now.
#[inline]
fn write_header(before: &mut [u8], length: u32, is_separate: bool) -> usize {
    let [_, _, high, low] = length.to_be_bytes();
    let free = before.len() - BIN32_HEADER_BYTES;
    let gap = match length {
        _ if is_separate => 0,
        0..=0xff => 3,
        0x100..=0xffff => 2,
        _ => 0,
    };
    before.copy_within(..free, gap);
    match &mut before[free + gap..] {
        header @ [_, _] => header.copy_from_slice(&[0xc4, low]),
        header @ [_, _, _] => header.copy_from_slice(&[0xc5, high, low]),
        header => {
            header[0] = 0xc6;
            header[1..].copy_from_slice(&length.to_be_bytes());
        }
    }
    gap
}

impl RecordBuilder {
    /// Returns the buffer to the pool.
    #[inline]
    pub fn recycle(self) {
        match self.rare {
            None => BufferPool::release(self.bytes),
            Some(_) => self.into_message().recycle(),
        }
    }
}

#[cfg(test)]
impl RecordBuilder {
    /// Returns the capacity of its buffer in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
