//! What the document says of the errors that a server makes, of records that belong to no stream, and of routes: a real server
//! does it.

use std::time::{Duration, Instant};

use rmpv::Value;
use zsvc::{Dropped, Engine, ServerBuilder};
use zsvc_calls::engines;

use crate::listings::DOCUMENT;
use crate::raw::{Dealer, Record, batch, call, call_with_credit, kind, packed, record, tape};
use crate::rig::{Serving, against, assert_no_panics, silent_client};

/// Code, outcome and cause of an error, as numbers; `None` for nil.
type Numbers = [Option<u64>; 3];

/// Returns the rows of the document's tables of errors: what is wrong, and the numbers.
fn rows() -> Vec<(String, Numbers)> {
    let chapter = DOCUMENT.split("\n### Errors of a server\n").nth(1).expect("the chapter is there");
    let chapter = chapter.split("\n## ").next().unwrap_or(chapter);
    let rows = chapter.lines().filter(|line| line.starts_with('|') && !line.contains("---"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let rows = cells.filter(|cells| cells.get(1).is_some_and(|cell| *cell != "code"));
    rows.map(|cells| {
        let [what, code, outcome, cause] = cells[..] else { panic!("{cells:?}") };
        (what.to_owned(), [code, outcome, cause].map(|number| number.parse().ok()))
    })
    .collect()
}

/// Rows that other tests provoke: what it takes is a flood, a panic, a value that Rust can't make, or a server's end.
const ELSEWHERE: &[(&str, &str)] = &[
    ("the client has as much unread data as it may", "limits::unread_answers"),
    ("a method with [roles](#roles), of a client that is not known", "roles"),
    ("a method with roles, of a client that has none of them", "roles"),
    (
        "the client does not read the stream that it has granted credit for",
        "limits::unread_items_whatever_the_credit",
    ),
    (
        "the client does not read at all; id 0",
        "hostile_clients::a_client_that_does_not_read_is_told_that_it_was_given_up",
    ),
    ("the server stops, and its grace time is over", "shutdown"),
    ("the handler panics", "outcomes"),
    ("the server drops the handler", "outcomes"),
    ("the answer can't be encoded", "bounds"),
    (
        "there is no room for the answer, since clients do not read",
        "limits::answers_past_all_that_may_wait_are_errors_that_say_so",
    ),
];

fn numbers(error: &Record) -> Numbers {
    assert_eq!(error.kind(), kind::ERROR, "{error:?}");
    let number = |index: usize| error.elements.get(index).and_then(Value::as_u64);
    // A cause stands last; what is nil at the end is left off.
    [number(2), number(4), number(7)]
}

/// Makes a server say the error of each row that is given, and checks the numbers of the document.
struct Told {
    rows: Vec<(String, Numbers)>,
}

impl Told {
    /// Checks the next error.
    fn check(&mut self, what: &str, dealer: &mut Dealer) {
        self.check_error(what, &dealer.answer());
    }

    fn check_error(&mut self, what: &str, error: &Record) {
        let at = self.rows.iter().position(|(row, _)| row == what);
        let (_, expected) = self.rows.remove(at.unwrap_or_else(|| panic!("the document has `{what}` once")));
        assert_eq!(numbers(error), expected, "{what}");
    }

    /// Starts a server, has a client do something, and checks the error.
    fn by(
        &mut self,
        what: &str,
        set: impl FnOnce(ServerBuilder) -> ServerBuilder,
        ask: impl FnOnce(&mut Dealer),
    ) {
        let server = Serving::with(set).lossy();
        let mut dealer = Dealer::connect(&server.endpoint);
        ask(&mut dealer);
        self.check(what, &mut dealer);
    }
}

fn same(server: ServerBuilder) -> ServerBuilder {
    server
}

fn slow(id: u64) -> Value {
    call(id, "last", &record!["SLOW"])
}

/// Returns a call of `last` with more elements: a deadline in microseconds, and metadata.
fn last_with(deadline: Value, metadata: Value) -> Value {
    let body = Value::Binary(packed(&record!["ACME"]));
    record![kind::CALL, 1, tape("last"), body, deadline, metadata]
}

#[test]
fn every_error_that_a_server_makes_is_as_the_document_says() {
    let mut told = Told { rows: rows() };
    batches(&mut told);
    calls(&mut told);
    endings(&mut told);
    let left: Vec<_> = told.rows.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(left, ELSEWHERE.iter().map(|(what, _)| *what).collect::<Vec<_>>());
    assert_no_panics();
}

fn batches(told: &mut Told) {
    told.by("a batch of another version, or an empty one; id 0", same, |dealer| dealer.send([2]));
    told.by("a malformed record; id 0", same, |dealer| dealer.send([1, 0xc0]));
    told.by("a query for a call that is not in flight", same, |dealer| {
        dealer.say(&[record![kind::QUERY, 1]]);
    });
    told.by("an unknown kind below 64", same, |dealer| dealer.say(&[record![12, 1]]));
    let too_large = "a message that is [too large](#messages-that-are-too-large)";
    if engines::of_servers() == Engine::Zmtp {
        let small = |server: ServerBuilder| server.max_message_size(1_000);
        told.by(too_large, small, |dealer| {
            dealer.say(&[call(1, "last", &record!["x".repeat(300_000)])]);
        });
    } else {
        // The connection is closed: see `hostile_clients::bodies_have_a_limit_and_messages_a_hard_limit`.
        told.rows.retain(|(what, _)| what != too_large);
    }
}

fn calls(told: &mut Told) {
    told.by("a call with the id 0", same, |dealer| dealer.say(&[call(0, "last", &record!["ACME"])]));
    told.by(
        "as many calls of the client are in flight as may be",
        |server| server.max_calls_per_peer(1),
        |dealer| dealer.say(&[slow(1), slow(2)]),
    );
    told.by("the id of a call in flight", same, |dealer| dealer.say(&[slow(1), slow(1)]));
    told.by(
        "as many calls of all clients are in flight as may be",
        |server| server.max_calls(1),
        |dealer| dealer.say(&[slow(1), slow(2)]),
    );
    told.by("no such service or method", same, |dealer| dealer.say(&[call(1, "lost", &record![])]));
    told.by("a method by the wrong kind of call record", same, |dealer| {
        dealer.say(&[call(1, "note", &record!["lunch"])]);
    });
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
    told.by(
        "as many calls run, and wait to run, as may",
        |server| server.max_running(1, 1),
        |dealer| dealer.say(&[slow(1), slow(2), slow(3)]),
    );
    let server = Serving::with(|server| server.max_running(1, 1));
    let mut dealer = Dealer::connect(&server.endpoint);
    let body = Value::Binary(packed(&record!["ACME"]));
    dealer.say(&[slow(1), record![kind::CALL, 2, tape("last"), body, 20_000]]);
    let (began, mut errors) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_millis(30) {
        errors.extend(dealer.sync());
    }
    dealer.say(&[record![kind::CANCEL, 1]]);
    errors.extend(dealer.sync());
    let error = errors.pop().unwrap_or_else(|| dealer.answer());
    let late = "the deadline passes before the call's turn, which is told by the time that the turn comes";
    told.check_error(late, &error);
    told.by("parameters that can't be read, or break a bound", same, |dealer| {
        dealer.say(&[call(1, "last", &record![5])]);
    });
    told.by("parameters nested too deep", same, |dealer| {
        let deep = (0..200).fold(Value::Nil, |inner, _| record![inner]);
        let body = Value::Binary(packed(&record![record![12, deep]]));
        dealer.say(&[record![kind::CALL, 1, "shapes.v1.Shapes/echo", body]]);
    });
    let mut server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[slow(1)]);
    dealer.sync();
    server.stop();
    assert_eq!(dealer.next().kind(), kind::GOING_AWAY);
    dealer.say(&[slow(2)]);
    told.check("the server is going away", &mut dealer);
}

fn endings(told: &mut Told) {
    told.by("the deadline passes", same, |dealer| {
        let body = Value::Binary(packed(&record!["SLOW"]));
        dealer.say(&[record![kind::CALL, 1, tape("last"), body, 20_000]]);
    });
    told.by("the client sends items without credit", same, |dealer| {
        dealer.say(&[call(1, "import", &record!["deaf"])]);
        let items = || Value::Binary(vec![0xc0; 300_000]);
        dealer.say(&[record![kind::ITEMS, 1, items()], record![kind::ITEMS, 1, items()]]);
    });
    let brief = Duration::from_millis(300);
    let server = Serving::with(|server| server.peer_timeout(brief));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[slow(1)]);
    assert_eq!(dealer.next().kind(), kind::PING);
    told.check("the client gives no sign of life", &mut dealer);
    told.by(
        "the answer is past the limit of a body",
        |server| server.max_message_size(1_000),
        |dealer| dealer.say(&[call(1, "poll", &record!["x".repeat(990)])]),
    );
}

