//! What a configuration file says, and all that may be wrong with one.

mod schemas;

use std::path::Path;
use std::time::Duration;

use super::parse;
use crate::discovery::Source;
use crate::rights::Scope;

fn mistakes(text: &str) -> String {
    parse(Path::new("router.toml"), text).map(drop).map_err(|error| error.to_string()).unwrap_err()
}

#[test]
fn everything_that_can_be_said() {
    let text = r#"
listen = ["tcp://127.0.0.1:7200", "ipc:///run/router.sock"]
grace = "30s"
max_message_size = "1MiB"
deny_plaintext = true

[limits]
max_calls = 50_000
max_calls_per_caller = 1_000
max_queued = 500
max_queued_bytes = "8MiB"
max_wait = "1500ms"
max_unsent_per_worker = 1048576
max_unsent_per_caller = "16MiB"
slow_start = "1min"

[[worker]]
name = "tape-1"
connect = "tcp://10.0.0.7:7100"
services = ["market.v1.Tape", "market.v1.Desk"]
capacity = 64
standby = 1

[[worker]]
connect = "tcp://10.0.0.8:7100"
services = ["market.v1.Tape"]
"#;
    let config = parse(Path::new("router.toml"), text).unwrap();
    assert_eq!(config.listen.len(), 2);
    assert_eq!((config.grace, config.settings.max_message_size), (Duration::from_secs(30), 1 << 20));
    assert!(config.deny_plaintext);
    let limits = config.limits;
    assert_eq!((limits.max_calls, limits.max_queued_bytes), (50_000, 8 << 20));
    assert_eq!((limits.max_wait, limits.slow_start), (Duration::from_millis(1_500), Duration::from_secs(60)));
    let worker = &config.workers[0].worker;
    assert_eq!((worker.name.as_str(), worker.capacity, worker.standby), ("tape-1", 64, 1));
    assert_eq!(worker.services, ["market.v1.Tape", "market.v1.Desk"]);
    assert_eq!(config.workers[1].worker.name, "tcp://10.0.0.8:7100");
}

#[cfg(feature = "prometheus")]
#[test]
fn where_metrics_are_told() {
    let metrics = |listen: &str| format!("listen = [\"tcp://127.0.0.1:*\"]\n[metrics]\n{listen}\n");
    for (listen, address) in [
        ("listen = \"127.0.0.1:9100\"", "127.0.0.1:9100"),
        ("listen = \"[::1]:*\"", "[::1]:0"),
        ("listen = \"10.0.0.7:9100\"", "10.0.0.7:9100"),
    ] {
        let config = parse(Path::new("router.toml"), &metrics(listen)).unwrap();
        assert_eq!(config.metrics, Some(address.parse().unwrap()));
    }
    let help = "write an address with a port: `\"127.0.0.1:9100\"`";
    for (listen, told) in [
        ("listen = \"localhost:9100\"", format!("3:10: `localhost:9100` is no address with a port; {help}")),
        ("listen = \"127.0.0.1:0\"", format!("3:10: `127.0.0.1:0` is no address with a port; {help}")),
        ("listen = \"127.0.0.1\"", format!("3:10: `127.0.0.1` is no address with a port; {help}")),
        ("lisen = 1", "3:1: there is no key `lisen`; did you mean `listen`?".to_owned()),
        ("", "2:1: it is not said where metrics are told; add `listen`".to_owned()),
    ] {
        assert!(mistakes(&metrics(listen)).contains(&format!("router.toml:{told}")), "{listen}");
    }
    let private = format!("deny_plaintext = true\n{}", metrics("listen = \"10.0.0.7:9100\""));
    assert!(mistakes(&private).starts_with("router.toml:4:10: other machines could read the metrics"));
}

