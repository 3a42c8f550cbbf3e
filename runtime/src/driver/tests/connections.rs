//! A server whose connections have drivers of their own: what they share.

use std::sync::Arc;
use std::time::Duration;

use super::{Core, call, core, error, receive, told};
use crate::dispatch::Directory;
use crate::flush::DriverNotify;
use crate::peer::{Dropped, MAX_PEERS, MaxRunning};
use crate::{Code, Outcome};

/// Returns what lies behind two connections of a server.
fn connections(core: &Core) -> [Core; 2] {
    let directory = Directory::new();
    let seed = core.for_connections(directory);
    [(); 2].map(|()| seed.core(Arc::new(DriverNotify::new())))
}

/// Lets other tasks run until the condition holds.
async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it comes to be");
}

#[tokio::test]
async fn one_way_calls_outlive_their_connection_and_not_their_server() {
    let core = core(|_| ());
    let shared = Arc::clone(&core.shared);
    let in_flight = || shared.sessions.calls();
    let [mut one, mut other] = connections(&core);
    receive(&mut one, b"a", &[call(0, "t.Odd/unheard")]);
    receive(&mut other, b"b", &[call(0, "t.Odd/unheard")]);
    drop(one);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(in_flight(), 2, "its client has only hung up");
    // The other connection's task is still there, as where a handler blocks it.
    drop(core);
    until(|| in_flight() == 1).await;
    drop(other);
    until(|| in_flight() == 0).await;
}

#[tokio::test]
async fn calls_of_all_connections_wait_in_one_queue_that_the_main_driver_runs() {
    let mut core = core(|config| config.running = Some(MaxRunning { running: 1, queued: 1 }));
    let [mut one, mut other] = connections(&core);
    receive(&mut one, b"a", &[call(1, "t.Odd/hold")]);
    receive(&mut other, b"b", &[call(1, "t.Odd/done")]);
    receive(&mut one, b"a", &[call(2, "t.Odd/done")]);
    assert_eq!(told(&mut one), [error(2, Code::ResourceExhausted, Outcome::NotSent)]);
    assert!(!other.run_queued() && told(&mut other).is_empty(), "it waits for its turn");
    receive(&mut one, b"a", &[vec![0x92, 8, 1]]);
    // The handler's task is aborted, which makes room.
    until(|| {
        core.run_queued();
        !told(&mut other).is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_one_way_call_that_has_waited_for_its_turn_ends_with_what_its_client_may_do() {
    let mut core = core(|config| config.running = Some(MaxRunning { running: 2, queued: 3 }));
    let shared = Arc::clone(&core.shared);
    let [mut one, mut other] = connections(&core);
    receive(&mut one, b"a", &[call(1, "t.Odd/hold"), call(2, "t.Odd/hold")]);
    receive(&mut other, b"b", &[call(0, "t.Odd/unheard")]);
    receive(&mut one, b"a", &[call(0, "t.Odd/unheard")]);
    assert_eq!(shared.sessions.calls(), 4);
    receive(&mut one, b"a", &[vec![0x92, 8, 1], vec![0x92, 8, 2]]);
    // Both run, by the main driver.
    until(|| {
        core.run_queued();
        shared.counters.calls() == 4
    })
    .await;
    assert_eq!(shared.sessions.calls(), 2);
    other.revoke(&crate::Status::unauthenticated("it is not let in any more"));
    until(|| shared.sessions.calls() == 1).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shared.sessions.calls(), 1, "that of the other client goes on");
}

#[tokio::test]
async fn the_first_client_of_a_connection_is_always_heard_and_not_counted() {
    let mut core = core(|_| ());
    let [mut one, mut other] = connections(&core);
    let ping = [vec![0x92, 9, 5]];
    receive(&mut one, b"first", &ping);
    // The pongs are not taken, so all clients are busy.
    for route in 0..MAX_PEERS {
        receive(&mut core, &route.to_be_bytes(), &ping);
    }
    let dropped = || core.shared.counters.dropped(Dropped::TooManyClients);
    assert_eq!(dropped(), 0);
    receive(&mut other, b"first", &ping);
    assert_eq!(dropped(), 0);
    receive(&mut other, b"second", &ping);
    assert_eq!(dropped(), 1);
    drop(one);
    receive(&mut other, b"second", &ping);
    assert_eq!(dropped(), 2, "the one that has gone was not counted, either");
}
