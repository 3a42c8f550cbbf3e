//! [`Message`]: a complete batch on its way out, and how its bytes are shared.

use std::sync::Arc;

use bytes::Bytes;

use super::Batch;
use super::pool::BufferPool;
use crate::codec::Attachments;

/// A message on its way to a peer: a batch, and the attachments of its first record.
#[derive(Debug)]
pub struct Message {
    batch: Buffer,
    /// The out-of-line parts of its one body. Each is sent as a frame before the batch.
    attachments: Attachments,
}

/// The bytes of a frame.
#[derive(Debug)]
pub enum Buffer {
    /// Bytes that nothing else refers to.
    Own(Vec<u8>),
    /// Bytes that a large call refers to as well, which may be sent again.
    Shared(Arc<Vec<u8>>),
    /// A part of a value, or of a message that was received; clones of it may be anywhere.
    Attachment(Bytes),
}

impl Message {
    pub(super) fn new(batch: Buffer, attachments: Attachments) -> Self {
        Self { batch, attachments }
    }

    /// Creates a message of frames that are no batch, for peers that know no records: `before`, and the last one.
    #[must_use]
    pub fn of_frames(before: impl IntoIterator<Item = Bytes>, last: Bytes) -> Self {
        let mut attachments = Attachments::none();
        before.into_iter().for_each(|frame| attachments.push(0, frame));
        Self { batch: Buffer::Attachment(last), attachments }
    }

    /// Returns the frame that holds records.
    #[must_use]
    pub fn batch(&self) -> &[u8] {
        &self.batch
    }

    /// Reports whether nothing in it is a user's, whose code may run when it is dropped.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.attachments.is_empty()
    }

    /// Returns its size in bytes, attachments included.
    #[inline]
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a message has at least one byte")]
    pub fn len(&self) -> usize {
        self.batch.len() + self.attachments.bytes()
    }

    /// Splits the message into its batch and the attachments, which are sent before it.
    #[must_use]
    pub fn into_parts(self) -> (Buffer, Attachments) {
        (self.batch, self.attachments)
    }

    /// Converts the message into what its receiver has of it. Copies the batch if a call refers to it as well.
    #[must_use]
    pub fn into_batch(self) -> Batch {
        let batch = match self.batch {
            Buffer::Own(bytes) => bytes.into(),
            Buffer::Shared(bytes) => Arc::unwrap_or_clone(bytes).into(),
            Buffer::Attachment(bytes) => bytes,
        };
        Batch::with(batch, self.attachments)
    }

    /// Returns the buffer to the pool, unless something else refers to it.
    #[inline]
    pub fn recycle(self) {
        self.batch.recycle();
    }
}

impl Buffer {
    /// Returns an empty buffer for about `bytes` bytes; one that was recycled if there is one.
    #[must_use]
    pub fn acquire(bytes: usize) -> Vec<u8> {
        BufferPool::acquire_for(bytes)
    }

    /// Returns the buffer to the pool, unless something else refers to it.
    #[inline]
    pub fn recycle(self) {
        match self {
            Self::Own(bytes) => BufferPool::release(bytes),
            Self::Shared(bytes) => {
                if let Some(bytes) = Arc::into_inner(bytes) {
                    BufferPool::release(bytes);
                }
            }
            Self::Attachment(_) => {}
        }
    }
}

impl std::ops::Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::Attachment(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self { batch: Buffer::Own(bytes), attachments: Attachments::none() }
    }
}
