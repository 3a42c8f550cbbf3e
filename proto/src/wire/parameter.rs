//! [`RawRecord::parameter_hash`]: one parameter of a call, found without reading the others, for a router that has equal values go one way.
//!
//! Values are passed over by their headers. Attachments may be in the middle of anything, so bytes are taken from one piece of the body
//! after another, and nothing is joined or copied.

use rmp::Marker;

use super::RawRecord;
use crate::stable_hash::StableHash;

/// Maximum number of values that are passed over before the parameter.
const MAX_PASSED: u64 = 16_384;
/// Maximum length of the parameter in bytes, if it is a text or bytes.
const MAX_BYTES: u64 = 4_096;

/// Why a parameter can't be told apart from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// The parameter is not there, or nothing.
    Missing,
    /// The parameter is no text, number, `bool` or bytes.
    Kind,
    /// The parameter has more than 4,096 bytes.
    TooLong,
    /// More than 16,384 values are before it.
    TooFar,
    /// The body ends before it does, or is no struct.
    Malformed,
}

impl RawRecord<'_> {
    /// Returns a hash of a parameter of a call, by its number, counted from 1, and its name: the same for equal values in whatever form
    /// they are written, and in every process.
    ///
    /// # Errors
    /// The parameter can't be read.
    pub fn parameter_hash(&self, number: u64, name: &str) -> Result<u64, Unreadable> {
        let (mut pieces, mut inline) = (Vec::new(), self.inline_body());
        for attachment in self.attachments().map_or(&[][..], |all| all.as_slice()) {
            let (before, after) = inline.split_at(inline.len().saturating_sub(attachment.after));
            pieces.extend([before, &attachment.bytes]);
            inline = after;
        }
        pieces.push(inline);
        pieces.reverse();
        Body { pieces, passed: 0 }.parameter(number, name)
    }
}

/// What is left of a body.
struct Body<'a> {
    /// Its bytes, the first piece last: several if there are attachments.
    pieces: Vec<&'a [u8]>,
    /// Number of values that were passed over.
    passed: u64,
}

/// The start of a value.
enum Head {
    /// There is none.
    Nil,
    Bool(bool),
    /// A number, of 64 bits with or without a sign.
    Int(i128),
    /// A text of a length in bytes.
    Str(u64),
    Bin(u64),
    /// An array of a number of values.
    Array(u64),
    /// A map of a number of entries.
    Map(u64),
    /// Any other value, of a length in bytes.
    Other(u64),
}

