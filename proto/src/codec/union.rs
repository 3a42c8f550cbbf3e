//! Unions and enums, whose number an older peer may not know.
//!
//! An enum is its number. A union is `[number, value]`; `[number]` alone is read, too, if the variant has no value or
//! its value may be absent. Unknown variants are kept and written again unchanged.
//!
//! Of several errors that a method throws, the first is written as the union that it is, and each other as `[number, error]`, whose
//! number is past those of variants. So a reader that knows the first alone keeps another as an unknown variant.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use rmpv::Value;

use super::decode::{Decode, Reader};
use super::encode::{Encode as _, Writer};
use super::error::DecodeError;
use super::fields::{Fields, Names};
use super::form::Form;
use crate::msgpack::read;

/// A variant of a union that this side's schema does not have.
///
/// It is written as the bytes it was read from, provided that those were as short as MessagePack allows and its strings
/// were UTF-8.
///
/// Two are equal, and in order, as their numbers are, and then the bytes that they are written as.
#[derive(Debug, Clone)]
pub struct UnknownVariant {
    /// Number of the variant.
    pub number: u32,
    /// Value of the variant; nil if it has none.
    pub value: Value,
}

impl UnknownVariant {
    fn key(&self) -> (u32, Vec<u8>) {
        let mut out = Writer::new(Vec::new());
        self.value.encode(&mut out);
        (self.number, out.finish().0)
    }
}

impl PartialEq for UnknownVariant {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.key() == other.key()
    }
}

impl Eq for UnknownVariant {}

impl Hash for UnknownVariant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for UnknownVariant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UnknownVariant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The value of a variant, not read yet.
#[derive(Debug)]
pub struct Payload<'p, 'a> {
    reader: &'p mut Reader<'a>,
    /// Number of elements of the array that are not read yet, the value among them.
    left: usize,
}

const UNION: &str = "an array of a variant's number and its value";

/// The least number that stands for an error of a method by its position, in the place of a variant's.
pub(super) const LEAST_POSITION: u64 = 1 << 31;

impl<'p, 'a> Payload<'p, 'a> {
    /// Begins to read a union. Returns the number of its variant.
    ///
    /// # Errors
    /// The bytes are no union, or nested too deep.
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

    /// Begins to read one of several errors of a method. Returns its number, or `None` for the first error, which is not begun.
    ///
    /// # Errors
    /// The bytes are no error, or nested too deep.
    pub fn thrown(reader: &'p mut Reader<'a>) -> Result<Option<(u32, Self)>, DecodeError> {
        let number = read::array_header(reader.rest).and_then(|(_, rest)| read::int(rest));
        match number {
            Some((number, _)) if u64::try_from(number).is_ok_and(|number| number >= LEAST_POSITION) => {
                Self::new(reader).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Reads a value of the form `F`. An absent one is read as nil. `variant` is the variant's name, for an error.
    ///
    /// # Errors
    /// The value is not of its form.
    pub fn value<F: Form<T>, T>(self, variant: &str) -> Result<T, DecodeError> {
        if self.left == 0 {
            return F::decode(&mut Reader::over(&[0xc0])).map_err(|_| absent(variant));
        }
        let value = F::decode(self.reader)?;
        self.end()?;
        Ok(value)
    }

    /// Reads a value as [`value`](Self::value), and the one that a newer peer writes after it, if that is there.
    ///
    /// # Errors
    /// A value is not of its form.
    pub fn value_and<F: Form<T>, T, G: Form<U>, U>(
        mut self,
        variant: &str,
    ) -> Result<(T, Option<U>), DecodeError> {
        if self.left < 2 {
            return Ok((self.value::<F, T>(variant)?, None));
        }
        let value = F::decode(self.reader)?;
        let added = G::decode(self.reader)?;
        self.left -= 1;
        self.end()?;
        Ok((value, Some(added)))
    }

    /// Reads the fields that the variant itself has. If the value is absent or nil, all of them are absent.
    ///
    /// # Errors
    /// The value is no struct.
    pub fn fields<'f>(&'f mut self, names: &'static [&'static str]) -> Result<Fields<'f, 'a>, DecodeError> {
        self.fields_of(Names::ByNumber(names))
    }

    /// Reads the fields that the variant itself has, as [`fields`](Self::fields), where their numbers are far apart; see
    /// [`Fields::sparse`].
    ///
    /// # Errors
    /// The value is no struct.
    pub fn sparse<'f>(
        &'f mut self,
        names: &'static [(u16, &'static str)],
    ) -> Result<Fields<'f, 'a>, DecodeError> {
        self.fields_of(Names::Sparse(names))
    }

    fn fields_of<'f>(&'f mut self, names: Names) -> Result<Fields<'f, 'a>, DecodeError> {
        if self.left == 0 || self.reader.nil() {
            return Ok(Fields::none(self.reader, names));
        }
        Fields::of(self.reader, names)
    }

    /// Reads a variant without a value. A value that a newer peer has added is skipped.
    ///
    /// # Errors
    /// The bytes are no value.
    pub fn nothing(self) -> Result<(), DecodeError> {
        if self.left > 0 {
            self.reader.skip()?;
        }
        self.end()
    }

    /// Reads a value of any kind, of a variant that is not known.
    ///
    /// # Errors
    /// The bytes are no value.
    pub fn unknown(self, number: u32) -> Result<UnknownVariant, DecodeError> {
        let value = if self.left == 0 { Value::Nil } else { Value::decode(self.reader)? };
        self.end()?;
        Ok(UnknownVariant { number, value })
    }

    /// Skips what a later version of the protocol may have added after the value.
    ///
    /// # Errors
    /// The bytes are no value.
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
