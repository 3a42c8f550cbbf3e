//! Calls with equal keys go to the same worker, whatever becomes of the others.

use std::collections::BTreeMap;

use zsvc_proto::status::Status;

use super::world::{World, call_of, call_with_places, cancel, error, one_way, reply};
use crate::forwarder::{Limits, ShardKey};

const WORKERS: [&str; 4] = ["a", "b", "d", "e"];
/// Number of keys that are looked at.
const KEYS: u16 = 200;

fn key(method: &str, number: u16, parameter: &str) -> ShardKey {
    ShardKey { method: method.to_owned(), number, parameter: parameter.to_owned() }
}

/// A caller `c`, workers of a capacity, and methods that are spread by a key: `p.S/m` by its second parameter, `p.S/n` and `p.S/note` by
/// their first.
fn keyed(capacity: u32) -> World {
    let mut world = World::with(Limits::default());
    world.forwarder.set_shards([key("p.S/m", 2, "key"), key("p.S/n", 1, "key"), key("p.S/note", 1, "key")]);
    world.caller("c");
    for worker in WORKERS {
        world.worker(worker, capacity, 0);
    }
    world
}

/// The parameters of `p.S/m`: a list, and a key.
fn parameters(key: u16) -> Vec<u8> {
    let [high, low] = key.to_be_bytes();
    vec![0x92, 0x92, 1, 0xa1, b'x', 0xcd, high, low]
}

/// Returns the one worker that is told something, and the first line of it.
fn told(world: &mut World) -> (&'static str, String) {
    let told = WORKERS.map(|worker| (worker, world.told(worker).into_iter().next()));
    let mut told = told.into_iter().filter_map(|(worker, line)| Some((worker, line?)));
    let first = told.next().expect("a worker is told of it");
    assert_eq!(told.next(), None);
    first
}

/// Returns the worker that gets a call, which is answered.
fn worker_of(world: &mut World, method: &str, body: &[u8]) -> &'static str {
    world.says("c", &[call_of(1, method, body)]);
    let (worker, line) = told(world);
    let number = line.split(['#', ' ']).nth(2).and_then(|number| number.parse().ok());
    world.says(worker, &[reply(world.id(number.expect("the number of a call")), "")]);
    world.told("c");
    worker
}

/// Returns who has each key.
fn owners(world: &mut World) -> BTreeMap<u16, &'static str> {
    (0..KEYS).map(|key| (key, worker_of(world, "p.S/m", &parameters(key)))).collect()
}

#[test]
fn equal_keys_go_to_the_same_worker_in_every_form_and_method() {
    let mut world = keyed(10);
    let before = owners(&mut world);
    for worker in WORKERS {
        let share = before.values().filter(|owner| **owner == worker).count();
        assert!(share > usize::from(KEYS) / 8, "{worker} has {share}");
    }
    assert_eq!(owners(&mut world), before);
    for (key, owner) in before {
        let [high, low] = key.to_be_bytes();
        let by_name = [0x82, 0xa3, b'k', b'e', b'y', 0xce, 0, 0, high, low, 0xa1, b'x', 0xc0];
        assert_eq!(worker_of(&mut world, "p.S/m", &by_name), owner);
        assert_eq!(worker_of(&mut world, "p.S/n", &[0x91, 0xd1, high, low]), owner);
        world.says("c", &[one_way(&[0x91, 0xcd, high, low])]);
        assert_eq!(told(&mut world).0, owner);
    }
}

#[test]
fn a_worker_that_goes_moves_its_own_keys_alone_and_gets_them_back() {
    let mut world = keyed(10);
    let before = owners(&mut world);
    let is_moved = |world: &mut World, gone: &str| {
        let after = owners(world);
        assert!(after.values().all(|owner| *owner != gone), "it gets calls");
        before.iter().all(|(key, owner)| *owner == gone || after[key] == *owner)
    };
    world.down("b");
    assert!(is_moved(&mut world, "b"));
    world.up("b");
    world.told("b");
    assert_eq!(owners(&mut world), before, "though it starts slowly");
    let now = world.now;
    world.forwarder.drain_worker(world.worker_key("e"), true, now);
    assert!(is_moved(&mut world, "e"));
    world.forwarder.drain_worker(world.worker_key("e"), false, now);
    assert_eq!(owners(&mut world), before);
    world.leaves("a");
    assert!(is_moved(&mut world, "a"));
}

