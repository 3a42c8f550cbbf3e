//! Runs the two programs as a user would, and compares their output.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest time that any step may take, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Output of the client.
const CALLED: &str = "\
ping      the floor is there
note      accepted for sending
import    2 trades taken
last      10000 ACME at 101.50 USD, elsewhere, [Block]
last      ACME and INIT in one message
last      no such symbol: NOPE
last      invalid_argument: symbol: length 18 is not in 1..=12 (not sent)
converse  1 ACME at 101.49 USD, floor, [Odd]
converse  200 ACME at 101.49 USD, floor, []
watch     10000 ACME at 101.50 USD, elsewhere, [Block]
watch     1 ACME at 101.49 USD, floor, [Odd]
watch     200 ACME at 101.49 USD, floor, []
poll      3 trades of ACME
";

/// Output of the server after its first line.
const SERVED: &str = "\
note: a client has come in
import: 2 trades for `desk`
the floor closes
everybody is out
";

/// A server process, killed when it is dropped.
struct Floor {
    process: Child,
    output: BufReader<ChildStdout>,
    endpoint: String,
}

impl Floor {
    /// Starts the server on a free port and waits until it listens.
    async fn open() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command.arg("tcp://127.0.0.1:*").stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("the server was built with this test");
        let mut output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        timeout(DEADLINE, output.read_line(&mut line))
            .await
            .expect("it says where it listens")
            .expect("a pipe");
        let endpoint =
            line.trim().strip_prefix("the floor is open at ").expect("where it listens").to_owned();
        Self { process, output, endpoint }
    }

    /// Sends SIGINT, waits until the server has ended, and returns its output after the first line.
    async fn close(mut self) -> String {
        let process = self.process.id().expect("it has not ended yet");
        let kill = Command::new("sh").args(["-c", &format!("kill -INT {process}")]).status();
        assert!(
            timeout(DEADLINE, kill)
                .await
                .expect("a signal takes no time")
                .expect("there is a shell")
                .success()
        );
        let mut said = String::new();
        let reading = timeout(DEADLINE, self.output.read_to_string(&mut said));
        reading.await.expect("it ends once it is told to").expect("a pipe");
        let status = timeout(DEADLINE, self.process.wait()).await.expect("it has closed its output");
        assert!(status.expect("a child").success(), "{said}");
        said
    }
}

async fn client(endpoint: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    let running = command.arg(endpoint).kill_on_drop(true).output();
    timeout(DEADLINE, running).await.expect("the client ends").expect("the client was built with this test")
}

#[tokio::test]
async fn a_client_calls_everything_and_the_server_drains() {
    let floor = Floor::open().await;
    let output = client(&floor.endpoint).await;
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), CALLED);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(floor.close().await, SERVED);
}

#[tokio::test]
async fn a_client_without_a_server_says_so() {
    // No program listens at port 1.
    let output = client("tcp://127.0.0.1:1").await;
    let said = String::from_utf8_lossy(&output.stderr);
    let help = "start one with `cargo run -p tape --bin server`";
    assert_eq!(said, format!("client: no server at `tcp://127.0.0.1:1`; {help}\n"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_server_without_a_place_to_listen_says_so() {
    let running = Command::new(env!("CARGO_BIN_EXE_server")).arg("nowhere").kill_on_drop(true).output();
    let output = timeout(DEADLINE, running)
        .await
        .expect("it can't serve")
        .expect("the server was built with this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("server: can't bind `nowhere`: "), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
