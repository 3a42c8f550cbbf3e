//! What callers and workers can have the router hold is bounded.

use std::time::Duration;

use super::world::{World, bare, call, call_with, cancel, credit, items, long_method, one_way, reply};
use crate::forwarder::{Limits, NewWorker};

#[test]
fn calls_of_a_caller_and_of_all() {
    let mut world = World::with(Limits { max_calls: 5, max_calls_per_caller: 3, ..Limits::default() });
    world.caller("c");
    world.caller("d");
    world.worker("w", 100, 0);
    world.says("c", &(1..=4).map(|id| call(id, "x")).collect::<Vec<_>>());
    assert_eq!(world.told("c"), ["error 4 ResourceExhausted NotSent Overloaded"]);
    world.says("d", &(1..=2).map(|id| call(id, "x")).collect::<Vec<_>>());
    assert_eq!(world.told("d"), ["error 2 ResourceExhausted NotSent Overloaded"], "the rest is for others");
    world.caller("e");
    world.says("e", &[call(1, "x")]);
    assert!(world.told("e").is_empty());
    world.says("e", &[call(2, "x")]);
    assert_eq!(world.told("e"), ["error 2 ResourceExhausted NotSent Overloaded"]);
    assert_eq!(world.forwarder.calls(), 5);
    // Those that leave make room.
    world.leaves("c");
    world.says("e", &[call(3, "x")]);
    assert!(world.told("e").is_empty());
}

