//! What a server sends beside its answers.

use super::*;
use crate::metadata::{MetadataValue, ResponseMetadata};
use crate::status::{Cause, Code};

/// Begins a call that asks for what comes beside its answer.
fn begin_asking(session: &mut Session, response: &ResponseMetadata, now: Instant) -> u32 {
    let (metadata, streams, response) = (&Metadata::default(), &Streams::default(), Some(response));
    let call =
        NewCall { method: "a.B/c", deadline: None, metadata, response, streams, credit: None, waker: None };
    session.begin_call(call, CallRecord::Once(record("a.B/c", false)), now)
}

fn send(session: &mut Session, id: u32, name: &str, bytes: usize, now: Instant) {
    let mut batch = vec![1];
    let value = MetadataValue::from(vec![0; bytes]);
    crate::wire::response_metadata(&mut batch, u64::from(id), name, &value);
    receive(session, &batch, now);
}

/// A server may send without end; what is kept is bounded, and the call fails, and no other.
#[test]
fn a_server_that_sends_more_than_may_be_fails_its_call() {
    let (mut session, now, response) = (session(), Instant::now(), ResponseMetadata::new());
    let id = begin_asking(&mut session, &response, now);
    let other = begin(&mut session, None, now);
    for entry in 0..Metadata::MAX_ENTRIES {
        send(&mut session, id, &entry.to_string(), 1, now);
    }
    // A name that is known replaces its value. The other call has not asked.
    send(&mut session, id, "0", 10, now);
    send(&mut session, other, "x", Metadata::MAX_BYTES + 1, now);
    assert!(session.is_call_open(id) && session.is_call_open(other));
    send(&mut session, id, "one more", 1, now);
    let Poll::Ready(Err(Failure::Status(status))) =
        session.poll_reply(id, &Context::from_waker(Waker::noop()))
    else {
        panic!("it has failed")
    };
    assert_eq!((status.code(), status.cause()), (Code::ResourceExhausted, Some(Cause::Protocol)));
    assert_eq!(status.message(), "the answer carries 65 metadata entries; at most 64 may be");
    assert!(session.is_call_open(other) && response.get().len() <= Metadata::MAX_ENTRIES + 1);
    // Of a call that is over.
    send(&mut session, id, "late", 1, now);
}
