//! What a server does with batches, without a socket: bytes in, records out. Over sockets: `runtime/tests/calls`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, advance};

use super::clients::MAX_PEERS;
use super::core::Core;
use super::counters::Dropped;
use super::dispatch::{Handling, Incoming, Service};
use super::limits::{Concurrency, Limits};
use super::peer::{Answer, Next, Peer, PeerOutgoing};
use super::shared::Shared;
use crate::codec::{Blob, Plain};
use crate::flow::OutboundStream as Outbound;
use crate::method::{Method, MethodKind};
use crate::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest, ServerStack};
use crate::status::Failure;
use crate::stream::{Outgoing, SinkHalf, Unsent};
use crate::transport::SendReceipt as Receipt;
use crate::wire::{self, Item, ItemHead, Reader, Record, RecordBuilder};
use crate::{Code, Outcome, Status};

/// A service whose handlers never end, but for one that is never begun, and two that are done at once.
struct Odd;

const METHODS: [Method; 5] = [
    Method::new("t.Odd/hold", MethodKind::Unary),
    Method::new("t.Odd/panic", MethodKind::Unary),
    Method::new("t.Odd/unheard", MethodKind::OneWay),
    Method::new("t.Odd/done", MethodKind::Unary),
    Method::new("t.Odd/done_unheard", MethodKind::OneWay),
];

impl Service for Odd {
    fn methods(&self) -> &'static [Method] {
        &METHODS
    }

    fn dispatch(&self, method: usize, call: Incoming) -> Result<Handling, Status> {
        assert_ne!(method, 1, "as the test asked for");
        if method >= 3 {
            return Ok(Handling::of(std::future::ready(Answer::End)));
        }
        Ok(Handling::of(async move {
            let _kept = call;
            std::future::pending().await
        }))
    }
}

fn core(set: impl FnOnce(&mut Limits)) -> Core {
    let mut limits = Limits::default();
    set(&mut limits);
    Core::new(vec![Arc::new(Odd)], Shared::new(limits)).expect("its methods have names of their own")
}

/// A record that starts a call without parameters.
fn call(id: u8, method: &str) -> Vec<u8> {
    let kind = if method.ends_with("unheard") { 2 } else { 1 };
    let name = u8::try_from(method.len()).expect("it is short");
    [&[0x94, kind, id, 0xa0 | name], method.as_bytes(), &[0xc4, 1, 0x90]].concat()
}

fn receive(core: &mut Core, route: &[u8], records: &[Vec<u8>]) {
    core.receive(route, &Bytes::from([&[1], records.concat().as_slice()].concat()).into());
}

/// What the clients are told, as short texts.
fn told(core: &mut Core) -> Vec<String> {
    let mut told = Vec::new();
    for (_, message) in core.take_messages() {
        let mut reader = Reader::new(message.batch()).expect("it is a batch");
        while let Some(record) = reader.next().expect("it is well-formed") {
            told.push(match record {
                Record::Items { id, items } => {
                    format!("items of {id}: {items:?}")
                }
                Record::Error { id, failure: Failure::Status(status) } => {
                    format!("{id} {} {}", status.code(), status.outcome())
                }
                Record::Ping { .. } => "ping".to_owned(),
                other => format!("{other:?}"),
            });
        }
    }
    told
}

fn error(id: u64, code: Code, outcome: Outcome) -> String {
    format!("{id} {code} {outcome}")
}

/// Does nothing.
struct Through;

impl ServerMiddleware for Through {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        next.run(request).await
    }
}

#[tokio::test]
async fn a_one_way_call_is_in_flight_for_as_long_as_its_handler_or_its_turn_is_awaited() {
    let mut core = core(|limits| {
        limits.concurrency = Some(Concurrency { running: 1, queued: 3 });
        limits.calls = 2;
    });
    let in_flight = |core: &Core| core.shared.calls.load(Ordering::Relaxed);
    receive(&mut core, b"a", &[call(0, "t.Odd/done_unheard"), call(0, "t.Odd/done_unheard")]);
    assert_eq!((core.shared.counters.calls(), in_flight(&core)), (2, 0));
    // One runs, and one waits for it; a third is one too many.
    for expected in [1, 2, 2] {
        receive(&mut core, b"a", &[call(0, "t.Odd/unheard")]);
        assert_eq!(in_flight(&core), expected);
    }
    assert_eq!(core.shared.counters.dropped(Dropped::OneWay), 1);
    assert_eq!(told(&mut core), [""; 0]);
}

