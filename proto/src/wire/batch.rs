//! [`Batch`]: a message that came in.

use bytes::Bytes;

use super::kind;
use super::read::{Malformed, Reader};
use crate::codec::{Attachments, Body, MAX_ATTACHMENTS, NO_ATTACHMENTS};

/// Where the first record begins: behind the version.
const FIRST: usize = 1;

/// A message that came in: the frame that holds records, and what came in frames before it and is attached to the body of the
/// first of them.
#[derive(Debug, Clone)]
pub struct Batch {
    bytes: Bytes,
    attachments: Attachments,
    /// Where the body begins that they belong to.
    body: usize,
}

impl Batch {
    /// With these frames before it, of which there are as many as [`frames_before`] has said.
    pub fn attach(bytes: Bytes, frames: Vec<Bytes>) -> Result<Self, Malformed> {
        // Where there should be some and are none, whoever reads the batch sees it.
        let places = if frames.is_empty() { None } else { Places::of(&bytes) };
        let Some(places) = places else { return Ok(bytes.into()) };
        let (body, attachments) = (places.body, places.attach(frames)?);
        Ok(Self { bytes, attachments, body })
    }

    /// What a message of ours is for its receiver.
    pub(super) fn with(bytes: Bytes, attachments: Attachments) -> Self {
        if attachments.is_empty() {
            return bytes.into();
        }
        let body = Places::of(&bytes).map_or(0, |places| places.body);
        Self { bytes, attachments, body }
    }

    /// The frame that holds records.
    #[inline]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its records.
    #[inline]
    pub fn records(&self) -> Result<Reader<'_>, Malformed> {
        Ok(Reader::new(&self.bytes)?.with_attachments(self.attachments.as_slice().len()))
    }

    /// Its records from this byte on, at which one begins, or from the first where it is nought.
    #[inline]
    pub fn records_from(&self, at: usize) -> Result<Reader<'_>, Malformed> {
        if at <= FIRST { self.records() } else { Ok(Reader::resume(&self.bytes, at)) }
    }

    /// A body, or items, of a record in it.
    #[inline]
    pub fn body(&self, body: &[u8]) -> Body {
        let bytes = self.bytes.slice_ref(body);
        if self.attachments.is_empty() {
            return bytes.into();
        }
        Body::new(bytes, self.attached_to(body).clone()).worthwhile()
    }

    /// How many bytes these are in all.
    #[inline]
    pub fn body_len(&self, body: &[u8]) -> usize {
        body.len() + if self.attachments.is_empty() { 0 } else { self.attached_to(body).bytes() }
    }

    /// All of it is in the frame that holds records.
    #[inline]
    pub fn is_whole(&self, body: &[u8]) -> bool {
        self.attachments.is_empty() || self.attached_to(body).is_empty()
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

/// How many frames before a batch belong to it, by its first record. What is wrong with that will show when they are attached,
/// or when it is read.
pub fn frames_before(batch: &[u8]) -> usize {
    let number = Places::of(batch).map_or(0, |places| places.number);
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What the first record of a batch says of its attachments.
struct Places<'a> {
    /// At the first of them.
    reader: Reader<'a>,
    /// How many there are.
    number: u64,
    /// Where the body begins.
    body: usize,
    /// Its length, but for what is attached.
    length: usize,
}

impl<'a> Places<'a> {
    /// If there are any, as far as they can be found.
    fn of(batch: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(batch).ok()?;
        let elements = reader.array_len().ok()?;
        let (kind, _id) = (reader.uint("a kind").ok()?, reader.uint("an id").ok()?);
        // How many elements there are before the body, and between it and the places.
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

    /// Puts the frames in their places.
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

    /// Whether a body of nothing but so many attachments of so many bytes is joined when it is taken.
    fn is_joined(number: usize, bytes: usize) -> bool {
        let places = [&[0xdc, 0, u8::try_from(number).unwrap()], &vec![0; number][..]].concat();
        let record = [&[1, 0x94, 3, 1, 0xc4, 0], &places[..]].concat();
        let frames = vec![Bytes::from(vec![7; bytes]); number];
        let batch = Batch::attach(record.into(), frames).unwrap();
        let Some(Record::Reply { body, .. }) = batch.records().unwrap().next().unwrap() else {
            panic!("it is a reply")
        };
        assert_eq!(batch.body_len(body), number * bytes);
        let body = batch.body(body);
        assert_eq!(body.len(), number * bytes);
        body.is_whole()
    }

    /// What it takes to keep one would else be worth many times what it holds.
    #[test]
    fn many_short_attachments_are_joined() {
        assert!(is_joined(1, 0) && is_joined(64, 100) && is_joined(2, 4_095));
        assert!(!is_joined(1, 5_000) && !is_joined(64, 4_096));
    }
}
