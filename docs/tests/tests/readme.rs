//! Runs the first service of README.md, and checks that CI runs its commands.

#![allow(clippy::pedantic, missing_docs, reason = "the programs are README's, which a newcomer reads")]

use std::time::Duration;

use zsvc_docs::blocks::texts;

const README: &str = include_str!("../../../README.md");
const CI: &str = include_str!("../../../.ci/run");

mod server {
    include!(concat!(env!("OUT_DIR"), "/server.rs"));
}

mod client {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

#[test]
fn the_first_service_runs() {
    // The server runs until Ctrl-C, which never comes here: it ends with the process.
    std::thread::spawn(server::main);
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(client::main().map_err(|error| error.to_string())));
    let result = result.recv_timeout(Duration::from_mins(1));
    assert_eq!(result, Ok(Ok(())));
}

#[test]
fn the_description_is_that_whose_generated_code_is_checked_in() {
    assert_eq!(texts(README, "svc"), [include_str!("../svc/climate.svc")]);
}

#[test]
fn the_two_commands_are_those_that_are_checked() {
    let commands: Vec<String> = texts(README, "sh")
        .iter()
        .map(|block| block.split('#').next().unwrap_or_default().trim().to_owned())
        .collect();
    assert_eq!(commands, ["cargo run -p quickstart", "cargo test --workspace"]);
    for command in commands {
        assert!(CI.contains(&command), "`.ci/run` does not run `{command}`");
    }
}

#[test]
fn the_first_manifest_names_what_is_there() {
    let manifests = texts(README, "toml");
    let [manifest] = manifests.as_slice() else { panic!("README.md has one manifest") };
    for line in manifest.lines().filter(|line| line.contains("path = ")) {
        let path =
            line.split('"').nth(1).and_then(|path| path.strip_prefix("../zsvc/")).expect("a path beside");
        let name = line.split(' ').next().expect("a name");
        let crate_manifest = format!("{}/../../{path}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let crate_manifest = std::fs::read_to_string(crate_manifest).expect("the crate is there");
        assert!(crate_manifest.contains(&format!("name = \"{name}\"")), "{line}");
    }
}
