//! Records without a body, and those whose body is short and at hand.
//!
//! Writing into a `Vec` can't fail, so results of the `rmp` functions are dropped here, and only here.

use rmp::encode::{write_array_len, write_bin, write_str, write_uint};

use super::{DECLARED, kind};
use crate::metadata::{Metadata, MetadataValue};
use crate::status::Failure;

/// The head that every record has: how many elements, its kind and its call's id.
pub(super) fn head(out: &mut Vec<u8>, elements: u32, kind: u8, id: u64) {
    let _ = write_array_len(out, elements);
    out.push(kind);
    uint(out, id);
}

pub(super) fn uint(out: &mut Vec<u8>, value: u64) {
    let _ = write_uint(out, value);
}

pub(super) fn str(out: &mut Vec<u8>, value: &str) {
    let _ = write_str(out, value);
}

pub(super) fn metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    // Bounded far below by `Metadata` itself.
    let _ = rmp::encode::write_map_len(out, u32::try_from(metadata.len()).unwrap_or(u32::MAX));
    for (key, value) in metadata.iter() {
        str(out, key);
        match value {
            MetadataValue::Text(text) => str(out, text),
            MetadataValue::Bytes(bytes) => drop(write_bin(out, bytes)),
        }
    }
}

/// A call's failure. Id 0 speaks of the connection: a batch that could not be read.
pub(crate) fn error(out: &mut Vec<u8>, id: u64, failure: &Failure) {
    match failure {
        Failure::Status(status) => {
            head(out, 5, kind::ERROR, id);
            out.push(status.code().number());
            str(out, cut(status.message()));
            out.push(status.outcome().number());
        }
        Failure::Declared { body, message } => {
            head(out, 6, kind::ERROR, id);
            out.push(DECLARED);
            str(out, cut(message));
            out.push(crate::Outcome::Executed.number());
            let _ = write_bin(out, body);
        }
    }
}

/// The longest message of an error, in bytes. It is for people, and no bound on bodies holds it.
const MESSAGE: usize = 16 * 1024;

/// As much of an error's message as is sent.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE)]
}

/// This side's stream ends here.
pub(crate) fn end(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::END, id);
}

/// The peer's stream may carry so many bytes more.
pub(crate) fn credit(out: &mut Vec<u8>, id: u64, bytes: u64) {
    head(out, 3, kind::CREDIT, id);
    uint(out, bytes);
}

/// The client no longer waits for this call.
pub(crate) fn cancel(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::CANCEL, id);
}

/// Asks for a pong with the same id.
pub(crate) fn ping(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::PING, id);
}

/// Answers a ping.
pub(crate) fn pong(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::PONG, id);
}

/// The server takes no new calls.
pub(crate) fn going_away(out: &mut Vec<u8>) {
    head(out, 2, kind::GOING_AWAY, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;
    use crate::wire::{Reader, Record};

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let mut batch = vec![crate::wire::VERSION];
        error(&mut batch, 1, &Failure::Status(Status::internal("x".to_owned() + &"\u{20ac}".repeat(10_000))));
        let Some(Record::Error { failure: Failure::Status(status), .. }) =
            Reader::new(&batch).unwrap().next().unwrap()
        else {
            panic!("it is an error")
        };
        assert_eq!(status.message().len(), 1 + (MESSAGE - 1) / 3 * 3);
        assert_eq!(cut("short"), "short");
    }
}