#[tokio::test]
async fn a_handler_that_is_done_at_once_is_answered_where_its_call_arrived() {
    let mut stack = ServerStack::default();
    stack.push(Through);
    for mut core in [core(|_| ()), core(|_| ()).with_middleware(stack)] {
        receive(&mut core, b"a", &[call(1, "t.Odd/done"), call(2, "t.Odd/panic"), call(3, "t.Odd/done")]);
        // Nothing was awaited, so no task had its turn.
        let panicked = error(2, Code::Internal, Outcome::MaybeExecuted);
        assert_eq!(told(&mut core), ["End { id: 1 }".to_owned(), panicked, "End { id: 3 }".to_owned()]);
    }
}

#[tokio::test]
async fn one_way_calls_that_come_together_keep_to_the_bounds() {
    let unheard = vec![call(0, "t.Odd/unheard"); 5];
    let mut all = core(|limits| limits.calls = 2);
    receive(&mut all, b"a", &unheard);
    assert_eq!((all.shared.counters.calls(), all.shared.counters.refused_calls()), (2, 3));
    let mut each = core(|limits| limits.calls_per_peer = 2);
    receive(&mut each, b"a", &unheard);
    receive(&mut each, b"b", &unheard[..2]);
    assert_eq!((each.shared.counters.calls(), each.shared.counters.refused_calls()), (4, 3));
    receive(&mut each, b"a", &[call(1, "t.Odd/hold")]);
    assert_eq!(told(&mut each), [error(1, Code::ResourceExhausted, Outcome::NotSent)]);
}

#[tokio::test]
async fn what_panics_before_a_handler_is_begun_ends_its_call_and_no_other() {
    let mut core = core(|_| ());
    receive(&mut core, b"a", &[call(1, "t.Odd/hold"), call(2, "t.Odd/panic"), call(3, "t.Odd/hold")]);
    assert_eq!(told(&mut core), [error(2, Code::Internal, Outcome::MaybeExecuted)]);
    assert_eq!(core.shared.counters.calls(), 3);
}

#[tokio::test]
async fn an_error_of_a_whole_batch_does_not_say_that_its_calls_did_not_run() {
    let mut core = core(|_| ());
    receive(&mut core, b"a", &[call(1, "t.Odd/hold"), call(0, "t.Odd/hold")]);
    assert_eq!(told(&mut core), [error(0, Code::InvalidArgument, Outcome::MaybeExecuted)]);
}

#[tokio::test]
async fn a_batch_that_asks_for_far_more_than_it_holds_is_not_read_to_its_end() {
    let mut core = core(|limits| limits.waiting_per_peer = Some(1024 * 1024));
    let unknown = vec![vec![0x92, 12, 5]; 100_000];
    receive(&mut core, b"a", &unknown);
    assert_eq!(told(&mut core), [error(0, Code::Unavailable, Outcome::MaybeExecuted)]);
    let read = core.shared.counters.unreadable_batches();
    assert!(read < 50_000, "{read} records of it were answered");
}

/// Lets time pass, in which the server looks as often as it does.
async fn seconds_later(core: &mut Core, seconds: u32) -> Vec<String> {
    let every = core.clients.check_every();
    for _ in 0..(Duration::from_secs(1) * seconds).as_micros().div_ceil(every.as_micros()) {
        advance(every).await;
        core.clients.check(Instant::now());
    }
    told(core)
}

