//! One record in the making, around a body that is encoded straight into it.

use std::sync::Arc;
use std::time::Duration;

use super::spare::{drafted, is_oversized, keep, spare};
use super::{LARGE, Message, VERSION, kind, write};
use crate::codec::{Encode, EncodeError, Form, encode, encode_params};
use crate::metadata::Metadata;

/// A record whose body is written in place: a whole message already, so that a large one is handed to libzmq as it
/// is, while a small one is copied into the batch that is open.
///
/// Layout: a gap, version byte, head, the body's header, body, tail. The gap is what a shorter header than `bin 32` has
/// left over, and so there is none before a large body.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Empty while they are shared.
    bytes: Vec<u8>,
    /// A large call that was sent, and is kept to be sent again.
    shared: Option<Arc<Vec<u8>>>,
    /// Where the version byte is.
    start: usize,
    /// Where the body's first byte is.
    body: usize,
    /// Where the body ends and the tail begins.
    tail: usize,
}

/// The length of a `bin 32` header, which is kept free until the body's length is known.
const BIN32: usize = 5;
/// Where a call's id stands: after the version, the array's header and the kind; a `uint 32`, so that it can be set
/// once the call is sent.
const CALL_ID: usize = 3;
/// The elements of a call that are always there: kind, id, method, body.
const CALL_ELEMENTS: u8 = 4;

impl Draft {
    /// A call, or a one-way call, with its parameters. Its id is set by [`Draft::address`].
    pub(crate) fn call(method: &str, one_way: bool, params: &dyn Encode) -> Result<Self, EncodeError> {
        let mut bytes = spare();
        bytes.extend_from_slice(&[
            VERSION,
            0x90 | CALL_ELEMENTS,
            if one_way { kind::ONE_WAY } else { kind::CALL },
        ]);
        bytes.extend_from_slice(&[0xce, 0, 0, 0, 0]);
        write::str(&mut bytes, method);
        Self::around(bytes, |bytes| encode_params(params, bytes))
    }

    /// The reply to a call.
    pub(crate) fn reply<F: Form<T>, T>(id: u64, value: &T) -> Result<Self, EncodeError> {
        let mut bytes = spare();
        bytes.push(VERSION);
        write::head(&mut bytes, 3, kind::REPLY, id);
        Self::around(bytes, |bytes| encode::<F, T>(value, bytes))
    }

    #[inline]
    fn around(
        mut bytes: Vec<u8>,
        write_body: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        bytes.extend_from_slice(&[0; BIN32]);
        let body = bytes.len();
        if let Err(error) = write_body(&mut bytes) {
            keep(bytes);
            return Err(error);
        }
        let tail = bytes.len();
        drafted(tail - body);
        let Ok(length) = u32::try_from(tail - body) else {
            return Err(EncodeError::too_large(tail - body));
        };
        let start = write_header(&mut bytes[..body], length);
        Ok(Self { bytes, shared: None, start, body, tail })
    }

    /// The length of the body.
    #[inline]
    pub(crate) fn body_len(&self) -> usize {
        self.tail - self.body
    }

    /// The length of the record, as far as it is complete.
    pub(crate) fn record_len(&self) -> usize {
        self.bytes.len() - self.start
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
    pub(crate) fn address(
        &mut self,
        id: u32,
        timeout: Option<Duration>,
        metadata: &Metadata,
        credit: Option<u64>,
    ) {
        if let Some(shared) = self.shared.take() {
            // A copy only where libzmq still has the bytes.
            self.bytes = Arc::unwrap_or_clone(shared);
        }
        let id_at = self.start + CALL_ID + 1;
        self.bytes[id_at..id_at + 4].copy_from_slice(&id.to_be_bytes());
        self.bytes.truncate(self.tail);
        let elements = match (timeout, metadata.is_empty(), credit) {
            (None, true, None) => 0,
            (Some(_), true, None) => 1,
            (_, false, None) => 2,
            (_, _, Some(_)) => 3,
        };
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
        self.body_len() >= LARGE
    }

    /// The whole message.
    pub(super) fn into_message(self) -> Message {
        match self.shared {
            Some(shared) => Message::Shared(shared),
            None => Message::Own(self.bytes),
        }
    }

    /// The whole message, which is kept here as well.
    pub(super) fn share(&mut self) -> Arc<Vec<u8>> {
        let bytes = &mut self.bytes;
        Arc::clone(self.shared.get_or_insert_with(|| Arc::new(std::mem::take(bytes))))
    }

    /// Appends the record to a batch.
    #[inline]
    pub(super) fn append_to(&self, batch: &mut Vec<u8>) {
        batch.extend_from_slice(&self.bytes[self.start + 1..]);
    }
}

/// Writes the header of a body of so many bytes, as short as can be, at the end of what stands before the body; what was
/// there before the place kept free for it moves up to it. Where that begins now.
#[inline]
fn write_header(before: &mut [u8], length: u32) -> usize {
    let [_, _, high, low] = length.to_be_bytes();
    let free = before.len() - BIN32;
    let gap = match length {
        0..=0xff => 3,
        // A large one is a message as it stands.
        0x100..=0xffff if (length as usize) < LARGE => 2,
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

impl Draft {
    /// Gives the buffer back.
    pub(crate) fn recycle(self) {
        self.into_message().recycle();
    }
}

#[cfg(test)]
impl Draft {
    /// The size of its buffer.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
