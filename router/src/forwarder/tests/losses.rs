//! What was not sent goes elsewhere; what may have been sent is said to be so.

use zsvc_proto::status::{Cause, Outcome, Status};

use super::world::{World, bare, call, call_with, end, error, items, one_way, reply};
use crate::forwarder::Limits;

#[test]
fn a_lost_worker_fails_what_it_was_sent_and_the_rest_goes_elsewhere() {
    let mut world = World::pair();
    world.says("c", &[call(1, "sent")]);
    assert_eq!(world.told("w"), ["call #1 sent"]);
    world.says("c", &[call_with(2, "p.S/m", "unsent", Some(300), None), items(2, b"i"), end(2)]);
    world.worker("v", 100, 0);
    world.passes(100 * super::world::MS);
    world.down("w");
    assert_eq!(world.told("c"), ["error 1 Unavailable MaybeExecuted ServerRestarted"]);
    assert_eq!(world.told("v"), ["call #2 unsent within 200ms", "items #2 i", "end #2"]);
    world.says("v", &[reply(world.id(2), "ok")]);
    assert_eq!(world.told("c"), ["reply 2 ok"]);
    assert_eq!(world.forwarder.counters().moved, 1);
}

#[test]
fn what_a_lost_worker_was_not_sent_waits_if_there_is_no_other() {
    let mut world = World::pair();
    world.says("c", &[call(1, "unsent"), one_way(b"note")]);
    world.down("w");
    assert!(world.told("c").is_empty());
    assert_eq!(world.forwarder.queued(), 2);
    world.up("w");
    assert_eq!(world.told("w"), ["one-way 0 note", "call #1 unsent"]);
    assert_eq!(world.forwarder.counters().dropped_one_way, 0);
}

#[test]
fn a_message_that_found_no_room_was_not_sent() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x")]);
    let key = world.worker_key("w");
    let message = world.forwarder.poll_transmit_to_worker(key, world.now).unwrap();
    world.forwarder.return_transmit_to_worker(key, message);
    world.down("w");
    assert!(world.told("c").is_empty());
    assert_eq!(world.forwarder.queued(), 1);
}

#[test]
fn a_worker_that_goes_away_finishes_what_it_was_sent() {
    let mut world = World::pair();
    world.says("c", &[call(1, "sent"), call(2, "crosses")]);
    world.told("w");
    world.says("c", &[call(3, "unsent")]);
    world.worker("v", 100, 0);
    world.says("w", &[bare(11, 0)]);
    assert_eq!(world.told("v"), ["call #3 unsent"]);
    let refused = Status::unavailable("away").with_outcome(Outcome::NotSent).caused_by(Cause::GoingAway);
    world.says("w", &[error(world.id(2), &refused), reply(world.id(1), "done")]);
    // Not as going away: the caller would take it for the router's.
    assert_eq!(world.told("c"), ["error 2 Unavailable NotSent ServerRestarted", "reply 1 done"]);
    world.says("c", &[call(4, "next")]);
    assert_eq!(world.told("w"), Vec::<String>::new());
    assert_eq!(world.told("v"), ["call #4 next"]);
}

#[test]
fn records_of_calls_that_stay_are_kept_for_a_worker_that_goes_away() {
    let mut world = World::pair();
    world.says("c", &[call(1, "sent")]);
    world.told("w");
    world.says("c", &[items(1, b"more"), call(2, "unsent"), bare(8, 1)]);
    world.says("w", &[bare(11, 0)]);
    assert_eq!(world.told("w"), ["items #1 more", "cancel #1"]);
}

#[test]
fn a_caller_that_is_gone_leaves_nothing() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x")]);
    world.told("w");
    world.leaves("c");
    assert_eq!(world.told("w"), ["cancel #1"]);
    world.says("w", &[reply(world.id(1), "late")]);
    assert_eq!((world.forwarder.calls(), world.forwarder.callers()), (0, 0));
}

