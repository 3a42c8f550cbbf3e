//! Runs the room and its guests as processes, as people would.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Maximum time that any line may take, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process, killed when it is dropped.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let lines = lines(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("there is another line")
    }

    fn says(&mut self, text: &str) {
        writeln!(self.child.stdin.as_mut().expect("it is piped"), "{text}").expect("it listens");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.for_each(|line| drop(sender.send(line)));
    });
    receiver
}

#[test]
fn everybody_hears_everybody_and_learns_who_has_left_and_how_ever() {
    let room = Process::start(&["serve", "tcp://127.0.0.1:*"]);
    let endpoint = room.line().replace("the room is open at ", "");
    let mut ada = Process::start(&["join", "Ada", &endpoint]);
    assert_eq!(ada.line(), "room: Ada has come");
    let mut grace = Process::start(&["join", "Grace", &endpoint]);
    for guest in [&ada, &grace] {
        assert_eq!(guest.line(), "room: Grace has come");
    }
    ada.says("hello");
    grace.says("good morning");
    for guest in [&ada, &grace] {
        let mut heard = [guest.line(), guest.line()];
        heard.sort_unstable();
        assert_eq!(heard, ["Ada: hello", "Grace: good morning"]);
    }

    let mut second = Process::start(&["join", "Ada", &endpoint]);
    assert!(!second.child.wait().expect("it ends").success(), "the name is taken");

    drop(ada); // As when its power fails.
    assert_eq!(grace.line(), "room: Ada has left");
    drop(grace.child.stdin.take());
    assert!(grace.child.wait().expect("it ends").success(), "the end of the input is no failure");
}
