//! The records of a batch that came in.
//!
//! Nothing here recurses or allocates by what a peer announces: lengths are compared with the bytes at hand first.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use rmp::Marker;

use super::{DECLARED, VERSION, kind};
use crate::metadata::{Metadata, MetadataValue};
use crate::status::{Cause, Code, Failure, Outcome, Status};

/// Bytes that are no batch of this version. What was read before them stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Malformed {
    /// Another version, or none at all.
    Version(Option<u8>),
    /// A record that is not what it should be, at this byte.
    Record { at: usize, expected: &'static str },
    /// More frames before the batch, or more bytes in them, than there may be.
    TooMuchAttached,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(Some(version)) => write!(
                f,
                "a batch of version {version}, or no batch at all; this side speaks version {VERSION} of the zsvc protocol"
            ),
            Self::Version(None) => f.write_str("an empty message is no batch"),
            Self::Record { at, expected } => {
                write!(f, "a malformed record: {expected} expected at byte {at}")
            }
            Self::TooMuchAttached => {
                f.write_str("a message of more frames, or of more bytes in them, than one may have")
            }
        }
    }
}

impl Malformed {
    /// The status to answer with.
    pub fn status(&self) -> Status {
        let code = match self {
            Self::Version(_) => Code::Unimplemented,
            Self::Record { .. } => Code::InvalidArgument,
            Self::TooMuchAttached => Code::ResourceExhausted,
        };
        Status::new(code, self.to_string()).maybe_executed()
    }
}

/// One record. Slices are of the batch.
#[derive(Debug)]
pub enum Record<'a> {
    Call(CallRecord<'a>),
    OneWay(CallRecord<'a>),
    Reply {
        id: u64,
        body: &'a [u8],
    },
    Error {
        id: u64,
        failure: Failure,
    },
    Items {
        id: u64,
        items: &'a [u8],
    },
    End {
        id: u64,
    },
    Credit {
        id: u64,
        bytes: u64,
    },
    Cancel {
        id: u64,
    },
    Ping {
        id: u64,
    },
    Pong {
        id: u64,
    },
    GoingAway,
    /// One of a kind that this version does not know and may not skip. The records after it stand.
    Unknown {
        kind: u64,
        id: u64,
    },
}

/// What to say of a [`Record::Unknown`].
pub fn unknown_kind(kind: u64) -> Status {
    Status::unimplemented(format!("a record of kind {kind}, which this version does not know"))
        .maybe_executed()
}

/// A call, or a one-way call.
#[derive(Debug)]
pub struct CallRecord<'a> {
    pub id: u64,
    /// `package.Service/method`, as the client has written it: names are looked up by their bytes.
    pub method: &'a [u8],
    /// The parameters.
    pub body: &'a [u8],
    /// The time left.
    pub timeout: Option<Duration>,
    pub metadata: Metadata,
    /// The bytes of items that the client can take at first.
    pub credit: u64,
}

/// Goes through the records of one batch.
#[derive(Debug)]
pub struct Reader<'a> {
    batch: &'a [u8],
    at: usize,
    /// How many attachments the next record must speak of. `None` where nobody will read what it speaks of.
    attachments: Option<usize>,
}

impl<'a> Reader<'a> {
    /// Checks the version. What is attached to records is not looked at.
    #[inline]
    pub fn new(batch: &'a [u8]) -> Result<Self, Malformed> {
        match batch.first() {
            Some(&VERSION) => Ok(Self { batch, at: 1, attachments: None }),
            other => Err(Malformed::Version(other.copied())),
        }
    }

    /// The same, of a batch whose first record has so many attachments.
    #[inline]
    pub(super) fn with_attachments(self, number: usize) -> Self {
        Self { attachments: Some(number), ..self }
    }

    /// The records of a batch that came in from this byte on, at which one begins, and not the first.
    pub(super) fn resume(batch: &'a [u8], at: usize) -> Self {
        Self { batch, at, attachments: Some(0) }
    }