/// Each call has two faults, of which the earlier in the document's table is told.
#[test]
fn refusals_come_in_the_order_of_the_document() {
    let mut server = Serving::with(|server| server.max_calls_per_peer(2).max_message_size(1_000));
    let mut dealer = Dealer::connect(&server.endpoint);
    let code = |dealer: &mut Dealer, record: Value| {
        dealer.say(&[record]);
        numbers(&dealer.answer())
    };
    dealer.say(&[slow(1)]);
    let in_use = [Some(3), Some(0), Some(8)];
    assert_eq!(code(&mut dealer, call(1, "lost", &record![])), in_use, "id in use, unknown method");
    let unknown = [Some(12), Some(0), Some(7)];
    let long = Value::from("x".repeat(2_000));
    assert_eq!(code(&mut dealer, call(2, "lost", &record![long.clone()])), unknown, "unknown, too large");
    let late = record![kind::CALL, 2, tape("last"), Value::Binary(packed(&record![long])), 0];
    assert_eq!(code(&mut dealer, late), [Some(4), Some(0), Some(3)], "too late, too large");
    dealer.say(&[slow(2)]);
    let full = [Some(8), Some(0), Some(2)];
    assert_eq!(code(&mut dealer, call(1, "lost", &record![])), full, "full, id in use");
    assert_eq!(code(&mut dealer, call(0, "lost", &record![])), [Some(3), Some(1), Some(8)], "id 0, full");
    dealer.say(&[record![kind::CANCEL, 2]]);
    server.stop();
    assert_eq!(dealer.next().kind(), kind::GOING_AWAY);
    assert_eq!(code(&mut dealer, call(2, "lost", &record![])), unknown, "unknown, going away");
    let late = last_with(0.into(), Value::Nil);
    dealer.say(&[record![kind::CANCEL, 1], slow(3), late]);
    assert_eq!(numbers(&dealer.answer()), [Some(14), Some(0), Some(1)], "going away");
    assert_eq!(numbers(&dealer.answer()), [Some(14), Some(0), Some(1)], "going away, too late");
}

