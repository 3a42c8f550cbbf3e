//! Forms: how a Rust type is written, read and checked on the wire.
//!
//! The Rust type alone does not determine it: a duration has no MessagePack type, and a user's type has serde's
//! implementations and no bounds. So generated code names a form with each value, a marker type without values. The
//! forms of compound types are in [`super::nested`], that of bytes in [`super::blob`].

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decode::{Decode, Reader};
use super::encode::{Encode, Writer};
use super::error::{DecodeError, EncodeError};
use super::validate::{Validate, Violation};

/// The writing half of a form, which also takes unsized types such as `str`.
pub trait WriteForm<T: ?Sized> {
    /// Writes `value`.
    fn encode(value: &T, out: &mut Writer);

    /// Reports whether no other value is written the same; see [`Encode::is_distinct`].
    #[inline]
    fn is_distinct(value: &T) -> bool {
        let _ = value;
        true
    }
}

/// How a `T` is written, read and checked.
pub trait Form<T>: WriteForm<T> {
    /// Reads a value.
    ///
    /// # Errors
    /// The bytes are not such a value.
    fn decode(reader: &mut Reader<'_>) -> Result<T, DecodeError>;

    /// Checks the bounds inside `value`. By default there are none.
    ///
    /// # Errors
    /// The first bound that is broken.
    #[inline]
    fn validate(value: &T) -> Result<(), Violation> {
        let _ = value;
        Ok(())
    }
}

/// The form of a type that implements [`Encode`] and [`Decode`], without bounds inside.
#[derive(Debug)]
pub enum Plain {}

/// The form of a type that implements [`Encode`] and [`Decode`], with `@len` or `@range` somewhere inside.
#[derive(Debug)]
pub enum Bounded {}

/// The form of a user's type, which is written and read by its implementation of serde's traits.
#[derive(Debug)]
pub enum ViaSerde {}

/// The form of a [`Duration`]: a count of nanoseconds in 64 bits without a sign, so up to 584 years.
#[derive(Debug)]
pub enum Nanoseconds {}

/// The form of `()`: nil. Any value is read and skipped, so that a later version of a method may return one.
#[derive(Debug)]
pub enum Nothing {}

impl<T: Encode + ?Sized> WriteForm<T> for Plain {
    #[inline]
    fn encode(value: &T, out: &mut Writer) {
        value.encode(out);
    }

    #[inline]
    fn is_distinct(value: &T) -> bool {
        value.is_distinct()
    }
}

impl<T: Encode + Decode> Form<T> for Plain {
    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<T, DecodeError> {
        T::decode(reader)
    }
}

impl<T: Encode + ?Sized> WriteForm<T> for Bounded {
    #[inline]
    fn encode(value: &T, out: &mut Writer) {
        value.encode(out);
    }

    #[inline]
    fn is_distinct(value: &T) -> bool {
        value.is_distinct()
    }
}

impl<T: Encode + Decode + Validate> Form<T> for Bounded {
    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<T, DecodeError> {
        T::decode(reader)
    }

    #[inline]
    fn validate(value: &T) -> Result<(), Violation> {
        value.validate()
    }
}

impl<T: Serialize + ?Sized> WriteForm<T> for ViaSerde {
    fn encode(value: &T, out: &mut Writer) {
        out.via_serde(value, false);
    }
}

impl<T: Serialize + DeserializeOwned> Form<T> for ViaSerde {
    fn decode(reader: &mut Reader<'_>) -> Result<T, DecodeError> {
        reader.via_serde()
    }
}

impl WriteForm<Duration> for Nanoseconds {
    fn encode(value: &Duration, out: &mut Writer) {
        match u64::try_from(value.as_nanos()) {
            Ok(nanoseconds) => out.uint(nanoseconds),
            Err(_) => out.fail(too_long(*value)),
        }
    }
}

#[cold]
fn too_long(value: Duration) -> EncodeError {
    EncodeError::new(format!(
        "a duration of {} s is too long to be sent: the most is {} ns",
        value.as_secs(),
        u64::MAX
    ))
}

impl Form<Duration> for Nanoseconds {
    fn decode(reader: &mut Reader<'_>) -> Result<Duration, DecodeError> {
        u64::decode(reader).map(Duration::from_nanos)
    }
}

impl WriteForm<()> for Nothing {
    fn encode((): &(), out: &mut Writer) {
        out.nil();
    }
}

impl Form<()> for Nothing {
    fn decode(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        reader.skip()
    }
}
