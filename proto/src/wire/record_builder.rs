//! One record in the making, around a body that is encoded straight into it.

use std::sync::Arc;
use std::time::Duration;

use super::pool::{drafted, is_oversized, keep, spare};
use super::{Buffer, Message, SEPARATE_MESSAGE_BYTES, VERSION, kind, write};
use crate::codec::{Attachments, Encode, EncodeError, Form, NO_ATTACHMENTS, encode, encode_params};
use crate::metadata::Metadata;

/// A record whose body is written in place: a whole message already, so that a large one is handed to libzmq as it
/// is, while a small one is copied into the batch that is open.
///
/// Layout: a gap, version byte, head, the body's header, body, tail. The gap is what a shorter header than `bin 32` has
/// left over, and so there is none before a large body.
#[derive(Debug)]
pub struct RecordBuilder {
    /// Empty while they are shared.
    bytes: Vec<u8>,
    /// Of most drafts, nothing.
    large: Option<Box<Large>>,
    /// Where the version byte is.
    start: usize,
    /// Where the body's first byte is.
    body: usize,
    /// Where the body ends and the tail begins.
    tail: usize,
}

/// What only large drafts have.
#[derive(Debug, Default)]
struct Large {
    /// Its bytes, if it is a call that was sent, and is kept to be sent again.
    shared: Option<Arc<Vec<u8>>>,
    /// What lies apart of the body.
    attachments: Attachments,
}

/// The length of a `bin 32` header, which is kept free until the body's length is known.
const BIN32: usize = 5;
/// Where a call's id stands: after the version, the array's header and the kind; a `uint 32`, so that it can be set
/// once the call is sent.
const CALL_ID: usize = 3;
/// The elements of a call that are always there: kind, id, method, body.
const CALL_ELEMENTS: u8 = 4;
/// Those that may be: time left, metadata, credit.
const CALL_OPTIONS: u8 = 3;
/// The elements of a reply that are always there: kind, id, body.
const REPLY_ELEMENTS: u8 = 3;

impl RecordBuilder {
    /// A call, or a one-way call, with its parameters. Its id is set by [`RecordBuilder::address`].
    pub fn call(method: &str, one_way: bool, params: &dyn Encode) -> Result<Self, EncodeError> {
        let mut bytes = spare();
        bytes.extend_from_slice(&[
            VERSION,
            0x90 | CALL_ELEMENTS,
            if one_way { kind::ONE_WAY } else { kind::CALL },
        ]);
        bytes.extend_from_slice(&[0xce, 0, 0, 0, 0]);
        write::str(&mut bytes, method);
        Self::around(bytes, None, |bytes| encode_params(params, bytes))
    }

    /// The reply to a call.
    pub fn reply<F: Form<T>, T>(id: u64, value: &T) -> Result<Self, EncodeError> {
        let mut bytes = spare();
        bytes.push(VERSION);
        write::head(&mut bytes, REPLY_ELEMENTS, kind::REPLY, id);
        Self::around(bytes, Some(REPLY_ELEMENTS), |bytes| encode::<F, T>(value, bytes))
    }

    /// A record of so many elements, if nothing but the places of attachments may come after its body.
    #[inline]
    fn around(
        mut bytes: Vec<u8>,
        elements: Option<u8>,
        write_body: impl FnOnce(&mut Vec<u8>) -> Result<Attachments, EncodeError>,
    ) -> Result<Self, EncodeError> {
        bytes.extend_from_slice(&[0; BIN32]);
        let body = bytes.len();
        let attachments = match write_body(&mut bytes) {
            Ok(attachments) => attachments,
            Err(error) => {
                keep(bytes);
                return Err(error);
            }
        };
        let tail = bytes.len();
        drafted(tail - body);
        let Ok(length) = u32::try_from(tail - body) else {
            return Err(EncodeError::too_large(tail - body));
        };
        let alone = tail - body >= SEPARATE_MESSAGE_BYTES || !attachments.is_empty();
        let start = write_header(&mut bytes[..body], length, alone);
        if let Some(elements) = elements.filter(|_| !attachments.is_empty()) {
            write::places(&mut bytes, elements, &attachments, tail - body);
        }
        let large = attachments.if_any().map(|attachments| Box::new(Large { shared: None, attachments }));
        Ok(Self { bytes, large, start, body, tail })
    }

    #[inline]
    fn attachments(&self) -> &Attachments {
        self.large.as_ref().map_or(&NO_ATTACHMENTS, |large| &large.attachments)
    }

    /// The length of the body.
    #[inline]
    pub fn body_len(&self) -> usize {
        self.tail - self.body + self.attachments().bytes()
    }

