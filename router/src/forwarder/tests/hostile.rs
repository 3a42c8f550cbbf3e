//! Peers that break the rules harm no other.

use std::time::Duration;

use bytes::Bytes;
use zsvc_proto::status::{Code, Status};
use zsvc_proto::wire::{FirstRecord, Malformed, RecordKind};

use super::world::{World, bare, call, cancel, credit, end, error, items, one_way, reply};
use crate::forwarder::{Limits, NewWorker};

#[test]
fn a_worker_can_answer_no_call_of_another() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x")]);
    world.told("w");
    world.worker("evil", 100, 0);
    let id = world.id(1);
    for record in
        [reply(id, "forged"), error(id, &Status::internal("forged")), items(id, b"f"), end(id), credit(id, 9)]
    {
        world.says("evil", &[record]);
    }
    assert!(world.told("c").is_empty());
    assert_eq!(world.forwarder.counters().stray, 5);
    world.says("w", &[reply(id, "true")]);
    assert_eq!(world.told("c"), ["reply 1 true"]);
}

#[test]
fn a_worker_can_answer_no_call_that_it_was_not_given() {
    let mut world = World::pair();
    for id in [0, 1, u64::MAX, 1 << 20, 1 << 63] {
        world.says("w", &[reply(id, "x"), items(id, b"x"), end(id), credit(id, 1)]);
    }
    assert!(world.told("c").is_empty());
    assert_eq!(world.forwarder.counters().stray, 20);
}

#[test]
fn a_worker_says_nothing_that_callers_say() {
    let mut world = World::pair();
    world.says("w", &[call(1, "x"), cancel(1), bare(65, 1)]);
    assert_eq!((world.told("w"), world.told("c")), (vec![], vec![]));
    assert_eq!(world.forwarder.counters().malformed, 3);
}

#[test]
fn ids_of_callers_are_checked() {
    let mut world = World::pair();
    world.says("c", &[call(0, "none"), call(1, "a"), call(1, "again"), call(u64::MAX, "last")]);
    assert_eq!(
        world.told("c"),
        ["error 0 InvalidArgument MaybeExecuted Protocol", "error 1 InvalidArgument NotSent Protocol"]
    );
    assert_eq!(world.told("w"), ["call #1 a", "call #2 last"]);
}

#[test]
fn records_of_calls_that_are_not_in_flight_are_ignored() {
    let mut world = World::pair();
    world.says("c", &[items(5, b"x"), end(5), credit(5, 1), cancel(5), reply(5, "x"), bare(64, 5)]);
    assert_eq!((world.told("w"), world.told("c")), (vec![], vec![]));
}

#[test]
fn unknown_kinds_are_told_and_end_their_call() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x"), bare(12, 1), bare(12, 9)]);
    let unknown = |id| format!("error {id} Unimplemented MaybeExecuted Protocol");
    assert_eq!(world.told("c"), [unknown(1), unknown(9)]);
    assert_eq!(world.told("w"), ["call #1 x", "cancel #1"]);
}

#[test]
fn a_batch_that_can_not_be_read_is_told_and_what_came_before_stands() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x"), vec![0xc0], call(2, "lost")]);
    assert_eq!(world.told("w"), ["call #1 x"]);
    assert_eq!(world.told("c"), ["error 0 InvalidArgument MaybeExecuted Protocol"]);
}

#[test]
fn a_message_of_a_worker_that_can_not_be_read_ends_what_it_was_sent() {
    let mut world = World::pair();
    world.says("c", &[call(1, "sent")]);
    world.told("w");
    world.says("c", &[call(2, "unsent")]);
    world.says("w", &[vec![0xc0]]);
    assert_eq!(world.told("c"), ["error 1 Unknown MaybeExecuted"]);
    assert_eq!(world.told("w"), ["call #2 unsent", "cancel #1"]);
}

#[test]
fn a_message_that_is_too_large_fails_its_call_alone() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x"), call(2, "y")]);
    world.told("w");
    let too_large =
        |kind, id| Malformed::TooLarge { first: Some(FirstRecord { kind, id }), bytes: 9, max: 1 };
    let (worker, id) = (world.worker_key("w"), world.id(1));
    let reply = too_large(RecordKind::Reply, id);
    world.forwarder.handle_worker_message(worker, Err(&reply), world.now);
    assert_eq!(world.told("c"), ["error 1 ResourceExhausted Executed TooLarge"]);
    assert_eq!(world.told("w"), ["cancel #1"]);
    assert_eq!(world.forwarder.calls(), 1);
}

