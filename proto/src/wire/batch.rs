//! [`Batch`]: a message that was received.

use bytes::Bytes;

use super::{FirstRecord, Malformed, Reader, RecordKind, kind};
use crate::codec::{Attachments, Body, MAX_ATTACHMENTS, NO_ATTACHMENTS};

/// Index of the first record's first byte: the one after the version.
const FIRST_RECORD_AT: usize = 1;

/// A message that was received: the frame that holds records, and the attachments of the first record's body, which came in
/// frames before it.
#[derive(Debug, Clone)]
pub struct Batch {
    bytes: Bytes,
    attachments: Attachments,
    /// Index of the first byte of the body that the attachments belong to.
    body: usize,
}

impl Batch {
    /// Creates a batch of `bytes` and the frames before it, whose number [`frames_before`] returned.
    ///
    /// # Errors
    /// The first record's places do not go with the frames, or there are more than [`MAX_ATTACHMENTS`].
    pub fn attach(bytes: Bytes, frames: Vec<Bytes>) -> Result<Self, Malformed> {
        // A batch that should have some and has none is found malformed when it is read.
        let places = if frames.is_empty() { None } else { Places::of(&bytes) };
        let Some(places) = places else { return Ok(bytes.into()) };
        let (body, attachments) = (places.body, places.attach(frames)?);
        Ok(Self { bytes, attachments, body })
    }

    /// Creates the batch that the receiver of a message of this side has.
    pub(super) fn with(bytes: Bytes, attachments: Attachments) -> Self {
        if attachments.is_empty() {
            return bytes.into();
        }
        let body = Places::of(&bytes).map_or(0, |places| places.body);
        Self { bytes, attachments, body }
    }

    /// Returns the frame that holds records.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns a reader of its records.
    ///
    /// # Errors
    /// The batch is of another version.
    #[inline]
    pub fn records(&self) -> Result<Reader<'_>, Malformed> {
        Ok(Reader::new(&self.bytes)?.with_attachments(self.attachments.as_slice().len()))
    }

    /// Returns a reader of its records from the byte `at` on, where a record begins, or from the first record if `at` is 0.
    ///
    /// # Errors
    /// The batch is of another version.
    #[inline]
    pub fn records_from(&self, at: usize) -> Result<Reader<'_>, Malformed> {
        if at <= FIRST_RECORD_AT { self.records() } else { Ok(Reader::resume(&self.bytes, at)) }
    }

    /// Returns a body, or the items, of one of its records, with attachments. Short attachments are copied into one piece.
    #[inline]
    #[must_use]
    pub fn body(&self, body: &[u8]) -> Body {
        let bytes = self.bytes.slice_ref(body);
        if self.attachments.is_empty() {
            return bytes.into();
        }
        Body::new(bytes, self.attached_to(body).clone()).joined_if_short()
    }

    /// Returns the length in bytes of a body of one of its records, with attachments.
    #[inline]
    #[must_use]
    pub fn body_len(&self, body: &[u8]) -> usize {
        body.len() + if self.attachments.is_empty() { 0 } else { self.attached_to(body).bytes() }
    }

    /// Reports whether it has attachments, which may be a user's bytes, of a client in the same process.
    #[inline]
    pub(crate) fn has_attachments(&self) -> bool {
        !self.attachments.is_empty()
    }

    /// Reports whether a body of one of its records has no attachments.
    #[inline]
    pub(crate) fn is_whole(&self, body: &[u8]) -> bool {
        self.attachments.is_empty() || self.attached_to(body).is_empty()
    }

    /// Returns the attachments of the body that begins at the byte `body`, if it has any.
    #[inline]
    pub(super) fn attachments_of(&self, body: usize) -> Option<&Attachments> {
        (!self.attachments.is_empty() && body == self.body).then_some(&self.attachments)
    }

    #[cold]
    fn attached_to(&self, body: &[u8]) -> &Attachments {
        let is_first = std::ptr::eq(self.bytes[self.body..].as_ptr(), body.as_ptr());
        if is_first { &self.attachments } else { &NO_ATTACHMENTS }
    }
}

