//! [`Witness`]: reads along what one side sends, and checks that it says nothing of a call that it has ended.

use std::collections::HashSet;

use zsvc_proto::status::{Cause, Failure};
use zsvc_proto::wire::{Batch, Record};

/// What one session has sent.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    begun: HashSet<u64>,
    /// Calls that this side has ended: the server by an answer, the client by a cancel.
    ended: HashSet<u64>,
    /// Whether the server has ended calls without naming them.
    ended_some: bool,
    /// Calls whose stream this side has ended.
    finished: HashSet<u64>,
}

impl Witness {
    /// Checks a message that a client sends.
    pub(crate) fn client_sends(&mut self, batch: &Batch) {
        each_record(batch, |record| {
            let id = match record {
                Record::Call(call) => {
                    assert!(self.begun.insert(call.id), "two calls have the same id");
                    return;
                }
                Record::Items { id, .. } => {
                    assert!(!self.finished.contains(&id), "items after the end of their stream");
                    id
                }
                Record::End { id } => {
                    assert!(self.finished.insert(id), "a stream ends twice");
                    id
                }
                Record::Cancel { id } => {
                    assert!(self.ended.insert(id), "a call is cancelled twice");
                    return;
                }
                Record::Credit { id, .. } => id,
                _ => return,
            };
            assert!(
                self.begun.contains(&id) && !self.ended.contains(&id),
                "call {id} is not in flight: {record:?}"
            );
        });
    }

    /// Checks a message that a server sends.
    pub(crate) fn server_sends(&mut self, batch: &Batch) {
        each_record(batch, |record| match record {
            // The client had asked when the call's answer was on the way.
            Record::Error { id, failure: Failure::Status(status) }
                if status.cause() == Some(Cause::ServerRestarted) =>
            {
                assert!(
                    self.ended_some || self.ended.contains(&id),
                    "the server has call {id}, or has lost it"
                );
            }
            Record::Error { id: 0, .. } => self.ended_some = true,
            Record::Pong { id, .. } => drop(self.ended.insert(id)),
            Record::Reply { id, .. } | Record::End { id } | Record::Error { id: id @ 1.., .. } => {
                assert!(self.ended.insert(id), "call {id} is answered twice: {record:?}");
            }
            Record::Items { id, .. } | Record::Credit { id, .. } => {
                assert!(!self.ended.contains(&id), "call {id} has been answered: {record:?}");
            }
            _ => {}
        });
    }
}

fn each_record(batch: &Batch, mut check: impl FnMut(Record<'_>)) {
    let mut reader = batch.records().expect("sessions write batches");
    while let Some(record) = reader.next().expect("sessions write whole records") {
        check(record);
    }
}
