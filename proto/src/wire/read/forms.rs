//! The forms of MessagePack that records are made of, with errors that name the byte.

use super::super::Malformed;
use super::Reader;
use crate::msgpack::{NIL, read};

impl<'a> Reader<'a> {
    #[cold]
    pub(in crate::wire) fn expected(&self, expected: &'static str) -> Malformed {
        Malformed::Record { at: self.at, expected }
    }

    /// Returns the bytes that are not read yet.
    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.batch.get(self.at..).unwrap_or_default()
    }

    /// Takes a header that was read, and goes on after it.
    #[inline]
    fn after<T>(&mut self, header: Option<(T, &'a [u8])>, expected: &'static str) -> Result<T, Malformed> {
        let Some((value, rest)) = header else { return Err(self.expected(expected)) };
        self.at = self.batch.len() - rest.len();
        Ok(value)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let Some(bytes) = self.rest().get(..length) else { return Err(self.expected("more of a record")) };
        self.at += length;
        Ok(bytes)
    }

    /// Takes a nil, if there is one.
    #[inline]
    pub(in crate::wire) fn nil(&mut self) -> bool {
        let is_nil = self.rest().first() == Some(&NIL);
        self.at += usize::from(is_nil);
        is_nil
    }

    /// Reads a number that is not negative, in any form.
    #[inline]
    pub(in crate::wire) fn uint(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        match *self.rest() {
            [small @ ..0x80, ..] => {
                self.at += 1;
                Ok(u64::from(small))
            }
            // Most ids and times.
            [0xce, a, b, c, d, ..] => {
                self.at += 5;
                Ok(u64::from(u32::from_be_bytes([a, b, c, d])))
            }
            _ => self.other_uint(expected),
        }
    }

    fn other_uint(&mut self, expected: &'static str) -> Result<u64, Malformed> {
        let rest = self.rest();
        // Some encoders write positive numbers in signed forms.
        let signed = || read::int(rest).and_then(|(value, rest)| Some((u64::try_from(value).ok()?, rest)));
        self.after(read::uint(rest).or_else(signed), expected)
    }

    #[inline]
    pub(in crate::wire) fn array_len(&mut self) -> Result<u64, Malformed> {
        let length = self.after(read::array_header(self.rest()), "a record, which is an array,")?;
        Ok(length as u64)
    }

    pub(super) fn map_len(&mut self, expected: &'static str) -> Result<usize, Malformed> {
        self.after(read::map_header(self.rest()), expected)
    }

    /// Reports whether a `bin` comes next.
    pub(super) fn is_bin(&self) -> bool {
        matches!(self.rest(), [0xc4..=0xc6, ..])
    }

    #[inline]
    pub(in crate::wire) fn bin(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.after(read::bin_header(self.rest()), "a `bin`")?;
        self.take(length)
    }

    pub(in crate::wire) fn str(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        std::str::from_utf8(self.text()?)
            .map_err(|_| Malformed::Record { at: start, expected: "text in UTF-8" })
    }

    /// Reads a `str` without checking that it is UTF-8.
    #[inline]
    pub(in crate::wire) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.after(read::str_header(self.rest()), "a `str`")?;
        self.take(length)
    }

    /// Skips `values` values, whatever their depth.
    pub(in crate::wire) fn skip(&mut self, values: u64) -> Result<(), Malformed> {
        let Some(length) = read::length_of_values(self.rest(), values) else {
            return Err(self.expected("complete MessagePack values"));
        };
        self.at += length;
        Ok(())
    }
}
