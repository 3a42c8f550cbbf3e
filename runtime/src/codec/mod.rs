//! Values to bytes and back: how every type of a `.svc` file is written, read and checked.
//!
//! The bytes are MessagePack, carried by `rmp-serde`; what the project adds are the shapes that evolve
//! (structs by field number, unions by variant number), the bounds on what a peer may send, and errors
//! that name the field. Nothing here knows of records, calls or sockets: that is `wire` and above.
//!
//! - [`form`] says what a form is; [`nested`] holds the forms of optionals, lists and maps, [`blob`] that of bytes.
//! - [`write`](mod@write) and [`fields`] are structs, [`named`] is a struct sent as a map of names ([`kept`] until asked for), [`union`] is unions and enums.
//! - [`validate`](mod@validate) checks `@len` and `@range`; [`timestamp`] is the one scalar that serde does not bring.
//! - [`path`] and [`error`] tell where in a value things went wrong.

// MessagePack is a name, and stands in every other sentence.
#![allow(clippy::doc_markdown)]

mod blob;
mod error;
mod fields;
mod form;
mod kept;
mod named;
mod nested;
mod path;
mod skip;
mod stack;
mod timestamp;
mod union;
mod validate;
mod write;

use std::fmt::{self, Formatter};

use bytes::{Buf, Bytes};
use serde::de::Visitor;
use serde::{Deserializer, Serialize};

pub use blob::Blob;
pub(crate) use error::{DecodeError, EncodeError};
pub use fields::{Fields, ReadFields, read_struct};
pub use form::{Bounded, Form, Nanoseconds, Nothing, Plain, WriteForm};
pub use nested::{Boxed, List, Map, Optional};
pub use timestamp::{ParseTimestampError, Timestamp, TimestampOutOfRange};
pub use union::{Payload, ReadVariant, UnknownVariant, read_number, read_union, write_variant};
pub use validate::{Len, Validate, Violation, check_inside, check_len, check_range};
pub use write::{StructWriter, length};

/// How many arrays and maps may lie inside each other in a value that a peer sends.
///
/// Reading recurses, so this is what stands between hostile bytes and the end of the stack, together with
/// [`stack`] for structs of unusual size. Each struct, list and map takes one level, a union two (itself and
/// its value). Past it, reading fails with an error for which [`DecodeError::is_too_deep`] holds.
pub(crate) const MAX_DEPTH: usize = 128;

/// Appends the bytes of `value` to `out`; after an error `out` is as it was.
#[inline]
pub(crate) fn encode<F: WriteForm<T>, T: ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let _stack = stack::mark();
    let written = F::serialize(value, &mut rmp_serde::Serializer::new(&mut *out));
    written.map_err(|error| {
        out.truncate(start);
        EncodeError::new(&error)
    })
}

/// [`encode`] for the parameters of a method, which are a struct of the generator's own.
#[inline]
pub(crate) fn encode_params<P: Serialize>(params: &P, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    encode::<Plain, P>(params, out)
}

/// Reads a body that is one value; bytes behind it are an error.
#[inline]
pub(crate) fn decode<F: Form<T>, T>(body: &Bytes) -> Result<T, DecodeError> {
    let _source = blob::lend(body);
    let _stack = stack::mark();
    let mut reader = reader_of(body);
    match F::deserialize(&mut reader) {
        Ok(value) if is_at_end(&mut reader) => Ok(value),
        Ok(_) => Err(DecodeError::trailing_bytes()),
        Err(error) => Err(DecodeError::new(error)),
    }
}

/// Takes one value off the front of `body`, in which values lie end to end.
///
/// After an error `body` is as it was: where a value is broken, nobody can tell where the next one starts.
#[inline]
pub(crate) fn decode_prefix<F: Form<T>, T>(body: &mut Bytes) -> Result<T, DecodeError> {
    // Before it is read: most values are small, and few of those that come by the hundred in one message may share it.
    let length = skip::length_of_first(body);
    let first = &body[..length.unwrap_or(body.len())];
    let _source = blob::lend_first(body, first.len());
    let _stack = stack::mark();
    let value = F::deserialize(&mut reader_of(first)).map_err(DecodeError::new)?;
    // Where the value is cut off, reading it has most often found that out.
    body.advance(length.ok_or_else(DecodeError::truncated)?);
    Ok(value)
}

/// Checks the bounds of a value, as a server does before its handler sees it.
#[inline]
pub(crate) fn validate<F: Form<T>, T>(value: &T) -> Result<(), Violation> {
    F::validate(value)
}

type Reader<'a> = rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'a, [u8]>>;

#[inline]
fn reader_of(body: &[u8]) -> Reader<'_> {
    let mut reader = Reader::from_read_ref(body);
    // It refuses the level at which its count reaches nought.
    reader.set_max_depth(MAX_DEPTH + 1);
    reader
}

/// Whether everything has been read. `rmp-serde` does not tell how far it has come in a slice, but asked for
/// an optional value it reads one marker and no more, which fails exactly when nothing is left.
#[inline]
fn is_at_end(reader: &mut Reader<'_>) -> bool {
    reader.deserialize_option(Probe).is_err()
}

struct Probe;

impl<'de> Visitor<'de> for Probe {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    #[inline]
    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
