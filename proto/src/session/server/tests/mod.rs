//! A session alone: bytes in, records out, on a made-up clock. Each module below is about one matter.

mod access;
mod shares;
mod streams;
mod unknown;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::codec::{Blob, Plain};
use crate::flow::OutboundStream;
use crate::method::{Method, MethodKind};
use crate::status::{Code, Failure, Outcome, Status};
use crate::wire::{Item, ItemHead, Malformed, Reader, Record, RecordBuilder};

const METHODS: [Method; 3] = [
    Method::new("t.Odd/unary", MethodKind::Unary),
    Method::new("t.Odd/both", MethodKind::Bidirectional),
    Method::new("t.Odd/unheard", MethodKind::OneWay),
];

const PONG: [u8; 3] = [0x92, 10, 0];

/// A client of a server, and the time.
struct Client {
    session: Session<()>,
    methods: Methods,
    now: Instant,
    clock: ListeningClock,
    shared: Arc<Shared>,
}

impl Client {
    fn new(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            instance: 7,
            max_body: 1 << 20,
            max_calls: 100,
            max_calls_per_peer: 50,
            stream_window: 1 << 18,
            peer_timeout: Duration::from_secs(15),
            max_waiting: 1 << 30,
            max_waiting_per_peer: None,
        };
        set(&mut config);
        let (clock, shared) = (ListeningClock::new(&config), Shared::new(config));
        let methods = Methods::new(&METHODS).expect("their names differ");
        let session = Session::new(Arc::clone(&shared));
        Self { session, methods, now: Instant::now(), clock, shared }
    }

    /// Takes a message, and its first turn. Returns the calls that were taken.
    fn begin(&mut self, records: &[Vec<u8>]) -> Vec<CallKey> {
        let batch = Bytes::from([&[1], records.concat().as_slice()].concat());
        self.session.handle_message(self.now, batch.into());
        self.go_on()
    }

    /// Reads to the end of a turn.
    fn go_on(&mut self) -> Vec<CallKey> {
        let (mut keys, now) = (Vec::new(), self.now);
        while let Some(event) = self.session.poll_event(&self.methods, || now) {
            keys.extend(match event {
                Event::Call { key, .. } => Some(key),
                Event::OneWay(_) => None,
            });
        }
        keys
    }

    /// Takes a whole message.
    fn receive(&mut self, records: &[Vec<u8>]) -> Vec<CallKey> {
        let mut keys = self.begin(records);
        while self.session.has_unread() {
            keys.extend(self.go_on());
        }
        keys
    }

    fn open(&mut self, id: u8) -> CallKey {
        self.receive(&[call(id, "t.Odd/unary")])[0]
    }

    fn cancel(&mut self, id: u8) {
        self.receive(&[vec![0x92, 8, id]]);
    }

    fn reply(&mut self, key: CallKey, bytes: usize) {
        let reply = RecordBuilder::reply::<Blob, Bytes>(key.id(), &vec![7; bytes].into()).unwrap();
        self.session.answer(key, Answer::Reply(reply)).unwrap();
    }

    /// Lets time pass, in which the server looks as often as it does.
    fn seconds_later(&mut self, seconds: u32) -> Vec<String> {
        let interval = self.shared.config().check_interval();
        for _ in 0..(Duration::from_secs(1) * seconds).as_micros().div_ceil(interval.as_micros()) {
            self.look_after(interval);
        }
        self.told()
    }

    fn look_after(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.clock.advance(self.now));
    }

    /// Returns what the client is told, as short texts.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(message) = self.session.poll_transmit() {
            let mut reader = Reader::new(message.batch()).expect("it is a batch");
            while let Some(record) = reader.next().expect("it is well-formed") {
                told.push(match record {
                    Record::Items { id, items } => format!("items of {id}: {items:?}"),
                    Record::Error { id, failure: Failure::Status(status) } => {
                        error(id, status.code(), status.outcome())
                    }
                    Record::Ping { .. } => "ping".to_owned(),
                    other => format!("{other:?}"),
                });
            }
        }
        told
    }

    fn counts(&mut self) -> Counts {
        self.session.take_effects().counts
    }
}

fn error(id: u64, code: Code, outcome: Outcome) -> String {
    format!("{id} {code} {outcome}")
}

/// A record that starts a call without parameters.
fn call(id: u8, method: &str) -> Vec<u8> {
    let kind = if method.ends_with("unheard") { 2 } else { 1 };
    let name = u8::try_from(method.len()).expect("it is short");
    [&[0x94, kind, id, 0xa0 | name], method.as_bytes(), &[0xc4, 1, 0x90]].concat()
}

