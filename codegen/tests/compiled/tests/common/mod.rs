//! Helpers of these tests: write a value, inspect its bytes, read it again.

use std::fmt::Debug;

use rmpv::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Returns the bytes of a value.
pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("every value can be written")
}

/// Returns the value of some bytes, or the error.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}

/// Returns a value as generic MessagePack, without its type.
pub(crate) fn shown(value: &impl Serialize) -> String {
    let bytes = encode(value);
    rmpv::decode::read_value(&mut bytes.as_slice()).expect("MessagePack").to_string()
}

/// Reads a `T` from any MessagePack.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("a vector takes any bytes");
    decode(&bytes)
}

/// Checks that a value is written as given, and read again unchanged.
pub(crate) fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, expected: &str) {
    assert_eq!(shown(value), expected);
    assert_eq!(decode::<T>(&encode(value)).as_ref(), Ok(value));
}
