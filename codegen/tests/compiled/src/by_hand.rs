//! Types as another crate may have them, which tell how they were written and read: `tests/direct.rs`.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zsvc::generated::{Decode, Decoded, Described, Description, Encode, Fields, Plain, Reader, Writer};

/// What the implementations of serde's traits fail with.
pub const ASKED: &str = "serde was asked";

/// Written straight, as a generated type is. Its implementations of serde's traits fail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Own {
    /// Field 1.
    pub n: u32,
}

/// As [`Own`], but without a way to write it straight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slow(pub u32);

impl Encode for Own {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(1);
        fields.write::<Plain, _>(1, &self.n);
        fields.end();
    }
}

impl Decode for Own {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let mut fields = Fields::new(reader, &["n"])?;
        let value = Self { n: fields.required::<Plain, _>(1)? };
        fields.end()?;
        Ok(value)
    }
}

impl Described for Own {
    fn description() -> &'static Description {
        static DESCRIPTION: Description = Description::new("struct n: u32 = 1;", &[]);
        &DESCRIPTION
    }
}

impl Serialize for Own {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(ASKED))
    }
}

impl<'de> Deserialize<'de> for Own {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(ASKED))
    }
}

impl Serialize for Slow {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom(ASKED))
    }
}

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(ASKED))
    }
}

/// The modules of the package that is another crate's.
pub mod direct {
    /// The package `direct.parts`.
    pub mod parts {
        pub use super::super::Own as Part;
    }
}
