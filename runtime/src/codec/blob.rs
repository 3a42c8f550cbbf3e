//! Bytes that are read as slices of the message they came in, not copied.
//!
//! A deserializer hands out `&[u8]`, from which no [`Bytes`] can be made without a copy. So [`lend`] notes
//! for the time of one reading which message is being read, and a large slice of it that turns up becomes a
//! [`Bytes`] that shares it. Small ones are copied, those of a stream's items many into one block of memory.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Formatter};

use bytes::{Bytes, BytesMut};
use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

use super::form::{Form, WriteForm};

/// From how many bytes on a slice is shared. A shorter one costs no more to copy than to share, and would
/// keep a whole batch of messages in memory for as long as it lives.
pub(super) const MIN_SHARED: usize = 256;

/// Small slices of items are copied into blocks of so many bytes. Whoever keeps one of them keeps its block, and no more.
const BLOCK: usize = 4 * 1024;

thread_local! {
    /// The message being read on this thread, where it is long enough for anything in it to be shared.
    static SOURCE: RefCell<Option<Bytes>> = const { RefCell::new(None) };
    /// What is being read is one of several values in its message.
    static ONE_OF_SEVERAL: Cell<bool> = const { Cell::new(false) };
    /// What is left of the block that this thread copies small slices into.
    static SPACE: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// [`Bytes`] as MessagePack `bin`, read without a copy where they are long.
///
/// Nothing else is taken for bytes: neither a string nor an array of small numbers. Both are what a peer
/// sends whose schema or library differs (a `string` or a `list<u8>`), and a value that passes only as long
/// as the text is not looked at, or at up to twice its size, is a mistake better told at once.
#[derive(Debug)]
pub enum Blob {}

impl WriteForm<Bytes> for Blob {
    #[inline]
    fn serialize<S: Serializer>(value: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(value)
    }
}

impl Form<Bytes> for Blob {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    #[inline]
    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Bytes, E> {
        Ok(share(bytes))
    }

    #[inline]
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    #[inline]
    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }
}

/// `slice` as a part of the message being read, or a copy where it is short or lies elsewhere.
#[inline]
fn share(slice: &[u8]) -> Bytes {
    if slice.len() < MIN_SHARED {
        return if ONE_OF_SEVERAL.get() { copy_into_block(slice) } else { Bytes::copy_from_slice(slice) };
    }
    SOURCE.with_borrow(|source| {
        let range = source.as_ref().and_then(|source| Some((source, offset_in(source, slice)?)));
        match range {
            Some((source, at)) => source.slice(at..at + slice.len()),
            None => Bytes::copy_from_slice(slice),
        }
    })
}

/// A copy that lies beside others: an allocation for each item of a stream may cost more than all else about it.
fn copy_into_block(slice: &[u8]) -> Bytes {
    SPACE.with_borrow_mut(|space| {
        if space.capacity() < slice.len() {
            *space = BytesMut::with_capacity(BLOCK);
        }
        space.extend_from_slice(slice);
        space.split().freeze()
    })
}

/// Where in `source` the memory of `slice` lies, if it does. A `Deserialize` of the user's may read from
/// memory of its own while a message is being read, so this is a question and no assertion.
fn offset_in(source: &[u8], slice: &[u8]) -> Option<usize> {
    let at = slice.as_ptr().addr().checked_sub(source.as_ptr().addr())?;
    (at.checked_add(slice.len())? <= source.len()).then_some(at)
}

/// Notes `body` as the message being read, until the answer is dropped.
#[inline]
pub(super) fn lend(body: &Bytes) -> Lent {
    Lent { source: lend_where_long(body, body.len()), one_of_several: ONE_OF_SEVERAL.replace(false) }
}

/// The same, where the first so many bytes of it are read.
#[inline]
pub(super) fn lend_first(body: &Bytes, length: usize) -> Lent {
    let one_of_several = ONE_OF_SEVERAL.replace(length < body.len());
    Lent { source: lend_where_long(body, length), one_of_several }
}

#[inline]
fn lend_where_long(body: &Bytes, length: usize) -> Source {
    if length <= MIN_SHARED {
        // Nothing in it can be long enough, which spares small messages the bookkeeping.
        return Source::AsBefore;
    }
    Source::Over(SOURCE.replace(Some(body.clone())))
}

/// Puts back what was there before, also when reading panics, and so that one reading may contain another.
#[must_use]
pub(super) struct Lent {
    source: Source,
    one_of_several: bool,
}

enum Source {
    AsBefore,
    Over(Option<Bytes>),
}

impl Drop for Lent {
    #[inline]
    fn drop(&mut self) {
        ONE_OF_SEVERAL.set(self.one_of_several);
        if let Source::Over(before) = &mut self.source {
            SOURCE.set(before.take());
        }
    }
}
