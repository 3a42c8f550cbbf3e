//! [`Body`]: the bytes of a value, with long `bytes` out of line.

use bytes::{Buf, Bytes, BytesMut};

/// A value of `bytes` of this many bytes or more travels out of line: to copy it takes longer than to carry one more piece.
pub(crate) const OUT_OF_LINE_BYTES: usize = 32 * 1024;

/// Out-of-line parts that were received and have fewer bytes than this, on average, are joined.
const MIN_AVERAGE_PART_BYTES: usize = 4 * 1024;

/// Largest number of out-of-line parts in one body, since each costs the transport a frame. What is past it is copied in line.
pub const MAX_ATTACHMENTS: usize = 64;

/// An out-of-line part of a body.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    /// Number of in-line bytes that come after it. Counted from the end, it need not change while the bytes before it are read.
    pub(crate) after: usize,
    pub(crate) bytes: Bytes,
}

/// The out-of-line parts of a body, in order. A null pointer for most bodies, which have none.
#[derive(Debug, Default, Clone)]
#[allow(clippy::box_collection, reason = "a vector is three times as large, in every call")]
pub struct Attachments(Option<Box<Vec<Attachment>>>);

impl Attachments {
    /// Returns no parts.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Reports whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns `None` if there are none.
    #[inline]
    pub(crate) fn if_any(self) -> Option<Self> {
        self.0.map(|all| Self(Some(all)))
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[Attachment] {
        self.0.as_ref().map_or(&[], |all| all)
    }

    /// Returns the sum of their lengths in bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.as_slice().iter().map(|attachment| attachment.bytes.len()).sum()
    }

    /// Appends a part.
    #[cold]
    pub(crate) fn push(&mut self, after: usize, bytes: Bytes) {
        self.0.get_or_insert_default().push(Attachment { after, bytes });
    }

    /// Returns their bytes in order, each of which is sent as a frame.
    pub fn into_frames(self) -> impl Iterator<Item = Bytes> {
        self.0.into_iter().flat_map(|all| all.into_iter().map(|attachment| attachment.bytes))
    }

    /// Turns the number of bytes before each part into that of the bytes after it, of `written` in-line bytes.
    #[cold]
    pub(super) fn counted_from(mut self, written: usize) -> Self {
        for attachment in self.0.iter_mut().flat_map(|all| all.iter_mut()) {
            attachment.after = written - attachment.after;
        }
        self
    }

    /// Drops all but the last `left`.
    fn keep_last(&mut self, left: usize) {
        if let Some(all) = &mut self.0 {
            all.drain(..all.len() - left);
        }
        self.0.take_if(|all| all.is_empty());
    }
}

/// The out-of-line parts of nearly all bodies.
pub(crate) static NO_ATTACHMENTS: Attachments = Attachments::none();

/// The bytes of a value, or of values laid end to end.
#[derive(Debug, Default, Clone)]
pub struct Body {
    /// The in-line bytes.
    pub(super) bytes: Bytes,
    /// The out-of-line parts.
    pub(super) attachments: Attachments,
}

impl Body {
    /// Creates a body of in-line bytes and out-of-line parts.
    pub(crate) fn new(bytes: Bytes, attachments: Attachments) -> Self {
        Self { bytes, attachments }
    }

    /// Returns its length in bytes, out-of-line parts included.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.attachments.bytes()
    }

    /// Reports whether it has no bytes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reports whether it has no out-of-line parts.
    #[inline]
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.attachments.is_empty()
    }

    /// Joins the parts unless the out-of-line ones are long on average: each takes some hundred bytes to keep, whatever is in it,
    /// and a peer may send very many. What keeps its parts may be users' bytes, in one process, whose code runs when
    /// they are dropped.
    #[cold]
    pub(crate) fn joined_if_short(self) -> Self {
        let least = MIN_AVERAGE_PART_BYTES.saturating_mul(self.attachments.as_slice().len());
        if self.attachments.bytes() < least { self.copied() } else { self }
    }

    /// Copies the in-line bytes if they are a small part of the batch in which they came, which has `batch` bytes.
    pub fn detach(&mut self, batch: usize) {
        if is_small_part(self.bytes.len(), batch) {
            self.bytes = Bytes::copy_from_slice(&self.bytes);
        }
    }

    /// Returns all of its bytes in one piece.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.is_whole() { self.bytes } else { self.joined().bytes }
    }

    /// Copies its out-of-line parts, which may be a program's own bytes, whose code runs when they are dropped.
    #[must_use]
    pub(crate) fn owned(mut self) -> Self {
        for attachment in self.attachments.0.iter_mut().flat_map(|all| all.iter_mut()) {
            attachment.bytes = Bytes::copy_from_slice(&attachment.bytes);
        }
        self
    }

    /// Returns all of its bytes in one piece. They are copied, unless the body is one out-of-line part alone, as a
    /// router makes it.
    #[cold]
    pub(super) fn joined(&self) -> Self {
        match self.attachments.as_slice() {
            [only] if self.bytes.is_empty() => only.bytes.clone().into(),
            _ => self.copied(),
        }
    }

    /// Copies all of its bytes into one piece.
    fn copied(&self) -> Self {
        let mut whole = BytesMut::with_capacity(self.len());
        let mut rest = &self.bytes[..];
        for Attachment { after, bytes } in self.attachments.as_slice() {
            let (before, behind) = rest.split_at(rest.len() - after);
            whole.extend_from_slice(before);
            whole.extend_from_slice(bytes);
            rest = behind;
        }
        whole.extend_from_slice(rest);
        Self::from(whole.freeze())
    }

    /// Drops the bytes in front until `rest` in-line bytes and `attachments` parts are left. Does nothing and returns
    /// `false` if that would part an attachment from its place.
    #[inline]
    pub(super) fn advance_to(&mut self, rest: usize, attachments: usize) -> bool {
        if !self.is_whole() {
            let all = self.attachments.as_slice();
            if all[all.len() - attachments..].first().is_some_and(|next| next.after > rest) {
                return false;
            }
            self.attachments.keep_last(attachments);
        }
        self.bytes.advance(self.bytes.len() - rest);
        true
    }
}

/// Reports whether `bytes` bytes are too small a part of a batch of `batch` bytes to keep all of it in memory.
#[inline]
pub(crate) fn is_small_part(bytes: usize, batch: usize) -> bool {
    bytes < batch / 4
}

impl From<Bytes> for Body {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self { bytes, attachments: Attachments::none() }
    }
}