#[test]
fn twenty_mistakes_are_told_with_their_places() {
    let text = r#"lisen = ["tcp://*:7200"]
grace = 10
max_message_size = "16 apples"
deny_plaintext = "yes"
access_file = "access.toml"

[limits]
max_calls = 0
max_callers = 5
max_wait = "25h"
slow_start = "-1s"
max_unsent_per_worker = "1KiB"
max_queued = "many"

[[worker]]
name = ""
connect = "tcp//10.0.0.7:7100"
services = []
capacity = 1.5

[[worker]]
name = "a"
connect = "tcp://10.0.0.7:7100"
services = ["Tape", "market.v1.Tape", "market.v1.Tape"]

[[worker]]
name = "a"
connect = "tcp://10.0.0.7"
services = "market.v1.Tape"
public_key_file = "nowhere.key"

[[worker]]
sevices = ["market.v1.Tape"]
"#;
    let told = mistakes(text);
    let places: Vec<_> = told.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        [
            "router.toml:1:1:",
            "router.toml:1:1:",
            "router.toml:2:9:",
            "router.toml:3:20:",
            "router.toml:4:18:",
            "router.toml:5:1:",
            "router.toml:8:13:",
            "router.toml:9:1:",
            "router.toml:10:12:",
            "router.toml:11:14:",
            "router.toml:12:25:",
            "router.toml:13:14:",
            "router.toml:16:8:",
            "router.toml:17:11:",
            "router.toml:18:12:",
            "router.toml:19:12:",
            "router.toml:24:13:",
            "router.toml:24:39:",
            "router.toml:26:1:",
            "router.toml:28:11:",
            "router.toml:29:12:",
            "router.toml:30:19:",
            "router.toml:30:19:",
            "router.toml:32:1:",
            "router.toml:32:1:",
            "router.toml:33:1:",
        ],
        "{told}"
    );
    for part in [
        "there is no key `lisen`; did you mean `listen`?",
        "the router listens nowhere; add `listen = [\"tcp://127.0.0.1:7200\"]`",
        "a time is needed here, and this is a number; write `\"10s\"`",
        "`16 apples` is not a size",
        "`0` is out of bounds; write a number from 1 to 1000000",
        "there is no key `max_callers`; did you mean `max_calls`?",
        "two workers are called `a`; give each a `name` of its own",
        "`Tape` is no name of a service",
        "`market.v1.Tape` stands here twice; remove one",
        "a worker has `connect`; add an endpoint",
    ] {
        assert!(told.contains(part), "`{part}` is not in\n{told}");
    }
}

#[test]
fn a_mistake_of_syntax_is_told_alone() {
    let told = mistakes("listen = [\n\"tcp://*:7200\"\nworker = 1\n");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.starts_with("router.toml:3:"), "{told}");
}

#[test]
fn processes_get_their_numbers() {
    let text = r#"
listen = ["tcp://127.0.0.1:7200"]

[[worker]]
name = "tape"
command = ["./tape-server", "--bind", "ipc:///run/tape-{n}.sock"]
count = 2
connect = "ipc:///run/tape-{n}.sock"
services = ["market.v1.Tape"]

[[worker]]
name = "desk"
command = ["./desk-server", "--register", "tcp://127.0.0.1:7200"]
"#;
    let config = parse(Path::new("/etc/zsvc/router.toml"), text).unwrap();
    let names: Vec<_> = config.processes.iter().map(|process| process.name.as_str()).collect();
    assert_eq!(names, ["tape-1", "tape-2", "desk"]);
    assert_eq!(config.processes[1].command[2], "ipc:///run/tape-2.sock");
    assert_eq!(config.processes[1].folder, Path::new("/etc/zsvc"));
    assert_eq!(config.workers.len(), 2, "the third registers");
    assert_eq!(config.workers[1].endpoint, "ipc:///run/tape-2.sock");
}

#[test]
fn processes_that_do_not_go_together_are_told() {
    let told = mistakes(
        "listen = [\"tcp://*:7200\"]\n\n[[worker]]\ncommand = [\"x\"]\ncount = 2\nconnect = \"ipc:///x\"\nservices = [\"a.B\"]\n\n\
         [[worker]]\nname = \"y\"\ncount = 2\nconnect = \"ipc:///{n}\"\nservices = [\"a.B\"]\n\n[[worker]]\nname = \"z\"\ncommand = []\n",
    );
    for part in [
        "router.toml:3:1: a process has `name`",
        "router.toml:3:1: all of these processes would listen at one endpoint",
        "router.toml:9:1: there is no `command` to run several of",
        "router.toml:17:11: this command is empty",
    ] {
        assert!(told.contains(part), "`{part}` is not in\n{told}");
    }
}

#[test]
fn places_where_workers_are_found() {
    let text = r#"
listen = ["tcp://127.0.0.1:7200"]

[[discover]]
dns = "tape.example:7100"
services = ["market.v1.Tape"]
capacity = 64
standby = 1
"#;
    let config = parse(Path::new("router.toml"), text).unwrap();
    let discovered = &config.discovered[0];
    assert_eq!(discovered.source, Source::Dns { host: "tape.example".to_owned(), port: 7100 });
    assert_eq!((discovered.capacity, discovered.standby), (64, 1));
    assert_eq!(discovered.services, ["market.v1.Tape"]);
}

