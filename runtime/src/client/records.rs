//! What the records that a server sends mean to the calls of a connection.

use super::counters::{ChannelCounters, ChannelDropped};
use super::state::{State, Wakers};
use crate::status::{Cause, Code, Failure, Outcome, Status};
use crate::wire::{self, Batch, Malformed, Record};

/// Takes records of a batch from this byte on, up to one that can't be read, or until so many are to be woken. Where the
/// next record begins, if there is one left.
pub(super) fn take(
    state: &mut State,
    counters: &ChannelCounters,
    batch: &Batch,
    at: usize,
    wakers: &mut Wakers,
    most: usize,
) -> Result<Option<usize>, Malformed> {
    let mut reader = batch.records_from(at)?;
    while wakers.len() < most {
        let Some(record) = reader.next()? else { return Ok(None) };
        match record {
            Record::Reply { id, body } => with_id(id, |id| {
                state.succeeded();
                state.replied(id, batch.body(body), wakers);
            }),
            Record::Error { id: 0, failure } => connection_error(state, &failure, wakers),
            Record::Error { id, failure } => with_id(id, |id| {
                judge(state, &failure, wakers);
                state.end(id, Err(failure), wakers);
            }),
            Record::Items { id, items } => {
                with_id(id, |id| items_of(state, id, batch, items, wakers));
            }
            Record::End { id } => with_id(id, |id| {
                state.succeeded();
                state.ended(id, wakers);
            }),
            Record::Credit { id, bytes } => with_id(id, |id| {
                if let Some(outbound) = state.calls.get(id).and_then(|call| call.streams.outbound.as_ref()) {
                    wakers.extend(outbound.grant(bytes));
                }
            }),
            Record::Ping { id } if state.has_room_to_answer() => {
                state.outbox.record(|out| wire::pong(out, id));
            }
            // A server that does not read what it asks for has no use for an answer.
            Record::Ping { .. } => counters.drops(ChannelDropped::Pong, 1),
            Record::Pong { id } => with_id(id, |id| state.ponged(id, wakers)),
            Record::GoingAway => state.going_away(wakers),
            Record::Unknown { kind, id: 0 } => state.fail_sent(&wire::unknown_kind(kind), wakers),
            Record::Unknown { kind, id } => with_id(id, |id| unknown_kind(state, kind, id, wakers)),
            // What only a client says.
            Record::Call(_) | Record::OneWay(_) | Record::Cancel { .. } => {}
        }
    }
    Ok((reader.at() < batch.bytes().len()).then_some(reader.at()))
}

/// Ids that no call of ours can have are nobody's.
pub(super) fn with_id(id: u64, then: impl FnOnce(u32)) {
    if let Ok(id) = u32::try_from(id) {
        then(id);
    }
}

/// What a failed call tells of its server.
fn judge(state: &mut State, failure: &Failure, wakers: &mut Wakers) {
    let Failure::Status(status) = failure else { return state.succeeded() };
    match status.code() {
        // A device does not pass on that the connection behind it is another, so this is said with every call.
        Code::Unavailable if status.cause() == Some(Cause::GoingAway) => {
            if status.outcome() == Outcome::NotSent {
                state.going_away(wakers);
            }
        }
        Code::Unavailable | Code::Internal => state.failed(),
        _ => state.succeeded(),
    }
}

/// The server could not read something of ours, and can't say which calls were in it.
fn connection_error(state: &mut State, failure: &Failure, wakers: &mut Wakers) {
    let why = match failure {
        Failure::Status(status) => status.clone(),
        Failure::Declared { message, .. } => Status::unknown(message.clone()),
    };
    state.fail_sent(&why, wakers);
}

/// What the server said of a call is lost on us, so the call can't go on.
fn unknown_kind(state: &mut State, kind: u64, id: u32, wakers: &mut Wakers) {
    if state.calls.get(id).is_some_and(super::in_flight::ClientCall::is_open) {
        state.cancel(id, wire::unknown_kind(kind), wakers);
    }
}

fn items_of(state: &mut State, id: u32, batch: &Batch, items: &[u8], wakers: &mut Wakers) {
    let Some(inbound) = state.calls.get(id).and_then(|call| call.streams.inbound.as_ref()) else { return };
    if let Ok(waker) = inbound.receive(batch, items) {
        wakers.extend(waker);
    } else {
        let why =
            Status::resource_exhausted("the server sent items of its stream without credit").maybe_executed();
        state.cancel(id, why, wakers);
    }
}
