//! Bytes that are read as slices of the message they came in, not copied. Small ones are copied, many into one block of
//! memory. Long ones come and go apart from what is around them, as they are.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

use super::decode::Reader;
use super::encode::Writer;
use super::error::DecodeError;
use super::form::{Form, WriteForm};

/// From how many bytes on a slice is shared. A shorter one costs no more to copy than to share, and would
/// keep a whole batch of messages in memory for as long as it lives.
pub(super) const MIN_SHARED: usize = 256;

/// Small slices are copied into blocks of so many bytes. Whoever keeps one of them keeps its block, and no more.
const BLOCK: usize = 4 * 1024;

thread_local! {
    /// What is left of the block that this thread copies small slices into.
    static SPACE: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// [`Bytes`] as MessagePack `bin`, written and read without a copy where they are long.
///
/// Nothing else is taken for bytes: neither a string nor an array of small numbers. Both are what a peer
/// sends whose schema or library differs (a `string` or a `list<u8>`), and a value that passes only as long
/// as the text is not looked at, or at up to twice its size, is a mistake better told at once.
#[derive(Debug)]
pub enum Blob {}

impl WriteForm<Bytes> for Blob {
    fn encode(value: &Bytes, out: &mut Writer) {
        out.shared_bin(value);
    }
}

impl Form<Bytes> for Blob {
    fn decode(reader: &mut Reader<'_>) -> Result<Bytes, DecodeError> {
        if let Some(bytes) = reader.attachment() {
            return Ok(bytes);
        }
        match reader.bin() {
            Some(slice) => Ok(reader.share(slice)),
            None => Err(reader.unexpected("bytes")),
        }
    }
}

/// A copy that lies beside others: an allocation for each may cost more than all else about an item of a stream, and a
/// twentieth of a call.
pub(super) fn copy_into_block(slice: &[u8]) -> Bytes {
    if slice.is_empty() {
        return Bytes::new();
    }
    let copied = SPACE.try_with(|space| {
        let space = &mut *space.borrow_mut();
        if space.capacity() < slice.len() {
            *space = BytesMut::with_capacity(BLOCK);
        }
        space.extend_from_slice(slice);
        space.split().freeze()
    });
    // Where the thread is ending, its block is gone already.
    copied.unwrap_or_else(|_| Bytes::copy_from_slice(slice))
}
