//! Bytes to structs: the fields by number, in whatever form they have been sent.
//!
//! A peer with generated code sends an array, which is read here, straight through. One without may send a
//! map from field names, which is [`super::named`]. Generated code asks for its fields through [`Fields`]
//! and does not see the difference. Writing is in [`super::write`](mod@super::write).

// A field is read in a few instructions, and a call for each costs a tenth of what reading a struct takes.
#![allow(clippy::inline_always)]

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::form::{Form, Read};
use super::named::NamedFields;
use super::nested::Optional;
use super::path::inside;
use super::stack;

/// A struct as a list of fields to ask for.
pub trait ReadFields {
    /// What the fields make up.
    type Output;

    /// The name of each field at its number less one; an empty name is a hole.
    const NAMES: &'static [&'static str];

    /// Asks for each field, in the order of their numbers.
    fn read<'de, F: Fields<'de>>(fields: &mut F) -> Result<Self::Output, F::Error>;
}

/// The fields of a struct that is being read. Their numbers must be asked for in ascending order.
pub trait Fields<'de> {
    /// The error of the deserializer below.
    type Error: de::Error;

    /// A field without which there is no value.
    fn required<F: Form<T>, T>(&mut self, number: usize) -> Result<T, Self::Error>;

    /// A field that may be absent, or nil, which is the same.
    fn optional<F: Form<T>, T>(&mut self, number: usize) -> Result<Option<T>, Self::Error>;

    /// What the field is called.
    fn name(&self, number: usize) -> &'static str;

    /// A field that is something else when absent.
    #[inline(always)]
    fn or_else<F: Form<T>, T>(
        &mut self,
        number: usize,
        default: impl FnOnce() -> T,
    ) -> Result<T, Self::Error> {
        Ok(self.optional::<F, T>(number)?.unwrap_or_else(default))
    }
}

#[cold]
#[inline(never)]
pub(super) fn missing<E: de::Error>(name: &str) -> E {
    E::custom(format_args!("field `{name}` is missing"))
}

/// Reads a struct, which may be an array or a map.
#[inline]
pub fn read_struct<'de, R: ReadFields, D: Deserializer<'de>>(deserializer: D) -> Result<R::Output, D::Error> {
    stack::check()?;
    // Not `deserialize_seq`, for which `rmp-serde` would take bytes for an array of numbers.
    deserializer.deserialize_any(StructVisitor::<R>(PhantomData))
}

/// [`read_struct`], where a value may be nil for one without any fields.
pub(super) struct ReadOrEmpty<R>(PhantomData<R>);

impl<R> ReadOrEmpty<R> {
    #[inline]
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R: ReadFields> ReadOrEmpty<R> {
    /// What there is when not even a nil has been sent.
    #[cold]
    pub(super) fn of_nothing<E: de::Error>() -> Result<R::Output, E> {
        R::read(&mut NamedFields::<E>::none(R::NAMES))
    }
}

impl<'de, R: ReadFields> DeserializeSeed<'de> for ReadOrEmpty<R> {
    type Value = R::Output;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R::Output, D::Error> {
        deserializer.deserialize_any(OrEmptyVisitor::<R>(PhantomData))
    }
}

struct StructVisitor<R>(PhantomData<R>);

impl<'de, R: ReadFields> Visitor<'de> for StructVisitor<R> {
    type Value = R::Output;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an array of fields, or a map from their names")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<R::Output, A::Error> {
        let mut fields = NumberedFields { access, number: 0, names: R::NAMES };
        // Blamed here and not where each field is read: what may fail must stay cheap to pass through.
        let output = match R::read(&mut fields) {
            Ok(output) => output,
            Err(error) => return Err(fields.blame(error)),
        };
        fields.skip_rest()?;
        Ok(output)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<R::Output, A::Error> {
        R::read(&mut NamedFields::read(access, R::NAMES)?)
    }
}

struct OrEmptyVisitor<R>(PhantomData<R>);

impl<'de, R: ReadFields> Visitor<'de> for OrEmptyVisitor<R> {
    type Value = R::Output;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        StructVisitor::<R>(PhantomData).expecting(f)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<R::Output, A::Error> {
        StructVisitor::<R>(PhantomData).visit_seq(access)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<R::Output, A::Error> {
        StructVisitor::<R>(PhantomData).visit_map(access)
    }

    #[inline]
    fn visit_unit<E: de::Error>(self) -> Result<R::Output, E> {
        ReadOrEmpty::<R>::of_nothing()
    }
}

/// The fields of an array, in its order.
struct NumberedFields<A> {
    access: A,
    /// The field that was read last, to which an error belongs; nought where it names its field itself.
    number: usize,
    names: &'static [&'static str],
}

impl<'de, A: SeqAccess<'de>> NumberedFields<A> {
    /// Reads past the holes before a field, and past what a peer sends in them.
    #[inline(always)]
    fn skip_to(&mut self, number: usize) -> Result<(), A::Error> {
        debug_assert!(self.number < number, "fields are asked for in ascending order");
        while self.number + 1 < number {
            self.number += 1;
            // Nil, mostly, which an option sees at once.
            self.access.next_element::<Option<IgnoredAny>>()?;
        }
        self.number = number;
        Ok(())
    }

    /// Puts the name of the field that was read last in front of an error.
    #[cold]
    fn blame(&self, error: A::Error) -> A::Error {
        if self.number == 0 { error } else { inside(self.name(self.number), error) }
    }

    /// Reads past the fields that a newer peer has added behind those known here.
    #[inline]
    fn skip_rest(&mut self) -> Result<(), A::Error> {
        while let Some(IgnoredAny) = self.access.next_element()? {}
        Ok(())
    }
}

impl<'de, A: SeqAccess<'de>> Fields<'de> for NumberedFields<A> {
    type Error = A::Error;

    /// Takes nil for what its form takes it for, which is an error for all but a few: that error says more
    /// than that the field is missing, and to look for nil first would cost every field that is there.
    #[inline(always)]
    fn required<F: Form<T>, T>(&mut self, number: usize) -> Result<T, A::Error> {
        self.skip_to(number)?;
        let Some(value) = self.access.next_element_seed(Read::<F, T>::new())? else {
            self.number = 0;
            return Err(missing(self.name(number)));
        };
        Ok(value)
    }

    #[inline(always)]
    fn optional<F: Form<T>, T>(&mut self, number: usize) -> Result<Option<T>, A::Error> {
        self.skip_to(number)?;
        Ok(self.access.next_element_seed(Read::<Optional<F>, Option<T>>::new())?.flatten())
    }

    #[inline(always)]
    fn name(&self, number: usize) -> &'static str {
        name_of(self.names, number)
    }
}

/// The name of a field; a number without one is the generator's mistake, and none to stop for.
#[inline]
pub(super) fn name_of(names: &'static [&'static str], number: usize) -> &'static str {
    number.checked_sub(1).and_then(|at| names.get(at)).copied().unwrap_or("?")
}
