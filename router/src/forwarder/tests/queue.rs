//! Calls wait for a worker with room: in order, for a bounded time, within bounds.

use std::time::Duration;

use super::world::{MS, World, call, call_with, cancel, items, one_way, reply};
use crate::forwarder::{Limits, NewWorker};

/// A caller `c` and a worker `w` that takes one call at a time.
fn narrow(limits: Limits) -> World {
    let mut world = World::with(limits);
    world.caller("c");
    world.worker("w", 1, 0);
    world
}

#[test]
fn calls_past_the_capacity_wait_in_order() {
    let mut world = narrow(Limits::default());
    world
        .says("c", &[call(1, "a"), call_with(2, "p.S/m", "b", Some(50), None), call(3, "c"), items(2, b"i")]);
    assert_eq!(world.told("w"), ["call #1 a"]);
    world.passes(20 * MS);
    world.says("w", &[reply(world.id(1), "A")]);
    assert_eq!(
        world.told("w"),
        ["call #2 b within 30ms", "items #2 i"],
        "the time that it waited is taken off"
    );
    world.says("w", &[reply(world.id(2), "B")]);
    assert_eq!(world.told("w"), ["call #3 c"]);
    assert_eq!(world.told("c"), ["reply 1 A", "reply 2 B"]);
    assert_eq!(world.forwarder.queued(), 0);
}

#[test]
fn a_cancelled_call_gives_its_place_up() {
    let mut world = narrow(Limits::default());
    world.says("c", &[call(1, "a"), call(2, "b"), call(3, "c"), cancel(2)]);
    world.told("w");
    assert_eq!(world.forwarder.queued(), 1);
    world.says("c", &[cancel(1)]);
    assert_eq!(world.told("w"), ["cancel #1", "call #2 c"]);
}

#[test]
fn a_deadline_and_the_longest_wait_end_calls_that_were_not_sent() {
    let mut world = narrow(Limits { max_wait: 200 * MS, ..Limits::default() });
    world.says("c", &[call(1, "a"), call_with(2, "p.S/m", "b", Some(100), None), call(3, "c")]);
    world.told("w");
    world.passes(99 * MS);
    assert!(world.told("c").is_empty());
    world.passes(MS);
    assert_eq!(world.told("c"), ["error 2 DeadlineExceeded NotSent Deadline"]);
    world.passes(100 * MS);
    assert_eq!(world.told("c"), ["error 3 ResourceExhausted NotSent Overloaded"]);
    assert_eq!(world.forwarder.poll_timeout(), None);
}

#[test]
fn without_a_worker_the_wait_ends_in_unavailable() {
    let mut world = World::with(Limits { max_wait: 200 * MS, ..Limits::default() });
    world.caller("c");
    world.worker_down("w", 1, 0);
    world.says("c", &[call(1, "a")]);
    world.passes(200 * MS);
    assert_eq!(world.told("c"), ["error 1 Unavailable NotSent, again in 1s"], "the router itself is well");
    world.up("w");
    assert!(world.told("w").is_empty());
}

#[test]
fn one_way_calls_wait_too() {
    let mut world = World::with(Limits::default());
    world.caller("c");
    world.worker_down("w", 1, 0);
    world.says("c", &[one_way(b"n"), call(1, "a")]);
    world.up("w");
    assert_eq!(world.told("w"), ["one-way 0 n", "call #1 a"]);
    assert_eq!(world.forwarder.calls(), 1);
}

#[test]
fn one_way_calls_for_which_no_worker_has_room_hold_up_no_calls() {
    let mut world = World::pair();
    let note = one_way(&vec![b'n'; 100_000]);
    for _ in 0..50 {
        world.says("c", std::slice::from_ref(&note));
        world.told("w");
    }
    assert_eq!(world.forwarder.queued(), 8, "4 MiB are unread");
    world.says("c", &[call(1, "a")]);
    assert_eq!(world.told("w").last().map(String::as_str), Some("call #1 a"));
}

#[test]
fn one_way_calls_of_a_caller_that_is_gone_wait_on() {
    let mut world = World::with(Limits::default());
    world.caller("c");
    world.worker_down("w", 1, 0);
    world.says("c", &[one_way(b"n"), call(1, "a")]);
    world.leaves("c");
    assert_eq!(world.forwarder.queued(), 1);
    world.up("w");
    assert_eq!(world.told("w"), ["one-way 0 n"]);
    assert_eq!((world.forwarder.queued(), world.forwarder.calls()), (0, 0));
}

#[test]
fn a_caller_that_fills_the_queue_leaves_room_for_others() {
    let mut world = narrow(Limits { max_queued: 8, ..Limits::default() });
    world.caller("d");
    world.says("c", &(1..=20).map(|id| call(id, "x")).collect::<Vec<_>>());
    world.told("w");
    let refused = world.told("c");
    assert!(refused.iter().all(|line| line.contains("ResourceExhausted NotSent Overloaded")), "{refused:?}");
    assert_eq!((refused.len(), world.forwarder.queued()), (13, 6));
    world.says("d", &[call(1, "y")]);
    assert!(world.told("d").is_empty(), "it waits");
}

/// The calls of a caller that came later do not wait for all those of one that came before.
#[test]
fn callers_with_calls_that_wait_take_turns() {
    let mut world = narrow(Limits::default());
    world.caller("d");
    world.says("c", &(1..=6).map(|id| call(id, &format!("c{id}"))).collect::<Vec<_>>());
    world.says("d", &[call(1, "d1"), call(2, "d2"), one_way(b"note")]);
    world.says("c", &[cancel(2)]);
    let mut begun = Vec::new();
    for number in 1..=7 {
        begun.extend(world.told("w"));
        world.says("w", &[reply(world.id(number), "")]);
    }
    assert_eq!(
        begun,
        [
            "call #1 c1",
            "one-way 0 note",
            "call #2 c3",
            "call #3 d1",
            "call #4 c4",
            "call #5 d2",
            "call #6 c5",
            "call #7 c6"
        ]
    );
    assert_eq!(world.forwarder.queued(), 0);
}

