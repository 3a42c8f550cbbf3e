//! [`Codec`]: a schema, and the choices of the mapping.

use zsvc_idl::schema::Schema;
use zsvc_proto::codec::{DecodeError, json};

use crate::error::Error;
use crate::shape::Shape;
use crate::text::Text;
use crate::{decode, encode};

/// Number of lists and objects that may be nested in a value, as in `docs/json.md`.
pub(crate) const MAX_LEVELS: usize = zsvc_proto::codec::MAX_DEPTH;

/// Default of the maximum size of a text that is made of bytes: values of a few bytes may have long names.
const MAX_TEXT_BYTES: usize = 256 * 1024 * 1024;

/// Default of what the values of a body may take in memory while they are read, in bytes.
const MAX_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// Converts values of a schema from JSON and to JSON.
#[derive(Debug, Clone, Copy)]
pub struct Codec<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) strict: bool,
    safe_integers: bool,
    pretty: bool,
    max_text: usize,
}

impl<'s> Codec<'s> {
    /// Creates a codec that reads as generated clients do: unknown names are skipped, and bounds are not checked.
    #[must_use]
    pub const fn new(schema: &'s Schema) -> Self {
        Self { schema, strict: false, safe_integers: false, pretty: false, max_text: MAX_TEXT_BYTES }
    }

    /// Refuses unknown names, values of variants that have none, and values out of their bounds: for what people write by hand.
    #[must_use]
    pub const fn strict(self) -> Self {
        Self { strict: true, ..self }
    }

    /// Writes integers past ±(2^53 - 1) as strings, for readers that hold all numbers as floats.
    #[must_use]
    pub const fn safe_integers(self) -> Self {
        Self { safe_integers: true, ..self }
    }

    /// Writes JSON on several lines, indented by two spaces.
    #[must_use]
    pub const fn pretty(self) -> Self {
        Self { pretty: true, ..self }
    }

    /// Sets the maximum size of a text that [`decode`](Self::decode) returns, in bytes. By default it is 256 MiB.
    #[must_use]
    pub const fn max_text(self, bytes: usize) -> Self {
        Self { max_text: bytes, ..self }
    }

    /// Returns the schema.
    #[must_use]
    pub const fn schema(&self) -> &'s Schema {
        self.schema
    }

    /// Returns the bytes of a value that is given as JSON.
    ///
    /// # Errors
    /// The text is no JSON, or not of the shape.
    pub fn encode(&self, shape: Shape<'s>, json: &str) -> Result<Vec<u8>, Error> {
        encode::encode(self.schema, self.strict, shape, json)
    }

    /// Returns the JSON of a value that is given as bytes.
    ///
    /// # Errors
    /// The bytes are not of the shape, or the text would be larger than it may be.
    pub fn decode(&self, shape: Shape<'s>, bytes: &[u8]) -> Result<String, Error> {
        let text = Text::new(self.pretty, self.max_text);
        let decode = || decode::decode(self.schema, shape, bytes, MAX_MEMORY_BYTES, text);
        let decoded = if self.safe_integers { json::safe_integers(decode) } else { decode() };
        decoded.map_err(|error| Error::of(&error))
    }

    /// Checks that bytes are a value of a shape, whose fields are within their bounds, as a server does parameters: what it does not know
    /// of a newer schema passes. The values may take `max_memory` bytes in memory while they are read.
    ///
    /// # Errors
    /// The bytes are not of the shape, or a field is out of its bounds.
    pub fn check(&self, shape: Shape<'s>, bytes: &[u8], max_memory: usize) -> Result<(), DecodeError> {
        decode::check(self.schema, shape, bytes, max_memory)
    }
}
