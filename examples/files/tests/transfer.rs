//! Runs the server and its clients as processes, and cuts transfers off.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const MIB: usize = 1024 * 1024;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_files"));
    command.args(arguments);
    command
}

/// A process, killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server, and returns it with its endpoint.
fn serve(folder: &Path) -> (Killed, String) {
    let mut command = program(&["serve", folder.to_str().expect("it is text"), "tcp://127.0.0.1:*"]);
    let mut server = Killed(command.stdout(Stdio::piped()).spawn().expect("the program starts"));
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says so");
    (server, line.trim().replace("files are kept at ", ""))
}

/// Runs a transfer until it says that some bytes have moved, and kills it.
fn cut_off(arguments: &[&str]) {
    let mut client = Killed(program(arguments).stdout(Stdio::piped()).spawn().expect("the program starts"));
    let lines = BufReader::new(client.0.stdout.take().expect("it is piped")).lines();
    // From byte 0, and two steps.
    assert_eq!(lines.map_while(Result::ok).take(3).count(), 3);
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().expect("the program starts")
}

fn told(output: &Output) -> (u64, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let first = text.lines().next().and_then(|line| line.strip_prefix("from byte "));
    let last = text.lines().last().unwrap_or_default().to_owned();
    (first.and_then(|number| number.parse().ok()).expect("it says where it begins"), last)
}

#[test]
fn transfers_that_were_cut_off_go_on_where_they_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let path = |name: &str| folder.path().join(name).to_str().expect("it is text").to_owned();
    let content: Vec<u8> = (0..64 * MIB).map(|byte| (byte * 31 / 7).to_le_bytes()[0]).collect();
    fs::write(path("film"), &content).expect("there is room");
    let all = content.len();
    let (_server, endpoint) = serve(&folder.path().join("kept"));

    cut_off(&["put", &path("film"), &endpoint]);
    let (began, last) = told(&run(&["put", &path("film"), &endpoint]));
    assert!(began > 0 && last == format!("{all} of {all} bytes, 100 %"), "from {began}: {last}");
    assert!(fs::read(path("kept/film")).expect("it is kept") == content);

    cut_off(&["get", "film", &path("copy"), &endpoint]);
    let (began, last) = told(&run(&["get", "film", &path("copy"), &endpoint]));
    assert!(began > 0 && last == format!("{all} of {all} bytes, 100 %"), "from {began}: {last}");
    assert!(fs::read(path("copy")).expect("it was fetched") == content);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    fs::write(folder.path().join("secret"), "keep out").expect("there is room");
    let (_server, endpoint) = serve(&folder.path().join("kept"));
    let into = folder.path().join("copy");
    for name in ["../secret", ".hidden", "/etc/passwd"] {
        let output = run(&["get", name, into.to_str().expect("it is text"), &endpoint]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains("BadName"), "{text}");
    }
}
