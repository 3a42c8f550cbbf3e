//! [`Timestamp`]: a point in time, MessagePack's own extension type -1.
//!
//! Nanoseconds since 1970 in UTC, without leap seconds. The text form is in [`text`]. There is no calendar and no time zone here:
//! other crates have them, and convert from and to [`SystemTime`].

mod text;

use std::fmt::{self, Formatter};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rmp_serde::MSGPACK_EXT_STRUCT_NAME as EXTENSION;
use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::decode::{Decode, Reader};
use super::encode::{Encode, Writer};
use super::error::DecodeError;

pub use text::ParseTimestampError;

/// Number of MessagePack's extension type for timestamps.
const TYPE: i8 = -1;

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// A point in time, to the nanosecond.
///
/// ```
/// # mod zsvc { pub use zsvc_proto::codec::{ParseTimestampError, Timestamp}; }
/// let noon: zsvc::Timestamp = "2026-03-01T12:00:00Z".parse()?;
/// assert_eq!(noon.seconds(), 1_772_366_400);
/// assert_eq!(noon.to_string(), "2026-03-01T12:00:00Z");
/// # Ok::<(), zsvc::ParseTimestampError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds since 1970, rounded down, so that `nanoseconds` is never negative.
    seconds: i64,
    /// Nanoseconds since the last whole second, below 1,000,000,000.
    nanoseconds: u32,
}

impl Timestamp {
    /// Midnight of 1 January 1970 in UTC.
    pub const EPOCH: Self = Self { seconds: 0, nanoseconds: 0 };
    /// The earliest timestamp.
    pub const MIN: Self = Self { seconds: i64::MIN, nanoseconds: 0 };
    /// The latest timestamp.
    pub const MAX: Self = Self { seconds: i64::MAX, nanoseconds: NANOSECONDS_PER_SECOND - 1 };

    /// Creates a timestamp from seconds since 1970 and nanoseconds after them. Returns `None` for 1,000,000,000
    /// nanoseconds or more.
    #[must_use]
    pub const fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        if nanoseconds < NANOSECONDS_PER_SECOND { Some(Self { seconds, nanoseconds }) } else { None }
    }

    /// Creates a timestamp from seconds since 1970, negative before it.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Returns the present time of the system's clock.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Returns the whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Returns the nanoseconds since the last whole second, below 1,000,000,000.
    #[must_use]
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Adds a duration. Returns `None` past [`Self::MAX`].
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanoseconds = self.nanoseconds + duration.subsec_nanos();
        let carry = u64::from(nanoseconds / NANOSECONDS_PER_SECOND);
        let seconds = self.seconds.checked_add_unsigned(duration.as_secs())?.checked_add_unsigned(carry)?;
        Self::new(seconds, nanoseconds % NANOSECONDS_PER_SECOND)
    }

    /// Subtracts a duration. Returns `None` before [`Self::MIN`].
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let (nanoseconds, borrow) = match self.nanoseconds.checked_sub(duration.subsec_nanos()) {
            Some(nanoseconds) => (nanoseconds, 0),
            None => (self.nanoseconds + NANOSECONDS_PER_SECOND - duration.subsec_nanos(), 1),
        };
        let seconds = self.seconds.checked_sub_unsigned(duration.as_secs())?.checked_sub_unsigned(borrow)?;
        Self::new(seconds, nanoseconds)
    }

    /// Returns the duration from `earlier` to this timestamp, or `None` if this one is before it.
    #[must_use]
    pub fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        if self < earlier {
            return None;
        }
        let seconds = self.seconds.abs_diff(earlier.seconds);
        let (seconds, nanoseconds) = match self.nanoseconds.checked_sub(earlier.nanoseconds) {
            Some(nanoseconds) => (seconds, nanoseconds),
            None => (seconds - 1, self.nanoseconds + NANOSECONDS_PER_SECOND - earlier.nanoseconds),
        };
        Some(Duration::new(seconds, nanoseconds))
    }
}

impl From<SystemTime> for Timestamp {
    /// Converts a time of the system's clock. None reaches further than a timestamp; one that did would become [`Self::MIN`] or
    /// [`Self::MAX`].
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::EPOCH.checked_add(after).unwrap_or(Self::MAX),
            Err(error) => Self::EPOCH.checked_sub(error.duration()).unwrap_or(Self::MIN),
        }
    }
}

/// A timestamp that the system's clock can't represent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOutOfRange(());

impl fmt::Display for TimestampOutOfRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the timestamp lies outside of what the system's clock can show")
    }
}