/// A call that has a second of time.
fn call_of_a_second(id: u8) -> Vec<u8> {
    [&[0x95, 1, id, 0xab], &b"t.Odd/unary"[..], &[0xc4, 1, 0x90, 0xce, 0, 0xf, 0x42, 0x40]].concat()
}

#[test]
fn calls_are_taken_in_order_and_answered_once() {
    let mut client = Client::new(|_| ());
    let keys = client.receive(&[call(1, "t.Odd/unary"), call(2, "t.Odd/both")]);
    assert_eq!((keys.len(), client.shared.calls()), (2, 2));
    assert!(client.session.answer(keys[1], Answer::End).is_ok());
    assert!(client.session.answer(keys[1], Answer::End).is_err(), "it has ended");
    client.session.fail(keys[0], &Status::internal("failed"));
    client.session.fail(keys[0], &Status::internal("once more"));
    assert_eq!(client.told(), ["End { id: 2 }", &*error(1, Code::Internal, Outcome::Executed)]);
    let ended = client.session.take_effects().ended;
    assert_eq!(ended.iter().map(|ended| ended.key).collect::<Vec<_>>(), [keys[0]]);
    assert!(client.shared.calls() == 0 && !client.session.has_effects());
}

#[test]
fn what_is_not_to_be_run_is_turned_away() {
    let mut client = Client::new(|config| config.max_calls_per_peer = 1);
    let records = [
        call(1, "t.Odd/none"),
        call(2, "t.Other/x"),
        [&[0x94, 2, 0, 0xab], &b"t.Odd/unary"[..], &[0xc4, 1, 0x90]].concat(),
        call(3, "t.Odd/unary"),
        call(4, "t.Odd/unary"),
        call(0, "t.Odd/unheard"),
    ];
    assert_eq!(client.receive(&records).len(), 1);
    let refused = |id, code| error(id, code, Outcome::NotSent);
    let expected = [
        refused(1, Code::Unimplemented),
        refused(2, Code::Unimplemented),
        refused(4, Code::ResourceExhausted),
    ];
    assert_eq!(client.told(), expected);
    let counts = client.counts();
    assert_eq!((counts.refused, counts.dropped(DropReason::OneWay)), (5, 2));
    client.cancel(3);
    client.shared.drain();
    assert_eq!(client.receive(&[call(5, "t.Odd/unary")]).len(), 0);
    assert_eq!(client.told(), [refused(5, Code::Unavailable)]);
    assert_eq!(client.shared.calls(), 0);
}

#[test]
fn one_way_calls_in_flight_count_among_the_calls() {
    let mut client = Client::new(|config| config.max_calls_per_peer = 2);
    client.session.begin_one_way();
    client.session.begin_one_way();
    assert_eq!((client.shared.calls(), client.receive(&[call(1, "t.Odd/unary")]).len()), (2, 0));
    client.session.end_one_way();
    client.open(1);
    assert_eq!(client.shared.calls(), 2);
}

#[test]
fn an_error_of_a_whole_batch_does_not_say_that_its_calls_did_not_run() {
    let mut client = Client::new(|_| ());
    client.receive(&[call(1, "t.Odd/unary"), call(0, "t.Odd/unary")]);
    assert_eq!(client.told(), [error(0, Code::InvalidArgument, Outcome::MaybeExecuted)]);
    client.session.handle_unreadable(&Malformed::TooMuchAttached);
    assert_eq!(client.told(), [error(0, Code::ResourceExhausted, Outcome::MaybeExecuted)]);
    assert_eq!(client.counts().unreadable, 1);
}

#[test]
fn a_batch_that_asks_for_far_more_than_it_holds_is_not_read_to_its_end() {
    let mut client = Client::new(|config| config.max_waiting_per_peer = Some(1024 * 1024));
    // Queries for a call that is not in flight.
    client.receive(&vec![vec![0x92, 65, 5]; 60_000]);
    assert_eq!(client.told(), [error(0, Code::Unavailable, Outcome::MaybeExecuted)]);
    let read = client.session.records_read();
    assert!(read < 50_000, "{read} records of it were answered");
}

#[test]
fn a_long_batch_is_taken_in_turns_and_in_order() {
    let mut client = Client::new(|_| ());
    let pings: Vec<_> =
        (0..2_000_u16).map(|id| [&[0x92, 9, 0xcd], id.to_be_bytes().as_slice()].concat()).collect();
    client.begin(&pings);
    assert!(client.session.has_unread(), "others get their turn");
    assert_eq!(client.session.records_read(), 128);
    while client.session.has_unread() {
        client.go_on();
    }
    let expected: Vec<_> = (0..2_000).map(|id| format!("Pong {{ id: {id}, instance: Some(7) }}")).collect();
    assert_eq!(client.told(), expected);
}

