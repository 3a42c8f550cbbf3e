//! [`Message`]: a batch that is complete, and who else may have its bytes.

use std::sync::Arc;

use bytes::Bytes;

use super::Batch;
use super::pool::keep;
use crate::codec::Attachments;

/// A message on its way to a socket.
#[derive(Debug)]
pub struct Message {
    batch: Buffer,
    /// What lies apart of its one body: each is a frame before that of the batch.
    attachments: Attachments,
}

/// A frame, and who else may have it.
#[derive(Debug)]
pub enum Buffer {
    /// Nobody else has it.
    Own(Vec<u8>),
    /// A large call that may be made again has it, too.
    Shared(Arc<Vec<u8>>),
    /// It is a part of a value, and whoever has a clone of that has it, too.
    Attachment(Bytes),
}

impl Message {
    pub(super) fn new(batch: Buffer, attachments: Attachments) -> Self {
        Self { batch, attachments }
    }

    /// The frame that holds records.
    pub fn batch(&self) -> &[u8] {
        &self.batch
    }

    /// Nothing in it is a user's.
    pub fn is_own(&self) -> bool {
        self.attachments.is_empty()
    }

    /// How many bytes it has in all.
    #[inline]
    pub fn len(&self) -> usize {
        self.batch.len() + self.attachments.bytes()
    }

    /// The batch, and the frames that come before it.
    pub fn into_parts(self) -> (Buffer, Attachments) {
        (self.batch, self.attachments)
    }

    /// As its receiver has it; copied if somebody else has it.
    pub fn into_batch(self) -> Batch {
        let batch = match self.batch {
            Buffer::Own(bytes) => bytes.into(),
            Buffer::Shared(bytes) => Arc::unwrap_or_clone(bytes).into(),
            Buffer::Attachment(bytes) => bytes,
        };
        Batch::with(batch, self.attachments)
    }

    /// Keeps the buffer for what is to be sent next, unless somebody else still has it.
    #[inline]
    pub fn recycle(self) {
        self.batch.recycle();
    }
}

impl Buffer {
    /// See [`Message::recycle`].
    #[inline]
    pub fn recycle(self) {
        match self {
            Self::Own(bytes) => keep(bytes),
            Self::Shared(bytes) => {
                if let Some(bytes) = Arc::into_inner(bytes) {
                    keep(bytes);
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
