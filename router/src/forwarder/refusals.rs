//! What calls are told that a router ends by itself. Whether a call was sent is never guessed: see `docs/router.md`.

use std::time::Duration;

use zsvc_proto::status::{Cause, Code, Outcome, Status};
use zsvc_proto::wire::Unreadable;

use super::ShardKey;
use crate::quota::Spent;

/// How long a caller is asked to wait where there was no room.
const WAIT: Duration = Duration::from_millis(100);
/// How long a caller is asked to wait where there was no worker.
const WAIT_FOR_WORKER: Duration = Duration::from_secs(1);

fn full(message: String) -> Status {
    Status::resource_exhausted(message).not_sent().caused_by(Cause::Overloaded).with_retry_after(WAIT)
}

pub(super) fn too_many_calls(max: usize) -> Status {
    full(format!("the router has {max} calls in flight, as many as it may"))
}

pub(super) fn too_many_of_caller(max: usize) -> Status {
    full(format!("the client has {max} calls in flight at the router, as many as it may"))
}

pub(super) fn too_much_unread(bytes: usize) -> Status {
    full(format!("the client has {bytes} bytes unread at the router, as many as it may"))
}

pub(super) fn publishes_too_much(who: &str, bytes: usize, max: usize) -> Status {
    full(format!("{who} {bytes} bytes of events at the router that it has not published yet; {max} may be"))
}

pub(super) fn quota_is_spent(spent: Spent) -> Status {
    match spent {
        Spent::InFlight(max) => {
            full(format!("the client has {max} calls in flight at the router, as many as its quota allows"))
        }
        Spent::Calls(rate, wait) => {
            full(format!("the client makes more than {rate} calls a second, as many as its quota allows"))
                .with_retry_after(wait)
        }
        Spent::Bytes(rate, wait) => {
            full(format!("the client sends more than {rate} bytes a second, as many as its quota allows"))
                .with_retry_after(wait)
        }
    }
}

pub(super) fn queue_is_full(service: &str, waiting: usize) -> Status {
    full(format!(
        "all workers of `{service}` have as many calls as they take, and {waiting} calls wait at the router, as many as may"
    ))
}

pub(super) fn worker_is_awaited(worker: &str, waiting: usize) -> Status {
    full(format!(
        "the worker `{worker}` has the call's key, and as many calls as it takes; {waiting} calls wait for it at the router, as many as may"
    ))
}

pub(super) fn waited(service: &str, has_workers: bool) -> Status {
    if has_workers {
        return full(format!("all workers of `{service}` have had as many calls as they take for too long"));
    }
    // The time to wait tells the client that this is not about the router, which another endpoint would do better than.
    Status::unavailable(format!("no worker of `{service}` can be reached from the router"))
        .not_sent()
        .with_retry_after(WAIT_FOR_WORKER)
}

pub(super) fn too_late() -> Status {
    Status::deadline_exceeded("the deadline passed before a worker had room for the call")
        .not_sent()
        .caused_by(Cause::Deadline)
}

pub(super) fn no_such_service(method: &[u8]) -> Status {
    let method = String::from_utf8_lossy(&method[..method.len().min(256)]);
    Status::unimplemented(format!("the router knows no worker of the service of `{method}`"))
        .not_sent()
        .caused_by(Cause::NoSuchMethod)
}

pub(super) fn forbidden(method: &[u8], is_known: bool) -> Status {
    let method = String::from_utf8_lossy(&method[..method.len().min(256)]);
    let (code, why) = if is_known {
        (Code::PermissionDenied, "the router grants its call to none of the client's roles")
    } else {
        (
            Code::Unauthenticated,
            "the router does not know who the client is, and does not grant its call to everybody",
        )
    };
    Status::new(code, format!("`{method}`: {why}")).not_sent().caused_by(Cause::Forbidden)
}

