//! [`Reader`]: goes through the records of a batch that was received.
//!
//! Nothing here recurses, and nothing is allocated by what a peer announces: lengths are compared with the bytes at hand first.
//! The forms of MessagePack that records are made of are in [`forms`].

mod forms;

use std::time::Duration;

use bytes::Bytes;

use super::{CallRecord, DECLARED, Malformed, Record, VERSION, kind};
use crate::metadata::{Metadata, MetadataValue};
use crate::status::{Cause, Code, Failure, Outcome, Status};

/// Goes through the records of one batch.
#[derive(Debug)]
pub struct Reader<'a> {
    batch: &'a [u8],
    /// Index of the next byte to read. Invariant: at most the length of `batch`.
    at: usize,
    /// Number of attachments that the next record must name places for. `None`: places are not checked.
    attachments: Option<usize>,
}

impl<'a> Reader<'a> {
    /// Creates a reader of a batch without regard to attachments.
    ///
    /// # Errors
    /// The batch is of another version.
    #[inline]
    pub fn new(batch: &'a [u8]) -> Result<Self, Malformed> {
        match batch.first() {
            Some(&VERSION) => Ok(Self { batch, at: 1, attachments: None }),
            other => Err(Malformed::Version(other.copied())),
        }
    }

    /// Sets the number of attachments of the first record.
    #[inline]
    pub(super) fn with_attachments(self, number: usize) -> Self {
        Self { attachments: Some(number), ..self }
    }

    /// Creates a reader of a batch from the byte `at` on, where a record other than the first begins.
    pub(super) fn resume(batch: &'a [u8], at: usize) -> Self {
        Self { batch, at: at.min(batch.len()), attachments: Some(0) }
    }

    /// Returns the index of the byte where the next record begins.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Reports whether all of the batch was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.batch.len()
    }

    /// Returns the next record, or `None` at the end. Skips records of unknown kinds that may be skipped.
    ///
    /// # Errors
    /// The record can't be read, nor any after it.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would go on after the first error"
    )]
    pub fn next(&mut self) -> Result<Option<Record<'a>>, Malformed> {
        while !self.is_at_end() {
            let (kind, id, mut rest) = self.head()?;
            let record = self.record(kind, id, &mut rest)?;
            if rest.left > 0 {
                self.further(kind, &rest)?;
            }
            if record.is_some() {
                return Ok(record);
            }
        }
        Ok(None)
    }

    /// Reads what every record has: its number of elements, its kind and its id.
    #[inline]
    pub(super) fn head(&mut self) -> Result<(u64, u64, Elements), Malformed> {
        let elements = self.array_len()?;
        if elements < 2 {
            return Err(self.expected("an array of a kind and an id"));
        }
        let kind = self.uint("a record's kind")?;
        let id = self.uint("a call's id")?;
        Ok((kind, id, Elements { left: elements - 2 }))
    }

    #[inline]
    fn record(&mut self, kind: u64, id: u64, rest: &mut Elements) -> Result<Option<Record<'a>>, Malformed> {
        let record = match u8::try_from(kind) {
            Ok(kind::CALL) => Record::Call(self.call(id, rest)?),
            Ok(kind::ONE_WAY) => Record::OneWay(self.call(id, rest)?),
            Ok(kind::REPLY) => Record::Reply { id, body: self.required(rest, "a body", Self::bin)? },
            Ok(kind::ERROR) => Record::Error { id, failure: self.failure(rest)? },
            Ok(kind::ITEMS) => Record::Items { id, items: self.required(rest, "items", Self::bin)? },
            Ok(kind::END) => Record::End { id },
            Ok(kind::CREDIT) => Record::Credit { id, bytes: self.credit(rest)? },
            Ok(kind::CANCEL) => Record::Cancel { id },
            Ok(kind::PING) => Record::Ping { id },
            Ok(kind::PONG) => Record::Pong { id, instance: self.optional(rest, |r| r.uint(INSTANCE))? },
            Ok(kind::GOING_AWAY) => Record::GoingAway,
            Ok(kind::QUERY) => Record::Query { id },
            Ok(kind::RESPONSE_METADATA) => Record::ResponseMetadata {
                id,
                metadata: self.optional(rest, Self::metadata)?.unwrap_or_default(),
            },
            _ if kind >= kind::FIRST_OPTIONAL => return Ok(None),
            _ => Record::Unknown { kind, id },
        };
        Ok(Some(record))
    }

    #[inline]
    fn call(&mut self, id: u64, rest: &mut Elements) -> Result<CallRecord<'a>, Malformed> {
        let method = self.required(rest, METHOD, Self::text)?;
        let body = self.required(rest, PARAMETERS, Self::bin)?;
        let timeout = self.optional(rest, |r| r.uint(TIME_LEFT))?.map(Duration::from_micros);
        let metadata = self.optional(rest, Self::metadata)?.unwrap_or_default();
        let credit = self.optional(rest, |r| r.uint(NUMBER_OF_BYTES))?.unwrap_or(0);
        Ok(CallRecord { id, method, body, timeout, metadata, credit })
    }

    #[inline]
    pub(super) fn credit(&mut self, rest: &mut Elements) -> Result<u64, Malformed> {
        self.required(rest, NUMBER_OF_BYTES, |r| r.uint(NUMBER_OF_BYTES))
    }

    /// Skips the elements that are left. The first of them holds the places of attachments, where a record of this kind
    /// has a body; returns the indices of that element's bytes.
    #[cold]
    pub(super) fn further(
        &mut self,
        kind: u64,
        rest: &Elements,
    ) -> Result<std::ops::Range<usize>, Malformed> {
        let (mut left, start) = (rest.left, self.at);
        if has_body(kind)
            && let Some(attachments) = self.attachments.as_mut().map(std::mem::take)
        {
            let places = self.places()?;
            self.check_places(places, attachments)?;
            self.skip(places)?;
            left -= 1;
        }
        let places = start..self.at;
        self.skip(left)?;
        Ok(places)
    }

    /// Reads the number of places that follow.
    #[cold]
    pub(super) fn places(&mut self) -> Result<u64, Malformed> {
        if self.nil() {
            return Ok(0);
        }
        let start = self.at;
        let places = self.array_len();
        places.map_err(|_| Malformed::Record { at: start, expected: "an array of places in the body" })
    }

    pub(super) fn check_places(&self, places: u64, attachments: usize) -> Result<(), Malformed> {
        if places == attachments as u64 {
            return Ok(());
        }
        Err(self.expected("as many places in the body as frames before the batch"))
    }

    pub(super) fn failure(&mut self, rest: &mut Elements) -> Result<Failure, Malformed> {
        let code = self.required(rest, STATUS_CODE, |r| r.uint(STATUS_CODE))?;
        let message = self.optional(rest, Self::str)?.unwrap_or_default().to_owned();
        let outcome = self.optional(rest, |r| r.uint(OUTCOME))?;
        if code == u64::from(DECLARED) {
            let body = self.required(rest, DECLARED_ERROR, Self::bin)?;
            return Ok(Failure::Declared { body: Bytes::copy_from_slice(body), message });
        }
        let outcome =
            outcome.map_or(Outcome::MaybeExecuted, |n| Outcome::from_number(u8::try_from(n).unwrap_or(1)));
        let code = Code::from_number(u8::try_from(code).unwrap_or(u8::MAX));
        let status = Status::new(code, message).with_outcome(outcome);
        self.hints(status, rest).map(Failure::Status)
    }

    /// Reads what a server may say of a failure beyond its outcome. The element before it, which would hold a declared error, is
    /// skipped.
    fn hints(&mut self, mut status: Status, rest: &mut Elements) -> Result<Status, Malformed> {
        if rest.take() {
            self.skip(1)?;
        }
        if let Some(micros) = self.optional(rest, |r| r.uint(TIME_TO_WAIT))? {
            status = status.with_retry_after(Duration::from_micros(micros));
        }
        let cause = self.optional(rest, |r| r.uint(CAUSE))?.and_then(Cause::from_number);
        if let Some(cause) = cause {
            status = status.caused_by(cause);
        }
        let details = self.optional(rest, Self::metadata)?;
        Ok(details.into_iter().fold(status, Status::with_details_of_the_wire))
    }

    fn metadata(&mut self) -> Result<Metadata, Malformed> {
        let mut metadata = Metadata::default();
        self.metadata_entries(|name, value| {
            // One entry past the bound is kept, so that the receiver of the call sees it and can say so.
            if metadata.len() <= Metadata::MAX_ENTRIES {
                metadata.insert(name, value.into_owned());
            }
        })?;
        Ok(metadata)
    }

    /// Reads a map of metadata and hands out its entries.
    pub(super) fn metadata_entries(
        &mut self,
        mut entry: impl FnMut(&'a str, Value<'a>),
    ) -> Result<(), Malformed> {
        for _ in 0..self.map_len("a map of metadata")? {
            let name = self.str()?;
            let value = if self.is_bin() { Value::Bytes(self.bin()?) } else { Value::Text(self.str()?) };
            entry(name, value);
        }
        Ok(())
    }
}

