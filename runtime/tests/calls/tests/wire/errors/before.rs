//! Errors of what is turned away before its handler has begun.

use std::time::{Duration, Instant};

use rmpv::Value;
use zsvc::auth::{Authenticate, Claim, Grant};
use zsvc::middleware::{ConcurrencyLimit, Response, ServerMiddleware, ServerNext, ServerRequest};
use zsvc::{Channel, Engine, Identity, ServerBuilder, Status};
use zsvc_calls::vault::v1::{VaultClient, VaultMock, VaultServer};

use super::{Told, echo, last_with, same, slow};
use crate::raw::{Dealer, batch, call, kind, packed, record, slices, tape};
use crate::rig::{Serving, run};

/// Messages that are not kept.
pub(super) fn messages(told: &mut Told) {
    // The other engine tells peers apart by themselves.
    let server = Serving::with(|server| server.engine(Engine::Libzmq)).lossy();
    let mut dealer = Dealer::connect_named(&server.endpoint, b"me");
    dealer.say(&[record![kind::PING, 1]]);
    let what = "a message of a peer that announces a [routing id](#sockets), where it is not heard; id 0";
    told.check(what, &dealer.error());
    let small = |server: ServerBuilder| server.max_message_size(1_000);
    let (body, places) = (|| Value::Binary(Vec::new()), |number| Value::Array(vec![0.into(); number]));
    let call = |id: u64| {
        let nil = || Value::Nil;
        record![kind::CALL, id, tape("last"), body(), nil(), nil(), nil(), places(4)]
    };
    // Far more bytes than a message may have, in frames none of which is too large.
    told.by("the message of a call that is [too large](#messages-that-are-too-large)", small, |dealer| {
        attached(dealer, 4, 200_000, call(1));
    });
    told.by("the message of items that is too large", small, |dealer| {
        dealer.say(&[crate::raw::call(1, "import", &record!["deaf"])]);
        attached(dealer, 4, 200_000, record![kind::ITEMS, 1, body(), places(4)]);
    });
    told.by("any other message that is too large; id 0", small, |dealer| {
        attached(dealer, 4, 200_000, call(0));
    });
    told.by("hundreds of attachments; id 0", same, |dealer| {
        attached(dealer, 600, 1, record![kind::ITEMS, 1, body(), places(600)]);
    });
}

/// Sends a record whose attachments are a number of frames of this many bytes.
fn attached(dealer: &Dealer, frames: usize, bytes: usize, record: Value) {
    let mut message = vec![vec![7; bytes]; frames];
    message.push(batch(&[record]));
    dealer.send_frames(&slices(&message));
}

/// What is wrong with a batch.
pub(super) fn batches(told: &mut Told) {
    told.by("a batch of another version, or an empty one; id 0", same, |dealer| dealer.send([2]));
    told.by("a malformed record; id 0", same, |dealer| dealer.send([1, 0xc0]));
    told.by("a query for a call that is not in flight", same, |dealer| {
        dealer.say(&[record![kind::QUERY, 1]]);
    });
    told.by("an unknown kind below 64", same, |dealer| dealer.say(&[record![12, 1]]));
    told.by("more than 65,536 records in a batch; id 0", same, |dealer| {
        dealer.say(&vec![record![kind::CANCEL, 1]; 65_536]);
        assert_eq!(dealer.sync().len(), 0, "as many as one may have");
        dealer.say(&vec![record![kind::CANCEL, 1]; 65_537]);
    });
}

/// Whether there is room for a call, and whether it may be made.
pub(super) fn admission(told: &mut Told) {
    told.by("a call with the id 0; id 0", same, |dealer| {
        dealer.say(&[call(0, "last", &record!["ACME"])]);
    });
    told.by(
        "as many calls of the client are in flight as may be",
        |server| server.max_calls_per_peer(1),
        |dealer| dealer.say(&[slow(1), slow(2)]),
    );
    told.by(
        "the client has as much unread data as it may",
        |server| server.max_waiting_per_peer(64 << 10),
        |dealer| dealer.say(&long_answers(20)),
    );
    told.by("the id of a call in flight", same, |dealer| dealer.say(&[slow(1), slow(1)]));
    told.by(
        "as many calls of all clients are in flight as may be",
        |server| server.max_calls(1),
        |dealer| dealer.say(&[slow(1), slow(2)]),
    );
    let message = told.by(
        "as many calls of the client are in flight as [its share](#shares)",
        |server| server.max_calls(8),
        |dealer| dealer.say(&(1..=7).map(slow).collect::<Vec<_>>()),
    );
    assert!(message.contains("past its share"), "{message}");
    told.by("no such service or method", same, |dealer| dealer.say(&[call(1, "lost", &record![])]));
    told.by("a method by the wrong kind of call record", same, |dealer| {
        dealer.say(&[call(1, "note", &record!["lunch"])]);
    });
    let mut server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[slow(1)]);
    dealer.sync();
    server.stop();
    assert_eq!(dealer.next().kind(), kind::GOING_AWAY);
    dealer.say(&[slow(2)]);
    told.check("the server is going away", &dealer.answer());
    told.by("the deadline has passed already", same, |dealer| {
        dealer.say(&[last_with(0.into(), Value::Nil)]);
    });
    told.by(
        "parameters past the limit of a body",
        |server| server.max_message_size(1_000),
        |dealer| dealer.say(&[call(1, "last", &record!["x".repeat(2_000)])]),
    );
    told.by("metadata past its limits", same, |dealer| {
        let long = vec![("a".into(), Value::Binary(vec![0; 16_384]))];
        dealer.say(&[last_with(Value::Nil, Value::Map(long))]);
    });
}

