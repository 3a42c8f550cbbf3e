//! Structs that come as a map from field names, as a hand-written client in a scripting language sends them.
//!
//! The entries come in any order and fields are asked for by number, so the map is searched first. This is for
//! convenience, not for speed: peers with generated code send arrays, which [`super::fields`] reads.

use std::cmp::Reverse;
use std::fmt::{self, Formatter};

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, Visitor};

use super::decode::Reader;
use super::error::DecodeError;
use super::fields::Names;
use super::lookup::Lookup;
use crate::msgpack::NIL;

/// The fields of a map.
#[derive(Debug)]
pub(super) struct Named<'a> {
    /// The bytes of each field that was sent, and the place of its name in the table. The places descend: the next is the last. Not a
    /// table itself, which could be far longer than the message.
    values: Vec<(usize, &'a [u8])>,
    /// The bytes after the map.
    after: &'a [u8],
    /// Whether the map itself is inside another one.
    inside: bool,
}

impl<'a> Named<'a> {
    /// Searches the entries of a map. Unknown names are skipped. A name given twice is an error, because it can't be
    /// known which of the two values was meant.
    pub(super) fn read(reader: &mut Reader<'a>, entries: usize, names: Names) -> Result<Self, DecodeError> {
        let (mut values, mut lookup) = (Vec::new(), Lookup::new(names));
        for _ in 0..entries {
            let Some(at) = field(reader, &mut lookup)? else {
                reader.skip()?;
                continue;
            };
            let value = reader.rest;
            reader.skip().map_err(|error| error.inside(names.at(at)))?;
            values.push((at, &value[..value.len() - reader.rest.len()]));
        }
        values.sort_unstable_by_key(|(at, _)| Reverse(*at));
        if let Some([(at, _), ..]) = values.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(DecodeError::new(&format_args!("field `{}` is given twice", names.at(*at))));
        }
        let inside = std::mem::replace(&mut reader.kept, true);
        Ok(Self { values, after: reader.rest, inside })
    }

    /// Makes the field whose name is at a place of the table the next to be read. Returns `false` if it is absent or nil.
    pub(super) fn go_to(&mut self, reader: &mut Reader<'a>, place: usize) -> bool {
        while self.values.pop_if(|(at, _)| *at < place).is_some() {}
        match self.values.pop_if(|(at, _)| *at == place) {
            None | Some((_, [NIL])) => false,
            Some((_, value)) => {
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
fn field(reader: &mut Reader<'_>, lookup: &mut Lookup) -> Result<Option<usize>, DecodeError> {
    match reader.str() {
        Some(name) => Ok(lookup.place_of(name)),
        None => reader.via_serde_seed(Name(lookup)),
    }
}

/// Reads a name by serde, which tells what is wrong with one that is none.
struct Name<'l>(&'l mut Lookup);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.place_of(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_depends_on_the_message_alone() {
        let numbers =
            (1..=u16::MAX).map(|number| (number, if number == u16::MAX { "last" } else { "other" }));
        let names: &[(u16, &str)] = Vec::leak(numbers.collect());
        // The entries of a map with one.
        let mut reader = Reader::over(b"\xa4last\x05");
        let mut entries = Named::read(&mut reader, 1, Names::Sparse(names)).expect("a field and its value");
        assert!(entries.values.capacity() < 10, "{}", entries.values.capacity());
        assert!(!entries.go_to(&mut reader, 0));
        assert!(entries.go_to(&mut reader, usize::from(u16::MAX) - 1));
        assert_eq!(reader.rest, [5]);
    }
}
