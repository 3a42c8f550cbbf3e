//! How many calls a worker has that has just come, beside others: one that is listed, and one that registers, which is another worker each
//! time.

use std::time::Duration;

use super::world::{World, call};
use crate::forwarder::Limits;

const SECOND: Duration = Duration::from_secs(1);

/// A caller, and a worker `old` that is full.
fn full() -> World {
    let mut world = World::with(Limits::default());
    world.caller("c");
    world.worker("old", 1, 0);
    world
}

/// Makes that many calls, and returns how many of them a worker has got.
fn gets(world: &mut World, worker: &str, calls: u64) -> usize {
    world.says("c", &(1..=calls).map(|id| call(id, "x")).collect::<Vec<_>>());
    world.told(worker).len()
}

#[test]
fn the_first_workers_of_a_router_share_all_calls_at_once() {
    let mut world = full();
    world.passes(9 * SECOND);
    world.worker("new", 100, 0);
    assert_eq!(gets(&mut world, "new", 60), 60);
}

#[test]
fn one_that_joins_others_which_have_been_here_for_a_while_starts_slowly() {
    let mut world = full();
    world.passes(11 * SECOND);
    world.worker("new", 100, 0);
    assert_eq!(gets(&mut world, "new", 60), 10);
    // As its share grows, those that wait come.
    world.passes(3 * SECOND);
    assert_eq!(world.told("new").len(), 20);
}

#[test]
fn one_that_registers_again_starts_slowly() {
    let mut world = full();
    world.worker("new", 100, 0);
    world.leaves("new");
    world.worker("new", 100, 0);
    assert_eq!(gets(&mut world, "new", 60), 10);
}

#[test]
fn one_that_has_never_come_up_before_is_no_one_that_is_back() {
    let mut world = full();
    world.worker_down("new", 100, 0);
    world.leaves("new");
    world.worker("new", 100, 0);
    assert_eq!(gets(&mut world, "new", 60), 60);
}

#[test]
fn one_that_joins_others_of_another_service_or_that_are_lost_takes_all_at_once() {
    let mut world = full();
    world.worker_of("eu", "eu", 1, 0);
    world.up("eu");
    world.passes(11 * SECOND);
    world.down("old");
    world.worker("new", 100, 0);
    assert_eq!(gets(&mut world, "new", 60), 60);
}