#[tokio::test(start_paused = true)]
async fn whatever_a_client_says_is_a_sign_of_life() {
    let core = &mut core(|_| ());
    // Of a kind that is skipped: no pong.
    let sign = [vec![0x92, 64, 5]];
    receive(core, b"a", &[call(1, "t.Odd/hold")]);
    assert_eq!(seconds_later(core, 6).await, ["ping"]);
    receive(core, b"a", &sign);
    assert_eq!(seconds_later(core, 4).await, Vec::<String>::new());
    for _ in 0..3 {
        receive(core, b"a", &sign);
        assert_eq!(seconds_later(core, 14).await, ["ping"]);
    }
    assert_eq!(core.shared.counters.lost_peers(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_asked_and_stays_silent_is_given_up_in_time() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[call(1, "t.Odd/hold")]);
    assert_eq!(seconds_later(core, 6).await, ["ping"]);
    assert_eq!(seconds_later(core, 8).await, Vec::<String>::new());
    assert_eq!(seconds_later(core, 1).await, [error(1, Code::Unavailable, Outcome::MaybeExecuted)]);
}

/// Handlers hold up every thread, so nothing is read and nobody looks. Whoever was asked before has answered meanwhile,
/// which is read after a while only: there may be much before it.
#[tokio::test(start_paused = true)]
async fn a_client_is_not_given_up_for_the_time_in_which_the_server_was_held_up() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[call(1, "t.Odd/hold")]);
    assert_eq!(seconds_later(core, 5).await, ["ping"]);
    for _ in 0..3 {
        advance(Duration::from_secs(30)).await;
        core.clients.check(Instant::now());
    }
    assert_eq!(seconds_later(core, 3).await, Vec::<String>::new());
    receive(core, b"a", &[vec![0x92, 10, 0]]);
    assert_eq!(seconds_later(core, 4).await, Vec::<String>::new());
    assert_eq!(core.shared.counters.lost_peers(), 0);
}

#[tokio::test]
async fn a_long_batch_is_taken_in_turns_and_in_order() {
    let core = &mut core(|_| ());
    let pings: Vec<_> =
        (0..2_000_u16).map(|id| [&[0x92, 9, 0xcd], id.to_be_bytes().as_slice()].concat()).collect();
    receive(core, b"a", &pings);
    assert!(core.is_unfinished(), "others get their turn");
    // It does not overtake what was before it.
    receive(core, b"a", &[vec![0x92, 9, 5]]);
    let expected: Vec<_> = (0..2_000).chain([5]).map(|id| format!("Pong {{ id: {id} }}")).collect();
    assert_eq!(told(core), expected);
}

/// The handlers of those before it took their time.
#[tokio::test(start_paused = true)]
async fn a_call_whose_time_is_up_before_its_turn_in_a_batch_does_not_run() {
    let core = &mut core(|_| ());
    let records = [vec![vec![0x92, 10, 0]; 512], vec![call_of_a_second(7)]].concat();
    receive(core, b"a", &records);
    advance(Duration::from_millis(1_001)).await;
    assert_eq!(told(core), [error(7, Code::DeadlineExceeded, Outcome::NotSent)]);
    assert_eq!(core.shared.counters.calls(), 0);
}

/// A call that has a second of time.
fn call_of_a_second(id: u8) -> Vec<u8> {
    [&[0x95, 1, id, 0xaa], &b"t.Odd/hold"[..], &[0xc4, 1, 0x90, 0xce, 0, 0xf, 0x42, 0x40]].concat()
}