    /// Where the next record begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next record, `None` at the end. After an error the rest can't be read.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'a>>, Malformed> {
        while self.at < self.batch.len() {
            let elements = self.array_len()?;
            if elements < 2 {
                return Err(self.expected("an array of a kind and an id"));
            }
            let kind = self.uint("a record's kind")?;
            let id = self.uint("a call's id")?;
            let mut rest = Elements { left: elements - 2 };
            let record = self.record(kind, id, &mut rest)?;
            if rest.left > 0 {
                self.further(kind, rest.left)?;
            }
            if record.is_some() {
                return Ok(record);
            }
        }
        Ok(None)
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
            Ok(kind::CREDIT) => Record::Credit {
                id,
                bytes: self.required(rest, "a number of bytes", |r| r.uint("a number of bytes"))?,
            },
            Ok(kind::CANCEL) => Record::Cancel { id },
            Ok(kind::PING) => Record::Ping { id },
            Ok(kind::PONG) => Record::Pong { id },
            Ok(kind::GOING_AWAY) => Record::GoingAway,
            _ if kind >= kind::FIRST_OPTIONAL => return Ok(None),
            _ => Record::Unknown { kind, id },
        };
        Ok(Some(record))
    }

    #[inline]
    fn call(&mut self, id: u64, rest: &mut Elements) -> Result<CallRecord<'a>, Malformed> {
        let method = self.required(rest, "a method's name", Self::text)?;
        let body = self.required(rest, "parameters", Self::bin)?;
        let timeout =
            self.optional(rest, |r| r.uint("a time left in microseconds"))?.map(Duration::from_micros);
        let metadata = self.optional(rest, Self::metadata)?.unwrap_or_default();
        let credit = self.optional(rest, |r| r.uint("a number of bytes"))?.unwrap_or(0);
        Ok(CallRecord { id, method, body, timeout, metadata, credit })
    }

    /// Passes over so many elements beyond the others. The first of them tells the places of attachments, where there is a body.
    #[cold]
    fn further(&mut self, kind: u64, mut left: u64) -> Result<(), Malformed> {
        let has_body =
            matches!(u8::try_from(kind), Ok(kind::CALL | kind::ONE_WAY | kind::REPLY | kind::ITEMS));
        if has_body && let Some(attachments) = self.attachments.as_mut().map(std::mem::take) {
            let places = self.places()?;
            self.check_places(places, attachments)?;
            self.skip(places)?;
            left -= 1;
        }
        self.skip(left)
    }

    /// How many places follow.
    #[cold]
    pub(super) fn places(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        if self.peek()? == Marker::Null {
            self.at += 1;
            return Ok(0);
        }
        let places = self.array_len();
        places.map_err(|_| Malformed::Record { at: start, expected: "an array of places in the body" })
    }

    pub(super) fn check_places(&self, places: u64, attachments: usize) -> Result<(), Malformed> {
        if places == attachments as u64 {
            return Ok(());
        }
        Err(self.expected("as many places in the body as frames before the batch"))
    }

    fn failure(&mut self, rest: &mut Elements) -> Result<Failure, Malformed> {
        let code = self.required(rest, "a status code", |r| r.uint("a status code"))?;
        let message = self.optional(rest, Self::str)?.unwrap_or_default().to_owned();
        let outcome = self.optional(rest, |r| r.uint("an outcome"))?;
        if code == u64::from(DECLARED) {
            let body = self.required(rest, "a declared error", Self::bin)?;
            return Ok(Failure::Declared { body: Bytes::copy_from_slice(body), message });
        }
        let outcome =
            outcome.map_or(Outcome::MaybeExecuted, |n| Outcome::from_number(u8::try_from(n).unwrap_or(1)));
        let code = Code::from_number(u8::try_from(code).unwrap_or(u8::MAX));
        let status = Status::new(code, message).with_outcome(outcome);
        self.hints(status, rest).map(Failure::Status)
    }

    /// What a server may say of a failure beyond its outcome, past the place of the declared error that it is not.
    fn hints(&mut self, mut status: Status, rest: &mut Elements) -> Result<Status, Malformed> {
        if rest.take() {
            self.skip(1)?;
        }
        if let Some(micros) = self.optional(rest, |r| r.uint("a time to wait in microseconds"))? {
            status = status.with_retry_after(Duration::from_micros(micros));
        }
        let cause = self.optional(rest, |r| r.uint("a cause"))?.and_then(Cause::from_number);
        Ok(match cause {
            Some(cause) => status.caused_by(cause),
            None => status,
        })
    }

    fn metadata(&mut self) -> Result<Metadata, Malformed> {
        let entries = match self.marker("metadata")? {
            Marker::FixMap(n) => usize::from(n),
            Marker::Map16 => self.length::<2>()?,
            Marker::Map32 => self.length::<4>()?,
            _ => return Err(self.expected("a map of metadata")),
        };
        let mut metadata = Metadata::default();
        for _ in 0..entries {
            // One past the bound is kept, so that whoever takes the call sees it and says so.
            let name = self.str()?;
            let value = self.metadata_value()?;
            if metadata.len() <= Metadata::MAX_ENTRIES {
                metadata.insert(name, value);
            }
        }
        Ok(metadata)
    }

    fn metadata_value(&mut self) -> Result<MetadataValue, Malformed> {
        match self.peek()? {
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                Ok(MetadataValue::Bytes(Bytes::copy_from_slice(self.bin()?)))
            }
            _ => Ok(MetadataValue::Text(self.str()?.to_owned())),
        }
    }

    /// The next element, which must be there.
    #[inline]
    fn required<T>(
        &mut self,
        rest: &mut Elements,
        expected: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        if rest.take() { read(self) } else { Err(self.expected(expected)) }
    }

    /// The next element, unless it is nil or left off.
    #[inline]
    fn optional<T>(
        &mut self,
        rest: &mut Elements,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if !rest.take() {
            return Ok(None);
        }
        if self.peek()? == Marker::Null {
            self.at += 1;
            return Ok(None);
        }
        read(self).map(Some)
    }
}