#[test]
fn a_batch_without_end_is_cut() {
    let mut client = Client::new(|_| ());
    client.receive(&vec![PONG.to_vec(); 200_000]);
    assert_eq!(client.told(), [error(0, Code::ResourceExhausted, Outcome::MaybeExecuted)]);
    assert_eq!(client.counts().unreadable, 1);
}

/// The handlers of those before it took their time.
#[test]
fn a_call_whose_time_is_up_before_its_turn_in_a_batch_does_not_run() {
    let mut client = Client::new(|_| ());
    let records = [vec![PONG.to_vec(); 512], vec![call_of_a_second(7)]].concat();
    client.begin(&records);
    client.now += Duration::from_millis(1_001);
    while client.session.has_unread() {
        assert_eq!(client.go_on(), []);
    }
    assert_eq!(client.told(), [error(7, Code::DeadlineExceeded, Outcome::NotSent)]);
}

#[test]
fn whatever_a_client_says_is_a_sign_of_life() {
    let mut client = Client::new(|_| ());
    // Of a kind that is skipped: no pong.
    let sign = [vec![0x92, 64, 5]];
    client.open(1);
    assert_eq!(client.seconds_later(6), ["ping"]);
    client.receive(&sign);
    assert_eq!(client.seconds_later(4), [""; 0]);
    for _ in 0..3 {
        client.receive(&sign);
        assert_eq!(client.seconds_later(14), ["ping"]);
    }
    assert_eq!(client.counts().lost, 0);
}

#[test]
fn a_client_that_is_asked_and_stays_silent_is_given_up_in_time() {
    let mut client = Client::new(|_| ());
    client.open(1);
    assert_eq!(client.seconds_later(6), ["ping"]);
    assert_eq!(client.seconds_later(8), [""; 0]);
    assert_eq!(client.seconds_later(1), [error(1, Code::Unavailable, Outcome::MaybeExecuted)]);
    let effects = client.session.take_effects();
    assert_eq!((effects.counts.lost, effects.ended.len()), (1, 1));
}

/// Handlers hold up every thread, so nothing is read and no client is looked at. A client that was asked before has answered
/// meanwhile, which is read after a while only: there may be much before it.
#[test]
fn a_client_is_not_given_up_for_the_time_in_which_the_server_was_held_up() {
    let mut client = Client::new(|_| ());
    client.open(1);
    assert_eq!(client.seconds_later(5), ["ping"]);
    for _ in 0..3 {
        client.look_after(Duration::from_secs(30));
    }
    assert_eq!(client.seconds_later(3), [""; 0]);
    client.receive(&[PONG.to_vec()]);
    assert_eq!(client.seconds_later(4), [""; 0]);
    assert!(client.session.has_calls() && client.session.is_flushed());
}

#[test]
fn an_answer_for_which_there_is_no_room_is_an_error_that_says_so() {
    let mut client = Client::new(|config| config.max_waiting_per_peer = Some(100_000));
    let keys = [1, 2, 3, 4].map(|id| client.open(id));
    for key in keys {
        client.reply(key, 90_000);
    }
    assert_eq!(client.counts().dropped(DropReason::NoRoom), 1);
    let told = client.told();
    assert_eq!(told.len(), 4);
    assert_eq!(told[3], error(4, Code::ResourceExhausted, Outcome::Executed));
}

#[test]
fn a_client_that_has_read_everything_takes_no_room_of_others() {
    let mut client = Client::new(|config| config.max_waiting = 100_000);
    let keys = [1, 2].map(|id| client.open(id));
    client.reply(keys[0], 100_000);
    // What is left after the first of them is less than a step.
    client.reply(keys[1], 30_000);
    assert!(client.shared.is_too_much_waiting());
    assert_eq!(client.told().len(), 2);
    assert!(!client.shared.is_too_much_waiting());
    let key = client.open(3);
    client.reply(key, 110_000);
    assert!(client.shared.is_too_much_waiting());
    drop(client.session);
    assert!(!client.shared.is_too_much_waiting(), "a session that is gone counts for nothing");
}

#[test]
fn a_client_that_does_not_read_is_told_once_and_is_not_busy_with_that() {
    let mut client = Client::new(|_| ());
    client.open(1);
    client.session.shed();
    client.session.shed();
    assert!(!client.session.is_busy());
    let effects = client.session.take_effects();
    assert_eq!((effects.counts.lost, effects.ended.len()), (1, 1));
    assert_eq!(client.told(), [error(0, Code::Unavailable, Outcome::MaybeExecuted)]);
    client.session.go_away();
    client.session.ask();
    assert_eq!(client.told(), [""; 0], "it was given up");
    client.receive(&[vec![0x92, 9, 5]]);
    client.session.go_away();
    assert_eq!(client.told(), ["Pong { id: 5, instance: Some(7) }", "GoingAway"]);
}

