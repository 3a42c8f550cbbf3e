//! Forms: how a Rust type is written, read and checked on the wire.
//!
//! A Rust type alone does not say it (`bytes` may be copied or shared, a duration has no MessagePack type),
//! and serde's own implementations for it are out of the project's hands. So generated code names a form
//! with each value: a marker type that is never made. The forms of compound types are in [`super::nested`],
//! that of bytes in [`super::blob`].

use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny};
use serde::ser::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::validate::{Validate, Violation};

/// The writing half of a form, for which `T` may be borrowed from what is only written.
pub trait WriteForm<T: ?Sized> {
    /// Writes `value`.
    fn serialize<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error>;
}

/// How a `T` is written, read and checked.
pub trait Form<T>: WriteForm<T> {
    /// Reads a value.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error>;

    /// Checks the bounds of what is inside `value`; a form without any has nothing to check.
    #[inline]
    fn validate(value: &T) -> Result<(), Violation> {
        let _ = value;
        Ok(())
    }
}

/// A type as serde knows it, with no bounds inside.
#[derive(Debug)]
pub enum Plain {}

/// A type as serde knows it, with `@len` or `@range` somewhere inside.
#[derive(Debug)]
pub enum Bounded {}

/// A [`Duration`] as a count of nanoseconds, in 64 bits without a sign: up to 584 years.
#[derive(Debug)]
pub enum Nanoseconds {}

/// `()`, written as nil. Any value is read and skipped, so that a method may come to answer with one.
#[derive(Debug)]
pub enum Nothing {}

impl<T: Serialize + ?Sized> WriteForm<T> for Plain {
    #[inline]
    fn serialize<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

impl<T: Serialize + DeserializeOwned> Form<T> for Plain {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

impl<T: Serialize + ?Sized> WriteForm<T> for Bounded {
    #[inline]
    fn serialize<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

impl<T: Serialize + DeserializeOwned + Validate> Form<T> for Bounded {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }

    #[inline]
    fn validate(value: &T) -> Result<(), Violation> {
        value.validate()
    }
}

impl WriteForm<Duration> for Nanoseconds {
    #[inline]
    fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(value.as_nanos()) {
            Ok(nanoseconds) => serializer.serialize_u64(nanoseconds),
            Err(_) => Err(too_long(*value)),
        }
    }
}

#[cold]
fn too_long<E: Error>(value: Duration) -> E {
    E::custom(format_args!(
        "a duration of {} s is too long to be sent: the most is {} ns",
        value.as_secs(),
        u64::MAX
    ))
}

impl Form<Duration> for Nanoseconds {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}

impl WriteForm<()> for Nothing {
    #[inline]
    fn serialize<S: Serializer>((): &(), serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl Form<()> for Nothing {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        IgnoredAny::deserialize(deserializer).map(|IgnoredAny| ())
    }
}

/// A value together with its form, where serde asks for something that is [`Serialize`].
pub(super) struct As<'a, F, T: ?Sized> {
    value: &'a T,
    form: PhantomData<F>,
}

impl<'a, F, T: ?Sized> As<'a, F, T> {
    #[inline]
    pub(super) fn new(value: &'a T) -> Self {
        Self { value, form: PhantomData }
    }
}

impl<F: WriteForm<T>, T: ?Sized> Serialize for As<'_, F, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        F::serialize(self.value, serializer)
    }
}

/// Reads a `T` in the form `F`, where serde asks for a seed.
pub(super) struct Read<F, T>(PhantomData<(F, T)>);

impl<F, T> Read<F, T> {
    #[inline]
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, F: Form<T>, T> DeserializeSeed<'de> for Read<F, T> {
    type Value = T;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        F::deserialize(deserializer)
    }
}
