//! Bytes to structs: the fields by number, in whatever form they have been sent.
//!
//! A peer with generated code sends an array, which is read here, straight through. One without may send a
//! map from field names, which is looked through in [`super::named`]. Generated code asks for its fields by number, and does
//! not see the difference. Writing is in [`super::write`](mod@super::write).

use super::decode::Reader;
use super::error::DecodeError;
use super::form::Form;
use super::named::Named;

/// The fields of a struct that is being read. Their numbers must be asked for in ascending order.
#[derive(Debug)]
pub struct Fields<'f, 'a> {
    reader: &'f mut Reader<'a>,
    names: &'static [&'static str],
    /// The field that was read last.
    number: usize,
    /// How many elements of the array are still to be read.
    left: usize,
    /// Where they come by name; nothing is left of an array then.
    named: Option<Box<Named<'a>>>,
    /// Nothing has been sent at all.
    nothing: bool,
}

const STRUCT: &str = "an array of fields, or a map from their names";

impl<'f, 'a> Fields<'f, 'a> {
    /// Begins to read a struct, which may be an array or a map. The names are of each field at its number less one; an
    /// empty name is a hole.
    pub fn new(reader: &'f mut Reader<'a>, names: &'static [&'static str]) -> Result<Self, DecodeError> {
        Reader::check_stack()?;
        let Some(left) = reader.array() else { return Self::by_name(reader, names) };
        reader.enter()?;
        Ok(Self { reader, names, number: 0, left, named: None, nothing: false })
    }

    #[cold]
    fn by_name(reader: &'f mut Reader<'a>, names: &'static [&'static str]) -> Result<Self, DecodeError> {
        let Some(entries) = reader.map() else { return Err(reader.unexpected(STRUCT)) };
        reader.enter()?;
        let entries = Named::read(reader, entries, names)?;
        Ok(Self { reader, names, number: 0, left: 0, named: Some(Box::new(entries)), nothing: false })
    }

    /// The fields of nothing at all.
    pub(super) fn none(reader: &'f mut Reader<'a>, names: &'static [&'static str]) -> Self {
        Self { reader, names, number: 0, left: 0, named: None, nothing: true }
    }

    /// A field without which there is no value.
    ///
    /// Takes nil for what its form takes it for, which is an error for all but a few: that error says more
    /// than that the field is missing, and to look for nil first would cost every field that is there.
    pub fn required<F: Form<T>, T>(&mut self, number: usize) -> Result<T, DecodeError> {
        if !self.go_to(number)? {
            return Err(DecodeError::missing(self.name(number)));
        }
        match F::decode(self.reader) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.blame(number, error)),
        }
    }

    /// A field that may be absent, or nil, which is the same.
    pub fn optional<F: Form<T>, T>(&mut self, number: usize) -> Result<Option<T>, DecodeError> {
        if !self.go_to(number)? || self.reader.nil() {
            return Ok(None);
        }
        match F::decode(self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.blame(number, error)),
        }
    }

    /// A field that is something else when absent.
    pub fn or_else<F: Form<T>, T>(
        &mut self,
        number: usize,
        default: impl FnOnce() -> T,
    ) -> Result<T, DecodeError> {
        Ok(self.optional::<F, T>(number)?.unwrap_or_else(default))
    }

    /// Reads past the fields that a newer peer has added behind those known here.
    #[inline]
    pub fn end(self) -> Result<(), DecodeError> {
        if self.left > 0 || self.named.is_some() || self.nothing {
            return self.end_slowly();
        }
        self.reader.leave();
        Ok(())
    }

    #[cold]
    fn end_slowly(mut self) -> Result<(), DecodeError> {
        while self.left > 0 {
            self.left -= 1;
            self.reader.skip()?;
        }
        if let Some(named) = self.named {
            named.end(self.reader);
        }
        if !self.nothing {
            self.reader.leave();
        }
        Ok(())
    }

    /// Goes to a field, if it is there.
    #[inline]
    fn go_to(&mut self, number: usize) -> Result<bool, DecodeError> {
        if self.number + 1 == number && self.left > 0 {
            (self.number, self.left) = (number, self.left - 1);
            return Ok(true);
        }
        self.go_far(number)
    }

    /// Reads past the holes before a field, and past what a peer sends in them; or finds it by its name.
    fn go_far(&mut self, number: usize) -> Result<bool, DecodeError> {
        debug_assert!(self.number < number, "fields are asked for in ascending order");
        if let Some(named) = &mut self.named {
            return Ok(named.go_to(self.reader, number));
        }
        while self.left > 0 {
            (self.number, self.left) = (self.number + 1, self.left - 1);
            if self.number == number {
                return Ok(true);
            }
            if let Err(error) = self.reader.skip() {
                return Err(self.blame(self.number, error));
            }
        }
        self.number = number;
        Ok(false)
    }

    /// Puts the name of a field in front of an error.
    #[cold]
    fn blame(&self, number: usize, error: DecodeError) -> DecodeError {
        error.inside(self.name(number))
    }

    /// What a field is called; a number without a name is the generator's mistake, and none to stop for.
    #[cold]
    fn name(&self, number: usize) -> &'static str {
        number.checked_sub(1).and_then(|at| self.names.get(at)).copied().unwrap_or("?")
    }
}
