//! Structs to bytes: an array of the fields by number.
//!
//! Holes and absent fields are nil, absent ones at the end are left off. Reading is in [`super::fields`].

use serde::Serializer;
use serde::ser::SerializeTupleStruct;

use super::form::{As, WriteForm};
use super::stack;

/// How many elements a struct's array has: up to the highest field that is always written, or to the last
/// of the optional ones, given as (number, whether it is present), that there is something to write for.
#[inline]
#[must_use]
pub fn length(always: usize, optional: &[(usize, bool)]) -> usize {
    let present = optional.iter().filter(|(_, present)| *present);
    present.fold(always, |length, (number, _)| length.max(*number))
}

/// Writes the fields of one struct, in the order of their numbers.
#[derive(Debug)]
pub struct StructWriter<S: Serializer> {
    fields: S::SerializeTupleStruct,
    length: usize,
    /// How many elements have been written, so the number of the last field.
    written: usize,
}

impl<S: Serializer> StructWriter<S> {
    /// Starts an array of `length` elements.
    #[inline]
    pub fn new(serializer: S, length: usize) -> Result<Self, S::Error> {
        stack::check_write()?;
        Ok(Self { fields: serializer.serialize_tuple_struct("", length)?, length, written: 0 })
    }

    /// Writes a field, with nil for every hole before it; one past the end has nothing to say and is left off.
    #[inline]
    pub fn write<F: WriteForm<T>, T: ?Sized>(&mut self, number: usize, value: &T) -> Result<(), S::Error> {
        if number > self.length {
            return Ok(());
        }
        self.fill(number - 1)?;
        self.written = number;
        self.fields.serialize_field(&As::<F, T>::new(value))
    }

    /// Ends the array.
    #[inline]
    pub fn end(mut self) -> Result<S::Ok, S::Error> {
        self.fill(self.length)?;
        self.fields.end()
    }

    #[inline]
    fn fill(&mut self, until: usize) -> Result<(), S::Error> {
        while self.written < until {
            self.written += 1;
            self.fields.serialize_field(&())?;
        }
        Ok(())
    }
}
