//! [`Decode`] for scalars, and for the standard containers of types that know how they are read.

use std::collections::{BTreeMap, BTreeSet};

use rmpv::Value;
use uuid::Uuid;

use super::{Decode, Reader};
use crate::codec::encode::Encode;
use crate::codec::error::DecodeError;
use crate::codec::form::Plain;
use crate::codec::memory::ALLOCATION_BYTES;
use crate::codec::nested::{read_list, read_map, read_set};
use crate::msgpack::read;

impl Reader<'_> {
    /// Takes a number in an unsigned form that fits into a `T`, if one comes next.
    #[inline]
    fn unsigned<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (value, rest) = read::uint(self.rest)?;
        let value = T::try_from(value).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Takes a number that fits into a `T`, if one comes next.
    #[inline]
    fn signed<T: TryFrom<i64>>(&mut self) -> Option<T> {
        let (value, rest) = read::int(self.rest)?;
        let value = T::try_from(value).ok()?;
        self.rest = rest;
        Some(value)
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
            Some(text) => {
                reader.memory.count(usize::from(!text.is_empty()), ALLOCATION_BYTES)?;
                Ok(text.to_owned())
            }
            // Serde would take bytes that are UTF-8 for text.
            None => Err(reader.unexpected("a string")),
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
        reader.memory.allocate(size_of::<T>())?;
        T::decode(reader).map(Self::new)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_list(reader, T::decode)
    }
}

impl<T: Decode + Ord> Decode for BTreeSet<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_set(reader, T::decode)
    }
}

impl<K: Decode + Encode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_map::<Plain, K, V>(reader, K::decode, V::decode)
    }
}
