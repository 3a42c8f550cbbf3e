//! Bytes to values: the [`Reader`] that goes through a message, and [`Decode`] for types that are read in one way.
//!
//! Nothing here is generic over the source, so that a type is compiled once. What comes as expected is read here, straight
//! through. All else goes to serde and `rmp-serde`, by [`Reader::via_serde`]: numbers in roundabout forms, broken
//! bytes, and users' types. Scalars are in [`scalars`].

mod scalars;

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use bytes::Bytes;
use rmpv::Value;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

use super::blob::{MIN_SHARED_BYTES, copy_into_block};
use super::body::{Attachment, Body};
use super::encode::{Encode as _, Writer};
use super::error::DecodeError;
use super::kept::Kept;
use super::memory::Memory;
use super::{MAX_DEPTH, stack};
use crate::msgpack::{NIL, read};

/// A type that is read in one way alone.
pub trait Decode: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// The bytes are not such a value. The reader is of no use afterwards.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// The part of a message that is not read yet.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) rest: &'a [u8],
    /// The message, if it is long enough for slices of it to be shared.
    source: Option<&'a Bytes>,
    /// Out-of-line parts that are not read yet.
    attachments: &'a [Attachment],
    /// Number of arrays and maps that may still be entered.
    pub(super) levels: usize,
    /// Whether `rest` is one value inside a map of field names, which was checked to be complete.
    pub(super) kept: bool,
    /// What the values may take.
    pub(super) memory: Memory,
}

