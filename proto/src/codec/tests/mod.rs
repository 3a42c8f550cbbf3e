//! Tests of the codec by subject. [`tape`] and [`tree`] are the types that the tests read and write.
//!
//! Tests of forms have byte strings written by hand: they are the contract with peers in other languages, and a change
//! of one is a change of the protocol.

mod bounds;
mod errors;
mod evolution;
mod forms;
mod hostile;
mod memory;
mod names;
mod numbers;
mod out_of_line;
mod replaced;
mod sets;
mod sharing;
mod tape;
mod timestamps;
mod tree;
mod unions;

use bytes::Bytes;

use super::{DecodeError, EncodeError, Form, WriteForm};

/// Returns the bytes of a value.
fn written<F: WriteForm<T>, T: ?Sized>(value: &T) -> Vec<u8> {
    super::encode_whole::<F, T>(value).expect("every value of these tests can be written").into()
}

fn failed_write<F: WriteForm<T>, T: ?Sized>(value: &T) -> EncodeError {
    super::encode_whole::<F, T>(value).expect_err("this value can't be written")
}

fn read<F: Form<T>, T>(bytes: &[u8]) -> Result<T, DecodeError> {
    super::decode::<F, T>(&Bytes::copy_from_slice(bytes).into(), usize::MAX)
}

/// Returns the message about bytes that are no such value.
fn complaint<F: Form<T>, T>(bytes: &[u8]) -> String {
    match read::<F, T>(bytes) {
        Ok(_) => "no complaint".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Checks the bytes of a value, and that they are read as the same value.
fn check<F: Form<T>, T: PartialEq + std::fmt::Debug>(value: &T, bytes: &[u8]) {
    assert_eq!(written::<F, T>(value), bytes, "the bytes of {value:?}");
    assert_eq!(read::<F, T>(bytes).as_ref(), Ok(value), "what {bytes:02x?} says");
}

/// Returns the bytes of a string, such as a name inside a map.
fn text(text: &str) -> Vec<u8> {
    written::<super::Plain, str>(text)
}