#[test]
fn a_worker_that_does_not_read_gets_no_new_calls() {
    let mut world = World::with(Limits { max_unsent_per_worker: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    let body = "x".repeat(600);
    world.says("c", &(1..=5).map(|id| call(id, &body)).collect::<Vec<_>>());
    assert_eq!(world.forwarder.queued(), 3);
    // What is taken makes room.
    assert_eq!(world.told("w").len(), 5);
    assert_eq!(world.forwarder.queued(), 0);
}

#[test]
fn credit_for_a_worker_that_does_not_read_is_added_up() {
    let mut world = World::with(Limits { max_unsent_per_worker: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    world.says("c", &[call(1, &"x".repeat(2_000))]);
    let grants = vec![credit(1, 3); 1_000];
    world.says("c", &grants);
    let told = world.told("w");
    assert_eq!(told[1..], ["credit #1 3000"]);
}

#[test]
fn pings_of_a_worker_that_does_not_read_are_not_answered_without_end() {
    let mut world = World::with(Limits { max_unsent_per_worker: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    world.says("w", &vec![bare(9, 0); 10_000]);
    assert!(world.told("w").len() < 1_000);
}

#[test]
fn a_caller_that_does_not_read_loses_its_calls() {
    let mut world = World::with(Limits { max_unsent_per_caller: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    let stream = |id| call_with(id, "p.S/m", "x", None, Some(1 << 40));
    world.says("c", &[stream(1), stream(2)]);
    world.told("w");
    world.says("w", &[items(world.id(1), &[b'i'; 1_100])]);
    world.says("c", &[call(3, "z")]);
    world.says("w", &[items(world.id(2), &[b'i'; 1_100])]);
    assert_eq!(world.told("c"), ["error 0 Unavailable MaybeExecuted ClientLost"]);
    assert_eq!(world.told("w").len(), 2, "both are cancelled, and the third was refused");
    assert_eq!(world.forwarder.calls(), 0);
}

#[test]
fn one_way_calls_that_were_not_read_are_bounded() {
    let mut world = World::pair();
    let note = one_way(&vec![b'n'; 100_000]);
    let mut sent = 0;
    for _ in 0..100 {
        world.says("c", std::slice::from_ref(&note));
        sent += world.told("w").iter().filter(|line| line.starts_with("one-way")).count();
    }
    assert_eq!(sent, 42, "4 MiB");
    assert_eq!(world.forwarder.queued(), 58);
    // The first ping is answered: there is room for more.
    world.says("w", &[bare(10, 1)]);
    assert_eq!(world.told("w").iter().filter(|line| line.starts_with("one-way")).count(), 6);
}

#[test]
fn items_past_the_credit_end_their_call() {
    let mut world = World::pair();
    world.says("c", &[call_with(1, "p.S/m", "x", None, Some(10)), call(2, "y")]);
    world.told("w");
    world.says("c", &[items(2, &vec![b'i'; 65_536]), items(2, b"i")]);
    assert_eq!(world.told("c"), ["error 2 ResourceExhausted MaybeExecuted Protocol"]);
    assert_eq!(world.told("w"), ["items #2 65536 bytes", "cancel #2"]);
    let id = world.id(1);
    world.says("w", &[items(id, &[b'i'; 11]), items(id, b"i")]);
    assert_eq!(world.told("c"), ["items 1 iiiiiiiiiii", "error 1 ResourceExhausted MaybeExecuted Protocol"]);
    assert_eq!(world.told("w"), ["cancel #1"]);
}

#[test]
fn credit_that_was_kept_back_goes_with_a_call_that_moves() {
    let mut world = World::with(Limits { max_unsent_per_worker: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    world.says("c", &[call(1, &"x".repeat(2_000)), credit(1, 3), credit(1, 4)]);
    world.worker("v", 100, 0);
    world.down("w");
    assert_eq!(world.told("v").get(1).map(String::as_str), Some("credit #1 7"));
    world.says("c", &[credit(1, 5)]);
    assert_eq!(world.told("v"), ["credit #1 5"]);
}

#[test]
fn credit_that_was_kept_back_goes_with_a_call_that_leaves_the_queue() {
    let mut world = World::with(Limits { max_unsent_per_worker: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker_down("w", 100, 0);
    world.says("c", &[call(1, &"x".repeat(2_000)), credit(1, 3), credit(1, 4)]);
    world.up("w");
    assert_eq!(world.told("w").get(1).map(String::as_str), Some("credit #1 7"));
}

#[test]
fn the_longest_wait_that_can_be_said_is_no_fault() {
    let mut world = World::with(Limits { max_wait: Duration::MAX, ..Limits::default() });
    world.caller("c");
    world.worker_down("w", 100, 0);
    world.says("c", &[call(1, "x")]);
    assert_eq!(world.forwarder.queued(), 1);
}

#[test]
fn bodies_past_the_limit_fail_their_call_and_tell_how_far_it_came() {
    let mut world = World::pair();
    world.forwarder.set_max_body(10);
    world.says("c", &[call(1, "12345678901"), call(2, "1234567890"), one_way(b"12345678901")]);
    assert_eq!(world.told("c"), ["error 1 ResourceExhausted NotSent TooLarge"]);
    assert_eq!(world.told("w"), ["call #1 1234567890"]);
    assert_eq!(world.forwarder.counters().dropped_one_way, 1);
    world.says("w", &[reply(world.id(1), "12345678901")]);
    assert_eq!(world.told("c"), ["error 2 ResourceExhausted Executed TooLarge"]);
    assert_eq!(world.forwarder.calls(), 0);
}

#[test]
fn what_a_call_carries_beside_its_body_is_bounded() {
    let mut world = World::pair();
    world.says("c", &[long_method(1, &format!("p.S/{}", "m".repeat(40_000))), call(2, &"x".repeat(100_000))]);
    assert_eq!(world.told("c"), ["error 1 ResourceExhausted NotSent TooLarge"]);
    assert_eq!(world.told("w").len(), 1);
}

#[test]
fn what_is_streamed_to_a_worker_that_does_not_read_is_bounded() {
    let mut world = World::with(Limits { max_unsent_per_worker: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    world.says("c", &[call(1, "x"), call(2, "y")]);
    for _ in 0..2 {
        world.says("c", &[items(1, &vec![b'i'; 16_000]), items(2, &vec![b'i'; 16_000])]);
    }
    world.says("c", &[items(1, b"i")]);
    assert_eq!(world.told("c"), ["error 1 ResourceExhausted MaybeExecuted Overloaded"]);
    world.told("w");
    world.says("c", &[items(2, b"i")]);
    assert_eq!((world.told("w"), world.told("c")), (vec!["items #2 i".to_owned()], vec![]), "it reads again");
}

#[test]
fn what_is_streamed_to_calls_that_wait_is_bounded() {
    let mut world = World::with(Limits { max_queued_bytes: 1_000, ..Limits::default() });
    world.caller("c");
    world.worker_down("w", 100, 0);
    world.says("c", &[call(1, "x"), items(1, &[b'i'; 1_000]), items(1, b"i")]);
    assert_eq!(world.told("c"), ["error 1 ResourceExhausted NotSent Overloaded"]);
    assert_eq!(world.forwarder.queued(), 0);
}

#[test]
fn calls_that_have_ended_are_not_kept_for_a_caller_that_does_not_read() {
    let mut world = World::with(Limits { max_unsent_per_caller: 10_000, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    let stream = |id| call_with(id, "p.S/m", "x", None, Some(1 << 40));
    world.says("c", &[stream(1)]);
    world.told("w");
    world.says("w", &[items(world.id(1), &[b'i'; 7_000])]);
    let stalled = |world: &World| world.forwarder.callers.get(world.caller_key("c")).unwrap().stalled.len();
    let mut most = 0;
    for id in 2..2_000 {
        world.says("c", &[stream(id), cancel(id)]);
        world.told("w");
        most = most.max(stalled(&world));
    }
    assert!((2..=70).contains(&most), "their credit is kept back, of {most}");
}

/// A world with as many services as may be, less one, which a worker `all` has.
fn crowded() -> World {
    let mut world = World::with(Limits::default());
    world.caller("c");
    let names: Vec<_> = (1..4_096).map(|number| format!("s.S{number}")).collect();
    world.forwarder.add_worker(serving(&names), "all", world.now).unwrap();
    world
}

fn serving(names: &[impl ToString]) -> NewWorker {
    NewWorker {
        name: "new".to_owned(),
        services: names.iter().map(ToString::to_string).collect(),
        capacity: 10,
        standby: 0,
        realm: String::new(),
    }
}

#[test]
fn the_last_place_for_a_service_is_given_once() {
    let mut world = crowded();
    let now = world.now;
    assert!(world.forwarder.add_worker(serving(&["a.A", "a.B"]), "x", now).is_none());
    let key = world.forwarder.add_worker(serving(&["a.C"]), "x", now).unwrap();
    assert!(world.forwarder.add_worker(serving(&["a.D"]), "y", now).is_none());
    world.forwarder.remove_worker(key, now);
    world.forwarder.add_worker(serving(&["a.D"]), "y", now).unwrap();
}

#[test]
fn a_service_keeps_its_place_while_a_call_of_it_is_in_flight_or_workers_are_looked_for() {
    let mut world = crowded();
    world.worker("w", 10, 0);
    world.says("c", &[call(1, "a")]);
    world.told("w");
    let (key, now) = (world.worker_key("w"), world.now);
    assert!(world.forwarder.change_worker(key, &serving(&["s.S1"]), now));
    assert!(world.forwarder.add_worker(serving(&["a.A"]), "x", now).is_none());
    world.says("w", &[reply(world.id(1), "A")]);
    world.forwarder.expect_services([("", "p.S")].into_iter());
    assert!(world.forwarder.add_worker(serving(&["a.A"]), "x", now).is_none());
    world.forwarder.expect_services(std::iter::empty());
    world.forwarder.add_worker(serving(&["a.A"]), "x", now).unwrap();
}