/// Also where one that has time stands before them.
#[tokio::test(start_paused = true)]
async fn calls_whose_time_is_up_in_a_full_queue_make_room_for_others() {
    let core = &mut core(|limits| limits.concurrency = Some(Concurrency { running: 1, queued: 3 }));
    let holds: Vec<_> = [1, 2].map(|id| call(id, "t.Odd/hold")).into();
    receive(core, b"a", &[holds, vec![call_of_a_second(3), call_of_a_second(4)]].concat());
    advance(Duration::from_secs(1)).await;
    receive(core, b"b", &[5, 6, 7].map(|id| call(id, "t.Odd/hold")));
    let mut told = told(core);
    told.sort();
    let late = [3, 4].map(|id| error(id, Code::DeadlineExceeded, Outcome::NotSent));
    assert_eq!(told, [&late[..], &[error(7, Code::ResourceExhausted, Outcome::NotSent)]].concat());
    assert_eq!(core.shared.counters.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_not_looked_through_for_every_call_that_comes() {
    let core = &mut core(|limits| limits.concurrency = Some(Concurrency { running: 1, queued: 1 }));
    receive(core, b"a", &[1, 2, 3].map(|id| call(id, "t.Odd/hold")));
    core.clients.of(b"a").cancel(2);
    receive(core, b"a", &[call(4, "t.Odd/hold")]);
    advance(Duration::from_millis(5)).await;
    receive(core, b"a", &[5, 6].map(|id| call(id, "t.Odd/hold")));
    let refused = [3, 4, 6].map(|id| error(id, Code::ResourceExhausted, Outcome::NotSent));
    assert_eq!(told(core), refused);
}

#[tokio::test]
async fn a_batch_without_end_is_cut() {
    let core = &mut core(|_| ());
    receive(core, b"a", &vec![vec![0x92, 10, 0]; 200_000]);
    assert_eq!(told(core), [error(0, Code::ResourceExhausted, Outcome::MaybeExecuted)]);
    assert_eq!(core.shared.counters.unreadable_batches(), 1);
}

#[tokio::test]
async fn an_answer_for_which_there_is_no_room_is_an_error_that_says_so() {
    let core = &mut core(|limits| limits.waiting_per_peer = Some(100_000));
    receive(core, b"a", &[]);
    let peer = core.clients.of(b"a");
    let keys: Vec<_> = (1..=4).map(|id| peer.open(id).unwrap()).collect();
    for key in keys {
        let body = Bytes::from(vec![7; 90_000]);
        peer.answer(key, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(key.id, &body).unwrap()));
    }
    assert_eq!(core.shared.counters.dropped(Dropped::NoRoom), 1);
    let told = told(core);
    assert_eq!(told.len(), 4);
    assert_eq!(told[3], error(4, Code::ResourceExhausted, Outcome::Executed));
}

/// Those for whom most waits are given up, and nobody else.
#[tokio::test]
async fn too_much_for_all_is_not_the_fault_of_those_who_read() {
    let core = &mut core(|limits| limits.waiting = 1_000_000);
    let (fill, few) = (Bytes::from(vec![7; 90_000]), Bytes::from_static(b"few"));
    for client in 0..12_u8 {
        receive(core, &[client], &[]);
        let peer = core.clients.of(&[client]);
        let body = if client == 5 { &few } else { &fill };
        let [held, answered] = [1, 2].map(|id| peer.open(id).unwrap());
        peer.answer(answered, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(2, body).unwrap()));
        assert_eq!(peer.in_flight(1), Some(held));
    }
    let shared = Arc::clone(&core.shared);
    assert!(!shared.is_too_much_waiting());
    let more = core.clients.of(&[3]).open(3).unwrap();
    core.clients.of(&[3]).answer(more, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(3, &fill).unwrap()));
    assert!(shared.is_too_much_waiting());
    core.clients.relieve();
    assert!(!shared.is_too_much_waiting());
    let lost: Vec<u8> = (0..12).filter(|id| core.clients.of(&[*id]).in_flight(1).is_none()).collect();
    assert!(lost.contains(&3) && !lost.contains(&5) && lost.len() < 6, "{lost:?}");
    assert_eq!(shared.counters.lost_peers(), lost.len() as u64);
    assert_eq!(shared.counters.dropped(Dropped::NotRead), lost.len() as u64 + 1);
}

/// A client of a server whose owner is the test.
fn client_of(core: &mut Core, route: &[u8]) -> Arc<Peer> {
    receive(core, route, &[]);
    core.clients.of(route)
}

fn queue_answer(peer: &Arc<Peer>, bytes: usize) {
    let key = peer.open(1).unwrap();
    let body = Bytes::from(vec![7; bytes]);
    peer.answer(key, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(key.id, &body).unwrap()));
}

/// libzmq is full at every first try, and done with all that it takes.
#[tokio::test]
async fn messages_that_are_put_back_leave_nothing_behind_that_is_never_done() {
    let core = &mut core(|limits| limits.waiting_per_peer = Some(100_000));
    let peer = client_of(core, b"a");
    for nth in 0..500 {
        queue_answer(&peer, 1_000);
        let Next::Message(message, receipt) = peer.next_message() else { panic!("stuck at answer {nth}") };
        receipt.into_iter().for_each(Receipt::void);
        peer.put_back(message);
        assert!(matches!(peer.next_message(), Next::Message(..)), "stuck at answer {nth}");
    }
}

