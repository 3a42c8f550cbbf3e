//! `@len` and `@range` are checked before a handler sees a value, at any depth.

use std::collections::BTreeMap;

use futures_util::stream;
use zsvc::{Code, Outcome};
use zsvc_calls::probe::v1::{Chest, Lid};

use crate::support::{Running, on_one_thread};

fn chest() -> Chest {
    Chest { level: 1, label: "ok".to_owned(), inside: Vec::new(), lid: None, by_name: BTreeMap::new() }
}

fn closed(lid: Lid) -> Chest {
    Chest { lid: Some(Box::new(lid)), ..chest() }
}

/// Returns chests that break a bound, with the expected messages.
fn broken() -> Vec<(Chest, &'static str)> {
    let low = Chest { level: 0, ..chest() };
    let long = Chest { label: "123456789".to_owned(), ..chest() };
    let deep = Chest { inside: vec![chest(), Chest { inside: vec![low.clone()], ..chest() }], ..chest() };
    let locked = Lid::Lock { code: 10_000 };
    let lid = closed(Lid::Nested(Box::new(closed(locked.clone()))));
    let named = Chest {
        by_name: BTreeMap::from([("a".to_owned(), Lid::Plain), ("b".to_owned(), locked)]),
        ..chest()
    };
    vec![
        (low, "chest.level: 0 is not in 1..=9"),
        (Chest { level: 10, ..chest() }, "chest.level: 10 is not in 1..=9"),
        (long, "chest.label"),
        (Chest { label: String::new(), ..chest() }, "chest.label"),
        (Chest { inside: vec![chest(); 4], ..chest() }, "chest.inside"),
        (deep, "chest.inside[1].inside[0].level: 0 is not in 1..=9"),
        (lid, "chest.lid.lid.code: 10000 is not in 0..=9999"),
        (named, "chest.by_name"),
    ]
}

#[test]
fn a_broken_bound_is_answered_with_its_path_and_no_handler_runs() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        for (chest, path) in broken() {
            let status = probe.put(chest).await.unwrap_err();
            assert_eq!((status.code(), status.outcome()), (Code::InvalidArgument, Outcome::NotSent));
            assert!(status.message().starts_with(path), "`{}` is not about `{path}`", status.message());
        }
        assert_eq!(server.journal.count("put"), 0);
        assert_eq!(server.counters.calls(), server.counters.refused_calls());
    });
}

#[test]
fn a_value_at_its_bounds_passes() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let inside = vec![closed(Lid::Lock { code: 9_999 }); 3];
        // Length is counted in characters, not in bytes.
        let largest = Chest { level: 9, label: "äöüÄÖÜß€".to_owned(), inside, ..chest() };
        assert_eq!(probe.put(largest).await, Ok(9));
    });
}

#[test]
fn an_item_of_a_stream_keeps_to_its_bounds() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        assert_eq!(probe.put_all(stream::iter([chest(), chest()])).await, Ok(2));
        let status =
            probe.put_all(stream::iter([chest(), Chest { level: 77, ..chest() }])).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "level: 77 is not in 1..=9");
    });
}
