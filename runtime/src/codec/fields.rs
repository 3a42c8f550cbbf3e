//! Bytes to structs: the fields by number, in whatever form they have been sent.
//!
//! A peer with generated code sends an array, which is read here, straight through. One without may send a
//! map from field names, which is [`super::named`]. Generated code asks for its fields through [`Fields`]
//! and does not see the difference. Writing is in [`super::write`](mod@super::write).

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::form::Form;
use super::named::NamedFields;
use super::nested::Optional;
use super::path::inside;

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

    /// A field that may be absent, or nil, which is the same.
    fn optional<F: Form<T>, T>(&mut self, number: usize) -> Result<Option<T>, Self::Error>;

    /// What the field is called.
    fn name(&self, number: usize) -> &'static str;

    /// A field without which there is no value.
    #[inline]
    fn required<F: Form<T>, T>(&mut self, number: usize) -> Result<T, Self::Error> {
        match self.optional::<F, T>(number)? {
            Some(value) => Ok(value),
            None => Err(missing(self.name(number))),
        }
    }

    /// A field that is something else when absent.
    #[inline]
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
fn missing<E: de::Error>(name: &str) -> E {
    E::custom(format_args!("field `{name}` is missing"))
}

/// Reads a struct, which may be an array or a map.
#[inline]
pub fn read_struct<'de, R: ReadFields, D: Deserializer<'de>>(deserializer: D) -> Result<R::Output, D::Error> {
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
        let mut fields = NumberedFields { access, read: 0, names: R::NAMES };
        let output = R::read(&mut fields)?;
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
    /// How many elements have been read, so the number of the last field.
    read: usize,
    names: &'static [&'static str],
}

impl<'de, A: SeqAccess<'de>> NumberedFields<A> {
    /// Reads past the fields that a newer peer has added behind those known here.
    #[inline]
    fn skip_rest(&mut self) -> Result<(), A::Error> {
        while let Some(IgnoredAny) = self.access.next_element()? {}
        Ok(())
    }

    /// Reads past the holes before a field, and past what a peer sends in them.
    #[inline]
    fn skip_to(&mut self, number: usize) -> Result<(), A::Error> {
        debug_assert!(self.read < number, "fields are asked for in ascending order");
        while self.read + 1 < number {
            self.read += 1;
            self.access.next_element::<IgnoredAny>()?;
        }
        self.read = number;
        Ok(())
    }
}

impl<'de, A: SeqAccess<'de>> Fields<'de> for NumberedFields<A> {
    type Error = A::Error;

    #[inline]
    fn optional<F: Form<T>, T>(&mut self, number: usize) -> Result<Option<T>, A::Error> {
        self.skip_to(number)?;
        match self.access.next_element_seed(super::form::Read::<Optional<F>, Option<T>>::new()) {
            Ok(element) => Ok(element.flatten()),
            Err(error) => Err(inside(self.name(number), &error)),
        }
    }

    #[inline]
    fn name(&self, number: usize) -> &'static str {
        name_of(self.names, number)
    }
}

/// The name of a field; a number without one is the generator's mistake, and none to stop for.
#[inline]
pub(super) fn name_of(names: &'static [&'static str], number: usize) -> &'static str {
    number.checked_sub(1).and_then(|at| names.get(at)).copied().unwrap_or("?")
}
