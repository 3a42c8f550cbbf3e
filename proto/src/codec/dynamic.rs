//! What a program reads and writes by whose types are known at run time alone: by a schema, and not by generated code.
//!
//! Such a program walks a schema and asks a [`Reader`] for what comes next; here are the steps. Scalars are read by
//! [`Decode`](super::Decode) as in generated code, so that both take the same bytes and refuse others with the same words. Scalars
//! in formats for people are in [`Scalar`]. `zsvc-dynamic` is such a program.

use bytes::Bytes;

use super::Body;
use super::decode::Reader;
use super::encode::{Encode, Writer};
use super::error::{DecodeError, EncodeError};
use super::form::{Form, WriteForm};
use super::memory::Memory;
use super::path::{index_step, key_step, split};
use crate::msgpack::read;

pub use uuid::Uuid;

pub use super::json::{Scalar, given_twice, read_any, unknown_name, write_any, wrong_type};

/// The encoding of one value of any type, as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawValue(Bytes);

/// The form of a [`RawValue`].
#[derive(Debug)]
pub enum Raw {}

impl RawValue {
    /// Takes bytes for a value, which must be one: a peer refuses others.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl WriteForm<RawValue> for Raw {
    fn encode(value: &RawValue, out: &mut Writer) {
        out.raw(&value.0);
    }
}

impl Encode for RawValue {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.0);
    }
}

impl Form<RawValue> for Raw {
    /// Takes a value of any type, which is checked to be one and not nested too deep.
    fn decode(reader: &mut Reader<'_>) -> Result<RawValue, DecodeError> {
        reader.has_no_attachment()?;
        let value = reader.skipped()?;
        Ok(RawValue(reader.share(value)))
    }
}

impl super::Decode for RawValue {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        <Raw as Form<Self>>::decode(reader)
    }
}

impl super::Validate for RawValue {}

impl Body {
    /// Returns the body of a value's encoding.
    #[must_use]
    pub fn of_value(value: &RawValue) -> Self {
        value.0.clone().into()
    }
}

impl<'a> Reader<'a> {
    /// Creates a reader of bytes in one piece, whose values may take up to `max_memory` bytes: see
    /// [`max_decoded`](super::max_decoded).
    #[must_use]
    pub fn of_bytes(bytes: &'a [u8], max_memory: usize) -> Self {
        let mut reader = Self::over(bytes);
        reader.memory = Memory::bounded(max_memory);
        reader
    }

    /// Creates a reader of a value that was taken from this one by [`skipped`](Self::skipped). It may nest as deep as this one.
    #[must_use]
    pub fn inside(&self, value: &'a [u8]) -> Self {
        let mut reader = Self::over(value);
        (reader.memory, reader.levels) = (self.memory, self.levels);
        reader
    }

    /// Reports whether nothing is left.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.is_at_end()
    }

    /// Takes the header of an array and enters it. Returns the number of elements, or `None` if no array comes next.
    ///
    /// # Errors
    /// The bytes are nested too deep.
    pub fn enter_array(&mut self) -> Result<Option<usize>, DecodeError> {
        let Some(length) = self.array() else { return Ok(None) };
        self.enter().map(|()| Some(length))
    }

    /// Takes the header of a map and enters it. Returns the number of entries, or `None` if no map comes next.
    ///
    /// # Errors
    /// The bytes are nested too deep.
    pub fn enter_map(&mut self) -> Result<Option<usize>, DecodeError> {
        let Some(entries) = self.map() else { return Ok(None) };
        self.enter().map(|()| Some(entries))
    }

    /// Leaves an array or a map.
    pub fn leave_value(&mut self) {
        self.leave();
    }

    /// Takes a nil, if one comes next.
    pub fn take_nil(&mut self) -> bool {
        self.nil()
    }

    /// Takes a string, if one comes next.
    pub fn take_str(&mut self) -> Option<&'a str> {
        self.str()
    }

    /// Takes bytes, if some come next.
    pub fn take_bin(&mut self) -> Option<&'a [u8]> {
        self.bin()
    }

    /// Returns what is not read yet, in one piece.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes bytes in the place of a list of numbers, and returns that list as it should have been written.
    ///
    /// # Errors
    /// No bytes come next: says that a list was expected.
    pub fn take_bytes_as_list(&mut self) -> Result<Vec<u8>, DecodeError> {
        self.bytes_as_list()
    }

    /// Returns the number of the union that comes next, without taking it; `None` if none comes.
    #[must_use]
    pub fn number_of_union(&self) -> Option<u64> {
        let (number, _) = read::array_header(self.rest).and_then(|(_, rest)| read::int(rest))?;
        u64::try_from(number).ok()
    }

    /// Reports whether a number comes next.
    #[must_use]
    pub fn is_number_next(&self) -> bool {
        read::int(self.rest).is_some()
    }

    /// Takes a value of any type, and returns its bytes.
    ///
    /// # Errors
    /// The bytes are no value, or nested too deep.
    pub fn skipped(&mut self) -> Result<&'a [u8], DecodeError> {
        let before = self.rest;
        self.skip()?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// Returns an error that says what there is instead of what is `expected`.
    #[must_use]
    pub fn instead_of(&mut self, expected: &'static str) -> DecodeError {
        self.unexpected(expected)
    }

    /// Fails if a part of the value lies out of line: [`decode`](fn@super::decode) then joins the parts, and reads again.
    fn has_no_attachment(&self) -> Result<(), DecodeError> {
        if self.left().1 == 0 { Ok(()) } else { Err(DecodeError::truncated()) }
    }
}