#[test]
fn a_worker_that_is_drained_keeps_its_calls_and_gets_no_more() {
    let mut world = World::pair();
    world.worker("v", 100, 0);
    let key = world.worker_key("w");
    world.says("c", &[call(1, "x"), call(2, "y"), call(3, "z"), call(4, "u")]);
    let had = world.told("w").len();
    assert!(had > 0 && had < 4, "both have some");
    world.forwarder.drain_worker(key, true, world.now);
    world.told("v");
    world.says("c", &[call(5, "next"), call(6, "next")]);
    assert!(world.told("w").is_empty());
    assert_eq!(world.told("v").len(), 2);
    world.forwarder.drain_worker(key, false, world.now);
    world.leaves("v");
    world.says("c", &[call(7, "again")]);
    assert_eq!(world.told("w").len(), 1);
}

#[test]
fn a_worker_that_is_drained_is_idle_once_it_has_read_all_one_way_calls() {
    let mut world = World::pair();
    let key = world.worker_key("w");
    assert!(world.forwarder.is_worker_idle(key));
    world.says("c", &[one_way(b"sent")]);
    world.told("w");
    world.says("c", &[one_way(b"unsent")]);
    world.forwarder.drain_worker(key, true, world.now);
    assert_eq!(world.told("w"), ["ping 1"]);
    assert_eq!(world.forwarder.queued(), 1, "it waits for another worker");
    assert!(!world.forwarder.is_worker_idle(key));
    world.says("w", &[bare(10, 1)]);
    assert!(world.forwarder.is_worker_idle(key));
    world.worker("v", 100, 0);
    assert_eq!(world.told("v"), ["one-way 0 unsent"]);
}

#[test]
fn a_router_that_drains_waits_until_workers_have_read_one_way_calls() {
    let mut world = World::pair();
    world.says("c", &[one_way(b"n")]);
    world.forwarder.go_away();
    world.forwarder.flush(world.now);
    world.says("c", &[bare(10, 0)]);
    assert!(!world.forwarder.is_flushed());
    assert_eq!(world.told("w"), ["one-way 0 n", "ping 1"]);
    world.says("w", &[bare(10, 1)]);
    assert!(world.forwarder.is_flushed());
}

#[test]
fn a_router_that_drains_tells_callers_and_ends_what_is_left() {
    let mut world = World::pair();
    world.worker_down("v", 100, 0);
    world.says("c", &[call(1, "x")]);
    world.told("w");
    world.forwarder.go_away();
    assert_eq!(world.told("c"), ["going away"]);
    world.says("c", &[call(2, "y")]);
    assert_eq!(world.told("c"), ["error 2 Unavailable NotSent GoingAway"]);
    world.forwarder.flush(world.now);
    assert_eq!(world.told("c"), ["error 1 Unavailable MaybeExecuted GoingAway", "ping 0"]);
    assert_eq!(world.told("w"), ["cancel #1"]);
    assert!(!world.forwarder.is_flushed());
    world.says("c", &[bare(10, 0)]);
    assert!(world.forwarder.is_flushed());
}

/// The error that tells of the first call is too much for a caller that does not read, whose other calls end with it.
#[test]
fn a_worker_that_comes_back_is_told_whatever_ended_when_it_was_lost() {
    let mut world = World::with(Limits { max_unsent_per_caller: 1, ..Limits::default() });
    world.caller("c");
    world.worker("w", 100, 0);
    world.says("c", &[call(1, "x"), call(2, "y"), call(3, "z")]);
    world.told("w");
    world.down("w");
    let mut ready = Vec::new();
    world.forwarder.take_ready(&mut ready);
    ready.clear();
    world.up("w");
    world.forwarder.take_ready(&mut ready);
    assert_eq!(ready, ["w"], "it is greeted");
    assert!(world.told("w").is_empty(), "no word of calls that it never had");
}
