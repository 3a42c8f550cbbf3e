//! Realms, in which callers see their own workers alone; and quotas.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use zsvc::Identity;
use zsvc_proto::status::{Cause, Status};

use super::world::{MS, World, call, items, one_way, reply};
use crate::forwarder::{Beyond, Limits};
use crate::quota::{Allowance, Quota};
use crate::rights::{Grant, Realm, Rights, Rules, Scope};

/// What a client of a role may do, where the role `eu-desk` is of the realm `eu`.
fn rights(role: &str) -> Arc<Rights> {
    let realm = Realm { name: "eu".to_owned(), roles: vec!["eu-desk".to_owned()] };
    let rules = Rules { realms: vec![realm], ..Rules::default() };
    Rights::of(&rules, Some(&Identity::new("x").with_role(role)), None)
}

#[test]
fn callers_see_the_workers_of_their_realm_alone() {
    let mut world = World::with(Limits::default());
    world.caller_with("eu", rights("eu-desk"));
    world.caller_with("other", rights("desk"));
    world.worker_of("eu", "w", 100, 0);
    world.up("w");
    world.says("other", &[call(1, "x"), one_way(b"n")]);
    assert_eq!(world.told("other"), ["error 1 Unimplemented NotSent NoSuchMethod"]);
    world.says("eu", &[call(1, "x")]);
    assert_eq!(world.told("w"), ["call #1 x"]);
    // The same service of another realm is another one.
    world.worker("v", 100, 0);
    world.says("other", &[call(2, "y")]);
    assert_eq!((world.told("v").len(), world.told("w").len()), (1, 0));
    // A one-way call that moves stays in its realm.
    world.says("eu", &[one_way(b"n")]);
    world.down("w");
    assert!(world.told("v").is_empty());
    world.up("w");
    assert_eq!(world.told("w"), ["one-way 0 n"]);
}

#[test]
fn a_caller_whose_realm_changes_calls_there_from_then_on() {
    let mut world = World::pair();
    world.worker_of("eu", "v", 100, 0);
    world.up("v");
    let key = world.caller_key("c");
    world.says("c", &[call(1, "x")]);
    world.forwarder.set_rights(key, rights("eu-desk"));
    world.says("c", &[call(2, "y")]);
    assert_eq!(
        (world.told("w"), world.told("v")),
        (vec!["call #1 x".to_owned()], vec!["call #2 y".to_owned()])
    );
    world.says("w", &[reply(world.id(1), "X")]);
    assert_eq!(world.told("c"), ["reply 1 X"], "what was begun goes on");
}

#[test]
fn what_a_worker_may_not_do_any_more_is_found() {
    let mut world = World::with(Limits::default());
    world.worker_of("eu", "w", 100, 0);
    let key = world.worker_key("w");
    let beyond = |role: &str, serve: &[&str]| {
        let realm = Realm { name: "eu".to_owned(), roles: vec!["eu-desk".to_owned()] };
        let serve = serve.iter().filter_map(|scope| Scope::read(scope)).collect();
        let grant = Grant { realm: "eu".to_owned(), serve, ..Grant::default() };
        let rules = Rules { realms: vec![realm], grants: vec![grant], ..Rules::default() };
        let rights = Rights::of(&rules, Some(&Identity::new("x").with_role(role)), None);
        world.forwarder.worker_beyond(key, &rights)
    };
    assert_eq!(beyond("eu-desk", &["p.*"]), None);
    assert_eq!(beyond("eu-desk", &["q.*"]), Some(Beyond::Service("p.S".to_owned())));
    assert_eq!(beyond("desk", &["p.*"]), Some(Beyond::Realm));
}

#[test]
fn nothing_of_a_client_that_is_taken_out_begins_any_more() {
    let mut world = World::with(Limits::default());
    world.worker("w", 1, 0);
    world.worker_down("v", 1, 0);
    world.caller("c");
    world.caller("d");
    world.says("c", &[call(1, "x"), call(2, "y")]);
    assert_eq!(world.told("w"), ["call #1 x"]);
    world.down("w");
    world.told("c");
    for name in ["c", "d"] {
        world.says(name, &[call(3, name), one_way(name.as_bytes())]);
    }
    let why = Status::unauthenticated("not any more").caused_by(Cause::Forbidden).maybe_executed();
    world.forwarder.revoke(&HashSet::from([world.caller_key("c")]), &why, world.now);
    let told = world.told("c");
    assert_eq!(told[0], "going away");
    let mut ended = told[1..].to_vec();
    ended.sort();
    let not_sent = |id: u64| format!("error {id} Unauthenticated NotSent Forbidden");
    assert_eq!(ended, [not_sent(2), not_sent(3)]);
    world.leaves("c");
    world.up("v");
    assert_eq!(world.told("v"), ["one-way 0 d", "call #2 d"]);
    let counted = world.forwarder.counters();
    assert_eq!((counted.revoked_connections, counted.dropped_one_way), (1, 1));
}

#[test]
fn calls_past_a_quota_are_refused_until_others_have_ended() {
    let mut world = World::with(Limits::default());
    world.worker("w", 100, 0);
    let quota = Quota { max_calls: Some(2), ..Quota::default() };
    let allowance = Allowance::new(quota, world.now);
    // Two connections of one client.
    for name in ["c", "d"] {
        world.caller_with(name, Rights::of(&Rules::default(), None, Some(Arc::clone(&allowance))));
    }
    world.says("c", &[call(1, "x")]);
    world.says("d", &[call(1, "x"), call(2, "y")]);
    assert_eq!(world.told("d"), ["error 2 ResourceExhausted NotSent Overloaded"]);
    assert_eq!(world.told("w").len(), 2);
    world.says("w", &[reply(world.id(1), "X")]);
    world.says("d", &[call(3, "z")]);
    assert!(world.told("d").is_empty());
    world.leaves("d");
    world.says("c", &[call(2, "a"), call(3, "b")]);
    assert_eq!(world.told("c"), ["reply 1 X"]);
}

#[test]
fn bytes_past_a_quota_are_paid_back() {
    let mut world = World::with(Limits::default());
    world.worker("w", 100, 0);
    let quota = Quota { bytes_per_second: Some(1_000), ..Quota::default() };
    let allowance = Allowance::new(quota, world.now);
    world.caller_with("c", Rights::of(&Rules::default(), None, Some(allowance)));
    world.says("c", &[call(1, "x"), items(1, &[b'i'; 2_000]), call(2, "y"), one_way(b"n")]);
    assert_eq!(world.told("c"), ["error 2 ResourceExhausted NotSent Overloaded"]);
    assert_eq!(world.forwarder.counters().dropped_one_way, 1);
    world.passes(Duration::from_secs(1));
    world.passes(2 * MS);
    world.says("c", &[call(3, "z")]);
    assert!(world.told("c").is_empty());
}
