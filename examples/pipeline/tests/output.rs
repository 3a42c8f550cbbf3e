//! Runs the program as a user would: errors, deadlines and cancellation reach the last service in the chain, and come back.

use std::process::Command;

/// Each line; where either of two servers may be first to know, what it may say.
const LINES: [&[&str]; 7] = [
    &["guest    hot soup, here you are"],
    &["kitchen  soup has a deadline, and the call is over: the handler has completed"],
    &["guest    there is no rainbow on the menu"],
    // The deadline of the waiter's call to the kitchen may pass first: its handler ends with that.
    &["guest    deadline_exceeded (maybe executed)", "guest    deadline_exceeded (executed)"],
    &[
        "kitchen  roast has a deadline, and the call is over: its deadline has passed",
        "kitchen  roast has a deadline, and the call is over: the client cancelled it",
    ],
    &["guest    leaves"],
    // That of the kitchen's channel, which has one by default.
    &["kitchen  roast has a deadline, and the call is over: the client cancelled it"],
];

#[test]
fn what_the_guest_wants_reaches_the_kitchen() {
    let output = Command::new(env!("CARGO_BIN_EXE_pipeline")).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().count(), LINES.len(), "{text}");
    for (line, expected) in text.lines().zip(LINES) {
        assert!(expected.contains(&line), "{text}");
    }
}

#[test]
fn the_readme_shows_what_is_printed() {
    let shown = include_str!("../README.md").lines().skip_while(|line| !line.starts_with('$')).skip(1);
    let shown: Vec<_> = shown.take_while(|line| *line != "```").collect();
    assert_eq!(shown.len(), LINES.len());
    for (line, expected) in shown.iter().zip(LINES) {
        assert!(expected.contains(line), "{line}");
    }
}
