//! Takes back what is not sent yet: finds the calls in a batch that still waits, and makes a batch without some of them.
//!
//! Only for calls whose deadline has passed and for lost connections: it reads the whole batch.

use super::{Reader, Record, VERSION};

/// Hands out the id of every call record in a batch that this side wrote, with 0 for each one-way call.
pub(super) fn calls_in(batch: &[u8], mut found: impl FnMut(u64)) {
    let Ok(mut reader) = Reader::new(batch) else { return };
    while let Ok(Some(record)) = reader.next() {
        if let Record::Call(call) | Record::OneWay(call) = record {
            found(call.id);
        }
    }
}

/// Returns the batch without the records of some calls, or `None` if none are left.
pub(super) fn without(batch: &[u8], is_out: &impl Fn(u64) -> bool) -> Option<Vec<u8>> {
    let mut kept = vec![VERSION];
    let Ok(mut reader) = Reader::new(batch) else { return None };
    let mut begin = reader.at();
    // This side wrote it, or has checked what it forwards, so it can be read to its end.
    while let Ok(Some(record)) = reader.next() {
        let end = reader.at();
        if !call_of(&record).is_some_and(is_out) {
            kept.extend_from_slice(&batch[begin..end]);
        }
        begin = end;
    }
    (kept.len() > 1).then_some(kept)
}

/// Returns the call that a client's record belongs to.
fn call_of(record: &Record<'_>) -> Option<u64> {
    match record {
        Record::Call(call) => Some(call.id),
        Record::Items { id, .. }
        | Record::End { id }
        | Record::Credit { id, .. }
        | Record::Cancel { id }
        | Record::Query { id } => Some(*id),
        _ => None,
    }
}
