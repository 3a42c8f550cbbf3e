//! Implementations of serde's traits for generated types: for programs that store them in other formats, or inside
//! their own types.
//!
//! Values go by way of MessagePack and a [`Value`], since types are rarely read and written so: an implementation for
//! each type and every format would be most of what there is to compile. A format for people gets names in place of
//! numbers, by [`json`]; any other gets what is on the wire.

use bytes::Bytes;
use rmpv::Value;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::decode::{Decode, Reader};
use super::encode::{Encode, Writer};
use super::json::{self, Described, Description};
use super::memory::Memory;
use super::stack;
use super::validate::Violation;

/// Writes a value by a serializer of any format.
///
/// # Errors
/// The value can't be encoded, or the serializer fails.
pub fn serialize<S: Serializer>(
    value: &dyn Encode,
    description: fn() -> &'static Description,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let description = serializer.is_human_readable().then_some(description);
    match to_value(value, description) {
        Ok(value) => value.serialize(serializer),
        Err(why) => Err(ser::Error::custom(why)),
    }
}

/// Reads a value by a deserializer of any format. `check` looks at its bounds, if that was asked for.
///
/// # Errors
/// The input is not such a value.
pub fn deserialize<'de, T: Decode + Described, D: Deserializer<'de>>(
    deserializer: D,
    check: fn(&T) -> Result<(), Violation>,
) -> Result<T, D::Error> {
    let is_for_people = deserializer.is_human_readable();
    let value = Value::deserialize(deserializer)?;
    let bytes = to_bytes(value, is_for_people.then_some(T::description)).map_err(de::Error::custom)?;
    let _stack = stack::mark_within();
    let value = T::decode(&mut Reader::new(&bytes.into(), Memory::unbounded())).map_err(de::Error::custom)?;
    if is_for_people && json::is_strict() {
        check(&value).map_err(de::Error::custom)?;
    }
    Ok(value)
}

fn to_value(value: &dyn Encode, description: Option<fn() -> &'static Description>) -> Result<Value, String> {
    let _stack = stack::mark_within();
    let mut out = Writer::new(Vec::new());
    value.encode(&mut out);
    let (bytes, written) = out.finish();
    written.map_err(|error| error.to_string())?;
    let value = rmpv::decode::read_value(&mut &*bytes).map_err(|error| error.to_string())?;
    match description {
        Some(description) => json::write(description(), value).map_err(|error| error.to_string()),
        None => Ok(value),
    }
}

fn to_bytes(value: Value, description: Option<fn() -> &'static Description>) -> Result<Bytes, String> {
    let value = match description {
        Some(description) => json::read(description(), value).map_err(|error| error.to_string())?,
        None => value,
    };
    let mut out = Writer::new(Vec::new());
    value.encode(&mut out);
    Ok(out.finish().0.into())
}
