//! Errors of calls whose handlers may have begun.

use std::time::Duration;

use rmpv::Value;
use zsvc::Dropped;
use zsvc::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest};

use super::before::long_answers;
use super::{Told, echo, same, slow};
use crate::floor::UNWRITABLE;
use crate::raw::{Dealer, call, call_with_credit, kind, packed, record, tape};
use crate::rig::Serving;

/// What ends a call.
pub(super) fn calls(told: &mut Told) {
    told.by("the deadline passes", same, |dealer| {
        let body = Value::Binary(packed(&record!["SLOW"]));
        // Far longer than a server takes to begin a handler, also on a busy machine.
        dealer.say(&[record![kind::CALL, 1, tape("last"), body, 1_000_000]]);
    });
    told.by("the client sends items without credit", same, |dealer| {
        dealer.say(&[call(1, "import", &record!["deaf"])]);
        let items = || Value::Binary(vec![0xc0; 300_000]);
        dealer.say(&[record![kind::ITEMS, 1, items()], record![kind::ITEMS, 1, items()]]);
    });
    let mut server = Serving::with(|server| server.max_running(1, 1).grace(Duration::from_millis(1)));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[slow(1), slow(2)]);
    dealer.sync();
    server.stop();
    let mut ends = [dealer.error(), dealer.error()];
    ends.sort_by_key(crate::raw::Record::id);
    told.check("the server stops, and its grace time is over", &ends[0]);
    told.check("the server stops, and its grace time is over before the call's turn", &ends[1]);
    told.by("the handler panics", same, |dealer| dealer.say(&[call(1, "last", &record!["PANIC"])]));
    told.by(
        "a middleware panics once the handler has ended",
        |server| server.middleware(ClumsyAfter),
        |dealer| dealer.say(&[call(1, "last", &record!["ACME"])]),
    );
}

/// Panics once a handler has ended.
struct ClumsyAfter;

impl ServerMiddleware for ClumsyAfter {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let _ = next.run(request).await;
        // Without the hook, which counts the panics that no test has asked for.
        std::panic::resume_unwind(Box::new("as the test asks for"))
    }
}

/// Clients that show no sign of life, or do not read.
pub(super) fn clients(told: &mut Told) {
    let brief = Duration::from_millis(300);
    let server = Serving::with(|server| server.peer_timeout(brief));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[slow(1)]);
    assert_eq!(dealer.next().kind(), kind::PING);
    told.check("the client gives no sign of life", &dealer.answer());

    let server = Serving::with(|server| server.max_waiting_per_peer(64 << 10)).lossy();
    let mut dealer = Dealer::connect_narrow(&server.endpoint);
    dealer.say(&[call_with_credit(1, "watch", &record![record!["UNREAD"]], u64::MAX / 2)]);
    assert_eq!(server.note(), "ended");
    told.check("the client does not read the stream that it has granted credit for", &dealer.error());

    let server = Serving::with(|server| server.peer_timeout(brief)).lossy();
    let (mut dealer, mut other) =
        (Dealer::connect_narrow(&server.endpoint), Dealer::connect(&server.endpoint));
    // More than the system and the sockets keep on the way.
    dealer.say(&long_answers(600));
    while server.counters.dropped(Dropped::NotRead) == 0 {
        other.good_call();
    }
    told.check("the client does not read at all; id 0", &dealer.error());
}

/// Answers that are not sent.
pub(super) fn answers(told: &mut Told) {
    told.by(
        "the answer is past the limit of a body",
        |server| server.max_message_size(1_000),
        |dealer| dealer.say(&[call(1, "poll", &record!["x".repeat(990)])]),
    );
    told.by("the answer can't be encoded", same, |dealer| dealer.say(&[echo(&record![7, UNWRITABLE])]));
    told.by(
        "there is no room for the answer, since clients do not read",
        |server| server.max_waiting(64 << 10),
        |dealer| dealer.say(&long_answers(20)),
    );
}