pub(super) fn unreadable_key(key: &ShardKey, why: Unreadable) -> Status {
    let ShardKey { method, parameter, .. } = key;
    let why = match why {
        Unreadable::Missing => "it is missing",
        Unreadable::Kind => "it is no text, number, `bool` or bytes",
        Unreadable::TooLong => "it has more than 4096 bytes",
        Unreadable::TooFar => "more than 16384 values are before it",
        Unreadable::Malformed => "the parameters can't be read",
    };
    let message = format!("the router spreads calls of `{method}` by `{parameter}`, and {why}");
    Status::new(Code::InvalidArgument, message).not_sent()
}

pub(super) fn id_in_use(id: u64) -> Status {
    Status::invalid_argument(format!("the id {id} is that of a call in flight"))
        .not_sent()
        .caused_by(Cause::Protocol)
}

pub(super) fn id_of_none() -> Status {
    Status::invalid_argument("a call with the id 0, which is no call's")
        .maybe_executed()
        .caused_by(Cause::Protocol)
}

pub(super) fn going_away() -> Status {
    Status::unavailable("the router is about to stop").not_sent().caused_by(Cause::GoingAway)
}

pub(super) fn stopped(outcome: Outcome) -> Status {
    Status::unavailable("the router stopped before the call had ended")
        .with_outcome(outcome)
        .caused_by(Cause::GoingAway)
}

pub(super) fn worker_lost(worker: &str) -> Status {
    Status::unavailable(format!("the router has lost the worker `{worker}`, which had the call"))
        .maybe_executed()
        .caused_by(Cause::ServerRestarted)
}

pub(super) fn not_live(worker: &str) -> Status {
    Status::unavailable(format!("the worker `{worker}` can't be reached")).not_sent()
}

pub(super) fn worker_is_silent(worker: &str) -> Status {
    Status::unavailable(format!(
        "the worker `{worker}`, which had the call, gives the router no sign of life"
    ))
    .maybe_executed()
    .caused_by(Cause::ServerRestarted)
}

pub(super) fn caller_is_silent() -> Status {
    Status::unavailable("the client gives the router no sign of life")
        .maybe_executed()
        .caused_by(Cause::ClientLost)
}

pub(super) fn worker_goes_away(worker: &str) -> Status {
    // Not `GoingAway`, which the caller would take for the router's own; nor none, which it would count as the router's failure.
    Status::unavailable(format!("the worker `{worker}` is about to stop, and has not begun the call"))
        .not_sent()
        .caused_by(Cause::ServerRestarted)
}

pub(super) fn caller_without_credit() -> Status {
    Status::resource_exhausted("the client sent items of its stream without credit")
        .maybe_executed()
        .caused_by(Cause::Protocol)
}

pub(super) fn worker_without_credit(worker: &str) -> Status {
    Status::resource_exhausted(format!("the worker `{worker}` sent items of its stream without credit"))
        .maybe_executed()
        .caused_by(Cause::Protocol)
}

pub(super) fn does_not_read() -> Status {
    Status::unavailable("the client does not read what the router has for it")
        .maybe_executed()
        .caused_by(Cause::ClientLost)
}

pub(super) fn too_many_records(max: usize) -> Status {
    Status::resource_exhausted(format!("a batch of more than {max} records, as many as one may have"))
        .maybe_executed()
        .caused_by(Cause::Protocol)
}

pub(super) fn body_too_large(what: &str, bytes: usize, max: usize) -> Status {
    Status::resource_exhausted(format!("{what} has {bytes} bytes, and the router takes up to {max}"))
        .maybe_executed()
        .caused_by(Cause::TooLarge)
}

pub(super) fn too_much_beside(bytes: usize, max: usize) -> Status {
    Status::resource_exhausted(format!(
        "the call carries {bytes} bytes of metadata and other options, and the router takes up to {max}"
    ))
    .not_sent()
    .caused_by(Cause::TooLarge)
}

pub(super) fn stream_is_not_read(bytes: usize) -> Status {
    Status::resource_exhausted(format!(
        "{bytes} bytes wait at the router for the worker of the call, or for any, so its stream can't be kept"
    ))
    .maybe_executed()
    .caused_by(Cause::Overloaded)
    .with_retry_after(WAIT)
}
