//! Implementations of serde's traits for generated types: for programs that store them in other formats, or inside
//! their own types.
//!
//! Values go by way of MessagePack and a [`Value`], since types are rarely read and written so: an implementation for
//! each type and every format would be most of what there is to compile.

use bytes::Bytes;
use rmpv::Value;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::decode::{Decode, Reader};
use super::encode::{Encode, Writer};
use super::stack;

/// Writes a value by a serializer of any format.
///
/// # Errors
/// The value can't be encoded, or the serializer fails.
pub fn serialize<S: Serializer>(value: &dyn Encode, serializer: S) -> Result<S::Ok, S::Error> {
    match to_value(value) {
        Ok(value) => value.serialize(serializer),
        Err(why) => Err(ser::Error::custom(why)),
    }
}

/// Reads a value by a deserializer of any format.
///
/// # Errors
/// The input is not such a value.
pub fn deserialize<'de, T: Decode, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let bytes = to_bytes(&Value::deserialize(deserializer)?);
    let _stack = stack::mark_within();
    T::decode(&mut Reader::new(&bytes.into())).map_err(de::Error::custom)
}

fn to_value(value: &dyn Encode) -> Result<Value, String> {
    let _stack = stack::mark_within();
    let mut out = Writer::new(Vec::new());
    value.encode(&mut out);
    match out.finish() {
        (bytes, Ok(_)) => rmpv::decode::read_value(&mut &*bytes).map_err(|error| error.to_string()),
        (_, Err(error)) => Err(error.to_string()),
    }
}

fn to_bytes(value: &Value) -> Bytes {
    let mut out = Writer::new(Vec::new());
    value.encode(&mut out);
    out.finish().0.into()
}
