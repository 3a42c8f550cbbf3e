//! Runs the program as a user would: every reading and every sign of life is counted.

use std::process::Command;

#[test]
fn all_that_was_sent_is_counted() {
    let output = Command::new(env!("CARGO_BIN_EXE_telemetry")).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let expected = ["100000 readings of 20 sensors, 20.0 °C at most", "200 signs of life"];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    assert!(include_str!("../README.md").contains(&*text), "the README shows it");
}
