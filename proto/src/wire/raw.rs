//! [`RawRecord`]: a record that is passed on without being read, and [`RawReader`], which finds such records in a batch.
//!
//! This is what a router uses: it needs a record's kind, id, method and time left, and passes the rest on as bytes, by
//! [`Outbox::forward`](super::Outbox::forward). Bodies, streams' items and declared errors are not looked into. All
//! else is checked as strictly as [`Reader`] checks it, because one malformed record would cost the records after it in
//! the batch that they share, which may be other peers'. Programs at either end of a call use [`Batch::records`].

use std::ops::Range;
use std::time::Duration;

use super::pool::BufferPool;
use super::read::{self, Elements, has_body};
use super::{
    Batch, Buffer, DECLARED, Malformed, Message, Reader, SEPARATE_MESSAGE_BYTES, VERSION, kind, write,
};
use crate::codec::{Attachments, OUT_OF_LINE_BYTES, is_small_part};
use crate::msgpack;
use crate::status::Failure;

/// Goes through the records of one batch without reading them.
#[derive(Debug)]
pub struct RawReader<'a> {
    batch: &'a Batch,
    reader: Reader<'a>,
}

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is named as in the protocol's table of kinds")]
pub enum RecordKind {
    Call,
    OneWay,
    Reply,
    Error,
    Items,
    End,
    Credit,
    Cancel,
    Ping,
    Pong,
    GoingAway,
    Query,
    ResponseMetadata,
    /// A kind that this version does not know. From 64 on, a receiver skips it; below, it answers as
    /// [`unknown_kind`](super::unknown_kind) says.
    Other(u64),
}

impl RecordKind {
    pub(super) fn from_number(number: u64) -> Self {
        match u8::try_from(number) {
            Ok(kind::CALL) => Self::Call,
            Ok(kind::ONE_WAY) => Self::OneWay,
            Ok(kind::REPLY) => Self::Reply,
            Ok(kind::ERROR) => Self::Error,
            Ok(kind::ITEMS) => Self::Items,
            Ok(kind::END) => Self::End,
            Ok(kind::CREDIT) => Self::Credit,
            Ok(kind::CANCEL) => Self::Cancel,
            Ok(kind::PING) => Self::Ping,
            Ok(kind::PONG) => Self::Pong,
            Ok(kind::GOING_AWAY) => Self::GoingAway,
            Ok(kind::QUERY) => Self::Query,
            Ok(kind::RESPONSE_METADATA) => Self::ResponseMetadata,
            _ => Self::Other(number),
        }
    }
}

/// A record of a batch that was received, as bytes.
#[derive(Debug, Clone)]
pub struct RawRecord<'a> {
    batch: &'a Batch,
    /// Number of the kind on the wire.
    kind: u64,
    id: u64,
    /// Number of elements, at least 2.
    elements: u64,
    /// Bytes of the record after its id, as indices of the batch. So are all ranges below.
    rest: Range<usize>,
    parts: Parts,
    /// The element that names the places of attachments; empty, at the end of `rest`, where it is left off.
    places: Range<usize>,
}

/// Where the elements are that a router looks at or changes. Empty ranges for those that a record of its kind does not have.
#[derive(Debug, Clone, Default)]
struct Parts {
    /// The name of the method.
    method: Range<usize>,
    /// Index of the body's header.
    body_header: usize,
    /// The body, without its header.
    body: Range<usize>,
    /// The time left, with its header; empty, where it would be, if it is left off.
    time: Range<usize>,
    time_left: Option<Duration>,
    /// Bytes of items that a call or a credit record allows.
    credit: u64,
    /// The credit of a call, with its header; empty, where it would be, if it is left off.
    credit_element: Range<usize>,
    /// The number of the life of the server that answers a ping.
    instance: Option<u64>,
}

/// What is changed of a call that is passed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Replaces the time left, or is added.
    pub time_left: Option<Duration>,
    /// Replaces the credit of a call that grants any.
    pub credit: Option<u64>,
}

