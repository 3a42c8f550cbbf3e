//! [`Memory`]: how many bytes of memory the values of a message may take. A few bytes of a message can become many: an array of nils
//! takes 40 times its size as a `value`, and a struct whose fields are all absent is one byte.

use super::error::DecodeError;

/// Maximum ratio of the memory that values take to the largest size of a message. A list of numbers never gets there: a number
/// has at most 8 bytes in memory, and at least one on the wire.
pub const MEMORY_PER_BYTE: usize = 8;

/// Number of bytes that values may take however small the largest message is.
const MIN_MEMORY_BYTES: usize = 64 * 1024;

/// Bytes that the allocator takes for an allocation besides what was asked for.
pub(super) const ALLOCATION_BYTES: usize = 16;

/// Number of entries for which a node of a `BTreeMap` has room.
const NODE_ENTRIES: usize = 11;
/// Number of entries in a node where keys come in order.
const NODE_ENTRIES_USED: usize = 6;

/// Returns how many bytes the values of one body may take in memory, where a body has up to `max_body` bytes: the parameters of a
/// call, an answer, or an item of a stream. Strings and `bytes` are not counted but for what holds them, since what is in them is as
/// long as it was sent.
#[must_use]
pub const fn max_decoded(max_body: usize) -> usize {
    let bytes = max_body.saturating_mul(MEMORY_PER_BYTE);
    if bytes < MIN_MEMORY_BYTES { MIN_MEMORY_BYTES } else { bytes }
}

/// What the values that are read from a body may take in memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    max: usize,
    left: usize,
}

impl Memory {
    #[inline]
    pub(super) fn bounded(max: usize) -> Self {
        Self { max, left: max }
    }

    /// Returns the memory for values that no peer has sent.
    #[inline]
    pub(super) fn unbounded() -> Self {
        Self::bounded(usize::MAX)
    }

    /// Counts `number` values of `bytes` bytes each.
    #[inline]
    pub(super) fn count(&mut self, number: usize, bytes: usize) -> Result<(), DecodeError> {
        let bytes = number.saturating_mul(bytes);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.exceeded(bytes)),
        }
    }

    /// Counts an allocation of `bytes` bytes.
    #[inline]
    pub(super) fn allocate(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.count(1, bytes.saturating_add(ALLOCATION_BYTES))
    }

    /// Counts an entry of a map that has `entries` others, if it takes a new node.
    #[inline]
    pub(super) fn count_entry(&mut self, entries: usize, bytes: usize) -> Result<(), DecodeError> {
        if entries.is_multiple_of(NODE_ENTRIES_USED) { self.allocate(NODE_ENTRIES * bytes) } else { Ok(()) }
    }

    #[cold]
    fn exceeded(&self, more: usize) -> DecodeError {
        DecodeError::too_large((self.max - self.left).saturating_add(more), self.max)
    }
}
