//! The forms of what holds other values: optionals, lists, maps and boxes.
//!
//! They are for where a form inside is more than [`Plain`](super::Plain), or where an error should name the
//! element at fault; serde's own implementations of `Vec` and `BTreeMap` write the same bytes.

use std::collections::BTreeMap;
use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserializer, Serializer};

use super::form::{As, Form, Read, WriteForm};
use super::path::{at_index, index_step, inside, key_step};
use super::validate::Violation;

/// How many bytes are set aside for a list on the word of its header, before any element has been seen.
const MAX_PREALLOCATED: usize = 4096;

/// An `Option` whose value has the form `F`; `None` is nil.
#[derive(Debug)]
pub struct Optional<F>(PhantomData<F>);

/// A `Vec` whose elements have the form `F`.
#[derive(Debug)]
pub struct List<F>(PhantomData<F>);

/// A `BTreeMap` with keys of the form `K` and values of the form `V`. Of a key that is sent twice, the last value stays.
#[derive(Debug)]
pub struct Map<K, V>(PhantomData<(K, V)>);

/// A `Box` of what has the form `F`.
#[derive(Debug)]
pub struct Boxed<F>(PhantomData<F>);

impl<F: WriteForm<T>, T> WriteForm<Option<T>> for Optional<F> {
    #[inline]
    fn serialize<S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_some(&As::<F, T>::new(value)),
            None => serializer.serialize_none(),
        }
    }
}

impl<F: Form<T>, T> Form<Option<T>> for Optional<F> {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(OptionalVisitor::<F, T>(PhantomData))
    }

    #[inline]
    fn validate(value: &Option<T>) -> Result<(), Violation> {
        value.as_ref().map_or(Ok(()), F::validate)
    }
}

struct OptionalVisitor<F, T>(PhantomData<(F, T)>);

impl<'de, F: Form<T>, T> Visitor<'de> for OptionalVisitor<F, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a value or nil")
    }

    #[inline]
    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    #[inline]
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        F::deserialize(deserializer).map(Some)
    }
}

impl<F: WriteForm<T>, T> WriteForm<Vec<T>> for List<F> {
    #[inline]
    fn serialize<S: Serializer>(value: &Vec<T>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(Some(value.len()))?;
        for element in value {
            elements.serialize_element(&As::<F, T>::new(element))?;
        }
        elements.end()
    }
}

impl<F: Form<T>, T> Form<Vec<T>> for List<F> {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(ListVisitor::<F, T>(PhantomData))
    }

    #[inline]
    fn validate(value: &Vec<T>) -> Result<(), Violation> {
        for (index, element) in value.iter().enumerate() {
            F::validate(element).map_err(|violation| violation.inside(&index_step(index)))?;
        }
        Ok(())
    }
}

struct ListVisitor<F, T>(PhantomData<(F, T)>);

impl<'de, F: Form<T>, T> Visitor<'de> for ListVisitor<F, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
        let affordable = MAX_PREALLOCATED / size_of::<T>().max(1);
        let mut list = Vec::with_capacity(access.size_hint().unwrap_or(0).min(affordable));
        loop {
            match access.next_element_seed(Read::<F, T>::new()) {
                Ok(Some(element)) => list.push(element),
                Ok(None) => return Ok(list),
                Err(error) => return Err(at_index(list.len(), error)),
            }
        }
    }
}

impl<K: WriteForm<A>, V: WriteForm<B>, A, B> WriteForm<BTreeMap<A, B>> for Map<K, V> {
    #[inline]
    fn serialize<S: Serializer>(value: &BTreeMap<A, B>, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = serializer.serialize_map(Some(value.len()))?;
        for (key, value) in value {
            entries.serialize_entry(&As::<K, A>::new(key), &As::<V, B>::new(value))?;
        }
        entries.end()
    }
}

impl<K: Form<A>, V: Form<B>, A: Ord, B> Form<BTreeMap<A, B>> for Map<K, V> {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<A, B>, D::Error> {
        deserializer.deserialize_map(MapVisitor::<K, V, A, B>(PhantomData))
    }

    #[inline]
    fn validate(value: &BTreeMap<A, B>) -> Result<(), Violation> {
        for (key, value) in value {
            V::validate(value).map_err(|violation| violation.inside(&step_to::<K, A>(key)))?;
        }
        Ok(())
    }
}

struct MapVisitor<K, V, A, B>(PhantomData<(K, V, A, B)>);

impl<'de, K: Form<A>, V: Form<B>, A: Ord, B> Visitor<'de> for MapVisitor<K, V, A, B> {
    type Value = BTreeMap<A, B>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut access: M) -> Result<BTreeMap<A, B>, M::Error> {
        let mut map = BTreeMap::new();
        while let Some(key) = access.next_key_seed(Read::<K, A>::new())? {
            match access.next_value_seed(Read::<V, B>::new()) {
                Ok(value) => map.insert(key, value),
                Err(error) => return Err(inside(&step_to::<K, A>(&key), error)),
            };
        }
        Ok(map)
    }
}

/// The step to the value of a key of any type that a key may have.
#[cold]
fn step_to<K: WriteForm<A>, A>(key: &A) -> String {
    match rmpv::ext::to_value(As::<K, A>::new(key)) {
        Ok(rmpv::Value::String(key)) => key_step(key.as_str().unwrap_or_default()),
        Ok(key) => format!("[{key}]"),
        Err(_) => "[]".to_owned(),
    }
}

impl<F: WriteForm<T>, T> WriteForm<Box<T>> for Boxed<F> {
    #[inline]
    fn serialize<S: Serializer>(value: &Box<T>, serializer: S) -> Result<S::Ok, S::Error> {
        F::serialize(value, serializer)
    }
}

impl<F: Form<T>, T> Form<Box<T>> for Boxed<F> {
    #[inline]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<T>, D::Error> {
        F::deserialize(deserializer).map(Box::new)
    }

    #[inline]
    fn validate(value: &Box<T>) -> Result<(), Violation> {
        F::validate(value)
    }
}