#[test]
fn places_where_no_worker_can_be_found_are_told() {
    let text = r#"listen = ["tcp://127.0.0.1:7200"]
[[discover]]
services = ["market.v1.Tape"]
[[discover]]
dns = "tape.example"
prefix = "/x"
[[discover]]
dns = "tape.example:0"
srv = "_tape._tcp.example.com"
services = ["Tape"]
"#;
    let told = mistakes(text);
    for mistake in [
        "router.toml:2:1: it is not said where workers are found; write one of `dns`, `srv` and `etcd`",
        "router.toml:4:1: it is not said what is looked for; add the names of services: `[\"market.v1.Tape\"]`",
        "router.toml:4:1: only etcd has keys; remove `prefix`",
        "router.toml:5:7: `tape.example` has no name and port; write a name and a port: `\"tape.example:7100\"`",
        "router.toml:7:1: workers are found in one place of each `[[discover]]`; write one of `dns`, `srv` and `etcd`",
        "router.toml:8:7: `tape.example:0` has no name and port; write a name and a port: `\"tape.example:7100\"`",
        "router.toml:10:13: `Tape` is no name of a service; write the names of services: `[\"market.v1.Tape\"]`",
    ] {
        assert!(told.lines().any(|line| line == mistake), "{mistake}\nis not in\n{told}");
    }
}

#[test]
fn realms_grants_and_quotas() {
    let text = r#"
listen = ["tcp://127.0.0.1:7200"]

[[realm]]
name = "eu"
roles = ["eu-desk", "eu-worker"]

[[grant]]
realm = "eu"
roles = ["eu-desk"]
call = ["market.v1.Tape"]
subscribe = ["market.v1.Price"]

[[quota]]
roles = ["eu-desk"]
max_calls = 50
calls_per_second = 1_000
bytes_per_second = "10MiB"

[[worker]]
connect = "tcp://10.0.0.8:7100"
services = ["market.v1.Tape"]
realm = "eu"

[[discover]]
dns = "tape.example:7100"
services = ["market.v1.Tape"]
realm = "eu"
"#;
    let config = parse(Path::new("router.toml"), text).unwrap();
    let rules = &config.rules;
    assert_eq!((rules.realms[0].name.as_str(), rules.realms[0].roles.len()), ("eu", 2));
    let grant = &rules.grants[0];
    assert_eq!((grant.realm.as_str(), grant.roles.len(), grant.call.len()), ("eu", 1, 1));
    assert_eq!(grant.subscribe, [Scope::Method("market.v1.Price/subscribe".to_owned())]);
    let quota = &rules.quotas[0];
    assert_eq!((quota.max_calls, quota.calls_per_second), (Some(50), Some(1_000)));
    assert_eq!(quota.bytes_per_second, Some(10 << 20));
    assert_eq!(config.workers[0].worker.realm, "eu");
    assert_eq!(config.discovered[0].realm, "eu");
}

#[test]
fn wrong_realms_grants_and_quotas_are_told() {
    let text = r#"listen = ["tcp://127.0.0.1:7200"]
[[realm]]
name = "eu-1"
roles = ["x"]
[[realm]]
name = "eu-1"
[[grant]]
realm = "eu-2"
roles = []
[[grant]]
subscribe = ["market.v1.Price/subscribe"]
[[quota]]
roles = ["x"]
[[quota]]
calls_per_second = 0
"#;
    let told = mistakes(text);
    for mistake in [
        "router.toml:3:8: two realms are called `eu-1`; give each a `name` of its own",
        "router.toml:5:1: a realm has `roles`; add `roles = [\"eu-desk\"]`",
        "router.toml:7:1: this grants nothing; add `call`, `subscribe`, `publish` or `serve`",
        "router.toml:8:9: there is no realm `eu-2`; did you mean `eu-1`?",
        "router.toml:9:9: no role is named; name some, or leave `roles` out to mean everybody",
        "router.toml:12:1: this bounds nothing; add `max_calls`, `calls_per_second` or `bytes_per_second`",
        "router.toml:15:20: `0` is out of bounds; write a number from 1 to 4294967295",
    ] {
        assert!(told.lines().any(|line| line == mistake), "{mistake}\nis not in\n{told}");
    }
    assert!(
        told.contains("router.toml:11:14: `market.v1.Price/subscribe` names no events; write "),
        "{told}"
    );
}
