//! Workers that stand in for others, and callers whose calls all go to one worker.

use std::sync::Arc;

use super::world::{World, call, call_with, cancel, one_way, reply};
use crate::rights::{Grant, Rights, Rules, Scope};

/// A caller `c`, a worker `w`, one that stands in for it, `r`, and the router's own caller for `w`, `o`.
fn world() -> World {
    let mut world = World::pair();
    world.relay("r");
    world.up("r");
    world.caller("o");
    let (own, worker) = (world.caller_key("o"), world.worker_key("w"));
    world.forwarder.bind_caller(own, worker);
    world
}

#[test]
fn callers_reach_what_stands_in_and_the_router_itself_the_worker() {
    let mut world = world();
    world.says("c", &[call(1, "x")]);
    world.says("o", &[call(1, "y")]);
    assert_eq!(
        (world.told("r"), world.told("w")),
        (vec!["call #1 x".to_owned()], vec!["call #2 y".to_owned()])
    );
    world.says("w", &[reply(world.id(2), "Y")]);
    assert_eq!(world.told("o"), ["reply 1 Y"]);
    // What stands in is not called one-way.
    world.says("c", &[one_way(b"n")]);
    assert_eq!(world.forwarder.counters().dropped_one_way, 1);
    assert_eq!(
        (world.forwarder.callers(), world.forwarder.busiest_callers(9).len()),
        (1, 1),
        "the other is no client"
    );
    assert_eq!(world.forwarder.routes().map(|route| route.workers).collect::<Vec<_>>(), [1]);
    world.leaves("r");
    world.says("c", &[call(2, "z")]);
    assert_eq!(world.told("w"), ["call #3 z"], "nothing stands in any more");
}

#[test]
fn calls_for_one_worker_fail_where_it_can_not_be_reached() {
    let mut world = world();
    world.worker("v", 100, 0);
    world.says("o", &[call(1, "sent")]);
    assert_eq!(world.told("w"), ["call #1 sent"]);
    world.says("o", &[call(2, "unsent")]);
    world.down("w");
    let mut told = world.told("o");
    told.sort();
    assert_eq!(
        told,
        ["error 1 Unavailable MaybeExecuted ServerRestarted", "error 2 Unavailable NotSent"],
        "no other gets them"
    );
    world.says("o", &[call(3, "x")]);
    assert_eq!(world.told("o"), ["error 3 Unavailable NotSent"]);
    assert!(world.told("v").is_empty());
    world.up("w");
    world.says("o", &[call(4, "x")]);
    assert_eq!(world.told("w").len(), 1);
    world.leaves("o");
    assert_eq!((world.forwarder.calls(), world.forwarder.callers()), (0, 1));
}

#[test]
fn the_first_group_publishes_of_which_a_worker_can_be_reached() {
    let mut world = World::with(crate::forwarder::Limits::default());
    for (name, group) in [("a", 0), ("b", 0), ("s", 1)] {
        world.worker_down(name, 100, group);
    }
    let [a, b, s] = ["a", "b", "s"].map(|name| world.worker_key(name));
    let publishers = |world: &World| world.forwarder.publishers("", "p.S");
    assert_eq!(publishers(&world), [(a, false), (b, false)]);
    world.up("s");
    assert_eq!(publishers(&world), [(s, true)]);
    world.up("b");
    assert_eq!(publishers(&world), [(a, false), (b, true)]);
    assert!(
        world.forwarder.publishers("", "p.T").is_empty()
            && world.forwarder.publishers("eu", "p.S").is_empty()
    );
}

#[test]
fn what_stands_in_is_told_events_by_those_alone_who_may_publish() {
    let rights = |call: &str, publish: &[&str]| {
        let publish = publish.iter().filter_map(|scope| Scope::read(scope)).collect();
        let grant = Grant { call: Scope::read(call).into_iter().collect(), publish, ..Grant::default() };
        Rights::of(&Rules { grants: vec![grant], ..Rules::default() }, None, None)
    };
    let mut world = world();
    for (name, rights) in [("calls", rights("*", &[])), ("publishes", rights("p.T", &["p.S"]))] {
        world.caller_with(name, Arc::clone(&rights));
    }
    let publish = |id: u64| call_with(id, "p.S/publish", "x", None, None);
    world.says("calls", &[publish(1), call(2, "y")]);
    world.says("publishes", &[publish(1), call(2, "y")]);
    let forbidden = |id: u64| vec![format!("error {id} Unauthenticated NotSent Forbidden")];
    assert_eq!((world.told("calls"), world.told("publishes")), (forbidden(1), forbidden(2)));
    assert_eq!(world.told("r"), ["call #1 y", "call #2 x"]);
    // At a worker, it is a method as any other.
    world.leaves("r");
    drop((world.told("calls"), world.told("publishes")));
    world.says("calls", &[publish(3)]);
    world.says("publishes", &[publish(3)]);
    assert_eq!((world.told("calls"), world.told("publishes")), (Vec::new(), forbidden(3)));
}

