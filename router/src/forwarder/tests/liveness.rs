//! Peers behind devices, whose connections stay when they go.

use std::time::Duration;

use zsvc_proto::wire;

use super::world::{MS, World, bare, call, one_way, reply, written};
use crate::forwarder::Silence;

/// A caller `c` and a worker `w`, both of which may be silent for 10 s.
fn alert() -> World {
    let mut world = World::pair();
    let silence = Duration::from_secs(10);
    world.forwarder.set_silence(Silence { of_callers: silence, of_workers: silence });
    world
}

fn pong(instance: u64) -> Vec<u8> {
    written(|out| wire::pong_of_server(out, 1, instance))
}

#[test]
fn a_caller_that_gives_no_sign_of_life_loses_its_calls() {
    let mut world = alert();
    let key = world.caller_key("c");
    world.says("c", &[call(1, "x"), call(2, "y")]);
    world.told("w");
    world.says("w", &[reply(world.id(2), "Y")]);
    world.told("c");
    world.passes(2_499 * MS);
    world.forwarder.check_caller(key, false, world.now);
    assert!(world.told("c").is_empty());
    world.passes(MS);
    world.forwarder.check_caller(key, false, world.now);
    assert_eq!(world.told("c"), ["ping 1"]);
    // A sign of life.
    world.says("c", &[bare(10, 1)]);
    world.passes(5_000 * MS);
    world.forwarder.check_caller(key, false, world.now);
    assert_eq!(world.told("c"), ["ping 1"]);
    world.passes(7_499 * MS);
    world.forwarder.check_caller(key, false, world.now);
    assert!(world.told("c").is_empty());
    world.passes(MS);
    world.forwarder.check_caller(key, false, world.now);
    assert_eq!(world.told("w"), ["cancel #1"]);
    assert_eq!(world.told("c"), ["error 1 Unavailable MaybeExecuted ClientLost"]);
    // Without calls nothing is asked.
    world.passes(60_000 * MS);
    world.forwarder.check_caller(key, false, world.now);
    assert!(world.told("c").is_empty());
}

#[test]
fn a_caller_is_idle_once_it_has_nothing_in_flight_and_is_not_heard_of() {
    let mut world = alert();
    let key = world.caller_key("c");
    let minute = Duration::from_secs(60);
    world.says("c", &[call(1, "x")]);
    world.told("w");
    world.passes(minute);
    assert!(!world.forwarder.is_caller_idle(key, minute, world.now), "it has a call");
    world.says("w", &[reply(world.id(1), "X")]);
    assert!(!world.forwarder.is_caller_idle(key, minute, world.now), "it has not read the answer");
    world.told("c");
    assert!(world.forwarder.is_caller_idle(key, minute, world.now));
    world.says("c", &[bare(9, 0)]);
    world.told("c");
    assert!(!world.forwarder.is_caller_idle(key, minute, world.now));
    assert!(world.forwarder.is_caller_idle(key, Duration::ZERO, world.now));
}

#[test]
fn a_worker_that_was_started_anew_has_lost_what_it_was_sent() {
    let mut world = World::pair();
    world.says("w", &[pong(7)]);
    world.says("c", &[call(1, "x")]);
    world.told("w");
    world.says("w", &[pong(7)]);
    assert!(world.told("c").is_empty());
    world.says("c", &[call(2, "unsent")]);
    world.says("w", &[pong(8)]);
    assert_eq!(world.told("c"), ["error 1 Unavailable MaybeExecuted ServerRestarted"]);
    assert_eq!(world.told("w"), ["call #2 unsent", "cancel #1"]);
}

#[test]
fn a_worker_that_went_away_behind_a_device_gets_calls_once_it_is_back() {
    let mut world = alert();
    world.says("w", &[pong(7), bare(11, 0)]);
    world.says("c", &[call(1, "x")]);
    assert!(world.told("w").is_empty());
    let key = world.worker_key("w");
    world.passes(2_500 * MS);
    world.forwarder.check_worker(key, false, world.now);
    world.says("w", &[pong(8)]);
    assert_eq!(world.told("w"), ["call #1 x"]);
}

#[test]
fn a_worker_that_gives_no_sign_of_life_gets_no_calls_until_it_does() {
    let mut world = alert();
    let key = world.worker_key("w");
    world.says("c", &[call(1, "sent")]);
    world.told("w");
    world.passes(2_500 * MS);
    assert!(!world.forwarder.check_worker(key, false, world.now));
    world.says("c", &[call(2, "unsent")]);
    world.passes(7_500 * MS);
    assert!(world.forwarder.check_worker(key, false, world.now), "that is told once");
    assert_eq!(world.told("c"), ["error 1 Unavailable MaybeExecuted ServerRestarted"]);
    assert_eq!(world.forwarder.queued(), 1);
    world.passes(7_500 * MS);
    assert!(!world.forwarder.check_worker(key, false, world.now));
    assert!(world.forwarder.workers(world.now).all(|worker| worker.is_silent));
    assert_eq!(world.told("w"), ["cancel #1"]);
}

#[test]
fn a_worker_that_is_heard_of_again_gets_calls() {
    let mut world = alert();
    let key = world.worker_key("w");
    world.says("c", &[one_way(b"n")]);
    world.told("w");
    for _ in 0..2 {
        world.passes(7_500 * MS);
        world.forwarder.check_worker(key, false, world.now);
    }
    world.says("c", &[call(1, "x")]);
    assert_eq!(world.forwarder.queued(), 1);
    world.says("w", &[pong(7)]);
    assert_eq!(world.told("w"), ["call #1 x"]);
}

#[test]
fn a_worker_with_nothing_to_do_is_not_asked() {
    let mut world = alert();
    let key = world.worker_key("w");
    world.told("w");
    world.passes(60_000 * MS);
    assert!(!world.forwarder.check_worker(key, false, world.now));
    assert!(world.forwarder.poll_transmit_to_worker(key, world.now).is_none());
}

#[test]
fn parts_of_a_long_message_are_signs_of_life() {
    let mut world = alert();
    let (caller, worker) = (world.caller_key("c"), world.worker_key("w"));
    world.says("c", &[call(1, "x")]);
    world.told("w");
    for _ in 0..10 {
        world.passes(7_500 * MS);
        assert!(!world.forwarder.check_worker(worker, true, world.now));
        world.forwarder.check_caller(caller, true, world.now);
    }
    assert!(world.told("w").is_empty() && world.told("c").is_empty());
    assert_eq!(world.forwarder.calls(), 1);
}
