//! Bytes to structs: fields by number, in any form in which a peer may send them.
//!
//! A peer with generated code sends an array, or a map from numbers if few of a struct's numbers are in use. Both are read
//! straight through, here and in [`super::numbered`]. Others may send a map from field names, which is searched in
//! [`super::named`]. Generated code asks for its fields by number and does not see the difference. Writing is in
//! [`super::write`](mod@super::write).

use super::decode::Reader;
use super::error::DecodeError;
use super::form::Form;
use super::named::Named;
use super::numbered::Numbered;

/// Reads the fields of one struct. Must be asked for them in ascending order of their numbers.
#[derive(Debug)]
pub struct Fields<'f, 'a> {
    reader: &'f mut Reader<'a>,
    names: Names,
    /// Number of the field that was read last.
    number: usize,
    /// Number of elements of the array that are not read yet; 0 for all else.
    left: usize,
    source: Source<'a>,
}

/// In which form the fields came.
#[derive(Debug)]
enum Source<'a> {
    Array,
    /// A map from their numbers.
    Numbers(Numbered),
    /// A map from their names.
    Names(Box<Named<'a>>),
    /// Nothing was sent at all, so nothing was entered.
    Nothing,
}

/// What the fields of a struct are called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// The name of each field at its number less one; an empty name is a hole.
    ByNumber(&'static [&'static str]),
    /// Numbers and names, in ascending order of the numbers.
    Sparse(&'static [(u16, &'static str)]),
}

impl Names {
    /// Returns the length of the table.
    pub(super) fn len(self) -> usize {
        match self {
            Self::ByNumber(names) => names.len(),
            Self::Sparse(names) => names.len(),
        }
    }

    /// Returns the name at a place of the table; none of a hole.
    pub(super) fn get(self, place: usize) -> Option<&'static str> {
        Some(self.at(place)).filter(|name| place < self.len() && !name.is_empty())
    }

    /// Returns the place of a number in the table.
    pub(super) fn place(self, number: usize) -> Option<usize> {
        match self {
            Self::ByNumber(_) => number.checked_sub(1),
            Self::Sparse(names) => names.binary_search_by_key(&number, |(known, _)| (*known).into()).ok(),
        }
    }

    /// Returns the name at a place. A place without a name is a mistake of the generator, and no reason to panic.
    #[cold]
    pub(super) fn at(self, place: usize) -> &'static str {
        let name = match self {
            Self::ByNumber(names) => names.get(place).copied(),
            Self::Sparse(names) => names.get(place).map(|(_, name)| *name),
        };
        name.unwrap_or("?")
    }
}

const STRUCT: &str = "an array of fields, or a map from their numbers or names";

impl<'f, 'a> Fields<'f, 'a> {
    /// Begins to read a struct, which may be an array or a map. `names` holds the name of each field at its number less
    /// one; an empty name is a hole.
    ///
    /// # Errors
    /// The bytes are neither, or nested too deep.
    pub fn new(reader: &'f mut Reader<'a>, names: &'static [&'static str]) -> Result<Self, DecodeError> {
        Self::of(reader, Names::ByNumber(names))
    }

    /// Begins to read a struct whose numbers are far apart: `names` holds numbers and names, in ascending order of the numbers.
    /// Otherwise as [`new`](Self::new).
    ///
    /// # Errors
    /// The bytes are neither array nor map, or nested too deep.
    pub fn sparse(
        reader: &'f mut Reader<'a>,
        names: &'static [(u16, &'static str)],
    ) -> Result<Self, DecodeError> {
        Self::of(reader, Names::Sparse(names))
    }

    #[inline]
    pub(super) fn of(reader: &'f mut Reader<'a>, names: Names) -> Result<Self, DecodeError> {
        Reader::check_stack()?;
        let Some(left) = reader.array() else { return Self::of_map(reader, names) };
        reader.enter()?;
        Ok(Self { reader, names, number: 0, left, source: Source::Array })
    }

    #[inline(never)]
    fn of_map(reader: &'f mut Reader<'a>, names: Names) -> Result<Self, DecodeError> {
        let Some(entries) = reader.map() else { return Err(reader.unexpected(STRUCT)) };
        reader.enter()?;
        let source = match Numbered::begin(reader, entries) {
            Some(numbered) => Source::Numbers(numbered),
            None => Source::Names(Box::new(Named::read(reader, entries, names)?)),
        };
        Ok(Self { reader, names, number: 0, left: 0, source })
    }

    /// Creates a struct whose fields are all absent.
    pub(super) fn none(reader: &'f mut Reader<'a>, names: Names) -> Self {
        Self { reader, names, number: 0, left: 0, source: Source::Nothing }
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
        if self.left > 0 || !matches!(self.source, Source::Array) {
            return self.end_slowly();
        }
        self.reader.leave();
        Ok(())
    }

    #[inline(never)]
    fn end_slowly(mut self) -> Result<(), DecodeError> {
        while self.left > 0 {
            self.left -= 1;
            self.reader.skip()?;
        }
        match self.source {
            Source::Array => {}
            Source::Numbers(numbered) => numbered.end(self.reader)?,
            Source::Names(named) => named.end(self.reader),
            Source::Nothing => return Ok(()),
        }
        self.reader.leave();
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

    /// Skips the holes before a field, and what a peer sends in them; or finds the field in a map.
    fn go_far(&mut self, number: usize) -> Result<bool, DecodeError> {
        debug_assert!(self.number < number, "fields are asked for in ascending order");
        match &mut self.source {
            Source::Array | Source::Nothing => {}
            Source::Numbers(numbered) => return numbered.go_to(self.reader, number),
            Source::Names(named) => {
                let place = self.names.place(number);
                return Ok(place.is_some_and(|place| named.go_to(self.reader, place)));
            }
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

    /// Returns the name of a field.
    #[cold]
    fn name(&self, number: usize) -> &'static str {
        self.names.place(number).map_or("?", |place| self.names.at(place))
    }
}
