//! The engines that carry the calls of a run of tests, and more runs with other engines.

use std::process::Command;

use zsvc::Engine;

/// Tells a run with other engines from the first.
const IS_RERUN: &str = "ZSVC_TESTS_RERUN";

/// Returns the engine of the servers of this run, unless a test chooses one.
#[must_use]
pub fn of_servers() -> Engine {
    named_by(["ZSVC_SERVER_ENGINE", "ZSVC_ENGINE"])
}

/// Returns the engine of the channels of this run, unless a test chooses one.
#[must_use]
pub fn of_channels() -> Engine {
    named_by(["ZSVC_CLIENT_ENGINE", "ZSVC_ENGINE"])
}

/// Reports whether both sides have the same engine, as an endpoint within the process asks for.
#[must_use]
pub fn are_same() -> bool {
    of_servers() == of_channels()
}

fn named_by(variables: [&str; 2]) -> Engine {
    match variables.into_iter().find_map(|variable| std::env::var(variable).ok()).as_deref() {
        Some("libzmq") => Engine::Libzmq,
        _ => Engine::Zmtp,
    }
}

/// Runs all tests of the current program once more, with these engines. Does nothing in such a run.
///
/// # Panics
/// A test fails.
pub fn run_again(channels: Engine, servers: Engine) {
    if std::env::var_os(IS_RERUN).is_some() {
        return;
    }
    let program = std::env::current_exe().expect("the system knows the program");
    let run = Command::new(program)
        .env(IS_RERUN, "1")
        .env("ZSVC_CLIENT_ENGINE", channels.name())
        .env("ZSVC_SERVER_ENGINE", servers.name())
        .output()
        .expect("the program runs");
    let output = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(run.status.success(), "with {channels:?} and {servers:?}:\n{}\n{}", output[0], output[1]);
}
