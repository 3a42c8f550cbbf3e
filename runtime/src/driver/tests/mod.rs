//! A server without a socket: bytes in, records out. A session alone is tested in `zsvc-proto`, sockets in `runtime/tests/calls`.

mod connections;
mod revoked;
mod streams;
mod users_bytes;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, advance};

use super::core::Core;
use crate::codec::Blob;
use crate::dispatch::{Handling, Incoming, Peer, Service};
use crate::method::{Method, MethodKind};
use crate::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest, ServerStack};
use crate::peer::{Config, Dropped, MAX_PEERS, MaxRunning, Next, Progress};
use crate::session::server::{Answer, CallKey, Event, Methods};
use crate::status::Failure;
use crate::transport::SendReceipt as Receipt;
use crate::wire::{Batch, Reader, Record, RecordBuilder};
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

/// What a client is told of a ping of this id.
fn pong(id: u32) -> String {
    format!("Pong {{ id: {id}, instance: Some(7) }}")
}

fn core(set: impl FnOnce(&mut Config)) -> Core {
    let mut config = Config::default();
    config.session.instance = 7;
    set(&mut config);
    Core::new(vec![Arc::new(Odd)], config).expect("its methods have names of their own")
}

/// A record that starts a call without parameters.
fn call(id: u8, method: &str) -> Vec<u8> {
    let kind = if method.ends_with("unheard") { 2 } else { 1 };
    let name = u8::try_from(method.len()).expect("it is short");
    [&[0x94, kind, id, 0xa0 | name], method.as_bytes(), &[0xc4, 1, 0x90]].concat()
}

fn batch(records: &[Vec<u8>]) -> Batch {
    Bytes::from([&[1], records.concat().as_slice()].concat()).into()
}

fn receive(core: &mut Core, route: &[u8], records: &[Vec<u8>]) {
    core.receive(route, None, batch(records));
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
    let mut core = core(|config| {
        config.running = Some(MaxRunning { running: 1, queued: 3 });
        config.session.max_calls = 2;
    });
    let in_flight = |core: &Core| core.shared.sessions.calls();
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
    let mut all = core(|config| config.session.max_calls = 2);
    receive(&mut all, b"a", &unheard);
    assert_eq!((all.shared.counters.calls(), all.shared.counters.refused_calls()), (2, 3));
    let mut each = core(|config| config.session.max_calls_per_peer = 2);
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

/// Lets time pass, in which the server looks at its clients as often as it does.
async fn seconds_later(core: &mut Core, seconds: u32) -> Vec<String> {
    let every = core.peers.check_interval();
    for _ in 0..(Duration::from_secs(1) * seconds).as_micros().div_ceil(every.as_micros()) {
        advance(every).await;
        core.peers.check(Instant::now());
    }
    told(core)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_asked_and_stays_silent_is_given_up_in_time() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[call(1, "t.Odd/hold")]);
    assert_eq!(seconds_later(core, 6).await, ["ping"]);
    assert_eq!(seconds_later(core, 8).await, Vec::<String>::new());
    assert_eq!(seconds_later(core, 1).await, [error(1, Code::Unavailable, Outcome::MaybeExecuted)]);
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
    let expected: Vec<_> = (0..2_000).chain([5]).map(pong).collect();
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
    let core = &mut core(|config| config.running = Some(MaxRunning { running: 1, queued: 3 }));
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
    let core = &mut core(|config| config.running = Some(MaxRunning { running: 1, queued: 1 }));
    receive(core, b"a", &[1, 2, 3].map(|id| call(id, "t.Odd/hold")));
    cancel(&core.peers.of(b"a"), 2);
    receive(core, b"a", &[call(4, "t.Odd/hold")]);
    advance(Duration::from_millis(5)).await;
    receive(core, b"a", &[5, 6].map(|id| call(id, "t.Odd/hold")));
    let refused = [3, 4, 6].map(|id| error(id, Code::ResourceExhausted, Outcome::NotSent));
    assert_eq!(told(core), refused);
}

/// The clients for which most waits are shed, and no others.
#[tokio::test]
async fn too_much_for_all_is_not_the_fault_of_those_who_read() {
    let core = &mut core(|config| config.session.max_waiting = 1_000_000);
    let mut held_calls = Vec::new();
    let (fill, few) = (Bytes::from(vec![7; 90_000]), Bytes::from_static(b"few"));
    for client in 0..12_u8 {
        receive(core, &[client], &[]);
        let peer = core.peers.of(&[client]);
        let body = if client == 5 { &few } else { &fill };
        let [held, answered] = [1, 2].map(|id| open(&peer, id));
        peer.answer(answered, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(2, body).unwrap()));
        assert!(peer.is_in_flight(held));
        held_calls.push(held);
    }
    let shared = Arc::clone(&core.shared);
    assert!(!shared.sessions.is_too_much_waiting());
    let more = open(&core.peers.of(&[3]), 3);
    core.peers.of(&[3]).answer(more, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(3, &fill).unwrap()));
    assert!(shared.sessions.is_too_much_waiting());
    core.peers.shed_load();
    assert!(!shared.sessions.is_too_much_waiting());
    let lost: Vec<u8> =
        (0..12).filter(|id| !core.peers.of(&[*id]).is_in_flight(held_calls[usize::from(*id)])).collect();
    assert!(lost.contains(&3) && !lost.contains(&5) && lost.len() < 6, "{lost:?}");
    assert_eq!(shared.counters.lost_peers(), lost.len() as u64);
    assert_eq!(shared.counters.dropped(Dropped::NotRead), lost.len() as u64 + 1);
}

