//! [`Body`]: the bytes of a value, of which long `bytes` may lie apart.

use bytes::{Buf, Bytes, BytesMut};

/// From so many bytes on, a value of `bytes` lies apart from the bytes around it: to copy it takes longer than to carry one
/// piece more.
pub(crate) const APART: usize = 32 * 1024;

/// No more of them lie apart in one body: each has its price for whoever carries it.
pub(crate) const MOST_APART: usize = 64;

/// A part of a body that lies apart from the others.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    /// Before which of the bytes that lie together it belongs.
    pub(crate) at: usize,
    pub(crate) bytes: Bytes,
}

/// What lies apart in a body, in order. A pointer, and nothing behind it for all of those in which nothing does.
#[derive(Debug, Default, Clone)]
#[allow(clippy::box_collection, reason = "a vector is three times as large, in every call")]
pub(crate) struct Attachments(Option<Box<Vec<Attachment>>>);

impl Attachments {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// In order.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[Attachment] {
        self.0.as_ref().map_or(&[], |all| all)
    }

    /// How many bytes lie apart.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.as_slice().iter().map(|attachment| attachment.bytes.len()).sum()
    }

    /// Adds one behind the others.
    pub(crate) fn push(&mut self, at: usize, bytes: Bytes) {
        self.0.get_or_insert_default().push(Attachment { at, bytes });
    }

    /// The bytes that lie apart, in order.
    pub(crate) fn into_frames(self) -> impl Iterator<Item = Bytes> {
        self.0.into_iter().flat_map(|all| all.into_iter().map(|attachment| attachment.bytes))
    }

    /// Moves all by so many bytes, of what stands before the body.
    pub(super) fn move_back(&mut self, by: usize) {
        for attachment in self.0.iter_mut().flat_map(|all| all.iter_mut()) {
            attachment.at -= by;
        }
    }

    /// The last so many.
    fn last(&self, left: usize) -> Self {
        let all = self.as_slice();
        let mut last = Self::default();
        all[all.len() - left..].iter().for_each(|rest| last.push(rest.at, rest.bytes.clone()));
        last
    }
}

/// The bytes of a value, or of values that lie end to end.
#[derive(Debug, Default, Clone)]
pub(crate) struct Body {
    /// What lies together.
    pub(super) bytes: Bytes,
    /// And what does not.
    pub(super) attachments: Attachments,
}

impl Body {
    pub(crate) fn new(bytes: Bytes, attachments: Attachments) -> Self {
        Self { bytes, attachments }
    }

    /// How many bytes it has in all.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.attachments.bytes()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.attachments.is_empty()
    }

    /// Nothing of it lies apart.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.attachments.is_empty()
    }

    /// Copies what lies together, if it is a small part of the batch of so many bytes in which it came.
    pub(crate) fn detach(&mut self, batch: usize) {
        if self.bytes.len() < batch / 4 {
            self.bytes = Bytes::copy_from_slice(&self.bytes);
        }
    }

    /// The same bytes, all of which lie together.
    #[cold]
    pub(super) fn joined(&self) -> Self {
        let mut whole = BytesMut::with_capacity(self.len());
        let mut from = 0;
        for Attachment { at, bytes } in self.attachments.as_slice() {
            whole.extend_from_slice(&self.bytes[from..*at]);
            whole.extend_from_slice(bytes);
            from = *at;
        }
        whole.extend_from_slice(&self.bytes[from..]);
        Self::from(whole.freeze())
    }

    /// Lets go of the bytes up to where so many that lie together, and so many attachments, are left. `false`, and nothing
    /// is done, where that would part an attachment from its place.
    pub(super) fn advance_to(&mut self, rest: usize, attachments: usize) -> bool {
        let by = self.bytes.len() - rest;
        if !self.is_whole() {
            let mut left = self.attachments.last(attachments);
            if left.as_slice().iter().any(|attachment| attachment.at < by) {
                return false;
            }
            left.move_back(by);
            self.attachments = left;
        }
        self.bytes.advance(by);
        true
    }
}

impl From<Bytes> for Body {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self { bytes, attachments: Attachments::default() }
    }
}
