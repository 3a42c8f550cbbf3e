//! Structs to bytes: an array of the fields by number.
//!
//! Holes and absent fields are nil, absent ones at the end are left off. Reading is in [`super::fields`].

use super::encode::Writer;
use super::form::WriteForm;

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
pub struct FieldWriter<'a> {
    out: &'a mut Writer,
    length: usize,
    /// How many elements have been written, so the number of the last field.
    written: usize,
}

impl<'a> FieldWriter<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Writer, length: usize) -> Self {
        Self { out, length, written: 0 }
    }

    /// Writes a field, with nil for every hole before it; one past the end has nothing to say and is left off.
    pub fn write<F: WriteForm<T>, T: ?Sized>(&mut self, number: usize, value: &T) {
        if self.go_to(number) {
            F::encode(value, self.out);
        }
    }

    /// Ends the array.
    #[inline]
    pub fn end(mut self) {
        self.fill(self.length);
    }

    /// Whether there is room for the field.
    #[inline]
    fn go_to(&mut self, number: usize) -> bool {
        if number > self.length {
            return false;
        }
        self.fill(number - 1);
        self.written = number;
        true
    }

    #[inline]
    fn fill(&mut self, until: usize) {
        while self.written < until {
            self.written += 1;
            self.out.nil();
        }
    }
}
