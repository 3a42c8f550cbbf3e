//! Structs that come as a map from field names, which is what a person writes in a scripting language.
//!
//! The entries come in any order and fields are asked for by number, so the map is read whole first. This is
//! for convenience and not for speed: peers with generated code send arrays, which [`super::fields`] reads.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use rmpv::Value;
use serde::Deserializer;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::fields::{Fields, missing, name_of};
use super::form::Form;
use super::kept::{Keep, Kept};
use super::path::inside;

/// The fields of a map, by number.
pub(super) struct NamedFields<E> {
    /// At its number less one, the value of each field that has been sent; shorter where the rest is absent.
    values: Vec<Option<Value>>,
    names: &'static [&'static str],
    error: PhantomData<E>,
}

impl<E: de::Error> NamedFields<E> {
    /// The fields of nothing at all.
    pub(super) fn none(names: &'static [&'static str]) -> Self {
        Self { values: Vec::new(), names, error: PhantomData }
    }

    /// Reads a map to its end. Unknown names are skipped, a name given twice is an error: which of the two
    /// was meant is nothing to guess at.
    pub(super) fn read<'de, A>(mut access: A, names: &'static [&'static str]) -> Result<Self, E>
    where
        A: MapAccess<'de, Error = E>,
    {
        let mut fields = Self::none(names);
        while let Some(found) = access.next_key_seed(NameSeed(names))? {
            let Some(at) = found else {
                access.next_value::<IgnoredAny>()?;
                continue;
            };
            if fields.values.len() <= at {
                fields.values.resize(at + 1, None);
            }
            let value = access.next_value_seed(Keep).map_err(|error| inside(names[at], error))?;
            if fields.values[at].replace(value).is_some() {
                return Err(E::custom(format_args!("field `{}` is given twice", names[at])));
            }
        }
        Ok(fields)
    }
}

impl<E: de::Error> Fields<'_> for NamedFields<E> {
    type Error = E;

    fn required<F: Form<T>, T>(&mut self, number: usize) -> Result<T, E> {
        match self.optional::<F, T>(number)? {
            Some(value) => Ok(value),
            None => Err(missing(self.name(number))),
        }
    }

    fn optional<F: Form<T>, T>(&mut self, number: usize) -> Result<Option<T>, E> {
        let sent = number.checked_sub(1).and_then(|at| self.values.get_mut(at)).and_then(Option::take);
        match sent {
            None | Some(Value::Nil) => Ok(None),
            Some(value) => match F::deserialize(Kept::new(value)) {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(inside(self.name(number), error)),
            },
        }
    }

    fn name(&self, number: usize) -> &'static str {
        name_of(self.names, number)
    }
}

/// Reads a name and finds it among those of the fields.
struct NameSeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        // The empty name stands for the holes.
        Ok(self.0.iter().position(|known| *known == name && !name.is_empty()))
    }
}
