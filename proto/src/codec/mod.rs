//! Values to bytes and back: how each type of a `.svc` file is written, read and checked.
//!
//! The bytes are MessagePack. The project adds shapes that evolve (structs by field number, unions by variant number), bounds on
//! what a peer may send, and errors that name the field. Records, calls and sockets are not known here: see [`crate::wire`] and
//! above.
//!
//! - `encode` and `decode` are the writer and the reader, and scalars; `kept` helps to read.
//! - `form` says what a form is; `nested` holds the forms of optionals, lists, sets and maps, `blob` that of bytes.
//! - `body` is what is read: bytes that lie together, and long ones out of line.
//! - `write` and `fields` are structs, `numbered` and `named` are structs sent as maps from numbers and from
//!   names, `union` is unions.
//! - `validate` checks `@len` and `@range`; `timestamp` is the one scalar of the project's own.
//! - `replaced` is how a user's type in the place of a generated one is written: straight, or by serde.
//! - `serde_bridge` lets other crates use the types through serde, and `json` gives them names where a format is for people.
//! - `dynamic` is for programs that know types at run time alone.
//! - `memory` bounds what is made of a message.
//! - `path` and `error` say where in a value an error is.

// MessagePack is a name, and stands in every other sentence.
#![allow(clippy::doc_markdown)]

mod blob;
mod body;
mod decode;
pub mod dynamic;
mod encode;
mod error;
mod fields;
mod form;
pub mod json;
mod kept;
mod lookup;
mod memory;
mod named;
mod nested;
mod numbered;
mod path;
pub mod replaced;
mod serde_bridge;
mod stack;
mod timestamp;
mod union;
mod validate;
mod write;

use bytes::Bytes;

use memory::Memory;

pub use blob::Blob;
pub use body::{Attachments, Body, MAX_ATTACHMENTS};
pub(crate) use body::{NO_ATTACHMENTS, OUT_OF_LINE_BYTES, is_small_part};
pub use decode::{Decode, Reader};
pub use encode::{Encode, Writer};
pub use error::{DecodeError, EncodeError};
pub use fields::Fields;
pub use form::{Bounded, Form, Nanoseconds, Nothing, Plain, ViaSerde, WriteForm};
pub use memory::{MEMORY_PER_BYTE, max_decoded};
pub use nested::{Boxed, List, Map, Optional, Set};
pub use replaced::{Shape, declared};
pub use serde_bridge::{deserialize, serialize};
pub use timestamp::{ParseTimestampError, Timestamp, TimestampOutOfRange};
pub use union::{Payload, UnknownVariant};
pub use validate::{Len, Validate, Violation, check_inside, check_len, check_range};
pub use write::{FieldWriter, NumberedWriter, count, length};

/// Number of arrays and maps that may be nested in a value that a peer sends.
///
/// Reading recurses, so this bound keeps hostile bytes from overflowing the stack, together with `stack` for structs of unusual
/// size. Each struct, list and map takes one level, a union two (itself and its value). Past it, reading fails with an error for
/// which [`DecodeError::is_too_deep`] holds.
pub const MAX_DEPTH: usize = 128;

/// Appends the bytes of `value` to `out`, but for long `bytes`, which become attachments and are not copied. After an
/// error `out` is as it was.
#[inline]
pub fn encode<F: WriteForm<T>, T: ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<Attachments, EncodeError> {
    let _stack = stack::mark();
    let start = out.len();
    let mut writer = Writer::out_of_line(std::mem::take(out));
    F::encode(value, &mut writer);
    let (bytes, result) = writer.finish();
    *out = bytes;
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends the bytes of a method's parameters, which are a struct of generated code. Otherwise as [`encode`](fn@encode).
#[inline]
pub(crate) fn encode_params(params: &dyn Encode, out: &mut Vec<u8>) -> Result<Attachments, EncodeError> {
    encode::<Plain, dyn Encode>(params, out)
}

/// Returns the bytes of a value, which may be sent many times: a body is a value, too.
pub fn encode_body<F: WriteForm<T>, T: ?Sized>(value: &T) -> Result<Body, EncodeError> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    let attachments = encode::<F, T>(value, &mut bytes)?;
    // Without the room that it did not need: bodies are kept.
    Ok(Body::new(bytes.into_boxed_slice().into(), attachments))
}

/// Room in bytes that most values have in.
const USUAL_BYTES: usize = 128;

/// Returns all bytes of a value in one piece.
pub(crate) fn encode_whole<F: WriteForm<T>, T: ?Sized>(value: &T) -> Result<Bytes, EncodeError> {
    encode_body::<F, T>(value).map(Body::into_bytes)
}

/// Reads a body that is one value, which may take up to `max_memory` bytes: see [`max_decoded`]. Bytes after it are an error.
pub fn decode<F: Form<T>, T>(body: &Body, max_memory: usize) -> Result<T, DecodeError> {
    let _stack = stack::mark();
    let mut reader = Reader::new(body, Memory::bounded(max_memory));
    match F::decode(&mut reader) {
        Ok(value) if reader.is_at_end() => Ok(value),
        // An out-of-line part is not a whole value, as with a peer that splits a body elsewhere.
        _ if !body.is_whole() => decode::<F, T>(&body.joined(), max_memory),
        Ok(_) => Err(DecodeError::trailing_bytes()),
        error => error,
    }
}

/// Reads a method's parameters. Otherwise as [`decode`](fn@decode).
pub fn decode_params<P: Decode>(body: &Body, max_memory: usize) -> Result<P, DecodeError> {
    let _stack = stack::mark();
    let mut reader = Reader::new(body, Memory::bounded(max_memory));
    match P::decode(&mut reader) {
        Ok(value) if reader.is_at_end() => Ok(value),
        _ if !body.is_whole() => decode_params::<P>(&body.joined(), max_memory),
        Ok(_) => Err(DecodeError::trailing_bytes()),
        error => error,
    }
}

/// Takes one value off the front of `body`, in which values lie end to end. It may take up to `max_memory` bytes.
///
/// After an error `body` is as it was: it can't be known where the value after a broken one starts.
pub fn decode_prefix<F: Form<T>, T>(body: &mut Body, max_memory: usize) -> Result<T, DecodeError> {
    let _stack = stack::mark();
    let mut reader = Reader::new(body, Memory::bounded(max_memory));
    let value = F::decode(&mut reader);
    let (rest, attachments) = reader.left();
    if value.is_ok() && body.advance_to(rest, attachments) || body.is_whole() {
        return value;
    }
    *body = body.joined();
    decode_prefix::<F, T>(body, max_memory)
}

/// Checks the bounds of a value, as a server does before a handler sees it.
#[inline]
pub fn validate<F: Form<T>, T>(value: &T) -> Result<(), Violation> {
    F::validate(value)
}

#[cfg(test)]
mod tests;
