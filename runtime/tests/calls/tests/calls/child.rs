//! Separate processes, for tests that kill one: this test binary is started again with a role.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use zsvc::Server;
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use crate::support::{ANY_PORT, on_one_thread};

/// The variable that holds the role of a child.
const ROLE_VARIABLE: &str = "ZSVC_CALLS_PART";
/// Prefix of the line in which a child prints the endpoint of its server.
const SERVING_AT: &str = "serving at ";
/// Time after which a child ends by itself, in case its parent was killed.
const LIFETIME: Duration = Duration::from_secs(15);

/// Starts a server in another process. The process is killed when dropped.
pub(crate) async fn server() -> (Child, String) {
    let mut child = command("serve").stdout(Stdio::piped()).spawn().expect("the test binary can be run");
    let output = child.stdout.take().expect("the output is piped");
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.expect("the output is UTF-8") {
        if let Some((_, endpoint)) = line.split_once(SERVING_AT) {
            return (child, endpoint.to_owned());
        }
    }
    panic!("the child has not printed its endpoint");
}

/// Starts a client in another process that makes a call of `hold` with this name. The process is killed when dropped.
pub(crate) fn holder(endpoint: &str, name: &str) -> Child {
    let mut command = command(&format!("{name} at {endpoint}"));
    command.stdout(Stdio::null()).spawn().expect("the test binary can be run")
}

fn command(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test binary has a path"));
    command
        .args(["--exact", "child::plays_its_role", "--nocapture"])
        .env(ROLE_VARIABLE, part)
        .kill_on_drop(true);
    command
}

/// Plays the role of a child. Does nothing in the test binary itself.
#[test]
fn plays_its_role() {
    let Ok(part) = std::env::var(ROLE_VARIABLE) else { return };
    on_one_thread(async {
        let _ = tokio::time::timeout(LIFETIME, play(&part)).await;
    });
}

async fn play(part: &str) {
    if let Some((name, endpoint)) = part.split_once(" at ") {
        let probe = ProbeClient::connect(endpoint).await.unwrap();
        let _ = probe.hold(name).no_deadline().await;
    } else {
        let server = Server::builder().service(ProbeServer::new(Probe::default())).bind(ANY_PORT);
        let server = server.listen().unwrap();
        println!("{SERVING_AT}{}", server.endpoints()[0]);
        server.serve().await.unwrap();
    }
}
