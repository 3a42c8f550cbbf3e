//! A session by itself, on a made-up clock.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::*;
use crate::flow::{InboundStream, OutboundStream};
use crate::metadata::Metadata;
use crate::session::Deadline;
use crate::status::{Failure, Outcome, Status};
use crate::wire::{Batch, Malformed, RecordBuilder};

mod lives;
mod response;

pub(super) fn session() -> Session {
    session_of(2)
}

/// Creates a session with room for `max_calls` calls.
fn session_of(max_calls: usize) -> Session {
    let liveness = None;
    let (endpoint, max_body) = ("there".to_owned(), 1_000);
    Session::new(Config { endpoint, max_body, max_calls, liveness, is_monitored: true, is_connected: true })
}

fn record(method: &str, one_way: bool) -> RecordBuilder {
    RecordBuilder::call(method, one_way, &()).unwrap()
}

fn begin(session: &mut Session, deadline: Option<Deadline>, now: Instant) -> u32 {
    let (metadata, streams) = (&Metadata::default(), &Streams::default());
    let call =
        NewCall { method: "a.B/c", deadline, metadata, response: None, streams, credit: None, waker: None };
    session.begin_call(call, CallRecord::Once(record("a.B/c", false)), now)
}

fn send_note(session: &mut Session, now: Instant) {
    let note = CallRecord::Once(record("a.B/note", true));
    session.begin_one_way(None, &Metadata::default(), note, now);
}

fn outcome(session: &mut Session, id: u32) -> Option<Outcome> {
    match session.poll_reply(id, &Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(Failure::Status(status))) => Some(status.outcome()),
        _ => None,
    }
}

/// Returns the number of tasks that are to be woken.
pub(super) fn woken(session: &mut Session) -> usize {
    let mut wakers = Vec::new();
    session.take_wakers(&mut wakers);
    wakers.len()
}

