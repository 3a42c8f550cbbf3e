//! Counts the responses in a message that is dropped.

use super::{Reader, Record};

/// Returns the number of answers, items records and ends of streams in a message that this side wrote. Other records,
/// such as pings and credit, are no responses.
#[must_use]
pub fn count_responses(message: &[u8]) -> u64 {
    let Ok(mut reader) = Reader::new(message) else { return 0 };
    let mut responses = 0;
    while let Ok(Some(record)) = reader.next() {
        let is_response = match record {
            Record::Reply { .. } | Record::Items { .. } | Record::End { .. } => true,
            Record::Error { id, .. } => id != 0,
            _ => false,
        };
        responses += u64::from(is_response);
    }
    responses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Failure;
    use crate::status::Status;
    use crate::wire::{Outbox, end, error, ping, pong};

    #[test]
    fn answers_are_responses_and_pings_are_not() {
        let mut outbox = Outbox::default();
        let failure = Failure::Status(Status::internal("x"));
        outbox.record(|out| end(out, 1));
        outbox.record(|out| error(out, 2, &failure));
        outbox.record(|out| error(out, 0, &failure));
        outbox.record(|out| ping(out, 0));
        outbox.record(|out| pong(out, 3));
        assert_eq!(count_responses(outbox.take().unwrap().batch()), 2);
        assert_eq!(count_responses(b""), 0);
    }
}