/// How many elements of a record are still to come.
struct Elements {
    left: u64,
}

impl Elements {
    #[inline]
    fn take(&mut self) -> bool {
        let any = self.left > 0;
        self.left = self.left.saturating_sub(1);
        any
    }
}

/// The forms of MessagePack, <https://github.com/msgpack/msgpack/blob/master/spec.md>.
impl<'a> Reader<'a> {
    #[cold]
    pub(super) fn expected(&self, expected: &'static str) -> Malformed {
        Malformed::Record { at: self.at, expected }
    }

    #[inline]
    fn peek(&self) -> Result<Marker, Malformed> {
        let byte = self.batch.get(self.at).ok_or_else(|| self.expected("more of a record"))?;
        Ok(Marker::from_u8(*byte))
    }

    #[inline]
    fn marker(&mut self, expected: &'static str) -> Result<Marker, Malformed> {
        let marker = self.peek().map_err(|_| self.expected(expected))?;
        self.at += 1;
        Ok(marker)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.batch.len());
        let end = end.ok_or_else(|| self.expected("more of a record"))?;
        let bytes = &self.batch[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    /// A big-endian unsigned integer of 1, 2, 4 or 8 bytes.
    #[inline]
    fn big_endian<const WIDTH: usize>(&mut self) -> Result<u64, Malformed> {
        let mut wide = [0; 8];
        wide[8 - WIDTH..].copy_from_slice(self.take(WIDTH)?);
        Ok(u64::from_be_bytes(wide))
    }

    #[inline]
    fn length<const WIDTH: usize>(&mut self) -> Result<usize, Malformed> {
        let length = self.big_endian::<WIDTH>()?;
        usize::try_from(length).map_err(|_| self.expected("a shorter value"))
    }

    #[inline]
    pub(super) fn uint(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        match *self.batch.get(self.at..).unwrap_or_default() {
            [small @ ..0x80, ..] => {
                self.at += 1;
                Ok(u64::from(small))
            }
            // Ids and times, mostly.
            [0xce, a, b, c, d, ..] => {
                self.at += 5;
                Ok(u64::from(u32::from_be_bytes([a, b, c, d])))
            }
            _ => self.other_uint(expected),
        }
    }

    fn other_uint(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        let start = self.at;
        match self.marker(expected)? {
            Marker::FixPos(value) => Ok(u64::from(value)),
            Marker::U8 => self.big_endian::<1>(),
            Marker::U16 => self.big_endian::<2>(),
            Marker::U32 => self.big_endian::<4>(),
            Marker::U64 => self.big_endian::<8>(),
            // Some encoders write positive numbers in signed forms.
            Marker::I8 => self.signed::<1>(expected),
            Marker::I16 => self.signed::<2>(expected),
            Marker::I32 => self.signed::<4>(expected),
            Marker::I64 => self.signed::<8>(expected),
            _ => Err(Malformed::Record { at: start, expected }),
        }
    }

    fn signed<const WIDTH: usize>(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        let value = self.big_endian::<WIDTH>()?;
        if value >> (8 * WIDTH - 1) == 0 { Ok(value) } else { Err(self.expected(expected)) }
    }

    #[inline]
    pub(super) fn array_len(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        match self.marker("a record")? {
            Marker::FixArray(n) => Ok(u64::from(n)),
            Marker::Array16 => self.big_endian::<2>(),
            Marker::Array32 => self.big_endian::<4>(),
            _ => Err(Malformed::Record { at: start, expected: "a record, which is an array," }),
        }
    }

    #[inline]
    pub(super) fn bin(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        let length = match self.marker("a body")? {
            Marker::Bin8 => self.length::<1>()?,
            Marker::Bin16 => self.length::<2>()?,
            Marker::Bin32 => self.length::<4>()?,
            _ => return Err(Malformed::Record { at: start, expected: "a `bin`" }),
        };
        self.take(length)
    }

    fn str(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        std::str::from_utf8(self.text()?)
            .map_err(|_| Malformed::Record { at: start, expected: "text in UTF-8" })
    }

    /// A `str` of which nobody has looked whether it is UTF-8.
    #[inline]
    fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        let length = match self.marker("a `str`")? {
            Marker::FixStr(n) => usize::from(n),
            Marker::Str8 => self.length::<1>()?,
            Marker::Str16 => self.length::<2>()?,
            Marker::Str32 => self.length::<4>()?,
            _ => return Err(Malformed::Record { at: start, expected: "a `str`" }),
        };
        self.take(length)
    }

