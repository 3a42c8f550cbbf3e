//! [`Scalar`]: the mapping of values without parts, for programs that know types at run time alone.

use rmpv::Value;

use super::any;
use super::description::Type;
use super::found::{Levels, unexpected, unknown};
use super::parse::builtin;
use super::scalars;
use crate::codec::error::DecodeError;

/// A built-in type whose values have no parts.
#[derive(Debug)]
pub struct Scalar(Type);

impl Scalar {
    /// Returns the type of a keyword of the language; `None` for a word that is none, and for `value`.
    #[must_use]
    pub fn of(keyword: &'static str) -> Option<Self> {
        builtin(keyword).filter(|ty| *ty != Type::Value).map(Self)
    }

    /// Returns what a value for people is on the wire.
    ///
    /// # Errors
    /// It is not of the type.
    pub fn read(&self, value: Value) -> Result<Value, DecodeError> {
        scalars::read(&self.0, value)
    }

    /// Returns what the key of a map is on the wire.
    ///
    /// # Errors
    /// It is not of the type.
    pub fn read_key(&self, key: &str) -> Result<Value, DecodeError> {
        scalars::read_key(&self.0, key.into())
    }

    /// Returns what a value of the wire is for people.
    ///
    /// # Errors
    /// It is not of the type.
    pub fn write(&self, value: Value) -> Result<Value, DecodeError> {
        scalars::write(&self.0, value)
    }
}

/// Returns what a `value` for people is on the wire. It may nest as many lists and objects as `levels` says.
///
/// # Errors
/// One of its escapes is broken, or it is nested too deep.
pub fn read_any(value: Value, levels: usize) -> Result<Value, DecodeError> {
    any::read(value, Levels::to_read(levels))
}

/// Returns what a `value` of the wire is for people. That may nest as many lists and objects as `levels` says.
///
/// # Errors
/// It is nested too deep.
pub fn write_any(value: Value, levels: usize) -> Result<Value, DecodeError> {
    any::write(value, Levels::to_write(levels))
}

/// Returns the error of a value of another type than expected.
#[must_use]
pub fn wrong_type(value: &Value, expected: &str) -> DecodeError {
    unexpected(value, expected)
}

/// Returns the error of a name that is none of those of a type; `kind` says what it names.
#[must_use]
pub fn unknown_name<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>) -> DecodeError {
    unknown(kind, name, names)
}

/// Returns the error of a name or key that an object has twice; `kind` says which of them.
#[must_use]
pub fn given_twice(kind: &str, name: &str) -> DecodeError {
    scalars::twice(kind, name)
}