impl std::error::Error for TimestampOutOfRange {}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampOutOfRange;

    fn try_from(time: Timestamp) -> Result<Self, TimestampOutOfRange> {
        let time = match time.checked_duration_since(Timestamp::EPOCH) {
            Some(after) => UNIX_EPOCH.checked_add(after),
            None => Timestamp::EPOCH
                .checked_duration_since(time)
                .and_then(|before| UNIX_EPOCH.checked_sub(before)),
        };
        time.ok_or(TimestampOutOfRange(()))
    }
}

impl Timestamp {
    /// Writes the extension's data in the shortest of the three forms that holds it. Returns the part of `buffer` that is used.
    #[inline]
    fn data(self, buffer: &mut [u8; 12]) -> &[u8] {
        match (u32::try_from(self.seconds), u64::try_from(self.seconds)) {
            (Ok(seconds), _) if self.nanoseconds == 0 => put(buffer, &seconds.to_be_bytes()),
            (_, Ok(seconds)) if seconds < 1 << 34 => {
                put(buffer, &(u64::from(self.nanoseconds) << 34 | seconds).to_be_bytes())
            }
            _ => {
                buffer[..4].copy_from_slice(&self.nanoseconds.to_be_bytes());
                buffer[4..].copy_from_slice(&self.seconds.to_be_bytes());
                buffer
            }
        }
    }
}

impl Encode for Timestamp {
    fn encode(&self, out: &mut Writer) {
        out.extension(TYPE, self.data(&mut [0; 12]));
    }
}

impl Decode for Timestamp {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.extension(TYPE, parse) {
            Some(time) => Ok(time),
            None => reader.via_serde(),
        }
    }
}

impl Serialize for Timestamp {
    /// Writes RFC 3339 where the format is for people, and MessagePack's extension elsewhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        serializer.serialize_newtype_struct(EXTENSION, &(TYPE, Data(self.data(&mut [0; 12]))))
    }
}

#[inline]
fn put<'a>(buffer: &'a mut [u8; 12], data: &[u8]) -> &'a [u8] {
    buffer[..data.len()].copy_from_slice(data);
    &buffer[..data.len()]
}

/// Bytes that serde writes as bytes, not as a list.
struct Data<'a>(&'a [u8]);

impl Serialize for Data<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(TextVisitor);
        }
        deserializer.deserialize_newtype_struct(EXTENSION, TimestampVisitor)
    }
}

/// Visits a timestamp as text. A deserializer over a [`rmpv::Value`] says that it is for people, and has an extension.
struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a point in time such as `2026-03-01T12:00:00Z`")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Timestamp, D::Error> {
        TimestampVisitor.visit_newtype_struct(deserializer)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Visits an extension, which is a pair of its type and its data.
struct TimestampVisitor;

impl<'de> Visitor<'de> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a timestamp, which is MessagePack's extension type -1")
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Timestamp, A::Error> {
        let found: Option<i8> = access.next_element()?;
        if found != Some(TYPE) {
            return Err(de::Error::invalid_type(Unexpected::Other("another extension type"), &self));
        }
        let found: Option<Parsed> = access.next_element()?;
        found.map(|Parsed(time)| time).ok_or_else(|| de::Error::invalid_length(1, &self))
    }
}

/// A timestamp read from the extension's data.
struct Parsed(Timestamp);

impl<'de> Deserialize<'de> for Parsed {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(DataVisitor).map(Self)
    }
}

struct DataVisitor;

impl Visitor<'_> for DataVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("4, 8 or 12 bytes with fewer than 1,000,000,000 nanoseconds")
    }

    #[inline]
    fn visit_bytes<E: de::Error>(self, data: &[u8]) -> Result<Timestamp, E> {
        parse(data).ok_or_else(|| E::invalid_value(Unexpected::Bytes(data), &self))
    }
}

#[inline]
fn parse(data: &[u8]) -> Option<Timestamp> {
    if let Ok(seconds) = data.try_into().map(u32::from_be_bytes) {
        return Some(Timestamp::from_seconds(seconds.into()));
    }
    if let Ok(both) = data.try_into().map(u64::from_be_bytes) {
        let seconds = i64::try_from(both & ((1 << 34) - 1)).ok()?;
        return Timestamp::new(seconds, u32::try_from(both >> 34).ok()?);
    }
    let (nanoseconds, seconds) = data.split_first_chunk()?;
    Timestamp::new(i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(*nanoseconds))
}