/// A metadata value as a slice of the batch.
pub(super) enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    fn into_owned(self) -> MetadataValue {
        match self {
            Self::Text(text) => MetadataValue::Text(text.to_owned()),
            Self::Bytes(bytes) => MetadataValue::Bytes(Bytes::copy_from_slice(bytes)),
        }
    }
}

/// Reports whether records of this kind have a body, to which attachments may belong.
pub(super) fn has_body(kind: u64) -> bool {
    matches!(u8::try_from(kind), Ok(kind::CALL | kind::ONE_WAY | kind::REPLY | kind::ITEMS))
}

// What a `Malformed::Record` says that it expected; read here and by `raw`.
pub(super) const METHOD: &str = "a method's name";
pub(super) const PARAMETERS: &str = "parameters";
pub(super) const TIME_LEFT: &str = "a time left in microseconds";
pub(super) const NUMBER_OF_BYTES: &str = "a number of bytes";
pub(super) const STATUS_CODE: &str = "a status code";
pub(super) const OUTCOME: &str = "an outcome";
pub(super) const DECLARED_ERROR: &str = "a declared error";
pub(super) const TIME_TO_WAIT: &str = "a time to wait in microseconds";
pub(super) const CAUSE: &str = "a cause";
pub(super) const INSTANCE: &str = "the number of a server's life";

/// Number of elements of a record that are not read yet.
pub(super) struct Elements {
    left: u64,
}

impl Elements {
    /// Creates the count of a record of which `left` elements are to be read.
    pub(super) fn of(left: u64) -> Self {
        Self { left }
    }

    /// Returns the number of elements that are not read yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Counts one element as read. Returns `false` if there was none.
    #[inline]
    pub(super) fn take(&mut self) -> bool {
        let any = self.left > 0;
        self.left = self.left.saturating_sub(1);
        any
    }
}

impl Reader<'_> {
    /// Reads the next element, which must be there.
    #[inline]
    pub(super) fn required<T>(
        &mut self,
        rest: &mut Elements,
        expected: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        if rest.take() { read(self) } else { Err(self.expected(expected)) }
    }

    /// Reads the next element, unless it is nil or left off.
    #[inline]
    pub(super) fn optional<T>(
        &mut self,
        rest: &mut Elements,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if !rest.take() || self.nil() { Ok(None) } else { read(self).map(Some) }
    }
}
