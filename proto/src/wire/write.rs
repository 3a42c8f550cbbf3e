//! Records without a body, and those whose body is short and at hand.
//!
//! Writing into a `Vec` can't fail, so results of the `rmp` functions are dropped here, and only here.

use rmp::encode::{write_bin, write_str, write_uint};

use super::{DECLARED, kind};
use crate::codec::Attachments;
use crate::metadata::{Metadata, MetadataValue};
use crate::status::{Cause, Failure, Status};

/// The head that every record has: how many elements, fewer than 16, its kind and its call's id.
#[inline]
pub(super) fn head(out: &mut Vec<u8>, elements: u8, kind: u8, id: u64) {
    out.extend_from_slice(&[0x90 | elements, kind]);
    uint(out, id);
}

#[inline]
pub(super) fn uint(out: &mut Vec<u8>, value: u64) {
    let _ = write_uint(out, value);
}

#[inline]
pub(super) fn str(out: &mut Vec<u8>, value: &str) {
    // As `rmp` writes it, and as nearly all are: names of methods.
    match u8::try_from(value.len()) {
        Ok(short @ ..0x20) => out.push(0xa0 | short),
        Ok(length) => out.extend_from_slice(&[0xd9, length]),
        Err(_) => return drop(write_str(out, value)),
    }
    out.extend_from_slice(value.as_bytes());
}

/// Says at the end of a message of one record, which has so many elements so far, where in its body what lies apart belongs:
/// among the bytes that lie together, of which there are so many.
#[cold]
pub(super) fn places(message: &mut Vec<u8>, elements: u8, attachments: &Attachments, length: usize) {
    // Behind the version.
    message[1] = 0x90 | (elements + 1);
    let places = attachments.as_slice().iter().map(|attachment| (length - attachment.after) as u64);
    let _ = rmp::encode::write_array_len(message, u32::try_from(places.len()).unwrap_or(u32::MAX));
    places.for_each(|place| uint(message, place));
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
pub fn error(out: &mut Vec<u8>, id: u64, failure: &Failure) {
    match failure {
        Failure::Status(status) => error_status(out, id, status),
        Failure::Declared { body, message } => {
            head(out, 6, kind::ERROR, id);
            out.push(DECLARED);
            str(out, cut(message));
            out.push(crate::status::Outcome::Executed.number());
            let _ = write_bin(out, body);
        }
    }
}

fn error_status(out: &mut Vec<u8>, id: u64, status: &Status) {
    let cause = status.cause().and_then(Cause::number);
    let more = match (status.retry_after(), cause) {
        (None, None) => 0,
        (Some(_), None) => 2,
        (_, Some(_)) => 3,
    };
    head(out, 5 + more, kind::ERROR, id);
    out.push(status.code().number());
    str(out, cut(status.message()));
    out.push(status.outcome().number());
    if more > 0 {
        nil(out); // No declared error.
        // Bounded far below by `Status` itself.
        let micros = status.retry_after().map(|wait| u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
        match micros {
            Some(micros) => uint(out, micros),
            None => nil(out),
        }
    }
    if let Some(cause) = cause {
        out.push(cause);
    }
}

fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// The longest message of an error, in bytes. It is for people, and no bound on bodies holds it.
const MESSAGE: usize = 16 * 1024;

/// As much of an error's message as is sent.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE)]
}

/// This side's stream ends here.
pub fn end(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::END, id);
}

/// The peer's stream may carry so many bytes more.
pub fn credit(out: &mut Vec<u8>, id: u64, bytes: u64) {
    head(out, 3, kind::CREDIT, id);
    uint(out, bytes);
}

/// The client no longer waits for this call.
pub fn cancel(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::CANCEL, id);
}

/// Asks for a pong with the same id.
pub fn ping(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::PING, id);
}

/// Answers a ping.
pub fn pong(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::PONG, id);
}

/// The server takes no new calls.
pub fn going_away(out: &mut Vec<u8>) {
    head(out, 2, kind::GOING_AWAY, 0);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::{Reader, Record};

    /// Written and read again.
    fn there_and_back(status: Status) -> Status {
        let mut batch = vec![crate::wire::VERSION];
        error(&mut batch, 1, &Failure::Status(status));
        match Reader::new(&batch).unwrap().next().unwrap() {
            Some(Record::Error { id: 1, failure: Failure::Status(status) }) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hint_and_what_a_server_can_know_of_a_cause_travel() {
        let plain = Status::resource_exhausted("x").not_sent();
        let hinted = plain.clone().with_retry_after(Duration::from_millis(1_234));
        let causes = [Cause::GoingAway, Cause::Overloaded, Cause::Deadline, Cause::ClientLost];
        let together = causes
            .into_iter()
            .flat_map(|cause| [plain.clone().caused_by(cause), hinted.clone().caused_by(cause)]);
        for status in [plain.clone(), hinted.clone()].into_iter().chain(together) {
            assert_eq!(there_and_back(status.clone()), status);
        }
        assert_eq!(there_and_back(plain.clone().caused_by(Cause::ConnectionLost)), plain);
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let status = there_and_back(Status::internal("x".to_owned() + &"\u{20ac}".repeat(10_000)));
        assert_eq!(status.message().len(), 1 + (MESSAGE - 1) / 3 * 3);
        assert_eq!(cut("short"), "short");
    }
}