#[tokio::test]
async fn clients_that_have_read_everything_take_no_room_of_others() {
    let core = &mut core(|limits| limits.waiting = 1_000_000);
    for route in 0..100_u8 {
        let peer = client_of(core, &[route]);
        // What is left after the first of them is less than a step.
        queue_answer(&peer, 100_000);
        queue_answer(&peer, 30_000);
        while let Next::Message(..) = peer.next_message() {}
        assert!(!core.shared.is_too_much_waiting(), "after {route} clients");
    }
}

#[tokio::test]
async fn nobody_is_given_up_for_what_is_counted_in_steps() {
    let core = &mut core(|limits| limits.waiting = 1_000_000);
    for route in 0..15_u8 {
        let peer = client_of(core, &[route]);
        queue_answer(&peer, 40_000);
        queue_answer(&peer, 40_000);
        assert!(matches!(peer.next_message(), Next::Message(..)));
    }
    assert!(core.shared.is_too_much_waiting());
    core.clients.relieve();
    assert!(!core.shared.is_too_much_waiting());
    assert_eq!(core.shared.counters.dropped(Dropped::NotRead), 0);
}

#[tokio::test]
async fn nothing_of_a_one_way_call_outlives_its_server() {
    let mut core = core(|_| ());
    let shared = Arc::clone(&core.shared);
    receive(&mut core, b"a", &[call(0, "t.Odd/unheard")]);
    let in_flight = || shared.calls.load(std::sync::atomic::Ordering::Acquire);
    assert_eq!(in_flight(), 1);
    drop(core);
    while in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn past_the_most_clients_that_are_busy_new_ones_are_not_heard() {
    let mut core = core(|_| ());
    let ping = [vec![0x92, 9, 5]];
    // Nobody takes the pongs, so all of them are busy.
    for route in 0..MAX_PEERS + 10 {
        receive(&mut core, &route.to_be_bytes(), &ping);
    }
    assert_eq!(core.shared.counters.dropped(Dropped::TooManyClients), 10);
    assert_eq!(told(&mut core).len(), MAX_PEERS);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_once_and_is_not_busy_with_that() {
    let mut core = core(|_| ());
    receive(&mut core, b"a", &[call(1, "t.Odd/hold")]);
    let peer = core.clients.of(b"a");
    assert!(core.clients.forsake(&peer) && core.clients.forsake(&peer) && !peer.is_busy());
    assert_eq!(core.shared.counters.lost_peers(), 1);
    assert_eq!(told(&mut core), [error(0, Code::Unavailable, Outcome::MaybeExecuted)]);
    receive(&mut core, b"a", &[vec![0x92, 9, 5]]);
    core.clients.lose(&peer);
    assert!(!core.clients.forsake(&peer), "nobody is there to be told");
    assert_eq!(told(&mut core), Vec::<String>::new());
}

#[tokio::test]
async fn a_handler_says_nothing_of_another_call_with_the_id_of_its_own() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let peer = core.clients.of(b"a");
    let earlier = peer.open(1).unwrap();
    peer.cancel(1);
    let later = peer.open(1).unwrap();
    let outgoing = PeerOutgoing { peer: Arc::clone(&peer), key: earlier };
    let outbound = Arc::new(Outbound::new(100));
    outgoing.flush(1, &outbound, Some(Item::encode::<Plain, u64>(&ItemHead::new(1), &7).unwrap()));
    outgoing.grant(1, 100);
    peer.fail(earlier, &Status::deadline_exceeded("too late"));
    peer.answer(earlier, Answer::End);
    assert_eq!(told(core), Vec::<String>::new());
    peer.answer(later, Answer::End);
    assert_eq!(told(core), ["End { id: 1 }"]);
}

/// Sends an item of one byte, which is there to stay until somebody comes for it.
fn send(outgoing: &PeerOutgoing, outbound: &Arc<Outbound>, item: u64) -> bool {
    let (peer, key) = (Arc::clone(&outgoing.peer), outgoing.key);
    let half = SinkHalf::new(Arc::clone(outbound), Arc::new(PeerOutgoing { peer, key }), key.id);
    let mut item = Unsent::new(Item::encode::<Plain, u64>(&ItemHead::new(1), &item).unwrap());
    matches!(half.poll_send(&Context::from_waker(Waker::noop()), &mut item), Poll::Ready(Ok(())))
}

/// A stream of a client's call with the id 1.
fn stream(peer: &Arc<Peer>) -> (PeerOutgoing, Arc<Outbound>) {
    let (key, outbound) = (peer.open(1).unwrap(), Arc::new(Outbound::new(100_000)));
    peer.with_call(key, |call| call.outbound = Some(Arc::clone(&outbound)));
    (PeerOutgoing { peer: Arc::clone(peer), key }, outbound)
}

#[tokio::test(start_paused = true)]
async fn items_that_have_gathered_count_among_what_was_dropped() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let peer = core.clients.of(b"a");
    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 1) && send(&outgoing, &outbound, 2));
    assert_eq!(peer.hang_up(&Status::unavailable("gone")), 1, "a record of both");
    assert!(!send(&outgoing, &outbound, 3));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_small_items_gets_no_more_of_them() {
    let core = &mut core(|limits| limits.waiting_per_peer = Some(50));
    receive(core, b"a", &[]);
    let peer = core.clients.of(b"a");
    let (outgoing, outbound) = stream(&peer);
    peer.send(|out| out.extend_from_slice(&[0; 200]));
    assert!(send(&outgoing, &outbound, 1));
    assert!(!send(&outgoing, &outbound, 2), "its call has failed");
    assert_eq!(peer.in_flight(1), None);
}

