//! Records pass both ways, with other ids, and calls end when they do.

use zsvc_proto::status::{Cause, Status};
use zsvc_proto::wire;

use super::world::{
    World, bare, call, call_with, cancel, credit, end, error, items, one_way, reply, written,
};

#[test]
fn a_call_and_its_answer() {
    let mut world = World::pair();
    world.says("c", &[call(7, "a"), call(8, "b")]);
    assert_eq!(world.told("w"), ["call #1 a", "call #2 b"]);
    world.says("w", &[reply(world.id(2), "B"), reply(world.id(1), "A")]);
    assert_eq!(world.told("c"), ["reply 8 B", "reply 7 A"]);
    assert_eq!(world.forwarder.calls(), 0);
}

#[test]
fn the_same_ids_of_two_callers_are_two_calls() {
    let mut world = World::pair();
    world.caller("d");
    world.says("c", &[call(1, "of c")]);
    world.says("d", &[call(1, "of d")]);
    assert_eq!(world.told("w"), ["call #1 of c", "call #2 of d"]);
    world.says("w", &[reply(world.id(1), "to c"), reply(world.id(2), "to d")]);
    assert_eq!(
        (world.told("c"), world.told("d")),
        (vec!["reply 1 to c".to_owned()], vec!["reply 1 to d".to_owned()])
    );
}

#[test]
fn both_streams_with_credit_and_end() {
    let mut world = World::pair();
    world.says("c", &[call_with(1, "p.S/m", "x", Some(500), Some(100)), items(1, b"up"), end(1)]);
    assert_eq!(world.told("w"), ["call #1 x within 500ms credit 100", "items #1 up", "end #1"]);
    let id = world.id(1);
    world.says("w", &[credit(id, 10), items(id, b"down")]);
    assert_eq!(world.told("c"), ["credit 1 10", "items 1 down"]);
    world.says("c", &[credit(1, 4)]);
    assert_eq!(world.told("w"), ["credit #1 4"]);
    world.says("w", &[end(id)]);
    assert_eq!(world.told("c"), ["end 1"]);
    assert_eq!(world.forwarder.calls(), 0);
}

#[test]
fn a_cancel_passes_and_what_crosses_it_does_not() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x")]);
    world.told("w");
    world.says("c", &[cancel(1)]);
    assert_eq!(world.told("w"), ["cancel #1"]);
    world.says("w", &[reply(world.id(1), "late")]);
    assert!(world.told("c").is_empty());
    assert_eq!(world.forwarder.counters().stray, 1);
    world.says("c", &[call(1, "the id again")]);
    assert_eq!(world.told("w"), ["call #2 the id again"]);
}

#[test]
fn one_way_calls_pass_and_are_not_answered() {
    let mut world = World::pair();
    world.says("c", &[one_way(b"n")]);
    assert_eq!(world.told("w"), ["one-way 0 n"]);
    assert_eq!(world.forwarder.calls(), 0);
}

#[test]
fn pings_are_answered_at_each_hop() {
    let mut world = World::pair();
    world.says("c", &[bare(9, 5)]);
    assert_eq!(world.told("c"), ["pong 5 Some(77)"]);
    world.says("w", &[bare(9, 0)]);
    assert_eq!(world.told("w"), ["pong 0 None"]);
}

#[test]
fn a_query_of_a_call_that_is_not_in_flight_is_answered() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x"), bare(65, 1), bare(65, 2)]);
    assert_eq!(world.told("c"), ["error 2 Unavailable MaybeExecuted ServerRestarted"]);
}

#[test]
fn failures_pass_as_they_are() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x"), call(2, "y")]);
    world.told("w");
    let overloaded = Status::resource_exhausted("full")
        .with_outcome(zsvc_proto::status::Outcome::NotSent)
        .caused_by(Cause::Overloaded);
    world.says("w", &[error(world.id(1), &Status::not_found("none")), error(world.id(2), &overloaded)]);
    assert_eq!(
        world.told("c"),
        ["error 1 NotFound Executed", "error 2 ResourceExhausted NotSent Overloaded"]
    );
}

#[test]
fn response_metadata_passes_before_the_answer() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x")]);
    world.told("w");
    let id = world.id(1);
    let metadata = written(|out| wire::response_metadata(out, id, "venue", &"7".to_owned().into()));
    world.says("w", &[metadata, reply(id, "ok")]);
    assert_eq!(world.told("c"), ["metadata 1", "reply 1 ok"]);
}

#[test]
fn those_with_something_to_send_are_told_once() {
    let mut world = World::pair();
    let mut ready = Vec::new();
    world.says("c", &[call(1, "x"), call(2, "y")]);
    world.says("c", &[call(3, "z")]);
    world.forwarder.take_ready(&mut ready);
    assert_eq!(ready, ["w"]);
    world.told("w");
    world.says("c", &[call(4, "z")]);
    world.forwarder.take_ready(&mut ready);
    assert_eq!(ready, ["w", "w"]);
}
