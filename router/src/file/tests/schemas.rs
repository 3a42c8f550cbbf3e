//! Configurations whose names are checked against schemas.

use crate::file::parse;

/// Returns what is wrong with a configuration that has `text` behind where it listens, beside schemas.
fn against_schemas(text: &str) -> String {
    parse_beside_schemas(&format!("listen = [\"tcp://127.0.0.1:7200\"]\n{text}"))
}

/// Writes schemas, and a configuration beside them, and returns what is wrong with it.
fn parse_beside_schemas(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("svc/market");
    std::fs::create_dir_all(&below).unwrap();
    let tape = "package market.v1;\nservice Tape {\n  rpc last(symbol: string) -> u64;\n}\nevent Price {\n  at: u64 = 1;\n}\n";
    std::fs::write(below.join("tape.svc"), tape).unwrap();
    std::fs::create_dir_all(folder.path().join("svc/none")).unwrap();
    std::fs::write(folder.path().join("svc/none/other.svc"), "package other.v1;\nservice A {}\n").unwrap();
    std::fs::write(folder.path().join("broken.svc"), "package broken.v1;\nstruct {\n").unwrap();
    let worse = "package worse.v1;\nstruct A {\n  a: Nowhere = 1;\n  b: Neither = 2;\n}\n";
    std::fs::write(folder.path().join("worse.svc"), worse).unwrap();
    match parse(&folder.path().join("router.toml"), text) {
        Ok(_) => String::new(),
        // Without the folder, which has another name each time.
        Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
    }
}

#[test]
fn names_that_schemas_have_are_right() {
    let text = r#"schemas = ["svc"]
[[grant]]
call = ["*", "market.*", "market.v1.*", "market.v1.Tape", "market.v1.Tape/last", "market.v1.Price/subscribe", "zsvc.health.v1.Health"]
serve = ["market.v1.Tape"]
[[worker]]
connect = "tcp://127.0.0.1:7101"
services = ["market.v1.Tape", "market.v1.Price"]
"#;
    assert_eq!(against_schemas(text), "");
}

#[test]
fn names_that_no_schema_has_are_told_with_the_nearest_one() {
    let text = r#"schemas = ["svc/market/tape.svc"]
[[grant]]
call = ["market.v1.Tape/lasst", "market.v1.Tpae", "market.v2.*", "market.v1.Price/publish", "other.v1.Other"]
[[worker]]
connect = "tcp://127.0.0.1:7101"
services = ["market.v1.Tapes"]
"#;
    let told = against_schemas(text);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "router.toml:4:9: `market.v1.Tape` has no method `lasst`; did you mean `market.v1.Tape/last`?",
            "router.toml:4:33: no schema has a service or event `market.v1.Tpae`; did you mean `market.v1.Tape`?",
            "router.toml:4:51: no schema has a package `market.v2`; did you mean `market.v1.*`?",
            "router.toml:4:66: `market.v1.Price` has no method `publish`; write the name as in the `.svc` files, or add the file to `schemas`",
            "router.toml:4:93: no schema has a service or event `other.v1.Other`; write the name as in the `.svc` files, or add the file to `schemas`",
            "router.toml:7:13: no schema has a service or event `market.v1.Tapes`; did you mean `market.v1.Tape`?",
        ]
    );
}

#[test]
fn events_are_checked_against_schemas_and_are_known_to_the_router() {
    let text = r#"schemas = ["svc"]
relay = ["market.v1.Price"]
[[grant]]
publish = ["*", "market.*", "market.v1.Price"]
subscribe = ["market.v1.Price"]
"#;
    assert_eq!(against_schemas(text), "");
    let wrong = r#"schemas = ["svc"]
[[grant]]
publish = ["market.v1.Prize", "market.v1.Tape", "market.v2.*", "market.v1.Price/publish"]
subscribe = ["market.v1.Tape", "other.v1.Other"]
"#;
    let told = against_schemas(wrong);
    let lines: Vec<_> = told.lines().collect();
    let unknown = "write the name as in the `.svc` files, or add the file to `schemas`";
    assert_eq!(
        lines,
        [
            "router.toml:4:12: no schema has an event `market.v1.Prize`; did you mean `market.v1.Price`?".to_owned(),
            "router.toml:4:31: `market.v1.Tape` is a service, and no event; name an event".to_owned(),
            "router.toml:4:49: no schema has a package `market.v2`; did you mean `market.v1.*`?".to_owned(),
            "router.toml:4:64: `market.v1.Price/publish` names no events; write `\"*\"`, a package as `\"market.v1.*\"`, or an event as `\"market.v1.Price\"`".to_owned(),
            "router.toml:5:14: `market.v1.Tape` is a service, and no event; name an event".to_owned(),
            format!("router.toml:5:32: no schema has an event `other.v1.Other`; {unknown}"),
        ]
    );
    let without = against_schemas("[[grant]]\npublish = [\"market.v1.Price\"]\n");
    assert_eq!(
        without,
        "router.toml:3:11: the router has to know what these events are, and there is no schema; add `schemas`, with the files that declare \
         them"
    );
}

