//! Unions and enums: what carries a number that an older peer may not know.
//!
//! An enum is its number. A union is `[number, value]`; `[number]` alone is read, too, where the variant
//! carries nothing or its value may be absent. What is unknown is kept and written again unchanged.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use rmpv::Value;
use serde::de::{self, IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeTupleStruct;
use serde::{Deserialize, Deserializer, Serializer};

use super::fields::{ReadFields, ReadOrEmpty};
use super::form::{As, Form, Nothing, Plain, Read, WriteForm};
use super::kept::Kept;
use super::stack;

/// A variant of a union that this side's schema does not have, as it came.
///
/// It is written again as the bytes it was read from, as long as those were as short as MessagePack allows
/// and its strings were UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownVariant {
    /// The number of the variant.
    pub number: u32,
    /// What it carries; nil where it carries nothing.
    pub value: Value,
}

/// A union as a table of its variants.
pub trait ReadVariant: Sized {
    /// The variants that are known, by number and name.
    const NAMES: &'static [(u32, &'static str)];

    /// Reads what the variant `number` carries.
    fn read<'de, P: Payload<'de>>(number: u32, payload: P) -> Result<Self, P::Error>;
}

/// What a variant carries, still to be read.
pub trait Payload<'de>: Sized {
    /// The error of the deserializer below.
    type Error: de::Error;

    /// A value of a type that has a name; absent, it is read as nil.
    fn value<F: Form<T>, T>(self) -> Result<T, Self::Error>;

    /// The fields of the variant's own; absent or nil, all of them are absent.
    fn fields<R: ReadFields>(self) -> Result<R::Output, Self::Error>;

    /// Nothing; what a newer peer has put there is skipped.
    fn nothing(self) -> Result<(), Self::Error>;

    /// Anything.
    fn unknown(self, number: u32) -> Result<UnknownVariant, Self::Error>;
}

/// Reads the number of an enum, in any of MessagePack's forms for it.
#[inline]
pub fn read_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    u32::deserialize(deserializer)
}

/// Writes a variant of a union with what it carries.
#[inline]
pub fn write_variant<F, T, S>(serializer: S, number: u32, value: &T) -> Result<S::Ok, S::Error>
where
    F: WriteForm<T>,
    T: ?Sized,
    S: Serializer,
{
    stack::check_write()?;
    let mut pair = serializer.serialize_tuple_struct("", 2)?;
    pair.serialize_field(&number)?;
    pair.serialize_field(&As::<F, T>::new(value))?;
    pair.end()
}

/// Reads a union.
#[inline]
pub fn read_union<'de, U: ReadVariant, D: Deserializer<'de>>(deserializer: D) -> Result<U, D::Error> {
    stack::check()?;
    deserializer.deserialize_any(UnionVisitor::<U>(PhantomData))
}

struct UnionVisitor<U>(PhantomData<U>);

impl<'de, U: ReadVariant> Visitor<'de> for UnionVisitor<U> {
    type Value = U;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("an array of a variant's number and its value")
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<U, A::Error> {
        let Some(number) = access.next_element::<u32>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let variant = U::read(number, Element { access: &mut access, name: || name_of::<U>(number) })?;
        while let Some(IgnoredAny) = access.next_element()? {}
        Ok(variant)
    }
}

#[cold]
fn name_of<U: ReadVariant>(number: u32) -> &'static str {
    U::NAMES.iter().find(|(known, _)| *known == number).map_or("?", |(_, name)| name)
}

/// The second element of a union's array.
struct Element<'a, A, N> {
    access: &'a mut A,
    name: N,
}

impl<'de, A: SeqAccess<'de>, N: Fn() -> &'static str> Payload<'de> for Element<'_, A, N> {
    type Error = A::Error;

    #[inline]
    fn value<F: Form<T>, T>(self) -> Result<T, A::Error> {
        match self.access.next_element_seed(Read::<F, T>::new())? {
            Some(value) => Ok(value),
            None => F::deserialize(Kept::new(Value::Nil)).map_err(|_: A::Error| absent((self.name)())),
        }
    }

    #[inline]
    fn fields<R: ReadFields>(self) -> Result<R::Output, A::Error> {
        match self.access.next_element_seed(ReadOrEmpty::<R>::new())? {
            Some(output) => Ok(output),
            None => ReadOrEmpty::<R>::of_nothing(),
        }
    }

    #[inline]
    fn nothing(self) -> Result<(), A::Error> {
        self.access.next_element_seed(Read::<Nothing, ()>::new()).map(|_| ())
    }

    #[inline]
    fn unknown(self, number: u32) -> Result<UnknownVariant, A::Error> {
        let value = self.access.next_element_seed(Read::<Plain, Value>::new())?.unwrap_or(Value::Nil);
        Ok(UnknownVariant { number, value })
    }
}

#[cold]
#[inline(never)]
fn absent<E: de::Error>(variant: &str) -> E {
    E::custom(format_args!("variant `{variant}` comes without its value"))
}
