//! Processes of their own, for tests that kill one: this test binary again, with a part to play.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use zsvc::Server;
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use crate::support::{ANY_PORT, on_one_thread};

/// The variable that says which part a child plays.
const PART: &str = "ZSVC_CALLS_PART";
/// What a child's line begins with that says where its server is.
const AT: &str = "serving at ";
/// A child whose parent was killed goes by itself.
const LIFE: Duration = Duration::from_secs(15);

/// A server in another process. It is killed when dropped.
pub(crate) async fn server() -> (Child, String) {
    let mut child = command("serve").stdout(Stdio::piped()).spawn().expect("the test binary can be run");
    let output = child.stdout.take().expect("its output was asked for");
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.expect("its output is text") {
        if let Some((_, endpoint)) = line.split_once(AT) {
            return (child, endpoint.to_owned());
        }
    }
    panic!("the child has not served");
}

/// A client in another process that holds a call under this name at a server. It is killed when dropped.
pub(crate) fn holder(endpoint: &str, name: &str) -> Child {
    let mut command = command(&format!("{name} at {endpoint}"));
    command.stdout(Stdio::null()).spawn().expect("the test binary can be run")
}

fn command(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test binary has a path"));
    command.args(["--exact", "child::plays_its_part", "--nocapture"]).env(PART, part).kill_on_drop(true);
    command
}

/// What a child does. In the test binary itself, nothing.
#[test]
fn plays_its_part() {
    let Ok(part) = std::env::var(PART) else { return };
    on_one_thread(async {
        let _ = tokio::time::timeout(LIFE, play(&part)).await;
    });
}

async fn play(part: &str) {
    if let Some((name, endpoint)) = part.split_once(" at ") {
        let probe = ProbeClient::connect(endpoint).await.unwrap();
        let _ = probe.hold(name).no_deadline().await;
    } else {
        let server = Server::builder().service(ProbeServer::new(Probe::default())).bind(ANY_PORT);
        let server = server.listen().unwrap();
        println!("{AT}{}", server.endpoints()[0]);
        server.serve().await.unwrap();
    }
}
