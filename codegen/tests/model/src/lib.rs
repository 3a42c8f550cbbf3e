//! Code generated for random schemas, and a way to read bytes as one of its types and write the value again.

include!(concat!(env!("OUT_DIR"), "/mod.rs"));

#[allow(missing_docs, reason = "the texts of the schemas, and a function for each type")]
pub mod table {
    include!(concat!(env!("OUT_DIR"), "/table.rs"));
}

/// Reads bytes as a type, and returns the bytes of the value.
pub type Again = fn(&[u8]) -> Result<Vec<u8>, String>;

/// Implements [`Again`] for a type.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let value: T = rmp_serde::from_slice(bytes).map_err(|error| error.to_string())?;
    rmp_serde::to_vec(&value).map_err(|error| error.to_string())
}
