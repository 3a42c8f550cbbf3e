//! Bytes to structs: fields by number, in either form in which a peer may send them.
//!
//! A peer with generated code sends an array, which is read here, straight through. Others may send a map from field names, which
//! is searched in [`super::named`]. Generated code asks for its fields by number and does not see the difference. Writing is in
//! [`super::write`](mod@super::write).

use super::decode::Reader;
use super::error::DecodeError;
use super::form::Form;
use super::named::Named;

/// Reads the fields of one struct. Must be asked for them in ascending order of their numbers.
#[derive(Debug)]
pub struct Fields<'f, 'a> {
    reader: &'f mut Reader<'a>,
    names: &'static [&'static str],
    /// Number of the field that was read last.
    number: usize,
    /// Number of elements of the array that are not read yet.
    left: usize,
    /// The fields, if they came by name; `left` is 0 then.
    named: Option<Box<Named<'a>>>,
    /// Whether nothing was sent at all, so that no array was entered.
    nothing: bool,
}

const STRUCT: &str = "an array of fields, or a map from their names";

impl<'f, 'a> Fields<'f, 'a> {
    /// Begins to read a struct, which may be an array or a map. `names` holds the name of each field at its number less
    /// one; an empty name is a hole.
    ///
    /// # Errors
    /// The bytes are neither, or nested too deep.
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

    /// Creates a struct whose fields are all absent.
    pub(super) fn none(reader: &'f mut Reader<'a>, names: &'static [&'static str]) -> Self {
        Self { reader, names, number: 0, left: 0, named: None, nothing: true }
    }

    /// Reads a field that must be there.
    ///
    /// Nil is passed on to the form, for most of which it is an error: that error says more than that the field is missing, and
    /// to look for nil first would cost time for every field that is there.
    ///
    /// # Errors
    /// The field is absent, or not of its form.
    pub fn required<F: Form<T>, T>(&mut self, number: usize) -> Result<T, DecodeError> {
        if !self.go_to(number)? {
            return Err(DecodeError::missing(self.name(number)));
        }
        match F::decode(self.reader) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.blame(number, error)),
        }
    }

    /// Reads a field that may be absent or nil, which mean the same.
    ///
    /// # Errors
    /// The field is not of its form.
    pub fn optional<F: Form<T>, T>(&mut self, number: usize) -> Result<Option<T>, DecodeError> {
        if !self.go_to(number)? || self.reader.nil() {
            return Ok(None);
        }
        match F::decode(self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.blame(number, error)),
        }
    }

    /// Reads a field that has a default value.
    ///
    /// # Errors
    /// The field is not of its form.
    pub fn or_else<F: Form<T>, T>(
        &mut self,
        number: usize,
        default: impl FnOnce() -> T,
    ) -> Result<T, DecodeError> {
        Ok(self.optional::<F, T>(number)?.unwrap_or_else(default))
    }

    /// Skips the fields that a newer peer has added at the end.
    ///
    /// # Errors
    /// One of them is no value.
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

    /// Goes to the field `number`. Returns `false` if it is absent.
    #[inline]
    fn go_to(&mut self, number: usize) -> Result<bool, DecodeError> {
        if self.number + 1 == number && self.left > 0 {
            (self.number, self.left) = (number, self.left - 1);
            return Ok(true);
        }
        self.go_far(number)
    }

    /// Skips the holes before a field, and what a peer sends in them; or finds the field by its name.
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

    /// Adds the name of a field to the front of an error's path.
    #[cold]
    fn blame(&self, number: usize, error: DecodeError) -> DecodeError {
        error.inside(self.name(number))
    }

    /// Returns the name of a field. A number without a name is a mistake of the generator, and no reason to panic.
    #[cold]
    fn name(&self, number: usize) -> &'static str {
        number.checked_sub(1).and_then(|at| self.names.get(at)).copied().unwrap_or("?")
    }
}
