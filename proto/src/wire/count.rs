//! What in a message its client was waiting for. Only for messages that are thrown away.

use super::{Reader, Record};

/// How many answers, items and ends of streams a message of ours holds. What else there is, such as pings and credit, was
/// owed to nobody.
pub fn count_responses(message: &[u8]) -> u64 {
    let Ok(mut reader) = Reader::new(message) else { return 0 };
    let mut owed = 0;
    while let Ok(Some(record)) = reader.next() {
        let is_owed = match record {
            Record::Reply { .. } | Record::Items { .. } | Record::End { .. } => true,
            Record::Error { id, .. } => id != 0,
            _ => false,
        };
        owed += u64::from(is_owed);
    }
    owed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Failure;
    use crate::status::Status;
    use crate::wire::{Outbox, end, error, ping, pong};

    #[test]
    fn answers_are_owed_and_pings_are_not() {
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