/// Who may call. A client says who it is only within the process, so no bare socket asks.
pub(super) fn roles(told: &mut Told) {
    let unknown = ("a method with [roles](#roles), of a client that is not known", None);
    let without = ("a method with roles, of a client that has none of them", Some(Identity::new("alice")));
    for (what, identity) in [unknown, without] {
        let status = run(async {
            let channel = match identity {
                Some(identity) => Channel::builder().identity(identity),
                None => Channel::builder(),
            };
            let vault = VaultClient::new(channel.local(VaultServer::new(VaultMock::new())));
            vault.look().await.expect_err("it has roles")
        });
        told.check_status(what, &status);
    }
}

/// Knows no token, and can't look at one that says so.
struct NoTokens;

impl Authenticate for NoTokens {
    async fn authenticate(&self, claim: Claim) -> Result<Grant, Status> {
        Err(match claim.token() {
            Some("later") => Status::unavailable("not now"),
            _ => Status::unauthenticated("no such token"),
        })
    }
}

/// Who makes a call, by its token.
pub(super) fn tokens(told: &mut Told) {
    let with = |text: &str| {
        let metadata = vec![("authorization".into(), text.into())];
        last_with(Value::Nil, Value::Map(metadata))
    };
    let server = Serving::with(|server| server.tokens(NoTokens)).lossy();
    let mut dealer = Dealer::connect(&server.endpoint);
    let mut error = |text: &str| {
        dealer.say(&[with(text)]);
        dealer.error()
    };
    let none = error("Basic YTpi");
    let bad = error("Bearer bad");
    assert_eq!(none.numbers(), bad.numbers(), "{none:?}");
    told.check("a [token](#roles) that is not good, or what is none", &bad);
    told.check("a token that the server can't look at now", &error("bearer later"));
}

/// Returns calls that are answered with far more bytes than themselves have.
pub(super) fn long_answers(calls: u64) -> Vec<Value> {
    (1..=calls).map(|id| call(id, "poll", &record!["LONG"])).collect()
}

/// Calls that wait until fewer run.
pub(super) fn turns(told: &mut Told) {
    told.by(
        "as many calls run, and wait to run, as may",
        |server| server.max_running(1, 1),
        |dealer| dealer.say(&[slow(1), slow(2), slow(3)]),
    );
    let message = told.by(
        "as many calls of the client wait to run as its share",
        |server| server.max_running(1, 8),
        |dealer| dealer.say(&(1..=8).map(slow).collect::<Vec<_>>()),
    );
    assert!(message.contains("past its share"), "{message}");
    let late = "the deadline passes before the call's turn, which is told by the time that the turn comes";
    told.check(late, &late_before_its_turn());
}

/// Returns the error of a call whose deadline passes while it waits for the one before.
fn late_before_its_turn() -> crate::raw::Record {
    let server = Serving::with(|server| server.max_running(1, 1));
    let mut dealer = Dealer::connect(&server.endpoint);
    let body = || Value::Binary(packed(&record!["ACME"]));
    let mut time = Duration::from_millis(10);
    loop {
        let micros = u64::try_from(time.as_micros()).expect("it is short");
        dealer.say(&[slow(1), record![kind::CALL, 2, tape("last"), body(), micros]]);
        let mut records = dealer.sync();
        // The server has read it, and so its time began before.
        let read = Instant::now();
        while read.elapsed() <= time {
            records.extend(dealer.sync());
        }
        dealer.say(&[record![kind::CANCEL, 1]]);
        records.extend(dealer.sync());
        let error = records.pop().unwrap_or_else(|| dealer.answer());
        assert_eq!((error.id(), &records[..]), (2, &[][..]), "{error:?}");
        if error.message().contains("waited to run") {
            return error;
        }
        // The server was held up, and the deadline had passed before the call came to wait.
        time *= 2;
    }
}

/// Keeps a call from its handler by a panic.
struct Clumsy;

impl ServerMiddleware for Clumsy {
    async fn handle(&self, _: ServerRequest, _: ServerNext<'_>) -> Response {
        // Without the hook, which counts the panics that no test has asked for.
        std::panic::resume_unwind(Box::new("as the test asks for"))
    }
}

/// What surrounds the handlers.
pub(super) fn middleware(told: &mut Told) {
    told.by(
        "as many calls run, or have been made of late, as a middleware of the project allows",
        |server| server.middleware(ConcurrencyLimit::all(1)),
        |dealer| dealer.say(&[slow(1), slow(2)]),
    );
    told.by(
        "a middleware panics before the handler has begun",
        |server| server.middleware(Clumsy),
        |dealer| dealer.say(&[call(1, "last", &record!["ACME"])]),
    );
}

/// What is wrong with parameters.
pub(super) fn parameters(told: &mut Told) {
    told.by("parameters that can't be read, or break a bound", same, |dealer| {
        dealer.say(&[call(1, "last", &record![5])]);
    });
    told.by("parameters nested too deep", same, |dealer| {
        let deep = (0..200).fold(Value::Nil, |inner, _| record![inner]);
        dealer.say(&[echo(&record![12, deep])]);
    });
    told.by(
        "parameters whose values take [too much memory](#memory-of-values)",
        |server| server.max_message_size(16 << 10),
        |dealer| dealer.say(&[echo(&record![12, Value::Array(vec![Value::Nil; 10_000])])]),
    );
}