#[test]
fn a_worker_that_is_ejected_has_no_keys_until_it_is_tried() {
    let mut world = keyed(10);
    let before = owners(&mut world);
    let (key, owner) = before.iter().next().map(|(key, owner)| (*key, *owner)).unwrap();
    for number in 0..5 {
        world.says("c", &[call_of(1, "p.S/m", &parameters(key))]);
        assert_eq!(told(&mut world).0, owner);
        let id = world.id(usize::from(KEYS) + 1 + number);
        world.says(owner, &[error(id, &Status::unavailable("it is ill"))]);
        world.told("c");
    }
    let after = owners(&mut world);
    assert!(before.iter().all(|(key, was)| (*was == owner) != (after[key] == *was)));
    world.passes(std::time::Duration::from_secs(5));
    assert_eq!(owners(&mut world), before);
}

#[test]
fn calls_wait_for_their_worker_and_hold_up_no_others() {
    let mut world = keyed(1);
    let before = owners(&mut world);
    let of = |owner: &'static str| before.iter().filter(move |(_, it)| **it == owner).map(|(key, _)| *key);
    let (mine, other) = (of("a").take(3).collect::<Vec<_>>(), of("b").next().unwrap());
    let calls: Vec<_> = (1..).zip(&mine).map(|(id, key)| call_of(id, "p.S/m", &parameters(*key))).collect();
    world.says("c", &calls);
    let first = usize::from(KEYS) + 1;
    assert_eq!((world.told("a").len(), world.forwarder.queued()), (1, 2));
    world.says("c", &[call_of(4, "p.S/m", &parameters(other)), call_of(5, "p.S/else", &[])]);
    assert_eq!(world.told("b").len(), 1, "it has room");
    let (other_worker, _) = told(&mut world);
    assert!(["d", "e"].contains(&other_worker), "so have others, for calls without a key");
    world.says("a", &[reply(world.id(first), "")]);
    assert_eq!((world.told("a").len(), world.forwarder.queued()), (1, 1));
    // The last one goes to the worker that has its key once `a` is gone, as soon as that has room.
    world.down("a");
    world.says("b", &[reply(world.id(first + 1), "")]);
    world.says(other_worker, &[reply(world.id(first + 2), "")]);
    let (worker, line) = told(&mut world);
    assert!(worker != "a" && line.starts_with("call"), "{worker}: {line}");
    assert_eq!(world.forwarder.queued(), 0);
}

/// Calls without a key, which any worker may have, never end here.
#[test]
fn calls_with_a_key_and_calls_without_take_turns() {
    let mut world = World::with(Limits::default());
    world.forwarder.set_shards([key("p.S/n", 1, "key")]);
    world.caller("c");
    world.caller("d");
    world.worker("a", 1, 0);
    world.says("c", &(1..=10).map(|id| call_of(id, "p.S/else", b"any")).collect::<Vec<_>>());
    world.says("d", &[call_of(1, "p.S/n", &[0x91, 0x07]), call_of(2, "p.S/n", &[0x91, 0x07])]);
    let mut begun = Vec::new();
    for number in 1..=12 {
        let [line] = &world.told("a")[..] else { panic!("one call after the other") };
        begun.push(line.ends_with("any"));
        world.says("a", &[reply(world.id(number), "")]);
    }
    assert_eq!(world.forwarder.queued(), 0);
    assert_eq!(begun.iter().filter(|is_any| **is_any).count(), 10);
    assert_eq!(begun.iter().take(5).filter(|is_any| !**is_any).count(), 2, "{begun:?}");
}

#[test]
fn calls_wait_for_a_worker_where_there_is_none_and_the_first_one_gets_them() {
    let mut world = keyed(10);
    for worker in WORKERS {
        world.down(worker);
    }
    world.says("c", &(1..=8).map(|id| call_of(id, "p.S/m", &parameters(1))).collect::<Vec<_>>());
    assert_eq!(world.forwarder.queued(), 8);
    world.up("d");
    assert_eq!((world.told("d").len(), world.forwarder.queued()), (8, 0));
}