#[test]
fn bytes_that_wait_are_bounded() {
    let mut world = narrow(Limits { max_queued_bytes: 1_000, ..Limits::default() });
    let large = "x".repeat(600);
    world.says("c", &(1..=4).map(|id| call(id, &large)).collect::<Vec<_>>());
    world.told("w");
    assert_eq!(world.told("c"), ["error 4 ResourceExhausted NotSent Overloaded"]);
}

#[test]
fn a_worker_that_stands_by_gets_calls_only_while_no_other_can_be_reached() {
    let mut world = World::pair();
    world.worker("v", 100, 1);
    world.says("c", &(1..=20).map(|id| call(id, "x")).collect::<Vec<_>>());
    assert_eq!((world.told("w").len(), world.told("v").len()), (20, 0));
    world.down("w");
    world.told("c");
    world.says("c", &[call(21, "y")]);
    assert_eq!(world.told("v"), ["call #21 y"]);
    world.up("w");
    world.says("c", &[call(22, "z")]);
    assert_eq!((world.told("w").len(), world.told("v").len()), (1, 0));
}

#[test]
fn a_worker_that_came_back_starts_slowly() {
    let mut world = World::pair();
    world.worker("v", 100, 0);
    world.down("w");
    world.up("w");
    world.says("c", &(1..=44).map(|id| call(id, "x")).collect::<Vec<_>>());
    let (back, steady) = (world.told("w").len(), world.told("v").len());
    assert!(back >= 1 && back * 5 < steady, "{back} and {steady}");
    world.passes(Duration::from_secs(10));
    world.says("c", &(101..=156).map(|id| call(id, "x")).collect::<Vec<_>>());
    assert!(world.told("w").len() >= 40, "it catches up");
}

#[test]
fn a_worker_that_came_back_takes_a_part_of_its_capacity_at_first() {
    let mut world = World::with(Limits::default());
    world.caller("c");
    world.worker("w", 10, 0);
    world.worker("v", 1, 0);
    world.down("w");
    world.up("w");
    world.says("c", &(1..=10).map(|id| call(id, "x")).collect::<Vec<_>>());
    assert_eq!((world.told("w").len(), world.told("v").len(), world.forwarder.queued()), (1, 1, 8));
    // As its share grows, calls that wait find room, though nothing else happens.
    world.passes(5_000 * MS);
    assert_eq!(world.told("w").len(), 4);
    world.passes(5_000 * MS);
    assert_eq!(world.told("w").len(), 0, "they have waited for too long");
    assert_eq!(world.forwarder.queued(), 0);
}

#[test]
fn a_worker_that_came_back_and_is_alone_takes_all_at_once() {
    let mut world = World::with(Limits::default());
    world.caller("c");
    world.worker("w", 10, 0);
    world.down("w");
    world.up("w");
    world.says("c", &(1..=10).map(|id| call(id, "x")).collect::<Vec<_>>());
    assert_eq!(world.told("w").len(), 10);
}

#[test]
fn a_worker_whose_capacity_changes_keeps_its_calls() {
    let mut world = narrow(Limits::default());
    world.says("c", &[call(1, "a"), call(2, "b"), call(3, "c")]);
    assert_eq!(world.told("w"), ["call #1 a"]);
    let key = world.worker_key("w");
    let mut new = NewWorker {
        name: "w".to_owned(),
        services: vec!["p.S".to_owned()],
        capacity: 2,
        standby: 0,
        realm: String::new(),
    };
    assert!(world.forwarder.change_worker(key, &new, world.now));
    assert_eq!(world.told("w"), ["call #2 b"]);
    // The service is another worker's now.
    world.worker("v", 5, 0);
    new.services = vec!["p.T".to_owned()];
    world.told("v");
    assert!(world.forwarder.change_worker(key, &new, world.now));
    world.says("w", &[reply(world.id(1), "A")]);
    world.says("c", &[call(4, "d"), call_with(5, "p.T/m", "e", None, None)]);
    assert_eq!(world.told("c"), ["reply 1 A"]);
    assert!(world.told("v").iter().any(|line| line.ends_with(" d")));
    assert_eq!(world.told("w").len(), 1);
}

#[test]
fn a_call_that_breaks_a_rule_while_it_waits_was_not_sent() {
    let mut world = narrow(Limits::default());
    world.says("c", &[call(1, "a"), call(2, "b"), items(2, &vec![b'i'; 65_536]), items(2, b"i")]);
    assert_eq!(world.told("c"), ["error 2 ResourceExhausted NotSent Protocol"]);
    assert_eq!(world.told("w"), ["call #1 a"]);
}

#[test]
fn one_way_calls_leave_room_for_calls_at_a_worker_that_reads_slowly() {
    let mut world = World::with(Limits { max_unsent_per_worker: 200_000, ..Limits::default() });
    world.caller("c");
    world.caller("d");
    world.worker("w", 100, 0);
    world.told("w");
    let (note, key) = (one_way(&[b'n'; 10_000]), world.worker_key("w"));
    for id in 1..=40 {
        // There are always some that wait.
        world.says("c", &vec![note.clone(); 30]);
        assert!(world.forwarder.queued() > 0);
        world.says("d", &[call(id, "a")]);
        let in_flight = world.forwarder.workers(world.now).next().map(|worker| u64::from(worker.in_flight));
        assert_eq!(in_flight, Some(id), "it has found room");
        assert!(world.forwarder.poll_transmit_to_worker(key, world.now).is_some());
    }
}