#[tokio::test(start_paused = true)]
async fn items_that_have_gathered_come_before_the_end_of_their_call_and_never_in_another() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let peer = core.clients.of(b"a");
    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 1) && send(&outgoing, &outbound, 2));
    assert_eq!(told(core), ["items of 1: [1, 2]"], "the owner comes for them");
    assert!(send(&outgoing, &outbound, 3));
    peer.answer(outgoing.key, Answer::End);
    assert_eq!(told(core), ["items of 1: [3]", "End { id: 1 }"]);
    assert!(!send(&outgoing, &outbound, 4));

    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 5));
    peer.fail(outgoing.key, &Status::deadline_exceeded("too late"));
    assert_eq!(told(core), ["items of 1: [5]", &*error(1, Code::DeadlineExceeded, Outcome::Executed)]);

    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 6));
    peer.cancel(1);
    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 7));
    assert_eq!(told(core), ["items of 1: [7]"], "nobody waits for those of a call that was given up");
}

#[tokio::test]
async fn a_handler_whose_call_ended_before_it_was_spawned_is_dropped() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let peer = core.clients.of(b"a");
    let key = peer.open(1).unwrap();
    peer.cancel(1);
    let (held, dropped) = tokio::sync::oneshot::channel::<()>();
    peer.spawn(key, async move {
        std::future::pending::<()>().await;
        drop(held);
    });
    assert!(dropped.await.is_err());
}

/// A user's bytes, whose owner asks something of the peer when it is dropped, as his code may.
struct Asking(Arc<Peer>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Asking {
    fn as_ref(&self) -> &[u8] {
        static LONG: [u8; 40_000] = [7; 40_000];
        &LONG
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let (peer, (told, answer)) = (Arc::clone(&self.0), channel());
        std::thread::spawn(move || told.send(peer.waiting()));
        assert!(answer.recv_timeout(Duration::from_secs(20)).is_ok(), "dropped under the lock");
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn what_a_client_never_reads_is_not_dropped_under_the_lock() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let (peer, dropped) = (core.clients.of(b"a"), Arc::new(AtomicUsize::new(0)));
    let answer = |id| {
        let body = Bytes::from_owner(Asking(Arc::clone(&peer), Arc::clone(&dropped)));
        let key = peer.open(id).unwrap();
        peer.answer(key, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(id, &body).unwrap()));
    };
    let why = Status::unavailable("gone");
    answer(1);
    peer.forsake(&why);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    answer(2);
    peer.hang_up(&why);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}
