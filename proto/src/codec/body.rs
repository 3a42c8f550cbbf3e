//! [`Body`]: the bytes of a value, of which long `bytes` may lie apart.

use bytes::{Buf, Bytes, BytesMut};

/// From so many bytes on, a value of `bytes` lies apart from the bytes around it: to copy it takes longer than to carry one
/// piece more.
pub const OUT_OF_LINE_BYTES: usize = 32 * 1024;

/// Out-of-line parts that were received and have fewer bytes than this, on average, are joined.
const MIN_AVERAGE_PART_BYTES: usize = 4 * 1024;

/// No more of them lie apart in one body: each has its price for whoever carries it.
pub const MAX_ATTACHMENTS: usize = 64;

/// A part of a body that lies apart from the others.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// How many of the bytes that lie together come after it. Counted from there, it need not change while those before it
    /// are read.
    pub after: usize,
    pub bytes: Bytes,
}

/// What lies apart in a body, in order. A pointer, and nothing behind it for all of those in which nothing does.
#[derive(Debug, Default, Clone)]
#[allow(clippy::box_collection, reason = "a vector is three times as large, in every call")]
pub struct Attachments(Option<Box<Vec<Attachment>>>);

impl Attachments {
    pub const fn none() -> Self {
        Self(None)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// `None` where there are none.
    #[inline]
    pub fn if_any(self) -> Option<Self> {
        self.0.map(|all| Self(Some(all)))
    }

    /// In order.
    #[inline]
    pub fn as_slice(&self) -> &[Attachment] {
        self.0.as_ref().map_or(&[], |all| all)
    }

    /// How many bytes lie apart.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.as_slice().iter().map(|attachment| attachment.bytes.len()).sum()
    }

    /// Adds one behind the others.
    #[cold]
    pub fn push(&mut self, after: usize, bytes: Bytes) {
        self.0.get_or_insert_default().push(Attachment { after, bytes });
    }

    /// The bytes that lie apart, in order.
    pub fn into_frames(self) -> impl Iterator<Item = Bytes> {
        self.0.into_iter().flat_map(|all| all.into_iter().map(|attachment| attachment.bytes))
    }

    /// All of them, of which the bytes that were written before each were counted: there are so many of those.
    #[cold]
    pub(super) fn counted_from(mut self, written: usize) -> Self {
        for attachment in self.0.iter_mut().flat_map(|all| all.iter_mut()) {
            attachment.after = written - attachment.after;
        }
        self
    }

    /// Lets go of all but the last so many.
    fn keep_last(&mut self, left: usize) {
        if let Some(all) = &mut self.0 {
            all.drain(..all.len() - left);
        }
        self.0.take_if(|all| all.is_empty());
    }
}

/// Of nearly all bodies.
pub static NO_ATTACHMENTS: Attachments = Attachments::none();

/// The bytes of a value, or of values that lie end to end.
#[derive(Debug, Default, Clone)]
pub struct Body {
    /// What lies together.
    pub(super) bytes: Bytes,
    /// And what does not.
    pub(super) attachments: Attachments,
}

impl Body {
    pub fn new(bytes: Bytes, attachments: Attachments) -> Self {
        Self { bytes, attachments }
    }

    /// How many bytes it has in all.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.attachments.bytes()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing of it lies apart.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.attachments.is_empty()
    }

    /// Joins the parts unless the out-of-line ones are long on average: each takes some hundred bytes to keep, whatever is in it,
    /// and a peer may send very many. A body that is one long part alone becomes that part.
    #[cold]
    pub(crate) fn joined_if_short(self) -> Self {
        let parts = self.attachments.as_slice();
        if self.attachments.bytes() < MIN_AVERAGE_PART_BYTES.saturating_mul(parts.len()) {
            return self.joined();
        }
        match parts {
            [only] if self.bytes.is_empty() => only.bytes.clone().into(),
            _ => self,
        }
    }

    /// Copies what lies together, if it is a small part of the batch of so many bytes in which it came.
    pub fn detach(&mut self, batch: usize) {
        if is_small_part(self.bytes.len(), batch) {
            self.bytes = Bytes::copy_from_slice(&self.bytes);
        }
    }

    /// All of its bytes.
    pub fn into_bytes(self) -> Bytes {
        if self.is_whole() { self.bytes } else { self.joined().bytes }
    }

    /// The same bytes, all of which lie together.
    #[cold]
    pub(super) fn joined(&self) -> Self {
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

    /// Lets go of the bytes up to where so many that lie together, and so many attachments, are left. `false`, and nothing
    /// is done, where that would part an attachment from its place.
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

/// So many bytes of a batch of so many are too few to keep all of it for.
#[inline]
pub fn is_small_part(bytes: usize, batch: usize) -> bool {
    bytes < batch / 4
}

impl From<Bytes> for Body {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self { bytes, attachments: Attachments::none() }
    }
}
