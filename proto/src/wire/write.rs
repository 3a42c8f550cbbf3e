//! Writes records without a body, and those whose body is short and at hand.

use std::time::Duration;

use super::{DECLARED, kind};
use crate::codec::Attachments;
use crate::metadata::{Metadata, MetadataValue};
use crate::msgpack::write::{array_header, bin_header, map_header, nil, str_header, uint};
use crate::status::{Cause, Failure, Outcome, Status};
use crate::text::cut;

/// Appends what every record begins with: its number of elements, which is below 16, its kind and its call's id.
#[inline]
pub(super) fn head(out: &mut Vec<u8>, elements: u8, kind: u8, id: u64) {
    out.extend_from_slice(&[0x90 | elements, kind]);
    uint(out, id);
}

#[inline]
pub(super) fn str(out: &mut Vec<u8>, value: &str) {
    // Names and messages, bounded far below what a header holds by `Metadata` and by `MAX_MESSAGE_BYTES`.
    let _ = str_header(out, value.len());
    out.extend_from_slice(value.as_bytes());
}

/// Appends a binary. One past `u32::MAX` bytes, which no declared error or metadata comes to, is sent as an empty one.
fn bin(out: &mut Vec<u8>, value: &[u8]) {
    let value = if u32::try_from(value.len()).is_ok() { value } else { &[] };
    let _ = bin_header(out, value.len());
    out.extend_from_slice(value);
}

/// Appends a time in whole microseconds.
#[inline]
pub(super) fn micros(out: &mut Vec<u8>, time: Duration) {
    // A time beyond 584,000 years is as good as that.
    uint(out, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

/// Appends the places of attachments to a message of one record, which has `elements` elements so far and a body of
/// `length` bytes without them.
#[cold]
pub(super) fn places(message: &mut Vec<u8>, elements: u8, attachments: &Attachments, length: usize) {
    // The byte after the version is the record's header.
    message[1] = 0x90 | (elements + 1);
    let places = attachments.as_slice().iter().map(|attachment| (length - attachment.after) as u64);
    let _ = array_header(message, places.len());
    places.for_each(|place| uint(message, place));
}

pub(super) fn metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    let _ = map_header(out, metadata.len());
    for (name, value) in metadata.iter() {
        entry(out, name, value);
    }
}

fn entry(out: &mut Vec<u8>, name: &str, value: &MetadataValue) {
    str(out, name);
    match value {
        MetadataValue::Text(text) => str(out, text),
        MetadataValue::Bytes(bytes) => bin(out, bytes),
    }
}

/// Appends a call's failure. Id 0 is about the connection: a batch that could not be read.
pub fn error(out: &mut Vec<u8>, id: u64, failure: &Failure) {
    match failure {
        Failure::Status(status) => error_status(out, id, status),
        Failure::Declared { body, message } => {
            head(out, 6, kind::ERROR, id);
            out.push(DECLARED);
            str(out, cut(message, MAX_MESSAGE_BYTES));
            out.push(Outcome::Executed.number());
            bin(out, body);
        }
    }
}

fn error_status(out: &mut Vec<u8>, id: u64, status: &Status) {
    let cause = status.cause().and_then(Cause::number);
    let details = status.details_on_the_wire();
    let more = match (status.retry_after(), cause, details) {
        (None, None, None) => 0,
        (Some(_), None, None) => 2,
        (_, Some(_), None) => 3,
        (_, _, Some(_)) => 4,
    };
    head(out, 5 + more, kind::ERROR, id);
    out.push(status.code().number());
    str(out, cut(status.message(), MAX_MESSAGE_BYTES));
    out.push(status.outcome().number());
    if more > 0 {
        nil(out); // No declared error.
        match status.retry_after() {
            Some(wait) => micros(out, wait),
            None => nil(out),
        }
    }
    match cause {
        Some(cause) => out.push(cause),
        None if details.is_some() => nil(out),
        None => {}
    }
    if let Some(details) = details {
        metadata(out, details);
    }
}

/// Longest message of an error in bytes; the rest is cut off. Messages are for people, and no bound on bodies applies to them.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// Appends the end of this side's stream.
pub fn end(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::END, id);
}

/// Appends credit: the peer may send `bytes` bytes more of its stream.
pub fn credit(out: &mut Vec<u8>, id: u64, bytes: u64) {
    head(out, 3, kind::CREDIT, id);
    uint(out, bytes);
}

/// Appends a cancel: the client no longer waits for this call.
pub fn cancel(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::CANCEL, id);
}

/// Appends a ping, which asks for a pong with the same id.
pub fn ping(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::PING, id);
}

/// Appends the answer to a ping.
pub fn pong(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::PONG, id);
}

/// Appends a server's answer to a ping, with the number of this life of the server.
pub fn pong_of_server(out: &mut Vec<u8>, id: u64, instance: u64) {
    head(out, 3, kind::PONG, id);
    uint(out, instance);
}

/// Appends a query: the client asks whether the server has this call in flight.
pub fn query(out: &mut Vec<u8>, id: u64) {
    head(out, 2, kind::QUERY, id);
}

/// Sends a name and a value beside the answer of a call.
pub fn response_metadata(out: &mut Vec<u8>, id: u64, name: &str, value: &MetadataValue) {
    head(out, 3, kind::RESPONSE_METADATA, id);
    let _ = map_header(out, 1);
    entry(out, name, value);
}

/// Appends a going-away record: the server takes no new calls.
pub fn going_away(out: &mut Vec<u8>) {
    head(out, 2, kind::GOING_AWAY, 0);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::{Reader, Record};

    /// Writes a status and reads it again.
    fn there_and_back(status: Status) -> Status {
        let mut batch = vec![crate::wire::VERSION];
        error(&mut batch, 1, &Failure::Status(status));
        match Reader::new(&batch).unwrap().next().unwrap() {
            Some(Record::Error { id: 1, failure: Failure::Status(status) }) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn details_travel_with_and_without_the_other_hints() {
        let mut details = Metadata::default();
        details.insert("a.B", MetadataValue::Bytes(vec![1, 2].into()));
        let detailed = |status: Status| status.with_details_of_the_wire(details.clone());
        for status in [
            detailed(Status::not_found("x")),
            detailed(Status::not_found("x").with_retry_after(Duration::from_millis(5))),
            detailed(Status::not_found("x").caused_by(Cause::Overloaded).not_sent()),
        ] {
            assert_eq!(there_and_back(status.clone()), status);
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
        assert_eq!(status.message().len(), 1 + (MAX_MESSAGE_BYTES - 1) / 3 * 3);
    }
}