impl DecodeError {
    /// Returns an error with a text of the program's own.
    #[must_use]
    pub fn told(text: impl std::fmt::Display) -> Self {
        Self::new(&text)
    }

    /// Returns the error of a field that must be there.
    #[must_use]
    pub fn missing_field(field: &str) -> Self {
        Self::missing(field)
    }

    /// Returns the error of a value that nests too deep to be read.
    #[must_use]
    pub fn nested_too_deep() -> Self {
        Self::too_deep()
    }

    /// Returns the error of bytes after a value.
    #[must_use]
    pub fn more_bytes() -> Self {
        Self::trailing_bytes()
    }

    /// Adds the name of a field to the front of the path.
    #[must_use]
    pub fn in_field(self, name: &str) -> Self {
        self.inside(name)
    }

    /// Adds the index of an element to the front of the path.
    #[must_use]
    pub fn in_element(self, index: usize) -> Self {
        self.inside(&index_step(index))
    }

    /// Adds the key of a map to the front of the path.
    #[must_use]
    pub fn in_entry(self, key: &str) -> Self {
        self.inside(&key_step(key))
    }

    /// Returns the path to the part that is wrong, if it is a part of the value, and what is wrong with it.
    #[must_use]
    pub fn parts(&self) -> (Option<&str>, &str) {
        split(self.text())
    }
}

impl EncodeError {
    /// Returns an error with a text of the program's own.
    #[must_use]
    pub fn told(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Attachments, decode, decode_prefix};

    #[test]
    fn a_raw_value_is_its_bytes() {
        let bytes = Bytes::from_static(b"\x92\x01\xa1x");
        let value = decode::<Raw, RawValue>(&bytes.clone().into(), usize::MAX).expect("a value");
        assert_eq!(value.clone().into_bytes(), bytes);
        assert_eq!(crate::codec::encode_whole::<Raw, _>(&value).expect("bytes"), bytes);
        for broken in [&b"\x92\x01"[..], b"\xc1", b"\x01\x02", &[0x91; 200]] {
            assert!(decode::<Raw, RawValue>(&Bytes::copy_from_slice(broken).into(), usize::MAX).is_err());
        }
    }

    #[test]
    fn raw_values_lie_end_to_end_in_a_stream() {
        let mut items = Body::from(Bytes::from_static(b"\x01\xa1x\xc0"));
        let mut found = Vec::new();
        while !items.is_empty() {
            found.push(decode_prefix::<Raw, RawValue>(&mut items, usize::MAX).expect("a value").into_bytes());
        }
        assert_eq!(found, [&b"\x01"[..], b"\xa1x", b"\xc0"]);
    }

    #[test]
    fn parts_out_of_line_are_joined() {
        let mut attachments = Attachments::none();
        attachments.push(1, Bytes::from_static(b"ab"));
        let body = Body::new(Bytes::from_static(b"\x92\xc4\x02\x05"), attachments);
        let value = decode::<Raw, RawValue>(&body, usize::MAX).expect("a value");
        assert_eq!(value.into_bytes(), &b"\x92\xc4\x02ab\x05"[..]);
    }
}