    /// The length of the record, as far as it is complete.
    pub fn record_len(&self) -> usize {
        self.bytes.len() - self.start + self.attachments().bytes()
    }

    /// Gives a buffer back that is much larger than it needs to be, for one of its own size: a call that is kept may be kept
    /// for long, and there may be many.
    pub(super) fn fit(&mut self) {
        if is_oversized(self.bytes.capacity(), self.bytes.len()) {
            let fitting = self.bytes.as_slice().to_vec();
            keep(std::mem::replace(&mut self.bytes, fitting));
        }
    }

    /// Completes a call: its id, and what its caller asked for beside the parameters.
    #[inline]
    pub fn address(&mut self, id: u32, timeout: Option<Duration>, metadata: &Metadata, credit: Option<u64>) {
        let elements = match (timeout, metadata.is_empty(), credit) {
            (None, true, None) => 0,
            (Some(_), true, None) => 1,
            (_, false, None) => 2,
            (_, _, Some(_)) => CALL_OPTIONS,
        };
        if self.large.is_some() {
            self.take_back();
        }
        let id_at = self.start + CALL_ID + 1;
        self.bytes[id_at..id_at + 4].copy_from_slice(&id.to_be_bytes());
        self.bytes.truncate(self.tail);
        self.bytes[self.start + 1] = 0x90 | (CALL_ELEMENTS + elements);
        if elements > 0 {
            self.timeout(timeout);
        }
        if elements > 1 {
            self.metadata(metadata);
        }
        if let Some(credit) = credit {
            write::uint(&mut self.bytes, credit);
        }
        if self.large.is_some() {
            self.attach_after(elements);
        }
    }

    /// A copy only where libzmq still has the bytes.
    #[cold]
    fn take_back(&mut self) {
        if let Some(shared) = self.large.as_mut().and_then(|large| large.shared.take()) {
            self.bytes = Arc::unwrap_or_clone(shared);
        }
    }

    /// Says what lies apart of the body, after so many of the options.
    #[cold]
    fn attach_after(&mut self, options: u8) {
        let length = self.tail - self.body;
        let attachments = self.large.as_ref().map_or(&NO_ATTACHMENTS, |large| &large.attachments);
        if !attachments.is_empty() {
            (options..CALL_OPTIONS).for_each(|_| self.bytes.push(0xc0));
            write::places(&mut self.bytes, CALL_ELEMENTS + CALL_OPTIONS, attachments, length);
        }
    }

    #[inline]
    fn timeout(&mut self, timeout: Option<Duration>) {
        match timeout {
            // A time beyond 584,000 years is as good as that.
            Some(left) => write::uint(&mut self.bytes, u64::try_from(left.as_micros()).unwrap_or(u64::MAX)),
            None => self.bytes.push(0xc0),
        }
    }

    #[inline]
    fn metadata(&mut self, metadata: &Metadata) {
        if metadata.is_empty() {
            self.bytes.push(0xc0);
        } else {
            write::metadata(&mut self.bytes, metadata);
        }
    }

    /// Whether it is to travel alone.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.tail - self.body >= SEPARATE_MESSAGE_BYTES || !self.attachments().is_empty()
    }

    /// The whole message.
    pub(super) fn into_message(self) -> Message {
        let Large { shared, attachments } = self.large.map(|large| *large).unwrap_or_default();
        Message::new(shared.map_or(Buffer::Own(self.bytes), Buffer::Shared), attachments)
    }

    /// The whole message, which is kept here as well.
    pub(super) fn share(&mut self) -> Message {
        let (bytes, large) = (&mut self.bytes, self.large.get_or_insert_default());
        let shared = large.shared.get_or_insert_with(|| Arc::new(std::mem::take(bytes)));
        Message::new(Buffer::Shared(Arc::clone(shared)), large.attachments.clone())
    }

    /// Appends the record to a batch.
    #[inline]
    pub(super) fn append_to(&self, batch: &mut Vec<u8>) {
        batch.extend_from_slice(&self.bytes[self.start + 1..]);
    }
}

/// Writes the header of a body of so many bytes, as short as can be, at the end of what stands before the body; what was
/// there before the place kept free for it moves up to it, unless the record is a message as it stands (`alone`). Where that
/// begins now.
#[inline]
fn write_header(before: &mut [u8], length: u32, alone: bool) -> usize {
    let [_, _, high, low] = length.to_be_bytes();
    let free = before.len() - BIN32;
    let gap = match length {
        _ if alone => 0,
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
    /// Gives the buffer back.
    #[inline]
    pub fn recycle(self) {
        match self.large {
            None => keep(self.bytes),
            Some(_) => self.into_message().recycle(),
        }
    }
}

#[cfg(test)]
impl RecordBuilder {
    /// The size of its buffer.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
