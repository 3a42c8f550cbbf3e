//! A test that hangs ends, also where it blocks the thread that has its timers.

use std::time::Duration;

use tokio::process::Command;
use zsvc_calls::Watchdog;

use crate::support::on_one_thread;

/// The variable that tells a program that is started to hang from the test binary.
const HANGS: &str = "ZSVC_CALLS_HANGS";

#[test]
fn a_test_that_blocks_its_thread_ends_its_program_which_says_which_it_was() {
    on_one_thread(async {
        let mut program = Command::new(std::env::current_exe().expect("the test binary has a path"));
        program.args(["--exact", "hanging::blocks_its_thread", "--test-threads=2"]).env(HANGS, "1");
        let output = program.kill_on_drop(true).output().await.expect("the test binary can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("`hanging::blocks_its_thread` hangs"), "{said}");
    });
}

/// Does nothing in the test binary itself.
#[test]
fn blocks_its_thread() {
    if std::env::var_os(HANGS).is_none() {
        return;
    }
    let _watchdog = Watchdog::of_this_test(Duration::from_millis(50));
    loop {
        std::thread::park();
    }
}
