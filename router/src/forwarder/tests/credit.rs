//! Credit passes from end to end in portions, so that a slow reader slows its sender down.

use super::world::{World, call, call_with, credit, items};
use crate::forwarder::Limits;

const KIB: usize = 1024;

/// A caller `c` of which 64 KiB may wait, so that a stream to it has 16 KiB under way, and a worker `w` of which 1 KiB may.
fn small() -> World {
    let limits = Limits { max_unsent_per_caller: 64 * KIB, max_unsent_per_worker: KIB, ..Limits::default() };
    let mut world = World::with(limits);
    world.caller("c");
    world.worker("w", 100, 0);
    world
}

#[test]
fn a_large_credit_of_a_caller_is_told_in_portions() {
    let mut world = small();
    world.says("c", &[call_with(1, "p.S/m", "x", None, Some(1 << 40))]);
    assert_eq!(world.told("w"), ["call #1 x credit 16384"]);
    let id = world.id(1);
    world.says("w", &[items(id, &[b'i'; 1_000])]);
    assert!(world.told("w").is_empty(), "not in small pieces");
    world.says("w", &[items(id, &[b'i'; 4_000])]);
    assert_eq!(world.told("c").len(), 2);
    assert_eq!(world.told("w"), ["credit #1 5000"]);
    // What a worker sends without credit ends the call, as ever.
    let most = || items(id, &[b'i'; 16_384]);
    world.says("w", &[most(), most(), items(id, b"i")]);
    let told = world.told("c");
    assert_eq!(told.len(), 3);
    assert_eq!(told[2], "error 1 ResourceExhausted MaybeExecuted Protocol");
}

#[test]
fn a_caller_that_does_not_read_slows_its_workers_down_and_keeps_its_calls() {
    let mut world = small();
    let calls: Vec<_> = (1..=4).map(|id| call_with(id, "p.S/m", "x", None, Some(1 << 40))).collect();
    world.says("c", &calls);
    let mut may = [0_usize; 4];
    let mut sent = 0;
    for _ in 0..20 {
        for line in world.told("w") {
            let number: usize = line.split(['#', ' ']).nth(2).unwrap().parse().unwrap();
            let bytes: usize = line.rsplit(' ').next().unwrap().parse().unwrap();
            may[number - 1] += bytes;
        }
        for (index, may) in may.iter_mut().enumerate() {
            let bytes = (*may).min(4 * KIB);
            if bytes > 0 {
                *may -= bytes;
                sent += bytes;
                world.says("w", &[items(world.id(index + 1), &vec![b'i'; bytes])]);
            }
        }
    }
    assert!(sent >= 32 * KIB, "{sent}");
    assert_eq!(world.forwarder.calls(), 4, "none was ended");
    let stopped = sent;
    assert!(world.told("w").is_empty(), "no more credit for now");
    // It reads: the streams go on.
    assert!(world.told("c").len() >= 8);
    assert!(world.told("w").iter().any(|line| line.starts_with("credit")), "{stopped}");
}

#[test]
fn a_worker_that_does_not_read_slows_its_callers_down() {
    let mut world = small();
    world.says("c", &[call(1, "x")]);
    world.told("w");
    let id = world.id(1);
    world.says("w", &[credit(id, 1 << 40)]);
    assert!(world.told("c").is_empty(), "the first 64 KiB are more than its window");
    world.says("c", &[items(1, &vec![b'i'; 60 * KIB])]);
    assert!(world.told("c").is_empty(), "it has not read them");
    assert_eq!(world.told("w").len(), 1);
    assert_eq!(world.told("c"), ["credit 1 12288"], "it has: up to 16 KiB may be under way");
    world.says("c", &[items(1, &vec![b'i'; 16 * KIB]), items(1, b"i")]);
    assert_eq!(world.told("c"), ["error 1 ResourceExhausted MaybeExecuted Protocol"], "that was too much");
}

#[test]
fn a_thousand_streams_to_a_caller_that_does_not_read_keep_within_its_bound() {
    let limits = Limits { max_unsent_per_caller: 2_048 * KIB, ..Limits::default() };
    let mut world = World::with(limits);
    world.caller("c");
    world.worker("w", 10_000, 0);
    let mut may = vec![0; 1_000];
    for id in 1..=1_000 {
        world.says("c", &[call_with(id, "p.S/m", "x", None, Some(1 << 20))]);
        for line in world.told("w") {
            let number: usize = line.split(['#', ' ']).nth(2).unwrap().parse().unwrap();
            may[number - 1] += line.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        }
    }
    // All that they may.
    for (index, bytes) in may.iter().enumerate() {
        world.says("w", &[items(world.id(index + 1), &vec![b'i'; *bytes])]);
    }
    assert!(may.iter().all(|bytes| *bytes >= KIB), "each has some");
    assert_eq!((world.forwarder.calls(), world.forwarder.counters().ended), (1_000, 0));
    assert_eq!(world.told("c").len(), 1_000);
    // It has read: what they may send grows again.
    assert!(world.told("w").iter().any(|line| line.starts_with("credit")));
}

#[test]
fn credit_without_end_costs_no_memory() {
    let mut world = small();
    world.says("c", &[call_with(1, "p.S/m", "x", None, Some(u64::MAX))]);
    world.told("w");
    let id = world.id(1);
    for _ in 0..1_000 {
        world.says("c", &[credit(1, u64::MAX)]);
        world.says("w", &[credit(id, u64::MAX)]);
    }
    assert!(world.told("w").is_empty());
    assert!(world.told("c").is_empty());
    assert_eq!(world.forwarder.calls(), 1);
}
