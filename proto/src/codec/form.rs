//! Forms: how a Rust type is written, read and checked on the wire.
//!
//! A Rust type alone does not say it (a duration has no MessagePack type, a type of the user's has serde's
//! implementations and no bounds). So generated code names a form with each value: a marker type that is never made.
//! The forms of compound types are in [`super::nested`], that of bytes in [`super::blob`].

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decode::{Decode, Reader};
use super::encode::{Encode, Writer};
use super::error::{DecodeError, EncodeError};
use super::validate::{Validate, Violation};

/// The writing half of a form, for which `T` may be borrowed from what is only written.
pub trait WriteForm<T: ?Sized> {
    /// Writes `value`.
    fn encode(value: &T, out: &mut Writer);
}

/// How a `T` is written, read and checked.
pub trait Form<T>: WriteForm<T> {
    /// Reads a value.
    fn decode(reader: &mut Reader<'_>) -> Result<T, DecodeError>;

    /// Checks the bounds of what is inside `value`; a form without any has nothing to check.
    #[inline]
    fn validate(value: &T) -> Result<(), Violation> {
        let _ = value;
        Ok(())
    }
}

/// A type that knows how it is written and read, with no bounds inside.
#[derive(Debug)]
pub enum Plain {}

/// A type that knows how it is written and read, with `@len` or `@range` somewhere inside.
#[derive(Debug)]
pub enum Bounded {}

/// A type of the user's, which serde knows.
#[derive(Debug)]
pub enum ViaSerde {}

/// A [`Duration`] as a count of nanoseconds, in 64 bits without a sign: up to 584 years.
#[derive(Debug)]
pub enum Nanoseconds {}

/// `()`, written as nil. Any value is read and skipped, so that a method may come to answer with one.
#[derive(Debug)]
pub enum Nothing {}

impl<T: Encode + ?Sized> WriteForm<T> for Plain {
    #[inline]
    fn encode(value: &T, out: &mut Writer) {
        value.encode(out);
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
        out.via_serde(value);
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