    /// Passes over so many values, however deep they are: by counting, not by recursion.
    pub(super) fn skip(&mut self, values: u64) -> Result<(), Malformed> {
        let mut left = values;
        while left > 0 {
            left -= 1;
            let (bytes, inner) = self.extent()?;
            self.take(bytes)?;
            left = left.checked_add(inner).ok_or_else(|| self.expected("a shorter value"))?;
        }
        Ok(())
    }

    /// Of the value that begins here, its marker and length already passed: how many bytes it has of its own, and how
    /// many values it holds.
    fn extent(&mut self) -> Result<(usize, u64), Malformed> {
        Ok(match self.marker("a value")? {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => (0, 0),
            Marker::U8 | Marker::I8 => (1, 0),
            Marker::U16 | Marker::I16 | Marker::FixExt1 => (2, 0),
            Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
            Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
            Marker::FixExt2 => (3, 0),
            Marker::FixExt4 => (5, 0),
            Marker::FixExt8 => (9, 0),
            Marker::FixExt16 => (17, 0),
            Marker::FixStr(n) => (usize::from(n), 0),
            Marker::Str8 | Marker::Bin8 => (self.length::<1>()?, 0),
            Marker::Str16 | Marker::Bin16 => (self.length::<2>()?, 0),
            Marker::Str32 | Marker::Bin32 => (self.length::<4>()?, 0),
            Marker::Ext8 => (self.length::<1>()?.saturating_add(1), 0),
            Marker::Ext16 => (self.length::<2>()?.saturating_add(1), 0),
            Marker::Ext32 => (self.length::<4>()?.saturating_add(1), 0),
            Marker::FixArray(n) => (0, u64::from(n)),
            Marker::Array16 => (0, self.big_endian::<2>()?),
            Marker::Array32 => (0, self.big_endian::<4>()?),
            Marker::FixMap(n) => (0, 2 * u64::from(n)),
            Marker::Map16 => (0, 2 * self.big_endian::<2>()?),
            Marker::Map32 => (0, 2 * self.big_endian::<4>()?),
            Marker::Reserved => return Err(self.expected("a MessagePack value")),
        })
    }
}