#[test]
fn schemas_that_can_not_be_had_are_all_told() {
    let told = against_schemas("schemas = [\"nowhere.svc\", \"svc\", \"none\", \".\"]\n");
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(
        told.starts_with("router.toml:2:12: there is no file `nowhere.svc`; name a `.svc` file"),
        "{told}"
    );
    assert!(told.contains("\nrouter.toml:2:34: there is no file `none`"), "{told}");
    let broken = against_schemas("schemas = [\"broken.svc\", \"worse.svc\"]\n");
    assert!(broken.starts_with("router.toml:2:11: a schema is wrong: broken.svc:2:8: error["), "{broken}");
    assert_eq!(broken.matches("router.toml:2:11: a schema is wrong: worse.svc:").count(), 2, "{broken}");
}

#[test]
fn events_that_no_schema_has_are_not_published_whatever_is_written() {
    let none = "schemas = [\"svc/none\"]\nrelay = [\"*\"]\n[[grant]]\npublish = [\"*\"]\n";
    let help = "declare one, or remove this";
    assert_eq!(
        against_schemas(none),
        format!(
            "router.toml:3:10: no schema has an event; {help}\nrouter.toml:5:12: no schema has an event; {help}"
        )
    );
}

/// Of all kinds: of keys, values, names, places, files, and of what does not go together.
#[test]
fn twenty_mistakes_are_told_with_their_places_whatever_they_are_about() {
    let text = r#"listen = ["tcp://127.0.0.1:7200", "tcp://[::ffff:127.0.0.1]:7200", "unix:///run/x"]
schemas = ["svc"]
relay = ["market.v1.Prize"]
max_message_size = "2TiB"
[limits]
max_wait = "soon"
max_wait = "1s"
[[realm]]
name = "eu"
roles = ["eu"]
[[grant]]
realm = "us"
call = ["market.v1.Tape/lasst", "market.v2.*", "*"]
[[grant]]
publish = ["market.v1.Tape", "market.v1.Price"]
serve = ["market.v1.Tapes"]
grants = ["*"]
[[quota]]
calls_per_second = -1
[[worker]]
connect = "tcp://LOCALHOST:7101"
services = ["market.v1.Tape", "market.v1.Pric"]
[[worker]]
connect = "tcp://localhost:07101"
services = ["market.v1.Price", "market.v1.Tape"]
capacity = 0
[[worker]]
connect = "tcp://127.0.0.1:7200"
services = ["market.v1.Tape"]
public_key_file = "none.key"
[[worker]]
connect = "tcp://localhost:7101"
services = ["market.v1.Tape"]
realm = "eu"
name = "of another realm"
[[discover]]
dns = "tape:7100"
[metrics]
listen = "everywhere"
"#;
    let told = parse_beside_schemas(text);
    for (place, what) in [
        ("1:35", "the router listens at `tcp://[::ffff:127.0.0.1]:7200` already; remove one"),
        ("1:68", "can't listen at `unix:///run/x`; "),
        ("3:10", "no schema has an event `market.v1.Prize`; did you mean `market.v1.Price`?"),
        ("4:20", "`2TiB` is not a size; "),
        ("6:12", "`soon` is not a time; "),
        ("7:1", "duplicate key; remove one of the two"),
        ("12:9", "there is no realm `us`; "),
        ("13:9", "`market.v1.Tape` has no method `lasst`; did you mean `market.v1.Tape/last`?"),
        ("13:33", "no schema has a package `market.v2`; did you mean `market.v1.*`?"),
        ("15:12", "`market.v1.Tape` is a service, and no event; "),
        ("16:10", "no schema has a service or event `market.v1.Tapes`; did you mean `market.v1.Tape`?"),
        ("17:1", "there is no key `grants`; "),
        ("19:20", "`-1` is out of bounds; "),
        ("22:31", "no schema has a service or event `market.v1.Pric`; did you mean `market.v1.Price`?"),
        ("23:1", "another worker at `tcp://localhost:07101` has `market.v1.Tape` already; "),
        ("26:12", "`0` is out of bounds; "),
        ("27:1", "the router itself listens at `tcp://127.0.0.1:7200`; name where the worker listens"),
        ("30:19", "the router has no key of its own to encrypt by; "),
        ("30:19", ""),
        ("36:1", "it is not said what is looked for; "),
        ("39:10", "`everywhere` is no address with a port; "),
    ] {
        let line = format!("router.toml:{place}: {what}");
        assert!(told.lines().any(|told| told.starts_with(&line)), "{line}\nis not in\n{told}");
    }
    assert_eq!(told.lines().filter(|line| !line.contains("without the feature")).count(), 21, "{told}");
}

#[test]
fn mistakes_past_those_that_are_told_are_counted() {
    let told = against_schemas(&"[[grant]]\n".repeat(300));
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 201);
    assert!(lines[199].starts_with("router.toml:201:1: this grants nothing; "), "{}", lines[199]);
    assert_eq!(
        lines[200],
        "router.toml:202:1: from here on there are 100 mistakes more; mend the others first"
    );
}