/// Begins a call with a client's stream, which is answered by another.
pub(super) fn begin_stream(session: &mut Session, outbound: Arc<OutboundStream>, now: Instant) -> u32 {
    let streams = &Streams { inbound: Some(Arc::new(InboundStream::new(100))), outbound: Some(outbound) };
    let (metadata, credit) = (&Metadata::default(), Some(100));
    let call =
        NewCall { method: "a.B/c", deadline: None, metadata, response: None, streams, credit, waker: None };
    session.begin_call(call, CallRecord::Once(record("a.B/c", false)), now)
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

pub(super) fn receive(session: &mut Session, bytes: &[u8], now: Instant) {
    let batch = Batch::from(bytes::Bytes::copy_from_slice(bytes));
    assert_eq!(session.handle_message(&batch, 0, usize::MAX, now), None);
}

/// What a pong or an answer proves to have arrived is not counted, what has not left is counted apart.
#[test]
fn one_way_calls_that_may_be_lost_are_counted() {
    let (mut session, now) = (session(), Instant::now());
    send_note(&mut session, now);
    let id = begin(&mut session, None, now);
    for _ in 0..2 {
        send_note(&mut session, now);
    }
    assert!(session.poll_transmit().is_some());
    let id = u8::try_from(id).expect("it is the first");
    // The server reads in order, so its answer proves that it has read the note before the call, and not those behind it.
    receive(&mut session, &[1, 0x93, 3, id, 0xc4, 1, 0xc0], now);
    send_note(&mut session, now);
    assert_eq!(session.poll_timeout(), Some(now + Duration::from_secs(1)), "it will be asked");
    session.handle_disconnected(now);
    let dropped = |reason, count| Event::Dropped { reason, count };
    let told = events(&mut session);
    let counted = [dropped(Dropped::OneWay, 1), dropped(Dropped::OneWaySent, 2)];
    assert!(counted.iter().all(|event| told.contains(event)), "{told:?}");
    assert!(session.has_lost_one_way());
}

/// Few calls, and no other: the server is asked after a second, and once.
#[test]
fn the_server_is_asked_whether_one_way_calls_have_arrived() {
    let (mut session, now) = (session(), Instant::now());
    let later = now + Duration::from_secs(1);
    for _ in 0..3 {
        send_note(&mut session, now);
    }
    assert!(session.poll_transmit().is_some());
    session.handle_timeout(now + Duration::from_millis(999));
    assert!(session.poll_transmit().is_none());
    session.handle_timeout(later);
    let ping = session.poll_transmit().expect("a ping");
    session.handle_timeout(later + Duration::from_secs(9));
    assert!(session.poll_transmit().is_none(), "it is asked already");
    let mut answer = ping.batch().to_vec();
    answer[2] += 1;
    receive(&mut session, &answer, later);
    assert_eq!((session.open_calls(), session.calls()), (0, 0));
    session.handle_disconnected(later);
    let told = events(&mut session);
    assert!(!told.iter().any(|event| matches!(event, Event::Dropped { .. })), "{told:?}");
    assert!(!session.has_lost_one_way());
}

/// Calls that begin while the server is asked are asked about in their turn, though nothing else is sent.
#[test]
fn the_server_is_asked_anew_about_calls_that_began_while_it_was_asked() {
    let (mut session, now) = (session(), Instant::now());
    let second = Duration::from_secs(1);
    send_note(&mut session, now);
    assert!(session.poll_transmit().is_some());
    session.handle_timeout(now + second);
    let mut answer = session.poll_transmit().expect("a ping").batch().to_vec();
    answer[2] += 1;
    send_note(&mut session, now + second);
    receive(&mut session, &answer, now + second);
    assert_eq!(session.poll_timeout(), Some(now + 2 * second));
}

#[test]
fn a_server_that_went_away_may_be_tried_again() {
    let (mut session, now) = (session(), Instant::now());
    receive(&mut session, b"\x01\x92\x0b\x00", now);
    assert!(matches!(session.phase(), Phase::GoingAway { .. }));
    assert_eq!(events(&mut session), [Event::Changed]);
    let Phase::GoingAway { until } = session.phase() else { panic!("it is going away") };
    assert!(session.rank(now).is_none());
    assert!(session.rank(until).is_some());
}

#[test]
fn a_call_whose_time_is_up_before_it_has_left_is_never_sent() {
    let (mut session, now) = (session_of(3), Instant::now());
    let deadline = Some(Deadline { at: now, after: Duration::ZERO });
    let left = begin(&mut session, deadline, now);
    let message = session.poll_transmit();
    let late = begin(&mut session, deadline, now);
    let other = begin(&mut session, None, now);
    session.handle_timeout(now);
    assert_eq!(outcome(&mut session, left), Some(Outcome::MaybeExecuted));
    assert_eq!(outcome(&mut session, late), Some(Outcome::NotSent));
    assert_eq!(outcome(&mut session, other), None);
    assert_eq!(session.unsent(), (HashSet::from([other]), 0));
    // What the transport has not taken has not left.
    session.return_transmit(message.unwrap());
    assert_eq!(session.unsent(), (HashSet::from([left, other]), 0));
}

#[test]
fn calls_in_the_outbox_when_the_connection_is_lost_were_not_sent() {
    let (mut session, now) = (session(), Instant::now());
    let left = begin(&mut session, None, now);
    drop(session.poll_transmit());
    let here = begin(&mut session, None, now);
    send_note(&mut session, now);
    session.handle_disconnected(now);
    assert_eq!(outcome(&mut session, left), Some(Outcome::MaybeExecuted));
    assert_eq!(outcome(&mut session, here), Some(Outcome::NotSent));
    let lost = Event::Dropped { reason: Dropped::OneWay, count: 1 };
    assert_eq!(events(&mut session), [lost, Event::Disconnected]);
    session.handle_connected();
    assert_eq!(events(&mut session), [Event::Connected { again: true }]);
}

#[test]
fn the_server_is_asked_what_it_has_read_until_there_is_room() {
    let (mut session, now) = (session(), Instant::now());
    session.one_way.begin(2 << 20, now);
    session.ask_for_one_way(now);
    // The ping goes out before this one, and so its pong proves nothing of it.
    session.one_way.begin(5 << 20, now);
    for has_room in [false, true] {
        while session.poll_transmit().is_some() {}
        let (asked, _) = session.calls.iter().next().unwrap();
        session.ponged(asked, now);
        assert_eq!((session.has_room(), session.has_waiting()), (has_room, !has_room));
    }
}

#[test]
fn a_caller_waits_for_room_and_is_woken_when_there_is_some() {
    let (mut session, now, mut ticket) = (session(), Instant::now(), None);
    let calls = [(); 2].map(|()| begin(&mut session, None, now));
    let context = Context::from_waker(Waker::noop());
    assert!(session.poll_room(&context, &mut ticket, None, now).is_pending());
    // The answer has come, and was not taken.
    receive(&mut session, b"\x01\x92\x06\x01", now);
    assert_eq!(woken(&mut session), 0);
    assert!(outcome(&mut session, calls[0]).is_some());
    assert_eq!((woken(&mut session), woken(&mut session)), (1, 0));
    assert!(session.poll_room(&context, &mut ticket, None, now).is_ready() && ticket.is_none());
    begin(&mut session, None, now);
    assert!(session.poll_room(&context, &mut ticket, None, now).is_pending());
    session.abandon(calls[1], "given up");
    assert_eq!(woken(&mut session), 1, "one that is given up makes room, too");
}

#[test]
fn a_message_is_taken_until_enough_are_to_be_woken() {
    let (mut session, now) = (session(), Instant::now());
    let ids = [(); 2].map(|()| begin(&mut session, None, now));
    let context = Context::from_waker(Waker::noop());
    for id in ids {
        assert!(session.poll_reply(id, &context).is_pending());
    }
    let batch = Batch::from(bytes::Bytes::from_static(b"\x01\x92\x06\x01\x92\x06\x02"));
    let next = session.handle_message(&batch, 0, 1, now);
    assert_eq!((next, woken(&mut session)), (Some(4), 1));
    assert_eq!(session.handle_message(&batch, 4, 1, now), None);
    assert_eq!(woken(&mut session), 1);
}

#[test]
fn what_is_dropped_is_told_by_its_reason() {
    let (mut session, now) = (session(), Instant::now());
    receive(&mut session, b"nonsense", now);
    assert_eq!(events(&mut session), [Event::Dropped { reason: Dropped::Unreadable, count: 1 }]);
    session.handle_lost_message(now);
    let lost = Event::Dropped { reason: Dropped::Unreachable, count: 1 };
    assert_eq!(events(&mut session), [lost, Event::Disconnected]);
    // Pings of a server that reads nothing.
    let pings = [&[1][..], &b"\x92\x09\x01".repeat(1_000_000)].concat();
    (0..3).for_each(|_| receive(&mut session, &pings, now));
    let told = events(&mut session);
    assert!(matches!(told[..], [Event::Dropped { reason: Dropped::Pong, count: 100_000.. }]), "{told:?}");
    let before = session.outbox.len();
    receive(&mut session, &pings, now);
    assert_eq!(session.outbox.len(), before);
    assert!(before < 9 * 1024 * 1024, "{before}");
}

#[test]
fn a_session_that_is_closed_is_done_once_its_calls_have_ended_and_all_has_left() {
    let (mut session, now) = (session(), Instant::now());
    let id = begin(&mut session, None, now);
    session.close_when_sent();
    assert!(!session.is_done());
    let wait = Wait { deadline: None, for_ready: true };
    let refused = session.check_ready(&mut None, wait, now).unwrap_err();
    assert_eq!((refused.outcome(), refused.message()), (Outcome::NotSent, "the channel is closed"));
    while session.poll_transmit().is_some() {}
    assert!(!session.is_done());
    session.abandon(id, "given up");
    while session.poll_transmit().is_some() {}
    assert!(session.is_done());
}

#[test]
fn a_server_that_does_not_answer_ends_the_calls_on_it() {
    let now = Instant::now();
    for is_monitored in [true, false] {
        let liveness = Some(LivenessConfig::within(Duration::from_secs(8)));
        let (endpoint, max_body, max_calls) = ("there".to_owned(), 1_000, 2);
        let config = Config { endpoint, max_body, max_calls, liveness, is_monitored, is_connected: true };
        let mut session = Session::new(config);
        let id = begin(&mut session, None, now);
        while session.poll_transmit().is_some() {}
        let mut at = now;
        while let Some(next) = session.poll_timeout() {
            at = next;
            session.handle_timeout(at);
        }
        assert!(at - now <= Duration::from_secs(8), "{:?}", at - now);
        assert_eq!(outcome(&mut session, id), Some(Outcome::MaybeExecuted));
        assert_eq!(events(&mut session).contains(&Event::Renew), !is_monitored);
    }
}

#[test]
fn a_server_that_was_silent_is_asked_again_for_calls_that_had_not_left() {
    let now = Instant::now();
    let liveness = Some(LivenessConfig::within(Duration::from_secs(8)));
    let (endpoint, max_body, max_calls) = ("there".to_owned(), 1_000, 2);
    let config = Config { endpoint, max_body, max_calls, liveness, is_monitored: true, is_connected: true };
    let mut session = Session::new(config);
    begin(&mut session, None, now);
    while session.poll_transmit().is_some() {}
    let waits = begin(&mut session, None, now);
    let mut at = now;
    while session.open_calls() == 2 {
        at = session.poll_timeout().expect("calls are in flight");
        session.handle_timeout(at);
    }
    // It leaves now, and no other call begins.
    while session.poll_transmit().is_some() {}
    while let Some(next) = session.poll_timeout() {
        at = next;
        session.handle_timeout(at);
    }
    assert_eq!(outcome(&mut session, waits), Some(Outcome::MaybeExecuted));
    assert!(at - now <= Duration::from_secs(16), "{:?}", at - now);
}

#[test]
fn a_caller_that_waits_for_a_server_that_went_away_is_woken_though_another_looks_first() {
    let (mut session, now, context) = (session(), Instant::now(), Context::from_waker(Waker::noop()));
    receive(&mut session, b"\x01\x92\x0b\x00", now);
    assert!(session.poll_room(&context, &mut None, None, now).is_pending());
    let at = session.poll_timeout().expect("its word ends by time");
    assert_eq!(woken(&mut session), 0);
    // The time has come, and another call begins before the timer fires.
    assert!(session.rank(at).is_some());
    assert!(session.check_ready(&mut None, Wait { deadline: None, for_ready: false }, at).is_ok());
    session.handle_timeout(at);
    assert_eq!(woken(&mut session), 1);
}

#[test]
fn a_call_with_a_stream_that_is_cancelled_makes_room() {
    let (mut session, now, context) = (session(), Instant::now(), Context::from_waker(Waker::noop()));
    let id = begin_stream(&mut session, Arc::new(OutboundStream::new(100)), now);
    begin(&mut session, None, now);
    assert!(session.poll_room(&context, &mut None, None, now).is_pending());
    assert_eq!(woken(&mut session), 0);
    session.cancel_open(id, Status::cancelled("replaced"), now);
    assert_eq!(woken(&mut session), 1);
}

#[test]
fn calls_with_streams_that_end_with_a_message_that_cannot_be_read_make_room() {
    let (mut session, now, context) = (session(), Instant::now(), Context::from_waker(Waker::noop()));
    let ends: [fn(&mut Session, Instant); 2] = [
        |session, now| session.handle_unreadable(&Malformed::TooMuchAttached, now),
        |session, now| receive(session, b"nonsense", now),
    ];
    for end in ends {
        for _ in 0..2 {
            begin_stream(&mut session, Arc::new(OutboundStream::new(100)), now);
        }
        while session.poll_transmit().is_some() {}
        let mut ticket = None;
        assert!(session.poll_room(&context, &mut ticket, None, now).is_pending());
        assert_eq!(woken(&mut session), 0);
        end(&mut session, now);
        assert_eq!(woken(&mut session), 1);
        session.leave_queue(&mut ticket);
    }
}

#[test]
fn a_caller_that_is_woken_and_sends_nothing_leaves_its_room_to_the_next() {
    let (mut session, now, context) = (session(), Instant::now(), Context::from_waker(Waker::noop()));
    let calls = [(); 2].map(|()| begin(&mut session, None, now));
    let mut tickets = [None; 2];
    for ticket in &mut tickets {
        assert!(session.poll_room(&context, ticket, None, now).is_pending());
    }
    assert_eq!(woken(&mut session), 0);
    session.abandon(calls[0], "given up");
    assert_eq!(woken(&mut session), 1);
    assert!(session.poll_room(&context, &mut tickets[0], None, now).is_ready());
    assert_eq!(woken(&mut session), 1, "the second");
}

#[test]
fn nothing_is_sent_of_streams_whose_call_has_ended() {
    let (mut session, now) = (session(), Instant::now());
    let outbound = Arc::new(OutboundStream::new(100));
    let streams = Streams { inbound: Some(Arc::new(InboundStream::new(100))), outbound: Some(outbound) };
    let (metadata, credit) = (&Metadata::default(), Some(100));
    let call = NewCall {
        method: "a.B/c",
        deadline: None,
        metadata,
        response: None,
        streams: &streams,
        credit,
        waker: None,
    };
    let id = session.begin_call(call, CallRecord::Once(record("a.B/c", false)), now).into();
    session.handle_disconnected(now);
    session.close_when_sent();
    // What had arrived is read now, and the sink is finished.
    session.grant(id, 50);
    session.finish(id, streams.outbound.as_deref().unwrap());
    assert_eq!(session.waiting_bytes(), 0);
    assert!(session.is_done(), "a connection that is closed ends");
}

#[test]
fn a_try_that_has_failed_is_told_once_and_until_the_connection_is_up() {
    let mut session = session();
    session.handle_disconnected(Instant::now());
    events(&mut session);
    session.handle_underway("nothing has come yet");
    assert!(session.failure().is_none() && session.trouble() == Some("nothing has come yet"));
    session.handle_unreachable("connection refused");
    session.handle_unreachable("no route to host");
    assert_eq!(events(&mut session), [Event::Changed]);
    session.handle_underway("nothing has come yet");
    let failure = session.failure().unwrap();
    assert_eq!(failure.message(), "there is no connection to `there`: no route to host");
    session.handle_connected();
    assert!(session.failure().is_none() && session.trouble().is_none());
}
