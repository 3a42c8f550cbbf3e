//! Shared code of the tests: a time limit, servers in separate processes, and clients of them.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use zsvc::{Channel, ChannelBuilder, Status};
use zsvc_calls::Watchdog;
use zsvc_faults::faults::v1::{Condition, LedgerClient};
use zsvc_faults::{Book, Process, Signal};

/// Time after which a test hangs. The longest take a minute on a busy machine: with default settings, dead connections are detected in
/// about thirteen seconds, and some tests make thousands of connections.
const TEST_TIMEOUT: Duration = Duration::from_secs(180);

/// Runs a test on several threads.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let _watchdog = Watchdog::of_this_test(2 * TEST_TIMEOUT);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the system has descriptors for a runtime");
    runtime.block_on(async { tokio::time::timeout(TEST_TIMEOUT, test).await.expect("the test hangs") })
}

/// A server in a separate process, and its book.
pub(crate) struct Served {
    process: Process,
    endpoint: String,
    folder: TempDir,
}

impl Served {
    /// Starts a server that detects dead clients quickly.
    pub(crate) async fn start() -> Self {
        Self::with(&["--heartbeat", "300", "--peer-timeout", "1500"]).await
    }

    /// Starts a server with default settings, except for these arguments.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let (process, endpoint) = serve(&folder, arguments).await;
        Self { process, endpoint, folder }
    }

    /// Starts a server with these arguments that may have the given number of open files, including sockets.
    pub(crate) async fn with_files(files: usize, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let command = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        let (process, endpoint) = serve_by(&folder, &["sh", "-c", &command, SERVER], arguments).await;
        Self { process, endpoint, folder }
    }

    /// Returns the id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id().expect("the process has not been waited for")
    }

    /// Returns the number of its open files.
    pub(crate) fn open_files(&self) -> usize {
        let id = self.id();
        std::fs::read_dir(format!("/proc/{id}/fd")).expect("the process is running").count()
    }

    /// Starts the server again after it has ended, at the same endpoint and with the same book.
    pub(crate) async fn again(&mut self) {
        let arguments = ["--bind", &self.endpoint.clone()];
        let (process, _) = serve(&self.folder, &arguments).await;
        self.process = process;
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) async fn signal(&self, signal: Signal) {
        self.process.signal(signal).await.expect("the server is up");
    }

    /// Kills the server, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::Kill).await;
        self.process.ended().await.expect("the system reports the status of children");
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.signal(Signal::Terminate).await;
        let status = self.process.ended().await.expect("the system reports the status of children");
        assert!(status.success(), "{status}");
    }

    /// Returns a client that detects dead connections quickly.
    pub(crate) async fn client(&self) -> LedgerClient {
        client(self.endpoint()).await
    }

    /// Returns how often a key was written.
    pub(crate) fn written(&self, key: u64) -> usize {
        let keys = Book::read(&book(&self.folder)).expect("the server has created the book");
        keys.get(&key).copied().unwrap_or(0)
    }
}

fn book(folder: &TempDir) -> PathBuf {
    folder.path().join("book")
}

const SERVER: &str = env!("CARGO_BIN_EXE_faults-server");

async fn serve(folder: &TempDir, arguments: &[&str]) -> (Process, String) {
    serve_by(folder, &[SERVER], arguments).await
}

/// Starts a server with a command, to which the server's arguments are appended.
async fn serve_by(folder: &TempDir, command: &[&str], arguments: &[&str]) -> (Process, String) {
    let book = book(folder);
    let book = ["--book", book.to_str().expect("the path of a temporary folder is UTF-8")];
    let all = [&command[1..], &book, arguments].concat();
    let mut process = Process::run(command[0], &all).expect("the server can be run");
    let endpoint = process.says("serving at ").await.expect("the server serves");
    (process, endpoint)
}

/// Starts a client in a separate process with a role.
pub(crate) fn plays(endpoint: &str, part: &str) -> Process {
    let arguments = ["--connect", endpoint, "--part", part];
    Process::run(env!("CARGO_BIN_EXE_faults-client"), &arguments).expect("the client can be run")
}

/// Starts a client in a separate process with a role, and waits until it is ready.
pub(crate) async fn played(endpoint: &str, part: &str) -> Process {
    let mut process = plays(endpoint, part);
    process.says("ready").await.expect("the client calls");
    process
}

/// Returns a client of an endpoint that detects dead connections quickly.
pub(crate) async fn client(endpoint: &str) -> LedgerClient {
    client_with(endpoint, |channel| channel.heartbeat(Duration::from_millis(300))).await
}

/// Returns a client of an endpoint with default settings, except for what `set` changes.
pub(crate) async fn client_with(
    endpoint: &str,
    set: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> LedgerClient {
    let channel = set(Channel::builder().endpoint(endpoint)).connect().await;
    LedgerClient::new(channel.expect("the server is up"))
}

/// Polls the state of a server until the condition holds. The time limit of the test applies.
pub(crate) async fn until(
    ledger: &LedgerClient,
    is_so: impl Fn(&Condition) -> bool,
) -> Result<Condition, Status> {
    loop {
        let condition = ledger.look().await?;
        if is_so(&condition) {
            return Ok(condition);
        }
        tokio::task::yield_now().await;
    }
}
