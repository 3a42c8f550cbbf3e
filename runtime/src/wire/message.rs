//! [`Message`]: a batch that is complete, and who else may have its bytes.

use std::ops::Deref;
use std::sync::Arc;

use super::spare::keep;

/// A message on its way to a socket.
#[derive(Debug)]
pub(crate) enum Message {
    /// Nobody else has it.
    Own(Vec<u8>),
    /// A large call that may be made again has it, too.
    Shared(Arc<Vec<u8>>),
}

impl Message {
    /// The bytes, copied if somebody else has them.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => Arc::unwrap_or_clone(bytes),
        }
    }
}

impl Message {
    /// Keeps the buffer for what is to be sent next, unless somebody else still has it.
    pub(crate) fn recycle(self) {
        match self {
            Self::Own(bytes) => keep(bytes),
            Self::Shared(bytes) => {
                if let Some(bytes) = Arc::into_inner(bytes) {
                    keep(bytes);
                }
            }
        }
    }
}

impl Deref for Message {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Own(bytes)
    }
}
