//! [`Kept`]: a value inside a map from field names, for serde to read.
//!
//! Errors about what a scripting language sends use serde's words for types, and the values are read as strictly as bytes are.

use std::marker::PhantomData;

use rmp_serde::MSGPACK_EXT_STRUCT_NAME as EXTENSION;
use rmpv::Value;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::error::describe;

/// A value of any kind, to be read as the type that it should be.
pub(super) struct Kept<E> {
    value: Value,
    error: PhantomData<E>,
}

impl<E> Kept<E> {
    pub(super) fn new(value: Value) -> Self {
        Self { value, error: PhantomData }
    }
}

impl<E: de::Error> IntoDeserializer<'_, E> for Kept<E> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de, E: de::Error> Deserializer<'de> for Kept<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            Value::Array(elements) => {
                let mut elements = SeqDeserializer::new(elements.into_iter().map(Self::new));
                let value = visitor.visit_seq(&mut elements)?;
                elements.end().map(|()| value)
            }
            Value::Map(entries) => {
                let entries = entries.into_iter().map(|(key, value)| (Self::new(key), Self::new(value)));
                let mut entries = MapDeserializer::new(entries);
                let value = visitor.visit_map(&mut entries)?;
                entries.end().map(|()| value)
            }
            scalar => scalar.deserialize_any(visitor).map_err(|error| E::custom(describe(&error))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        if self.value.is_nil() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        match name {
            EXTENSION if self.value.is_ext() => self.deserialize_any(visitor),
            EXTENSION => Err(E::invalid_type(Unexpected::Other("no extension type"), &visitor)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    /// `false` as for all of MessagePack: a uuid is its bytes, not text, in a map of names as well.
    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