impl Batch {
    /// Returns a reader of this batch's records as bytes.
    ///
    /// # Errors
    /// The batch is of another version.
    pub fn raw_records(&self) -> Result<RawReader<'_>, Malformed> {
        self.raw_records_from(0)
    }

    /// Returns the same reader from the byte `at` on, where a record begins, or from the first record if `at` is 0.
    ///
    /// # Errors
    /// The batch is of another version.
    pub fn raw_records_from(&self, at: usize) -> Result<RawReader<'_>, Malformed> {
        Ok(RawReader { batch: self, reader: self.records_from(at)? })
    }
}

impl<'a> RawReader<'a> {
    /// Returns the index of the byte where the next record begins, for [`Batch::raw_records_from`].
    #[must_use]
    pub fn at(&self) -> usize {
        self.reader.at()
    }

    /// Returns the next record, or `None` at the end. Records of unknown kinds are returned, too.
    ///
    /// # Errors
    /// The record can't be read, nor any after it.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would go on after the first error"
    )]
    pub fn next(&mut self) -> Result<Option<RawRecord<'a>>, Malformed> {
        if self.reader.is_at_end() {
            return Ok(None);
        }
        let (kind, id, mut left) = self.reader.head()?;
        let (elements, start) = (left.left() + 2, self.reader.at());
        let parts = self.parts(kind, &mut left)?;
        let places = if left.left() > 0 { Some(self.reader.further(kind, &left)?) } else { None };
        let end = self.reader.at();
        let places = places.unwrap_or(end..end);
        Ok(Some(RawRecord { batch: self.batch, kind, id, elements, rest: start..end, parts, places }))
    }

    /// Checks the elements that records of this kind have, but for those that [`Reader::further`] checks.
    fn parts(&mut self, kind: u64, left: &mut Elements) -> Result<Parts, Malformed> {
        let mut parts = Parts::default();
        match u8::try_from(kind) {
            Ok(kind::CALL | kind::ONE_WAY) => {
                let method = self.reader.required(left, read::METHOD, Reader::text)?.len();
                parts.method = self.reader.at() - method..self.reader.at();
                self.body(&mut parts, left, read::PARAMETERS)?;
                self.options(&mut parts, left)?;
            }
            Ok(kind::REPLY) => self.body(&mut parts, left, "a body")?,
            Ok(kind::ITEMS) => self.body(&mut parts, left, "items")?,
            Ok(kind::ERROR) => self.failure(left)?,
            Ok(kind::CREDIT) => parts.credit = self.reader.credit(left)?,
            Ok(kind::PONG) => parts.instance = self.reader.optional(left, |r| r.uint(read::INSTANCE))?,
            Ok(kind::RESPONSE_METADATA) => {
                self.reader.optional(left, |r| r.metadata_entries(|_, _| ()))?;
            }
            _ => {}
        }
        Ok(parts)
    }

    fn body(
        &mut self,
        parts: &mut Parts,
        left: &mut Elements,
        expected: &'static str,
    ) -> Result<(), Malformed> {
        parts.body_header = self.reader.at();
        let length = self.reader.required(left, expected, Reader::bin)?.len();
        parts.body = self.reader.at() - length..self.reader.at();
        Ok(())
    }

    fn options(&mut self, parts: &mut Parts, left: &mut Elements) -> Result<(), Malformed> {
        let start = self.reader.at();
        let micros = self.reader.optional(left, |r| r.uint(read::TIME_LEFT))?;
        parts.time = start..self.reader.at();
        parts.time_left = micros.map(Duration::from_micros);
        self.reader.optional(left, |r| r.metadata_entries(|_, _| ()))?;
        let start = self.reader.at();
        parts.credit = self.reader.optional(left, |r| r.uint(read::NUMBER_OF_BYTES))?.unwrap_or(0);
        parts.credit_element = start..self.reader.at();
        Ok(())
    }

    fn failure(&mut self, left: &mut Elements) -> Result<(), Malformed> {
        let reader = &mut self.reader;
        let code = reader.required(left, read::STATUS_CODE, |r| r.uint(read::STATUS_CODE))?;
        reader.optional(left, Reader::str)?;
        reader.optional(left, |r| r.uint(read::OUTCOME))?;
        if code == u64::from(DECLARED) {
            return reader.required(left, read::DECLARED_ERROR, Reader::bin).map(drop);
        }
        if left.take() {
            reader.skip(1)?;
        }
        reader.optional(left, |r| r.uint(read::TIME_TO_WAIT))?;
        reader.optional(left, |r| r.uint(read::CAUSE))?;
        reader.optional(left, |r| r.metadata_entries(|_, _| ()))?;
        Ok(())
    }
}

