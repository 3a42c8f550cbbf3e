//! Unions and enums: what carries a number that an older peer may not know.
//!
//! An enum is its number. A union is `[number, value]`; `[number]` alone is read, too, where the variant
//! carries nothing or its value may be absent. What is unknown is kept and written again unchanged.

use rmpv::Value;

use super::decode::{Decode, Reader};
use super::error::DecodeError;
use super::fields::Fields;
use super::form::Form;

/// A variant of a union that this side's schema does not have, as it came.
///
/// It is written again as the bytes it was read from, as long as those were as short as MessagePack allows
/// and its strings were UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownVariant {
    /// The number of the variant.
    pub number: u32,
    /// What it carries; nil where it carries nothing.
    pub value: Value,
}

/// What a variant carries, still to be read.
#[derive(Debug)]
pub struct Payload<'p, 'a> {
    reader: &'p mut Reader<'a>,
    /// How many elements of the array are still to be read, the value among them.
    left: usize,
}

const UNION: &str = "an array of a variant's number and its value";

impl<'p, 'a> Payload<'p, 'a> {
    /// Begins to read a union, and tells the number of its variant.
    pub fn new(reader: &'p mut Reader<'a>) -> Result<(u32, Self), DecodeError> {
        Reader::check_stack()?;
        let Some(left) = reader.array() else { return Err(reader.unexpected(UNION)) };
        reader.enter()?;
        let Some(left) = left.checked_sub(1) else {
            return Err(DecodeError::new(&format_args!("invalid length 0, expected {UNION}")));
        };
        let number = u32::decode(reader)?;
        Ok((number, Self { reader, left }))
    }

    /// A value of a type that has a name; absent, it is read as nil. The name is the variant's.
    pub fn value<F: Form<T>, T>(self, variant: &str) -> Result<T, DecodeError> {
        if self.left == 0 {
            return F::decode(&mut Reader::over(&[0xc0])).map_err(|_| absent(variant));
        }
        let value = F::decode(self.reader)?;
        self.end()?;
        Ok(value)
    }

    /// The fields of the variant's own; absent or nil, all of them are absent.
    pub fn fields<'f>(&'f mut self, names: &'static [&'static str]) -> Result<Fields<'f, 'a>, DecodeError> {
        if self.left == 0 || self.reader.nil() {
            return Ok(Fields::none(self.reader, names));
        }
        Fields::new(self.reader, names)
    }

    /// Nothing; what a newer peer has put there is skipped.
    pub fn nothing(self) -> Result<(), DecodeError> {
        if self.left > 0 {
            self.reader.skip()?;
        }
        self.end()
    }

    /// Anything.
    pub fn unknown(self, number: u32) -> Result<UnknownVariant, DecodeError> {
        let value = if self.left == 0 { Value::Nil } else { Value::decode(self.reader)? };
        self.end()?;
        Ok(UnknownVariant { number, value })
    }

    /// Reads past what a later protocol may have put behind the value.
    pub fn end(self) -> Result<(), DecodeError> {
        for _ in 1..self.left {
            self.reader.skip()?;
        }
        self.reader.leave();
        Ok(())
    }
}

#[cold]
fn absent(variant: &str) -> DecodeError {
    DecodeError::new(&format_args!("variant `{variant}` comes without its value"))
}