#[test]
fn nothing_is_kept_for_a_client_that_is_gone() {
    let mut client = Client::new(|_| ());
    let keys = [1, 2].map(|id| client.open(id));
    client.reply(keys[0], 10);
    client.session.handle_disconnected();
    assert!(client.session.answer(keys[1], Answer::End).is_err() && client.session.is_gone());
    client.session.go_away();
    assert!(!client.session.wants_transmit());
    let effects = client.session.take_effects();
    assert_eq!((effects.counts.lost, effects.counts.dropped(DropReason::Unreachable)), (1, 1));
    assert_eq!((effects.ended.len(), client.shared.calls()), (1, 0));
}

/// A client asks which of its calls this life of the server has.
#[test]
fn a_call_that_is_not_in_flight_is_told_as_such_where_a_client_asks() {
    let query = |id: u8| vec![0x92, 65, id];
    let mut client = Client::new(|_| ());
    let key = client.open(1);
    client.receive(&[query(1), query(2), query(0)]);
    assert_eq!(client.told(), [error(2, Code::Unavailable, Outcome::MaybeExecuted)]);
    client.reply(key, 1);
    client.receive(&[query(1)]);
    let told = client.told();
    assert!(told[0].starts_with("Reply") && told[1].starts_with("1 unavailable"), "{told:?}");
    assert_eq!(client.counts().unreadable, 0);
}

#[test]
fn what_is_said_while_the_server_flushes_is_proved_by_a_pong_of_its_own() {
    let mut client = Client::new(|_| ());
    let key = client.open(1);
    client.shared.flush();
    client.session.ask();
    assert!(!client.session.is_flushed());
    client.receive(&[PONG.to_vec(), vec![0x92, 9, 5]]);
    assert_eq!(client.told(), ["ping", "Pong { id: 5, instance: Some(7) }", "ping"]);
    assert!(!client.session.is_flushed());
    client.receive(&[PONG.to_vec()]);
    assert!(client.session.is_flushed() && client.session.answer(key, Answer::End).is_ok());
}

#[test]
fn a_handler_says_nothing_of_another_call_with_the_id_of_its_own() {
    let mut client = Client::new(|_| ());
    let earlier = client.open(1);
    client.cancel(1);
    let later = client.open(1);
    let item = Item::encode::<Plain, u64>(&ItemHead::new(1), &7).unwrap();
    client.session.flush(earlier, &Arc::new(OutboundStream::new(100)), Some(item));
    client.session.grant(earlier, 100);
    client.session.fail(earlier, &Status::deadline_exceeded("too late"));
    assert!(client.session.answer(earlier, Answer::End).is_err() && client.session.app(earlier).is_none());
    assert_eq!(client.told(), [""; 0]);
    assert!(client.session.answer(later, Answer::End).is_ok());
    assert_eq!(client.told(), ["End { id: 1 }"]);
}

/// A user's bytes, which count when they are dropped.
struct Owned(Arc<AtomicUsize>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        static LONG: [u8; 40_000] = [7; 40_000];
        &LONG
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The runtime holds a lock around each call of the session, and none when it is done with the effects.
#[test]
fn what_a_client_never_reads_is_dropped_with_the_effects_and_not_before() {
    let mut client = Client::new(|config| config.max_waiting_per_peer = Some(30_000));
    let dropped = Arc::new(AtomicUsize::new(0));
    let keys = [1, 2, 3].map(|id| client.open(id));
    let answer = |session: &mut Session<()>, key: CallKey| {
        let body = Bytes::from_owner(Owned(Arc::clone(&dropped)));
        let reply = RecordBuilder::reply::<Blob, Bytes>(key.id(), &body).unwrap();
        session.answer(key, Answer::Reply(reply))
    };
    for key in keys {
        answer(&mut client.session, key).unwrap();
    }
    assert!(answer(&mut client.session, keys[0]).is_err(), "dropped here, by its caller");
    client.session.shed();
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    let effects = client.session.take_effects();
    let reasons = [DropReason::NoRoom, DropReason::NotRead].map(|reason| effects.counts.dropped(reason));
    assert_eq!(reasons, [1, 3]);
    effects.run();
    assert_eq!(dropped.load(Ordering::Relaxed), 4);
}