type SerdeDeserializer<'a> = rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'a, [u8]>>;

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn new(body: &'a Body, memory: Memory) -> Self {
        // In a short message nothing is long enough to be shared.
        let source = (body.bytes.len() > MIN_SHARED_BYTES).then_some(&body.bytes);
        Self { source, attachments: body.attachments.as_slice(), memory, ..Self::over(&body.bytes) }
    }

    /// Creates a reader of bytes of which no slice is shared, and whose values are not counted.
    #[inline]
    pub(super) fn over(bytes: &'a [u8]) -> Self {
        let memory = Memory::unbounded();
        Self { rest: bytes, source: None, attachments: &[], levels: MAX_DEPTH, kept: false, memory }
    }

    #[inline]
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty() && self.attachments.is_empty()
    }

    /// Returns the number of bytes and of attachments that are not read yet.
    #[inline]
    pub(super) fn left(&self) -> (usize, usize) {
        (self.rest.len(), self.attachments.len())
    }

    /// Enters an array or a map.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), DecodeError> {
        match self.levels.checked_sub(1) {
            Some(levels) => {
                self.levels = levels;
                Ok(())
            }
            None => Err(DecodeError::too_deep()),
        }
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.levels += 1;
    }

    /// Checks the stack before a struct or a union, which may hold itself.
    #[inline]
    pub(super) fn check_stack() -> Result<(), DecodeError> {
        if stack::is_exhausted() { Err(DecodeError::too_deep()) } else { Ok(()) }
    }

    /// Reads by serde: a user's type, or a value that does not come as expected.
    #[cold]
    pub(super) fn via_serde<T: DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        self.count_values_inside()?;
        self.via_serde_seed(PhantomData)
    }

    /// Counts the values inside the next one as if each were kept as a [`Value`]: what a user's type makes of them can't be
    /// known. The next one itself lies in what holds it.
    fn count_values_inside(&mut self) -> Result<(), DecodeError> {
        // What is broken takes nothing, and the error should say that it is broken.
        let Some((_, values)) = read::extent_of_values(self.rest, 1) else { return Ok(()) };
        self.memory.count(values - 1, size_of::<Value>())
    }

    /// Reads a string, and from it a user's type, by serde, which is told that the format is for people.
    #[cold]
    pub(super) fn text_via_serde<T: DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        let mut out = Writer::new(Vec::new());
        String::decode(self)?.encode(&mut out);
        let (bytes, _) = out.finish();
        let deserializer = SerdeDeserializer::from_read_ref(&bytes);
        T::deserialize(&mut deserializer.with_human_readable()).map_err(|error| DecodeError::new(&error))
    }

    /// Reads by serde, with a seed.
    #[cold]
    pub(super) fn via_serde_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        let result = if self.kept {
            self.count_values_inside()?;
            Value::deserialize(&mut self.serde_deserializer())
                .and_then(|value| seed.deserialize(Kept::new(value)))
        } else {
            seed.deserialize(&mut self.serde_deserializer())
        };
        match result {
            Ok(value) => self.step_over().map(|()| value),
            Err(error) => Err(DecodeError::new(&error)),
        }
    }

    fn serde_deserializer(&self) -> SerdeDeserializer<'a> {
        let mut deserializer = SerdeDeserializer::from_read_ref(self.rest);
        // It refuses the level at which its count reaches zero.
        deserializer.set_max_depth(self.levels + 1);
        deserializer
    }

    /// Returns an error that says what there is instead of what is `expected`.
    #[cold]
    pub(super) fn unexpected(&mut self, expected: &'static str) -> DecodeError {
        match self.via_serde_seed(Expected(expected)) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    /// Skips a value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        if self.nil() {
            return Ok(());
        }
        if !self.kept {
            IgnoredAny::deserialize(&mut self.serde_deserializer())
                .map_err(|error| DecodeError::new(&error))?;
        }
        self.step_over()
    }

    /// Skips a value that was checked. Needed after `rmp-serde` has read one, because it does not tell how far it has come.
    fn step_over(&mut self) -> Result<(), DecodeError> {
        let length = read::length_of_values(self.rest, 1).ok_or_else(DecodeError::truncated)?;
        self.rest = &self.rest[length..];
        Ok(())
    }

    /// Takes what was read off the front, if anything was.
    #[inline]
    fn after<T>(&mut self, read: Option<(T, &'a [u8])>) -> Option<T> {
        let (value, rest) = read?;
        self.rest = rest;
        Some(value)
    }

    /// Takes a nil, if one comes next.
    #[inline]
    pub(super) fn nil(&mut self) -> bool {
        let [NIL, rest @ ..] = self.rest else { return false };
        self.rest = rest;
        true
    }

    /// Takes the header of an array, if one comes next. Returns the number of elements.
    pub(super) fn array(&mut self) -> Option<usize> {
        self.after(read::array_header(self.rest))
    }

    /// Takes the header of a map, if one comes next. Returns the number of entries.
    pub(super) fn map(&mut self) -> Option<usize> {
        self.after(read::map_header(self.rest))
    }

    /// Reads bytes in place of a list as `rmp-serde` does: as a list of small numbers, which is returned encoded.
    #[cold]
    pub(super) fn bytes_as_list(&mut self) -> Result<Vec<u8>, DecodeError> {
        let bytes = if self.kept { None } else { self.bin() };
        let Some(bytes) = bytes else { return Err(self.unexpected("a list")) };
        let mut out = Writer::new(Vec::new());
        out.array(bytes.len());
        for byte in bytes {
            out.uint((*byte).into());
        }
        Ok(out.finish().0)
    }

    /// Takes a string, if one comes next.
    pub(super) fn str(&mut self) -> Option<&'a str> {
        let (length, rest) = read::str_header(self.rest)?;
        let (text, rest) = rest.split_at_checked(length)?;
        let text = str::from_utf8(text).ok()?;
        self.rest = rest;
        Some(text)
    }

    /// Takes a binary, if one comes next.
    pub(super) fn bin(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = read::bin_header(self.rest)?;
        self.after(rest.split_at_checked(length))
    }

    /// Takes a binary that is an out-of-line part, if one comes next.
    #[inline]
    pub(super) fn attachment(&mut self) -> Option<Bytes> {
        // Inside a map of field names `rest` does not reach to the end of the body, from where places are counted.
        if self.attachments.is_empty() || self.kept { None } else { self.first_attachment() }
    }

    #[cold]
    fn first_attachment(&mut self) -> Option<Bytes> {
        let (first, others) = self.attachments.split_first()?;
        let (length, rest) = read::bin_header(self.rest)?;
        if first.after != rest.len() || first.bytes.len() != length {
            return None;
        }
        (self.rest, self.attachments) = (rest, others);
        Some(first.bytes.clone())
    }

    /// Returns a slice of the message as shared bytes, or a copy if it is short. `slice` was just read from this reader.
    pub(super) fn share(&self, slice: &'a [u8]) -> Bytes {
        match self.source {
            _ if slice.len() < MIN_SHARED_BYTES => copy_into_block(slice),
            Some(source) => source.slice_ref(slice),
            None => Bytes::copy_from_slice(slice),
        }
    }

    /// Takes an extension of the type `kind` and of 4, 8 or 12 bytes, if one comes next that `parse` accepts.
    pub(super) fn extension<T>(&mut self, kind: i8, parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let (found, length, rest) = match *self.rest {
            [0xd6, found, ref rest @ ..] => (found, 4, rest),
            [0xd7, found, ref rest @ ..] => (found, 8, rest),
            [0xc7, 12, found, ref rest @ ..] => (found, 12, rest),
            _ => return None,
        };
        let (data, rest) = rest.split_at_checked(length)?;
        let value = if [found] == kind.to_be_bytes() { parse(data) } else { None };
        self.rest = value.as_ref().map_or(self.rest, |_| rest);
        value
    }
}

/// A visitor that accepts nothing, for the error that it returns.
struct Expected(&'static str);

/// A type without values.
pub(super) enum Never {}

impl<'de> DeserializeSeed<'de> for Expected {
    type Value = Never;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Never, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Expected {
    type Value = Never;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