#[test]
fn a_method_name_that_is_no_utf_8_is_unknown() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.send([1, 0x94, 1, 1, 0xa2, 0xff, 0xfe, 0xc4, 1, 0x90]);
    assert_eq!(dealer.next().error(), (1, 12, 0));
    dealer.good_call();
    assert_no_panics();
}

/// Of streams that a call does not have, and past the end of one: neither side minds, with or without credit.
#[test]
fn records_of_streams_that_a_call_does_not_have_are_ignored() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    let items = |id: u64, bytes: usize| record![kind::ITEMS, id, Value::Binary(vec![0xc0; bytes])];
    // A unary call, with far more items than any credit, their end, and credit.
    dealer.say(&[slow(1), items(1, 100_000), items(1, 100_000), record![kind::END, 1]]);
    dealer.say(&[record![kind::CREDIT, 1, 5]]);
    // A stream of which all credit is taken: records without items need none, and nor do items after its end.
    dealer.say(&[call(2, "import", &record!["deaf"]), items(2, 300_000)]);
    assert_eq!(dealer.sync().iter().filter(|record| record.kind() == kind::ERROR).count(), 0);
    dealer.say(&[items(2, 0), record![kind::END, 2], items(2, 7), record![kind::END, 2]]);
    dealer.say(&[record![kind::CREDIT, 2, 5]]);
    assert!(dealer.sync().is_empty());
    assert_eq!(server.counters.unreadable_batches(), 0);
    assert_no_panics();
}