/// Opens a call whose handler is the test.
fn open(peer: &Arc<Peer>, id: u8) -> CallKey {
    let methods = Methods::new(&METHODS).expect("its methods have names of their own");
    let mut progress = Progress::default();
    let event = peer.receive(Instant::now(), batch(&[call(id, "t.Odd/hold")]), &methods, &mut progress);
    let Some(Event::Call { key, .. }) = event else { panic!("it is turned away") };
    assert!(peer.read_on(&methods, &mut progress).is_none());
    assert_eq!(progress, Progress { records: 1, has_unread: false });
    key
}

/// The client cancels a call.
fn cancel(peer: &Arc<Peer>, id: u8) {
    let methods = Methods::new(&METHODS).expect("its methods have names of their own");
    let event = peer.receive(Instant::now(), batch(&[vec![0x92, 8, id]]), &methods, &mut Progress::default());
    assert!(event.is_none());
}

/// A client of a server whose driver is the test.
fn client_of(core: &mut Core, route: &[u8]) -> Arc<Peer> {
    receive(core, route, &[]);
    core.peers.of(route)
}

fn queue_answer(peer: &Arc<Peer>, bytes: usize) {
    let key = open(peer, 1);
    let body = Bytes::from(vec![7; bytes]);
    peer.answer(key, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(key.id(), &body).unwrap()));
}

/// libzmq is full at every first try, and done with all that it takes.
#[tokio::test]
async fn messages_that_are_put_back_leave_nothing_behind_that_is_never_done() {
    let core = &mut core(|config| config.session.max_waiting_per_peer = Some(100_000));
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
    let core = &mut core(|config| config.session.max_waiting = 1_000_000);
    for route in 0..100_u8 {
        let peer = client_of(core, &[route]);
        // What is left after the first of them is less than a step.
        queue_answer(&peer, 100_000);
        queue_answer(&peer, 30_000);
        while let Next::Message(..) = peer.next_message() {}
        assert!(!core.shared.sessions.is_too_much_waiting(), "after {route} clients");
    }
}

#[tokio::test]
async fn no_client_is_shed_for_what_is_counted_in_steps() {
    let core = &mut core(|config| config.session.max_waiting = 1_000_000);
    for route in 0..15_u8 {
        let peer = client_of(core, &[route]);
        queue_answer(&peer, 40_000);
        queue_answer(&peer, 40_000);
        assert!(matches!(peer.next_message(), Next::Message(..)));
    }
    assert!(core.shared.sessions.is_too_much_waiting());
    core.peers.shed_load();
    assert!(!core.shared.sessions.is_too_much_waiting());
    assert_eq!(core.shared.counters.dropped(Dropped::NotRead), 0);
}

#[tokio::test]
async fn nothing_of_a_one_way_call_outlives_its_server() {
    let mut core = core(|_| ());
    let shared = Arc::clone(&core.shared);
    receive(&mut core, b"a", &[call(0, "t.Odd/unheard")]);
    let in_flight = || shared.sessions.calls();
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
    // The pongs are not taken, so all clients are busy.
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
    let peer = core.peers.of(b"a");
    assert!(core.peers.shed(&peer) && core.peers.shed(&peer) && !peer.is_busy());
    assert_eq!(core.shared.counters.lost_peers(), 1);
    assert_eq!(told(&mut core), [error(0, Code::Unavailable, Outcome::MaybeExecuted)]);
    receive(&mut core, b"a", &[vec![0x92, 9, 5]]);
    core.peers.lose(&peer);
    assert!(!core.peers.shed(&peer), "no client is there to be told");
    assert_eq!(told(&mut core), Vec::<String>::new());
}

#[tokio::test]
async fn a_handler_whose_call_ended_before_it_was_spawned_is_dropped() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let peer = core.peers.of(b"a");
    let key = open(&peer, 1);
    cancel(&peer, 1);
    let (held, dropped) = tokio::sync::oneshot::channel::<()>();
    crate::dispatch::spawn(&peer, key, async move {
        std::future::pending::<()>().await;
        drop(held);
    });
    assert!(dropped.await.is_err());
}