/// Elements of a call before its options: kind, id, method, body.
const CALL_ELEMENTS: u64 = 4;
/// Options of a call before the places: time left, metadata, credit.
const CALL_OPTIONS: u64 = 3;
/// Elements of a reply or of items before the places: kind, id, body.
const REPLY_ELEMENTS: u64 = 3;

impl<'a> RawRecord<'a> {
    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        RecordKind::from_number(self.kind)
    }

    /// Returns the id that the sender gave it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the name of the method, not checked to be UTF-8; `None` unless it is a call or a one-way call.
    #[must_use]
    pub fn method(&self) -> Option<&'a [u8]> {
        self.is_call().then(|| &self.batch.bytes()[self.parts.method.clone()])
    }

    /// Returns the time left of a call as its sender gave it. Whatever the record waits has to be taken off before it
    /// is passed on.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.parts.time_left
    }

    /// Returns the number of bytes of items that a credit record grants, or a call at first. 0 for other kinds.
    #[must_use]
    pub fn credit(&self) -> u64 {
        self.parts.credit
    }

    /// Returns the number of the life of the server that has sent a pong, if it has said it. `None` for other kinds.
    #[must_use]
    pub fn instance(&self) -> Option<u64> {
        self.parts.instance
    }

    /// Reads the failure of an error record; `None` for other kinds.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        if self.kind() != RecordKind::Error {
            return None;
        }
        let mut reader = Reader::resume(self.batch.bytes(), self.rest.start);
        // Each element was read once before, so the reader finds what it expects.
        reader.failure(&mut Elements::of(self.elements - 2)).ok()
    }

    /// Returns the length of the body, or of the items, in bytes, with attachments: what credit is counted in. 0 for other kinds.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.parts.body.len() + self.attachments().map_or(0, Attachments::bytes)
    }

    /// Returns the body, or the items, without attachments. Empty for other kinds.
    #[must_use]
    pub fn inline_body(&self) -> &'a [u8] {
        &self.batch.bytes()[self.parts.body.clone()]
    }

    /// Returns the bytes after the id, attachments not included.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.batch.bytes()[self.rest.clone()]
    }

    /// Reports whether the record starts a call.
    fn is_call(&self) -> bool {
        matches!(self.kind(), RecordKind::Call | RecordKind::OneWay)
    }

    pub(super) fn attachments(&self) -> Option<&'a Attachments> {
        if has_body(self.kind) { self.batch.attachments_of(self.parts.body.start) } else { None }
    }

    /// Reports whether it travels as a message of its own.
    pub(super) fn is_separate(&self) -> bool {
        self.rest.len() >= SEPARATE_MESSAGE_BYTES || self.attachments().is_some()
    }

    /// Reports whether the body becomes an attachment, which saves its copy: long enough to be worth a frame, and not such a
    /// small part of its batch that keeping the batch would take many times the bytes.
    fn can_attach_body(&self) -> bool {
        let length = self.parts.body.len();
        has_body(self.kind)
            && length >= OUT_OF_LINE_BYTES
            && !is_small_part(length, self.batch.bytes().len())
            && self.attachments().is_none()
    }

    /// Appends the record to a batch with another id and, of a call, with what is changed.
    pub(super) fn append_to(&self, out: &mut Vec<u8>, id: u64, rewrite: Rewrite) {
        let rewrite = self.applicable(rewrite);
        let with_time = if rewrite.time_left.is_some() { CALL_ELEMENTS + 1 } else { 0 };
        self.append_head(out, self.elements.max(with_time), id);
        self.append_rest(out, self.rest.start..self.rest.end, rewrite);
    }

    /// Returns what of a change can be made: the time left of any call, and a credit that is there.
    fn applicable(&self, rewrite: Rewrite) -> Rewrite {
        if !self.is_call() {
            return Rewrite::default();
        }
        Rewrite { credit: rewrite.credit.filter(|_| self.parts.credit > 0), ..rewrite }
    }

    fn append_head(&self, out: &mut Vec<u8>, elements: u64, id: u64) {
        // Each element that was read took a byte, so their number is one of bytes in memory and fits.
        let elements = usize::try_from(elements).unwrap_or(usize::MAX);
        let _ = msgpack::write::array_header(out, elements);
        msgpack::write::uint(out, self.kind);
        msgpack::write::uint(out, id);
    }

    /// Appends bytes of the batch after the id; what is changed is among them. The time left comes before the credit.
    fn append_rest(&self, out: &mut Vec<u8>, range: Range<usize>, rewrite: Rewrite) {
        let bytes = self.batch.bytes();
        let mut from = range.start;
        if let Some(time_left) = rewrite.time_left {
            out.extend_from_slice(&bytes[from..self.parts.time.start]);
            write::micros(out, time_left);
            from = self.parts.time.end;
        }
        if let Some(credit) = rewrite.credit {
            out.extend_from_slice(&bytes[from..self.parts.credit_element.start]);
            msgpack::write::uint(out, credit);
            from = self.parts.credit_element.end;
        }
        out.extend_from_slice(&bytes[from..range.end]);
    }

    /// Returns a message with nothing but this record. Attachments are not copied, nor is a long body.
    pub(super) fn to_message(&self, id: u64, rewrite: Rewrite) -> Message {
        if self.can_attach_body() {
            return self.attach_body(id, rewrite);
        }
        let mut out = BufferPool::acquire_for(self.rest.len());
        out.push(VERSION);
        self.append_to(&mut out, id, rewrite);
        Message::new(Buffer::Own(out), self.attachments().cloned().unwrap_or_default())
    }

    /// Returns the same message with the body as its one attachment, so that it is a slice of the message that came in.
    fn attach_body(&self, id: u64, rewrite: Rewrite) -> Message {
        let (before, options) =
            if self.is_call() { (CALL_ELEMENTS, CALL_OPTIONS) } else { (REPLY_ELEMENTS, 0) };
        let rewrite = self.applicable(rewrite);
        let given = (self.elements - before).min(options).max(u64::from(rewrite.time_left.is_some()));
        let mut out = BufferPool::acquire_for(self.rest.len() - self.parts.body.len());
        out.push(VERSION);
        self.append_head(&mut out, self.elements.max(before + options + 1), id);
        let bytes = self.batch.bytes();
        out.extend_from_slice(&bytes[self.rest.start..self.parts.body_header]);
        // An empty `bin`, the options, and the one place in it: `[0]`.
        out.extend_from_slice(&[0xc4, 0]);
        self.append_rest(&mut out, self.parts.body.end..self.places.start, rewrite);
        (given..options).for_each(|_| msgpack::write::nil(&mut out));
        out.extend_from_slice(&[0x91, 0]);
        out.extend_from_slice(&bytes[self.places.end..self.rest.end]);
        let mut attachments = Attachments::none();
        attachments.push(0, bytes.slice(self.parts.body.clone()));
        Message::new(Buffer::Own(out), attachments)
    }
}

#[cfg(test)]
mod tests;