/// A caller of this name, which may publish.
fn publisher(world: &mut World, name: &'static str) {
    let publish = Scope::read("*").into_iter().collect();
    let grant = Grant { publish, ..Grant::default() };
    world.caller_with(name, Rights::of(&Rules { grants: vec![grant], ..Rules::default() }, None, None));
}

/// A call that publishes an event of some MiB, less what it counts for beside.
fn publish(id: u64, mib: usize) -> Vec<u8> {
    call_with(id, "p.S/publish", &"x".repeat((mib << 20) - 512), None, None)
}

const TOO_MUCH: &str = "error 9 ResourceExhausted NotSent Overloaded";

#[test]
fn a_caller_has_a_bounded_number_of_bytes_of_events_under_way() {
    let mut world = world();
    publisher(&mut world, "p");
    world.says("p", &[publish(1, 12)]);
    world.says("p", &[publish(2, 12)]);
    world.says("p", &[publish(9, 12)]);
    assert_eq!(world.told("p"), [TOO_MUCH]);
    // Up to the last byte; and those that wait for the worker count as well.
    world.says("p", &[publish(3, 8)]);
    world.says("p", &[call_with(9, "p.S/publish", "", None, None)]);
    assert_eq!(world.told("p"), [TOO_MUCH]);
    // Others have theirs, and one may be as large as it likes.
    publisher(&mut world, "q");
    world.says("q", &[publish(1, 33)]);
    world.says("q", &[publish(9, 1)]);
    assert_eq!(world.told("q"), [TOO_MUCH]);
    // What has ended makes room, however it does.
    assert_eq!(world.told("r").len(), 4);
    world.says("r", &[reply(world.id(1), "")]);
    world.says("p", &[cancel(3), publish(4, 20)]);
    assert_eq!(world.told("p"), ["reply 1 "]);
    world.says("p", &[publish(9, 1)]);
    assert_eq!(world.told("p"), [TOO_MUCH]);
}

#[test]
fn all_callers_together_have_a_bounded_number_of_bytes_of_events_under_way() {
    let names = ["a", "b", "c1", "d", "e", "f", "g", "h"];
    let mut world = world();
    for name in names {
        publisher(&mut world, name);
        world.says(name, &[publish(1, 32)]);
        // So that little waits for the worker.
        world.told("r");
    }
    publisher(&mut world, "late");
    world.says("late", &[publish(9, 1)]);
    assert_eq!(world.told("late"), [TOO_MUCH]);
    // Calls of methods are no events.
    world.says("c", &[call(1, "x")]);
    assert!(world.told("c").is_empty());
    world.leaves("d");
    world.says("late", &[publish(1, 32)]);
    assert!(world.told("late").is_empty());
    world.says("late", &[publish(9, 1)]);
    assert_eq!(world.told("late"), [TOO_MUCH]);
}

#[test]
fn calls_of_the_router_itself_take_no_place_of_a_worker() {
    let mut world = World::with(crate::forwarder::Limits::default());
    world.caller("c");
    world.worker("w", 1, 0);
    world.caller("o");
    let (own, worker) = (world.caller_key("o"), world.worker_key("w"));
    world.forwarder.bind_caller(own, worker);
    world.says("o", &[call(1, "own"), call(2, "another")]);
    assert_eq!(world.told("w").len(), 2);
    assert!(world.forwarder.is_worker_idle(worker), "it may go");
    assert_eq!(world.forwarder.workers(world.now).next().map(|worker| worker.in_flight), Some(0));
    world.says("c", &[call(1, "x"), call(2, "y")]);
    assert_eq!((world.told("w"), world.forwarder.queued()), (vec!["call #3 x".to_owned()], 1));
    world.says("w", &[reply(world.id(1), ""), reply(world.id(3), "")]);
    assert_eq!(world.told("w"), ["call #4 y"]);
    // What was not sent goes with its worker, and is not counted any more.
    world.says("o", &[call(3, "unsent")]);
    world.down("w");
    world.up("w");
    world.says("c", &[call(3, "z"), call(4, "z")]);
    assert_eq!((world.told("w").len(), world.forwarder.queued()), (1, 1));
}
