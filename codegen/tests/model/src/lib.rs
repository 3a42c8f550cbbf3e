//! Code generated for random schemas, and a way to read bytes as one of its types and write the value again.

include!(concat!(env!("OUT_DIR"), "/mod.rs"));

#[allow(missing_docs, reason = "the texts of the schemas, and a function for each type")]
pub mod table {
    include!(concat!(env!("OUT_DIR"), "/table.rs"));
}

/// Reads bytes as a type, and returns the bytes of the value.
pub type Again = fn(&[u8]) -> Result<Vec<u8>, String>;

/// Returns the bytes of a constant.
pub type Constant = fn() -> Vec<u8>;

/// Implements [`Constant`] for a value.
fn constant<T: serde::Serialize + ?Sized>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("values of the schema are written")
}

/// Turns bytes of a type into JSON, and JSON into bytes.
#[derive(Clone, Copy)]
pub struct Json {
    /// Reads bytes as a type, and returns the JSON of the value.
    pub write: fn(&[u8]) -> Result<String, String>,
    /// Reads JSON as a type, and returns the bytes of the value; strictly if the second argument says so.
    pub read: fn(&str, bool) -> Result<Vec<u8>, String>,
}

/// Returns [`Json`] of a type.
const fn json<T: serde::Serialize + serde::de::DeserializeOwned>() -> Json {
    Json { write: to_json::<T>, read: from_json::<T> }
}

fn to_json<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<String, String> {
    let value: T = rmp_serde::from_slice(bytes).map_err(|error| error.to_string())?;
    serde_json::to_string(&value).map_err(|error| error.to_string())
}

fn from_json<T: serde::Serialize + serde::de::DeserializeOwned>(
    text: &str,
    strict: bool,
) -> Result<Vec<u8>, String> {
    let read = || serde_json::from_str::<T>(text).map_err(|error| error.to_string());
    let value = if strict { zsvc::json::strict(read) } else { read() }?;
    rmp_serde::to_vec(&value).map_err(|error| error.to_string())
}

/// Implements [`Again`] for a type.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let value: T = rmp_serde::from_slice(bytes).map_err(|error| error.to_string())?;
    rmp_serde::to_vec(&value).map_err(|error| error.to_string())
}
