//! Code that was generated for random schemas, and what the tests need of it: to read bytes as a type, and to write what was
//! read again.

include!(concat!(env!("OUT_DIR"), "/mod.rs"));

#[allow(missing_docs, reason = "the texts of the schemas, and a function for each type")]
pub mod table {
    include!(concat!(env!("OUT_DIR"), "/table.rs"));
}

/// Reads bytes as a type, and gives those that it is written with.
pub type Again = fn(&[u8]) -> Result<Vec<u8>, String>;

/// [`Again`] for a type.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let value: T = rmp_serde::from_slice(bytes).map_err(|error| error.to_string())?;
    rmp_serde::to_vec(&value).map_err(|error| error.to_string())
}