#[test]
fn a_message_that_is_too_large_for_a_call_that_was_cancelled_harms_no_other() {
    let mut world = World::pair();
    world.says("c", &[call(1, "x"), call(2, "y")]);
    world.told("w");
    let (worker, id) = (world.worker_key("w"), world.id(1));
    world.says("c", &[cancel(1)]);
    let first = Some(FirstRecord { kind: RecordKind::Reply, id });
    let late = Malformed::TooLarge { first, bytes: 9, max: 1 };
    world.forwarder.handle_worker_message(worker, Err(&late), world.now);
    assert!(world.told("c").is_empty());
    assert_eq!((world.forwarder.calls(), world.forwarder.counters().stray), (1, 1));
}

#[test]
fn a_worker_whose_calls_keep_failing_is_left_alone() {
    let mut world = World::pair();
    world.worker("v", 100, 0);
    let mut next = 0;
    while world.forwarder.counters().ejections == 0 {
        next += 1;
        world.says("c", &[call(next, "x")]);
        for worker in ["w", "v"] {
            if let Some(line) = world.told(worker).first() {
                let number: usize = line.split(['#', ' ']).nth(2).unwrap().parse().unwrap();
                let id = world.id(number);
                let answer =
                    if worker == "w" { error(id, &Status::internal("broken")) } else { reply(id, "ok") };
                world.says(worker, &[answer]);
            }
        }
        assert!(next < 100);
    }
    world.says("c", &(1_000..1_050).map(|id| call(id, "x")).collect::<Vec<_>>());
    assert_eq!((world.told("w").len(), world.told("v").len()), (0, 50));
    world.leaves("v");
    world.told("c");
    world.says("c", &[call(2_000, "x")]);
    assert_eq!(world.told("w").len(), 1, "without another it is better than none");
}

#[test]
fn a_worker_on_trial_gets_a_call_that_is_answered_and_no_one_way_call() {
    let mut world = World::pair();
    for next in 1..=5 {
        world.says("c", &[call(next, "x")]);
        let id = world.told("w").len();
        assert_eq!(id, 1);
        world.says("w", &[error(world.id(usize::try_from(next).unwrap()), &Status::internal("broken"))]);
    }
    assert_eq!(world.forwarder.counters().ejections, 1);
    world.worker("v", 100, 0);
    world.passes(Duration::from_secs(5));
    world.says("c", &vec![one_way(b"n"); 10]);
    assert_eq!((world.told("w").len(), world.told("v").len()), (0, 10));
    world.says("c", &[call(6, "x")]);
    assert_eq!((world.told("w").len(), world.told("v").len()), (1, 0), "it is tried");
}

#[test]
fn noise_does_no_harm() {
    let mut world = World::pair();
    world.worker("noisy", 100, 0);
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut noise = vec![1];
        for _ in 0..(state % 40) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            noise.push(u8::try_from(state >> 56).unwrap());
        }
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let batch = Bytes::from(noise).into();
        let key = world.worker_key("noisy");
        world.forwarder.handle_worker_message(key, Ok(&batch), world.now);
        world.says("c", &[batch.bytes()[1..].to_vec()]);
    }
    // It may have said that it goes away.
    world.leaves("noisy");
    world.told("w");
    world.says("c", &[call(987_654_321, "still")]);
    assert!(world.told("w").last().is_some_and(|line| line.ends_with("still")));
}

#[test]
fn a_worker_on_trial_without_room_for_it_keeps_no_others_from_standing_by() {
    let mut world = World::with(Limits::default());
    world.caller("c");
    world.worker("w", 6, 0);
    world.worker("spare", 6, 1);
    world.says("c", &(1..=6).map(|id| call(id, "x")).collect::<Vec<_>>());
    world.told("w");
    let failed = Status::new(Code::Unavailable, "broken");
    for number in 1..=5 {
        world.says("w", &[error(world.id(number), &failed)]);
    }
    assert_eq!(world.forwarder.counters().ejections, 1);
    // The sixth hangs, and has all the room that there is.
    let (key, services) = (world.worker_key("w"), vec!["p.S".to_owned()]);
    let narrow = NewWorker { name: "w".to_owned(), services, capacity: 1, standby: 0, realm: String::new() };
    assert!(world.forwarder.change_worker(key, &narrow, world.now));
    world.passes(Duration::from_secs(6));
    world.says("c", &[call(7, "y")]);
    assert_eq!(world.told("spare").last().map(String::as_str), Some("call #7 y"));
    // With room, it is tried.
    world.says("c", &[cancel(6), call(8, "z")]);
    assert_eq!(world.told("w").last().map(String::as_str), Some("call #8 z"));
}