#[test]
fn a_key_that_can_not_be_read_is_refused_and_not_sent() {
    let mut world = keyed(10);
    let too_far = [&[0x92, 0xdd, 0, 1, 0, 0][..], &vec![0xc0; 65_536], &[5]].concat();
    let too_long = [&[0x92, 0xc0, 0xc5, 0xff, 0xff][..], &vec![7; 65_535]].concat();
    let bodies: [&[u8]; 9] = [
        b"",
        &[0xc0],
        &[0x91, 1],
        &[0x92, 1, 0xc0],
        &[0x92, 1, 0x90],
        &[0x92, 0xdd, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x81, 0xa1, b'x', 1],
        &too_far,
        &too_long,
    ];
    for body in bodies {
        world.says("c", &[call_of(1, "p.S/m", body)]);
        assert_eq!(world.told("c"), ["error 1 InvalidArgument NotSent"]);
    }
    assert_eq!((world.forwarder.counters().refused, world.forwarder.calls()), (9, 0));
    world.says("c", &[one_way(&[0x90])]);
    assert_eq!(world.forwarder.counters().dropped_one_way, 1);
    assert!(WORKERS.iter().all(|worker| world.told(worker).is_empty()), "nothing is sent");
    // Of a method without a key, a body is not looked at.
    world.says("c", &[call_of(1, "p.S/else", &[0xc1])]);
    assert!(told(&mut world).1.starts_with("call"));
}

#[test]
fn workers_of_one_name_share_its_keys() {
    let mut world = keyed(10);
    for worker in WORKERS {
        world.leaves(worker);
    }
    for worker in WORKERS {
        world.worker_called(worker, "tape", "", (10, 0));
        world.up(worker);
    }
    let before = owners(&mut world);
    for worker in WORKERS {
        let share = before.values().filter(|owner| **owner == worker).count();
        assert!(share > usize::from(KEYS) / 8, "{worker} has {share}");
    }
    // One goes, and another of the name comes, which has what the first had.
    world.leaves("b");
    let without = owners(&mut world);
    assert!(before.iter().all(|(key, owner)| *owner == "b" || without[key] == *owner));
    world.worker_called("b", "tape", "", (10, 0));
    world.up("b");
    assert_eq!(owners(&mut world), before);
    // The last one of the name has the keys that it would have had as the first.
    for worker in ["a", "b", "d"] {
        world.leaves(worker);
    }
    let mut anew = keyed(10);
    for worker in WORKERS {
        anew.leaves(worker);
    }
    anew.worker_called("e", "tape", "", (10, 0));
    anew.up("e");
    for world in [&mut world, &mut anew] {
        world.worker("a", 10, 0);
    }
    assert_eq!(owners(&mut world), owners(&mut anew));
}

#[test]
fn calls_that_wait_go_to_a_worker_that_comes_and_has_their_key() {
    let mut world = keyed(1);
    let before = owners(&mut world);
    let of_b: Vec<_> =
        before.iter().filter(|(_, owner)| **owner == "b").map(|(key, _)| *key).take(1).collect();
    world.down("b");
    let heir = worker_of(&mut world, "p.S/m", &parameters(of_b[0]));
    // It is full, with a call that never ends.
    world.says("c", &[call_of(1, "p.S/m", &parameters(of_b[0])), call_of(2, "p.S/m", &parameters(of_b[0]))]);
    assert_eq!((world.told(heir).len(), world.forwarder.queued()), (1, 1));
    world.up("b");
    assert_eq!((world.told("b").len(), world.forwarder.queued()), (1, 0));
    // The same where it was drained, and is resumed.
    let now = world.now;
    world.says("c", &[call_of(3, "p.S/m", &parameters(of_b[0]))]);
    world.forwarder.drain_worker(world.worker_key("b"), true, now);
    assert_eq!(world.forwarder.queued(), 1);
    world.says("b", &[reply(world.id(usize::from(KEYS) + 3), "")]);
    world.forwarder.drain_worker(world.worker_key("b"), false, now);
    assert_eq!((world.told("b").len(), world.forwarder.queued()), (1, 0));
}

const CALLERS: [&str; 6] = ["c", "d", "e", "f", "g", "h"];

/// Returns a router of which 20 calls may wait, with two workers that handle one at a time, and a key of each.
fn two_busy() -> (World, u8, u8) {
    let limits = Limits { max_queued: 20, ..Limits::default() };
    let mut world = World::with(limits);
    world.forwarder.set_shards([key("p.S/n", 1, "key")]);
    for worker in ["a", "b"] {
        world.worker(worker, 1, 0);
    }
    for caller in CALLERS {
        world.caller(caller);
    }
    let key_of = |world: &mut World, worker: &str| {
        (0..100)
            .find(|key| {
                world.says("c", &[call_of(1, "p.S/n", &[0x91, *key])]);
                let told = [world.told("a"), world.told("b")];
                let is_its = told[usize::from(worker == "b")].len() == 1;
                world.says("c", &[cancel(1)]);
                for end in ["a", "b", "c"] {
                    world.told(end);
                }
                is_its
            })
            .expect("each has some")
    };
    let keys = (key_of(&mut world, "a"), key_of(&mut world, "b"));
    (world, keys.0, keys.1)
}