impl From<Bytes> for Batch {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Self { bytes, attachments: Attachments::none(), body: 0 }
    }
}

/// Returns the number of frames before a batch that belong to it, according to its first record. Faults in the record
/// show when the frames are attached or the batch is read.
#[must_use]
pub fn frames_before(batch: &[u8]) -> usize {
    let number = Places::of(batch).map_or(0, |places| places.number);
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Returns kind and id of the first record of a batch, of which the first bytes are enough.
#[must_use]
pub fn first_record(batch: &[u8]) -> Option<FirstRecord> {
    let (kind, id, _) = Reader::new(batch).ok()?.head().ok()?;
    Some(FirstRecord { kind: RecordKind::from_number(kind), id })
}

/// The places that the first record of a batch names.
struct Places<'a> {
    /// Reader at the first place.
    reader: Reader<'a>,
    /// Number of places.
    number: u64,
    /// Index of the body's first byte.
    body: usize,
    /// Length of the body in bytes, without attachments.
    length: usize,
}

impl<'a> Places<'a> {
    /// Finds the places. Returns `None` if there are none, or if the record can't be read up to there.
    fn of(batch: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(batch).ok()?;
        let elements = reader.array_len().ok()?;
        let (kind, _id) = (reader.uint("a kind").ok()?, reader.uint("an id").ok()?);
        // Number of elements before the body, and between it and the places.
        let (before, between) = match u8::try_from(kind).ok()? {
            kind::CALL | kind::ONE_WAY => (1, 3),
            kind::REPLY | kind::ITEMS => (0, 0),
            _ => return None,
        };
        // Besides those, the kind, the id, the body and the places.
        if elements < before + between + 4 {
            return None;
        }
        reader.skip(before).ok()?;
        let length = reader.bin().ok()?.len();
        let body = reader.at() - length;
        reader.skip(between).ok()?;
        let number = reader.places().ok().filter(|number| *number > 0)?;
        Some(Self { reader, number, body, length })
    }

    /// Makes attachments of the frames, one for each place.
    fn attach(mut self, frames: Vec<Bytes>) -> Result<Attachments, Malformed> {
        self.reader.check_places(self.number, frames.len())?;
        if frames.len() > MAX_ATTACHMENTS {
            return Err(self.reader.expected("at most 64 places in the body"));
        }
        let (mut attachments, mut last) = (Attachments::none(), 0);
        for frame in frames {
            let place = self.reader.uint("a place in the body")?;
            let place = usize::try_from(place).ok().filter(|place| (last..=self.length).contains(place));
            let Some(place) = place else {
                return Err(self.reader.expected("a place in the body, no earlier than the one before it,"));
            };
            last = place;
            attachments.push(self.length - place, frame);
        }
        Ok(attachments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Record;

    /// Reports whether the attachments of a body of nothing else, `number` of `bytes` bytes each, are copied when it is taken.
    fn is_copied(number: usize, bytes: usize) -> bool {
        let places = [&[0xdc, 0, u8::try_from(number).unwrap()], &vec![0; number][..]].concat();
        let record = [&[1, 0x94, 3, 1, 0xc4, 0], &places[..]].concat();
        let attached = Bytes::from(vec![7; bytes]);
        let frames = vec![attached.clone(); number];
        let batch = Batch::attach(record.into(), frames).unwrap();
        let Some(Record::Reply { body, .. }) = batch.records().unwrap().next().unwrap() else {
            panic!("it is a reply")
        };
        assert_eq!(batch.body_len(body), number * bytes);
        let body = batch.body(body);
        assert_eq!(body.len(), number * bytes);
        body.into_bytes().as_ptr() != attached.as_ptr()
    }

    /// To keep an attachment would cost many times the bytes in it.
    #[test]
    fn many_short_attachments_are_joined() {
        assert!(is_copied(1, 4_095) && is_copied(64, 100) && is_copied(2, 4_095));
    }

    /// A router turns a long body into an attachment.
    #[test]
    fn a_body_that_is_one_long_attachment_is_not_copied() {
        assert!(!is_copied(1, 5_000));
        assert!(is_copied(2, 5_000), "what is in two pieces is joined when it is asked for in one");
    }
}
