//! Bytes to values: the [`Reader`] that goes through a message, and [`Decode`] for what can be made of it.
//!
//! Nothing here is generic over what is read from, so that a type is compiled once. What comes as it is expected is read
//! here, straight through. All else goes to serde and `rmp-serde`, by [`Reader::via_serde`]: numbers in roundabout forms, what
//! is broken, and types of the user's.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use bytes::Bytes;
use rmpv::Value;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::blob::{MIN_SHARED, copy_into_block};
use super::body::{Attachment, Body};
use super::encode::{Encode, Writer};
use super::error::DecodeError;
use super::form::Plain;
use super::kept::Kept;
use super::nested::{read_list, read_map};
use super::{MAX_DEPTH, skip, stack};

/// A type that is read in one way alone.
pub trait Decode: Sized {
    /// Reads a value. After an error the reader is of no use.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// What is left of a message that is being read.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) rest: &'a [u8],
    /// The message, where it is long enough for anything in it to be shared.
    source: Option<&'a Bytes>,
    /// What lies apart and was not read yet.
    attachments: &'a [Attachment],
    /// How many more arrays and maps may be gone into.
    levels: usize,
    /// All that is left is a value inside a map from names, which was looked through and holds what it says it does.
    pub(super) kept: bool,
}

type SerdeDeserializer<'a> = rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'a, [u8]>>;

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn new(body: &'a Body) -> Self {
        // Where it is short, nothing in it can be long enough.
        let source = (body.bytes.len() > MIN_SHARED).then_some(&body.bytes);
        Self { source, attachments: body.attachments.as_slice(), ..Self::over(&body.bytes) }
    }

    /// Reads bytes that nobody else holds.
    #[inline]
    pub(super) fn over(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, source: None, attachments: &[], levels: MAX_DEPTH, kept: false }
    }

    #[inline]
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty() && self.attachments.is_empty()
    }

    /// How many bytes, and how many attachments, are left.
    #[inline]
    pub(super) fn left(&self) -> (usize, usize) {
        (self.rest.len(), self.attachments.len())
    }

    /// Goes into an array or a map.
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

    /// Goes into a struct or a union, which may hold itself.
    #[inline]
    pub(super) fn check_stack() -> Result<(), DecodeError> {
        if stack::is_exhausted() { Err(DecodeError::too_deep()) } else { Ok(()) }
    }

    /// Reads by serde: a type of the user's, or what does not come as it is expected.
    #[cold]
    pub(super) fn via_serde<T: DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        self.via_serde_seed(PhantomData)
    }

    /// [`Reader::via_serde`], with a seed.
    #[cold]
    pub(super) fn via_serde_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        let result = if self.kept {
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
        // It refuses the level at which its count reaches nought.
        deserializer.set_max_depth(self.levels + 1);
        deserializer
    }

    /// Tells what there is instead of what is `expected`.
    #[cold]
    pub(super) fn unexpected(&mut self, expected: &'static str) -> DecodeError {
        match self.via_serde_seed(Expected(expected)) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    /// Steps over a value of any kind.
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

    /// Steps over a value that was looked through.
    fn step_over(&mut self) -> Result<(), DecodeError> {
        let length = skip::length_of_first(self.rest).ok_or_else(DecodeError::truncated)?;
        self.rest = &self.rest[length..];
        Ok(())
    }

    /// Takes a nil, if there is one.
    #[inline]
    pub(super) fn nil(&mut self) -> bool {
        let [0xc0, rest @ ..] = self.rest else { return false };
        self.rest = rest;
        true
    }

    /// The number of elements of an array, if there is one; and goes on to the first.
    pub(super) fn array(&mut self) -> Option<usize> {
        let (length, rest) = match *self.rest {
            [short @ 0x90..=0x9f, ref rest @ ..] => (usize::from(short & 0x0f), rest),
            [0xdc, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
            [0xdd, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
            _ => return None,
        };
        self.rest = rest;
        Some(length)
    }

    /// The number of entries of a map, if there is one; and goes on to the first.
    pub(super) fn map(&mut self) -> Option<usize> {
        let (length, rest) = match *self.rest {
            [short @ 0x80..=0x8f, ref rest @ ..] => (usize::from(short & 0x0f), rest),
            [0xde, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
            [0xdf, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
            _ => return None,
        };
        self.rest = rest;
        Some(length)
    }

    /// Bytes where a list was to be, as `rmp-serde` reads them: as a list of small numbers.
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

    /// A text, if there is one.
    pub(super) fn str(&mut self) -> Option<&'a str> {
        let (length, rest) = match *self.rest {
            [short @ 0xa0..=0xbf, ref rest @ ..] => (usize::from(short & 0x1f), rest),
            [0xd9, a, ref rest @ ..] => (usize::from(a), rest),
            [0xda, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
            [0xdb, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
            _ => return None,
        };
        let (text, rest) = rest.split_at_checked(length)?;
        let text = str::from_utf8(text).ok()?;
        self.rest = rest;
        Some(text)
    }

    /// Bytes, if there are any.
    pub(super) fn bin(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.bin_header()?;
        let (bytes, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Bytes that lie apart, if those come next.
    #[inline]
    pub(super) fn attachment(&mut self) -> Option<Bytes> {
        // Inside a map from names, what is left is no longer the end of the body, from where places are counted.
        if self.attachments.is_empty() || self.kept { None } else { self.first_attachment() }
    }

    #[cold]
    fn first_attachment(&mut self) -> Option<Bytes> {
        let (first, others) = self.attachments.split_first()?;
        let (length, rest) = self.bin_header()?;
        if first.after != rest.len() || first.bytes.len() != length {
            return None;
        }
        (self.rest, self.attachments) = (rest, others);
        Some(first.bytes.clone())
    }

    #[inline]
    fn bin_header(&self) -> Option<(usize, &'a [u8])> {
        Some(match *self.rest {
            [0xc4, a, ref rest @ ..] => (usize::from(a), rest),
            [0xc5, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
            [0xc6, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
            _ => return None,
        })
    }

    /// A slice of the message that was just read as a part of it, or a copy where it is short.
    pub(super) fn share(&self, slice: &'a [u8]) -> Bytes {
        match self.source {
            _ if slice.len() < MIN_SHARED => copy_into_block(slice),
            Some(source) => source.slice_ref(slice),
            None => Bytes::copy_from_slice(slice),
        }
    }

    /// What is made of an extension of this type in its usual length, if there is one.
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

    /// A number without a sign that can be a `T`, if there is one.
    #[inline]
    fn unsigned<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (value, rest) = match *self.rest {
            [value @ 0..0x80, ref rest @ ..] => (value.into(), rest),
            _ => self.long_unsigned()?,
        };
        let value = T::try_from(value).ok()?;
        self.rest = rest;
        Some(value)
    }

    fn long_unsigned(&self) -> Option<(u64, &'a [u8])> {
        Some(match *self.rest {
            [0xcc, a, ref rest @ ..] => (a.into(), rest),
            [0xcd, a, b, ref rest @ ..] => (u16::from_be_bytes([a, b]).into(), rest),
            [0xce, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]).into(), rest),
            [0xcf, ref rest @ ..] => {
                let (number, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*number), rest)
            }
            _ => return None,
        })
    }

    /// A number that can be a `T`, if there is one.
    #[inline]
    fn signed<T: TryFrom<i64>>(&mut self) -> Option<T> {
        let (value, rest) = self.any_signed()?;
        let value = T::try_from(value).ok()?;
        self.rest = rest;
        Some(value)
    }

    fn any_signed(&self) -> Option<(i64, &'a [u8])> {
        Some(match *self.rest {
            [value @ 0..0x80, ref rest @ ..] => (value.into(), rest),
            [value @ 0xe0..=0xff, ref rest @ ..] => (i8::from_be_bytes([value]).into(), rest),
            [0xd0, a, ref rest @ ..] => (i8::from_be_bytes([a]).into(), rest),
            [0xd1, a, b, ref rest @ ..] => (i16::from_be_bytes([a, b]).into(), rest),
            [0xd2, a, b, c, d, ref rest @ ..] => (i32::from_be_bytes([a, b, c, d]).into(), rest),
            [0xd3, ref rest @ ..] => {
                let (number, rest) = rest.split_first_chunk()?;
                (i64::from_be_bytes(*number), rest)
            }
            _ => {
                let (value, rest) = self.long_unsigned()?;
                (value.try_into().ok()?, rest)
            }
        })
    }
}

fn length_of(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

/// Reads what can't be read, for what is said of it.
struct Expected(&'static str);

/// There is no value of it.
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

macro_rules! numbers {
    ($($number:ty => $read:ident),*) => {$(
        impl Decode for $number {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                match reader.$read() {
                    Some(number) => Ok(number),
                    None => reader.via_serde(),
                }
            }
        }
    )*};
}

numbers!(u8 => unsigned, u16 => unsigned, u32 => unsigned, u64 => unsigned);
numbers!(i8 => signed, i16 => signed, i32 => signed, i64 => signed);

impl Decode for bool {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match *reader.rest {
            [value @ (0xc2 | 0xc3), ref rest @ ..] => {
                reader.rest = rest;
                Ok(value == 0xc3)
            }
            _ => reader.via_serde(),
        }
    }
}

impl Decode for f32 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match *reader.rest {
            [0xca, a, b, c, d, ref rest @ ..] => {
                reader.rest = rest;
                Ok(Self::from_be_bytes([a, b, c, d]))
            }
            _ => reader.via_serde(),
        }
    }
}

impl Decode for f64 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if let [0xcb, rest @ ..] = reader.rest
            && let Some((number, rest)) = rest.split_first_chunk()
        {
            reader.rest = rest;
            return Ok(Self::from_be_bytes(*number));
        }
        reader.via_serde()
    }
}

impl Decode for String {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.str() {
            Some(text) => Ok(text.to_owned()),
            None => reader.via_serde(),
        }
    }
}

impl Decode for () {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.nil() { Ok(()) } else { reader.via_serde() }
    }
}

impl Decode for Uuid {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [0xc4, 16, rest @ ..] = reader.rest else { return reader.via_serde() };
        let Some((id, rest)) = rest.split_first_chunk() else { return reader.via_serde() };
        reader.rest = rest;
        Ok(Self::from_bytes(*id))
    }
}

impl Decode for Value {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.via_serde()
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if reader.nil() { Ok(None) } else { T::decode(reader).map(Some) }
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(reader).map(Self::new)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_list(reader, T::decode)
    }
}

impl<K: Decode + Encode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_map::<Plain, K, V>(reader, K::decode, V::decode)
    }
}
