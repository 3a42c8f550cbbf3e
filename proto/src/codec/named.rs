//! Structs that come as a map from field names, as a hand-written client in a scripting language sends them.
//!
//! The entries come in any order and fields are asked for by number, so the map is searched first. This is for
//! convenience, not for speed: peers with generated code send arrays, which [`super::fields`] reads.

use std::fmt::{self, Formatter};

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, Visitor};

use super::decode::Reader;
use super::error::DecodeError;
use super::fields::Names;

/// The fields of a map.
#[derive(Debug)]
pub(super) struct Named<'a> {
    /// The bytes of each field that was sent, at the place of its name in the table. May be shorter than that.
    values: Vec<Option<&'a [u8]>>,
    /// The bytes after the map.
    after: &'a [u8],
    /// Whether the map itself is inside another one.
    inside: bool,
}

impl<'a> Named<'a> {
    /// Searches the entries of a map. Unknown names are skipped. A name given twice is an error, because it can't be
    /// known which of the two values was meant.
    pub(super) fn read(reader: &mut Reader<'a>, entries: usize, names: Names) -> Result<Self, DecodeError> {
        let mut values = Vec::new();
        for _ in 0..entries {
            let Some(at) = field(reader, names)? else {
                reader.skip()?;
                continue;
            };
            if values.len() <= at {
                values.resize(at + 1, None);
            }
            let value = reader.rest;
            reader.skip().map_err(|error| error.inside(names.at(at)))?;
            let value = &value[..value.len() - reader.rest.len()];
            if values[at].replace(value).is_some() {
                return Err(DecodeError::new(&format_args!("field `{}` is given twice", names.at(at))));
            }
        }
        let inside = std::mem::replace(&mut reader.kept, true);
        Ok(Self { values, after: reader.rest, inside })
    }

    /// Makes the field whose name is at a place of the table the next to be read. Returns `false` if it is absent or nil.
    pub(super) fn go_to(&mut self, reader: &mut Reader<'a>, place: usize) -> bool {
        let value = self.values.get_mut(place).and_then(Option::take);
        match value {
            None | Some([0xc0]) => false,
            Some(value) => {
                reader.rest = value;
                true
            }
        }
    }

    /// Goes on after the map.
    pub(super) fn end(self, reader: &mut Reader<'a>) {
        (reader.rest, reader.kept) = (self.after, self.inside);
    }
}

/// Reads a name and returns its index among those of the fields, if it is one of them.
fn field(reader: &mut Reader<'_>, names: Names) -> Result<Option<usize>, DecodeError> {
    match reader.str() {
        Some(name) => Ok(names.place_of(name)),
        None => reader.via_serde_seed(Name(names)),
    }
}

/// Reads a name by serde, which tells what is wrong with one that is none.
struct Name(Names);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.place_of(name))
    }
}
