//! The form of `bytes`: read as slices of the message they came in, without a copy. Short ones are copied, many into one block of
//! memory. Long ones travel out of line.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

use super::decode::Reader;
use super::encode::Writer;
use super::error::DecodeError;
use super::form::{Form, WriteForm};

/// A slice of this many bytes or more is shared. A shorter one costs no more to copy than to share, and would keep a whole batch
/// in memory for as long as it lives.
pub(super) const MIN_SHARED_BYTES: usize = 256;

/// Size in bytes of the blocks that short slices are copied into. To keep one slice is to keep its block.
const BLOCK_BYTES: usize = 4 * 1024;

thread_local! {
    /// The free part of the block that this thread copies short slices into.
    static SPACE: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// [`Bytes`] as MessagePack `bin`, written and read without a copy if they are long.
///
/// Neither a string nor an array of small numbers is accepted. Both come from a peer whose schema or library differs (a
/// `string` or a `list<u8>`). To accept them would hide the mistake until the text is looked at, and a list takes up to
/// twice the size.
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

/// Copies a slice into a block beside others: an allocation for each may cost more than all else about an item of a stream, and a
/// twentieth of a call.
pub(super) fn copy_into_block(slice: &[u8]) -> Bytes {
    if slice.is_empty() {
        return Bytes::new();
    }
    let copied = SPACE.try_with(|space| {
        let space = &mut *space.borrow_mut();
        if space.capacity() < slice.len() {
            *space = BytesMut::with_capacity(BLOCK_BYTES);
        }
        space.extend_from_slice(slice);
        space.split().freeze()
    });
    // At the end of a thread its block is gone.
    copied.unwrap_or_else(|_| Bytes::copy_from_slice(slice))
}
