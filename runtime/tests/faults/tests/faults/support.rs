//! What the tests share: a deadline, servers in processes of their own, and clients of them.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use zsvc::{Channel, ChannelBuilder, Status};
use zsvc_faults::faults::v1::{Condition, LedgerClient};
use zsvc_faults::{Book, Process, Signal};

/// A test that takes so long hangs. With everything as it is by default, dead connections are found in some thirteen seconds.
const HANGS: Duration = Duration::from_secs(50);

/// Runs a test, on several threads.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async { tokio::time::timeout(HANGS, test).await.expect("the test hangs") })
}

/// A server in a process of its own, and its book.
pub(crate) struct Served {
    process: Process,
    endpoint: String,
    folder: TempDir,
}

impl Served {
    /// That finds out soon what is dead.
    pub(crate) async fn start() -> Self {
        Self::with(&["--heartbeat", "300", "--peer-timeout", "1500"]).await
    }

    /// With everything as it is by default, but for these arguments.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (process, endpoint) = serve(&folder, arguments).await;
        Self { process, endpoint, folder }
    }

    /// That may have so many files open, sockets among them.
    pub(crate) async fn with_files(files: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let command = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
        let (process, endpoint) = serve_by(&folder, &["sh", "-c", &command, SERVER], &[]).await;
        Self { process, endpoint, folder }
    }

    /// How many files it has open.
    pub(crate) fn open_files(&self) -> usize {
        let id = self.process.id().expect("it has not been waited for");
        std::fs::read_dir(format!("/proc/{id}/fd")).expect("it is there").count()
    }

    /// Once more, at the same place and with the same book, after it has ended.
    pub(crate) async fn again(&mut self) {
        let arguments = ["--bind", &self.endpoint.clone()];
        let (process, _) = serve(&self.folder, &arguments).await;
        self.process = process;
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) async fn signal(&self, signal: Signal) {
        self.process.signal(signal).await.expect("the server is there");
    }

    /// Kills it, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::Kill).await;
        self.process.ended().await.expect("the system tells of its children");
    }

    /// Asks it to end, and waits until it is out.
    pub(crate) async fn stop(&mut self) {
        self.signal(Signal::Terminate).await;
        let status = self.process.ended().await.expect("the system tells of its children");
        assert!(status.success(), "{status}");
    }

    /// A client that finds out soon what is dead.
    pub(crate) async fn client(&self) -> LedgerClient {
        client(self.endpoint()).await
    }

    /// How often a key was written.
    pub(crate) fn written(&self, key: u64) -> usize {
        let keys = Book::read(&book(&self.folder)).expect("the server has made it");
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

/// Serves by a command, whose arguments are to be followed by the server's.
async fn serve_by(folder: &TempDir, command: &[&str], arguments: &[&str]) -> (Process, String) {
    let book = book(folder);
    let book = ["--book", book.to_str().expect("temporary folders have names of text")];
    let all = [&command[1..], &book, arguments].concat();
    let mut process = Process::run(command[0], &all).expect("the server can be run");
    let endpoint = process.says("serving at ").await.expect("the server serves");
    (process, endpoint)
}

/// A client in a process of its own that plays a part, and has begun.
pub(crate) async fn played(endpoint: &str, part: &str) -> Process {
    let arguments = ["--connect", endpoint, "--part", part];
    let mut process =
        Process::run(env!("CARGO_BIN_EXE_faults-client"), &arguments).expect("the client can be run");
    process.says("ready").await.expect("the client calls");
    process
}

/// A client of an endpoint that finds out soon what is dead.
pub(crate) async fn client(endpoint: &str) -> LedgerClient {
    client_with(endpoint, |channel| channel.heartbeat(Duration::from_millis(300))).await
}

/// A client of an endpoint with everything as it is by default, but for what is set.
pub(crate) async fn client_with(
    endpoint: &str,
    set: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> LedgerClient {
    let channel = set(Channel::builder().endpoint(endpoint)).connect().await;
    LedgerClient::new(channel.expect("the server is there"))
}

/// Asks a server how it is until it is so. The deadline of the test bounds it.
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