impl Body<'_> {
    fn parameter(mut self, number: u64, name: &str) -> Result<u64, Unreadable> {
        match self.head()? {
            Head::Array(length) if length < number => Err(Unreadable::Missing),
            Head::Array(_) => {
                self.pass(number.saturating_sub(1))?;
                self.hash()
            }
            Head::Map(entries) => {
                for _ in 0..entries {
                    let is_it = match self.head()? {
                        Head::Int(found) => found == i128::from(number),
                        Head::Str(length) => self.is_text(length, name)?,
                        _ => return Err(Unreadable::Malformed),
                    };
                    if is_it {
                        return self.hash();
                    }
                    self.pass(1)?;
                }
                Err(Unreadable::Missing)
            }
            _ => Err(Unreadable::Malformed),
        }
    }

    /// Returns a hash of the next value.
    fn hash(&mut self) -> Result<u64, Unreadable> {
        let mut hash = StableHash::new(0);
        let (kind, length) = match self.head()? {
            Head::Nil => return Err(Unreadable::Missing),
            Head::Bool(value) => return Ok(StableHash::of(0, &[b'?', value.into()])),
            Head::Int(number) => {
                hash.add(b"i");
                hash.add(&number.to_be_bytes());
                return Ok(hash.finish());
            }
            Head::Str(length) => (b"s", length),
            Head::Bin(length) => (b"b", length),
            Head::Array(_) | Head::Map(_) | Head::Other(_) => return Err(Unreadable::Kind),
        };
        if length > MAX_BYTES {
            return Err(Unreadable::TooLong);
        }
        hash.add(kind);
        self.take(length, |bytes| hash.add(bytes))?;
        Ok(hash.finish())
    }

    /// Reports whether a text, whose bytes are next, is another one.
    fn is_text(&mut self, length: u64, text: &str) -> Result<bool, Unreadable> {
        let (mut left, mut is_same) = (text.as_bytes(), length == text.len() as u64);
        self.take(length, |bytes| match left.split_at_checked(bytes.len()) {
            Some((first, rest)) => {
                is_same &= first == bytes;
                left = rest;
            }
            None => is_same = false,
        })?;
        Ok(is_same)
    }

    /// Passes over values, with all that is inside of them.
    fn pass(&mut self, values: u64) -> Result<(), Unreadable> {
        let mut left = values;
        while left > 0 {
            let (bytes, inside) = match self.head()? {
                Head::Nil | Head::Bool(_) | Head::Int(_) => (0, 0),
                Head::Str(length) | Head::Bin(length) | Head::Other(length) => (length, 0),
                Head::Array(values) => (0, values),
                Head::Map(entries) => (0, 2 * entries),
            };
            self.take(bytes, |_| ())?;
            // Each is up to 2^33, and there are few.
            left = left - 1 + inside;
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head, Unreadable> {
        self.passed += 1;
        if self.passed > MAX_PASSED {
            return Err(Unreadable::TooFar);
        }
        let signed = |number: u64, bits: u32| {
            let unused = 64 - bits;
            Head::Int(i128::from((number << unused).cast_signed() >> unused))
        };
        let marker = u8::try_from(self.number(1)?).map_err(|_| Unreadable::Malformed)?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Head::Nil,
            Marker::False => Head::Bool(false),
            Marker::True => Head::Bool(true),
            Marker::FixPos(number) => Head::Int(number.into()),
            Marker::FixNeg(number) => Head::Int(number.into()),
            Marker::U8 => Head::Int(self.number(1)?.into()),
            Marker::U16 => Head::Int(self.number(2)?.into()),
            Marker::U32 => Head::Int(self.number(4)?.into()),
            Marker::U64 => Head::Int(self.number(8)?.into()),
            Marker::I8 => signed(self.number(1)?, 8),
            Marker::I16 => signed(self.number(2)?, 16),
            Marker::I32 => signed(self.number(4)?, 32),
            Marker::I64 => signed(self.number(8)?, 64),
            Marker::FixStr(length) => Head::Str(length.into()),
            Marker::Str8 => Head::Str(self.number(1)?),
            Marker::Str16 => Head::Str(self.number(2)?),
            Marker::Str32 => Head::Str(self.number(4)?),
            Marker::Bin8 => Head::Bin(self.number(1)?),
            Marker::Bin16 => Head::Bin(self.number(2)?),
            Marker::Bin32 => Head::Bin(self.number(4)?),
            Marker::FixArray(length) => Head::Array(length.into()),
            Marker::Array16 => Head::Array(self.number(2)?),
            Marker::Array32 => Head::Array(self.number(4)?),
            Marker::FixMap(entries) => Head::Map(entries.into()),
            Marker::Map16 => Head::Map(self.number(2)?),
            Marker::Map32 => Head::Map(self.number(4)?),
            Marker::F32 => Head::Other(4),
            Marker::F64 => Head::Other(8),
            Marker::FixExt1 => Head::Other(2),
            Marker::FixExt2 => Head::Other(3),
            Marker::FixExt4 => Head::Other(5),
            Marker::FixExt8 => Head::Other(9),
            Marker::FixExt16 => Head::Other(17),
            Marker::Ext8 => Head::Other(self.number(1)? + 1),
            Marker::Ext16 => Head::Other(self.number(2)? + 1),
            Marker::Ext32 => Head::Other(self.number(4)? + 1),
            Marker::Reserved => return Err(Unreadable::Malformed),
        })
    }

    /// Reads a big-endian number of up to eight bytes.
    fn number(&mut self, bytes: u64) -> Result<u64, Unreadable> {
        let mut number = 0;
        self.take(bytes, |bytes| {
            number = bytes.iter().fold(number, |number, byte| number << 8 | u64::from(*byte));
        })?;
        Ok(number)
    }

    /// Takes bytes off the front, in as many pieces as they lie in.
    fn take(&mut self, bytes: u64, mut see: impl FnMut(&[u8])) -> Result<(), Unreadable> {
        let mut left = usize::try_from(bytes).map_err(|_| Unreadable::Malformed)?;
        while left > 0 {
            let piece = self.pieces.last_mut().ok_or(Unreadable::Malformed)?;
            let (taken, rest) = piece.split_at(left.min(piece.len()));
            *piece = rest;
            see(taken);
            left -= taken.len();
            if rest.is_empty() {
                self.pieces.pop();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
