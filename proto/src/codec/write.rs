//! Structs to bytes: an array of the fields by number, or, if few numbers are in use, a map from them.
//!
//! In an array holes and absent fields are nil, absent ones at the end are left off. A map has those that are present. Which of the
//! two a struct is its schema says, and generated code. Reading is in [`super::fields`].

use super::encode::Writer;
use super::form::WriteForm;

/// Returns the number of elements of a struct's array: up to `always`, the highest field that is always written, or to the last
/// optional one that is present. These are given as (number, whether it is present).
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
    /// Number of elements written, which is the number of the last field.
    written: usize,
}

impl<'a> FieldWriter<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Writer, length: usize) -> Self {
        Self { out, length, written: 0 }
    }

    /// Writes a field, with nil for every hole before it. One past the end is absent and left off.
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

    /// Goes to the element `number`. Returns `false` if it is past the end.
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

/// Returns the number of fields that a map has: of those that are always written, and of those optional ones that are present.
#[inline]
#[must_use]
pub fn count(always: usize, optional: &[bool]) -> usize {
    always + optional.iter().filter(|present| **present).count()
}

/// Writes the fields of one struct as a map from their numbers, in the order of these.
#[derive(Debug)]
pub struct NumberedWriter<'a> {
    out: &'a mut Writer,
    /// Whether fields are written: not if the struct is nested too deep.
    may_write: bool,
}

impl<'a> NumberedWriter<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Writer, may_write: bool) -> Self {
        Self { out, may_write }
    }

    /// Writes a field.
    pub fn write<F: WriteForm<T>, T: ?Sized>(&mut self, number: u16, value: &T) {
        self.write_if::<F, T>(number, true, value);
    }

    /// Writes a field if it is present.
    pub fn write_if<F: WriteForm<T>, T: ?Sized>(&mut self, number: u16, is_present: bool, value: &T) {
        if is_present && self.may_write {
            self.out.uint(number.into());
            F::encode(value, self.out);
        }
    }

    /// Ends the map.
    #[inline]
    pub fn end(self) {}
}
