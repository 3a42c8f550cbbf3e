//! Structs that come as a map from field numbers, as they are written if few of their numbers are in use.
//!
//! The numbers ascend, as generated code asks for them, so the map is read straight through, and a number can't be there twice.

use std::cmp::Ordering;

use super::decode::Reader;
use super::error::DecodeError;
use crate::msgpack::read;

/// The entries of a map that are not read yet.
#[derive(Debug)]
pub(super) struct Numbered {
    /// Number of entries whose numbers are not read.
    entries: usize,
    /// The last number that was read; 0 before the first.
    last: u64,
    /// Whether the value of `last` is the next to be read.
    is_open: bool,
}

impl Numbered {
    /// Begins to read a map with this many entries, if its first key is a number. An empty map has no key of another kind.
    pub(super) fn begin(reader: &Reader<'_>, entries: usize) -> Option<Self> {
        let is_numbered = entries == 0 || read::int(reader.rest).is_some();
        is_numbered.then_some(Self { entries, last: 0, is_open: false })
    }

    /// Reports whether a map from numbers comes next. An empty one has no key of another kind.
    pub(super) fn is_next(reader: &Reader<'_>) -> bool {
        read::map_header(reader.rest).is_some_and(|(entries, rest)| entries == 0 || read::int(rest).is_some())
    }

    /// Makes the field `number` the next to be read, and skips those before it. Returns `false` if it is absent.
    pub(super) fn go_to(&mut self, reader: &mut Reader<'_>, number: usize) -> Result<bool, DecodeError> {
        let number = number as u64;
        loop {
            if !self.is_open {
                if self.entries == 0 {
                    return Ok(false);
                }
                self.next(reader)?;
            }
            match self.last.cmp(&number) {
                Ordering::Less => self.skip(reader)?,
                Ordering::Equal => {
                    self.is_open = false;
                    return Ok(true);
                }
                Ordering::Greater => return Ok(false),
            }
        }
    }

    /// Skips the rest.
    pub(super) fn end(mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        if self.is_open {
            self.skip(reader)?;
        }
        while self.entries > 0 {
            self.next(reader)?;
            self.skip(reader)?;
        }
        Ok(())
    }

    /// Reads the next number.
    fn next(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let Some((number, rest)) = read::int(reader.rest) else {
            return Err(reader.unexpected("the number of a field"));
        };
        let ascends = u64::try_from(number).ok().filter(|number| *number > self.last);
        let Some(number) = ascends else { return Err(out_of_order(number, self.last)) };
        reader.rest = rest;
        (self.last, self.entries, self.is_open) = (number, self.entries - 1, true);
        Ok(())
    }

    fn skip(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.is_open = false;
        reader.skip()
    }
}

#[cold]
fn out_of_order(number: i64, last: u64) -> DecodeError {
    DecodeError::new(&format_args!(
        "field number {number} comes after {last}: numbers ascend, and start at 1"
    ))
}