#[test]
fn a_client_ignores_them_too() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            assert_eq!(tape.last("ACME").await, Ok(crate::floor::trade("ACME")));
            let mut trades = tape.watch(["ACME"]).await.expect("the call is on its way");
            assert!(trades.next().await.is_none(), "it ends well");
        },
        |router| {
            let id = router.next_call();
            let items = |id: u64, bytes: usize| record![kind::ITEMS, id, Value::Binary(vec![0xc0; bytes])];
            router.say(&[items(id, 3_000_000), items(id, 3_000_000), record![kind::CREDIT, id, 5]]);
            router.send(crate::listings::bytes("reply"));
            let id = router.next_call();
            router.say(&[items(id, 0), record![kind::CREDIT, id, 5], record![kind::END, id], items(id, 9)]);
        },
    );
}

/// The numbers are those for which both engines agree: the frame of the connection itself counts with 9 or 12.
#[test]
fn a_frame_of_a_route_counts_with_its_length_and_four_more() {
    let server = Serving::start().lossy();
    let mut dealer = Dealer::connect(&server.endpoint);
    let ping = batch(&[record![kind::PING, 5]]);
    for (frames, bytes, is_answered) in [(1, 2_032, true), (509, 0, true), (1, 2_040, false), (510, 0, false)]
    {
        let frame = vec![7; bytes];
        let mut message = vec![&frame[..]; frames];
        message.push(&ping);
        dealer.send_frames(&message);
        let pongs = dealer.sync().len();
        assert_eq!(pongs == 1, is_answered, "{frames} frames of {bytes} bytes");
    }
    assert_eq!(server.counters.dropped(Dropped::RouteTooLong), 2);
}

/// So the answer to a batch that can't be read has all of them in front.
#[test]
fn frames_before_a_batch_that_can_t_be_read_are_its_route() {
    let server = Serving::start();
    let dealer = Dealer::connect(&server.endpoint);
    // A call with a place for one attachment, whose body ends too soon.
    dealer.send_frames(&[b"device", b"attached", b"\x01\x98\x01\x01\xa1x\xc4\x09\xc0"]);
    let message = dealer.message();
    assert_eq!(message[..2], [b"device".to_vec(), b"attached".to_vec()]);
    assert_eq!(crate::raw::records(&message[2])[0].error(), (0, 3, 1));
}

/// As the document warns: what such a client has said of the call before is not true.
#[test]
fn what_a_plain_dealer_keeps_is_sent_after_any_time() {
    let name = format!("zsvc-plain-{}", std::process::id());
    let endpoint = format!("ipc://{}", std::env::temp_dir().join(name).display());
    let mut dealer = Dealer::connect(&endpoint);
    dealer.say(&[call(1, "last", &record!["ACME"])]);
    let server = Serving::with(|server| server.bind(endpoint.as_str()));
    let reply = dealer.next();
    assert_eq!((reply.kind(), reply.id()), (kind::REPLY, 1));
    assert_eq!(server.counters.calls(), 1);
}

/// However the server learns of it.
#[test]
fn a_client_that_is_gone_is_found_out() {
    let server = Serving::with(|server| server.peer_timeout(Duration::from_millis(300)));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[slow(1), call_with_credit(2, "watch", &record![record!["ACME"]], 1)]);
    dealer.sync();
    drop(dealer);
    while server.counters.lost_peers() == 0 {
        Dealer::connect(&server.endpoint).good_call();
    }
}