/// Returns calls of these ids for a key.
fn calls_of(ids: std::ops::RangeInclusive<u64>, key: u8) -> Vec<Vec<u8>> {
    ids.map(|id| call_of(id, "p.S/n", &[0x91, key])).collect()
}

#[test]
fn a_caller_that_floods_one_key_leaves_places_to_others_of_its_worker() {
    let (mut world, hot, _) = two_busy();
    world.says("c", &calls_of(1..=30, hot));
    let told = world.told("c");
    assert!(
        !told.is_empty() && told.iter().all(|line| line.ends_with("ResourceExhausted NotSent Overloaded"))
    );
    let waiting = world.forwarder.queued();
    for caller in ["d", "e"] {
        world.says(caller, &calls_of(1..=1, hot));
        assert_eq!(world.told(caller), Vec::<String>::new());
    }
    assert_eq!(world.forwarder.queued(), waiting + 2);
}

#[test]
fn a_worker_that_hangs_leaves_half_of_the_queue_to_others() {
    let (mut world, hung, other) = two_busy();
    let callers = CALLERS;
    for caller in callers {
        world.says(caller, &(1..=4).map(|id| call_of(id, "p.S/n", &[0x91, hung])).collect::<Vec<_>>());
    }
    assert_eq!(world.forwarder.queued(), 10);
    let told: Vec<_> = callers.iter().flat_map(|caller| world.told(caller)).collect();
    assert_eq!(told.len(), 24 - 1 - 10);
    assert!(told.iter().all(|line| line.ends_with("ResourceExhausted NotSent Overloaded")), "{told:?}");
    // One runs, and the others wait.
    world.says("h", &(11..=13).map(|id| call_of(id, "p.S/n", &[0x91, other])).collect::<Vec<_>>());
    assert_eq!((world.told("b").len(), world.forwarder.queued(), world.told("h").len()), (1, 12, 0));
    // Once those have ended, there is room for others of its key.
    for caller in callers {
        world.says(caller, &(1..=4).map(cancel).collect::<Vec<_>>());
    }
    world.says("c", &(1..=4).map(|id| call_of(id, "p.S/n", &[0x91, hung])).collect::<Vec<_>>());
    assert_eq!(world.told("c"), Vec::<String>::new());
}

/// A one-way call that was taken is not dropped because its method has a key by now.
#[test]
fn a_one_way_call_whose_key_can_not_be_read_after_a_reload_goes_to_any_worker() {
    let mut world = keyed(10);
    world.forwarder.set_shards([]);
    world.says("c", &[one_way(b"no parameters")]);
    world.forwarder.set_shards([key("p.S/note", 1, "key")]);
    let told = WORKERS.map(|worker| world.forwarder.is_worker_idle(world.worker_key(worker)));
    let first = WORKERS[told.iter().position(|is_idle| !is_idle).expect("one has it")];
    world.down(first);
    assert_eq!(told_line(&mut world), "one-way 0 no parameters");
    assert_eq!(world.forwarder.counters().dropped_one_way, 0);
}

fn told_line(world: &mut World) -> String {
    told(world).1
}

/// The body of a call, its places of attachments, and these.
type Call<'a> = (&'a [u8], &'a [u8], &'a [&'a [u8]]);

#[test]
fn keys_are_read_beside_and_within_attachments() {
    let mut world = keyed(10);
    let before = owners(&mut world);
    for (key, owner) in before {
        let [high, low] = key.to_be_bytes();
        let long = vec![7; 40_000];
        // The first parameter is 40,000 bytes, which are attached, with their header in the body.
        let body = [0x92, 0xc5, 0x9c, 0x40, 0xcd, high, low];
        let calls: [Call<'_>; 3] = [
            (&body, &[4], &[&long]),
            // In two pieces; and the key itself is in one, and then in two.
            (&body[..4], &[4, 4], &[&long, &[0xcd, high, low]]),
            (&[0x92, 0xc0, 0xcd], &[3, 3], &[&[high], &[low]]),
        ];
        for (body, places, attachments) in calls {
            world.says_with("c", &call_with_places(1, "p.S/m", body, places), attachments);
            assert_eq!(told(&mut world).0, owner);
            world.says("c", &[cancel(1)]);
            for worker in WORKERS {
                world.told(worker);
            }
        }
    }
    // A key that is cut off.
    world.says_with("c", &call_with_places(1, "p.S/m", &[0x92, 0xc0, 0xcd], &[3]), &[&[1]]);
    assert_eq!(world.told("c"), ["error 1 InvalidArgument NotSent"]);
}
