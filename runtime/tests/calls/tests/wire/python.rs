//! Peers in Python, as clients and as servers of a Rust peer: one that was written from `docs/protocol.md` alone, and the
//! package in `python/` with the code that is generated for it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use zsvc::{Code, Error, Outcome, Status};
use zsvc_calls::Watchdog;
use zsvc_calls::market::v1::{MarketOrder, Order, Side, TapeClient, TapeError};
use zsvc_calls::shapes::v1::{Shape, ShapesClient};

use crate::floor::trade;
use crate::rig::{Serving, TIMEOUT, assert_no_panics, run, watchdog};

/// The packages that the peers need, with pinned versions.
const PACKAGES: [&str; 4] =
    ["pyzmq==27.3.0", "msgpack==1.2.4", "msgspec==0.23.0", "typing-extensions==4.15.0"];

/// Returns a Python with the packages, in an environment under the target directory that is created once for all
/// tests and runs.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", PACKAGES.join("-")));
    fs::create_dir_all(&folder).expect("the target directory can be written to");
    // Other tests and processes wait here for the first one.
    let lock = File::create(folder.join("lock")).expect("the target directory can be written to");
    lock.lock().expect("the file system supports locks");
    let (environment, ready) = (folder.join("venv"), folder.join("ready"));
    let python = environment.join("bin/python");
    if !ready.exists() {
        let _ = fs::remove_dir_all(&environment);
        let environment = environment.to_str().expect("the path of the target directory is UTF-8");
        finish(Command::new("python3").args(["-m", "venv", environment]));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        finish(Command::new(&python).args(pip).args(PACKAGES));
        File::create(ready).expect("the target directory can be written to");
    }
    python
}

/// Where Python finds the package, and the code that is generated for it.
fn package_paths() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../python");
    ["src", "tests"].map(|below| folder.join(below).to_string_lossy().into_owned()).join(":")
}

/// Runs a command to its end. Panics if it fails.
fn finish(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("this test needs Python 3.10 or newer with `venv`, as `python3`; {command:?} did not start: {error}")
    });
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed; this test needs Python 3 with `venv`:\n{told}");
}

/// A running script of the peer, which is killed when dropped.
pub(crate) struct Script {
    child: Child,
    lines: Receiver<String>,
    /// Collects what the script writes to standard error, until the script ends.
    complaints: Option<thread::JoinHandle<String>>,
    _watchdog: Watchdog,
}

impl Script {
    pub(crate) fn start(name: &str, endpoint: &str) -> Self {
        Self::with(name, endpoint, &[])
    }

    /// Starts a script with variables in its environment.
    pub(crate) fn with(name: &str, endpoint: &str, variables: &[(&str, &str)]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
        let python = python();
        let watchdog = watchdog();
        let mut child = Command::new(python)
            .args(["-B", "-u"])
            .arg(script)
            .arg(endpoint)
            .env("PYTHONPATH", package_paths())
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the environment has a Python");
        let (said, lines) = channel();
        let output = child.stdout.take().expect("the stream is piped");
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| said.send(line))
        });
        let mut errors = child.stderr.take().expect("the stream is piped");
        let complaints = thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        });
        Self { child, lines, complaints: Some(complaints), _watchdog: watchdog }
    }

    /// Writes a line to what the script reads.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("the stream is piped");
        writeln!(input, "{line}").expect("the script reads");
    }

    /// Returns the next line that the script prints.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(TIMEOUT) {
            Ok(line) => line,
            Err(error) => {
                let complaints = self.end();
                panic!("the script prints no further line ({error}):\n{complaints}");
            }
        }
    }

    /// Returns the next line that the script prints within a time, if there is one.
    pub(crate) fn line_within(&mut self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// Kills the script, and returns what it has written to standard error.
    fn end(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.end();
    }
}

/// What `tape_client.py` prints.
const STEPS: [&str; 10] = [
    "ping",
    "unary",
    "errors",
    "deadline",
    "server_stream",
    "client_stream",
    "bidirectional",
    "attachments",
    "one_way",
    "done",
];

/// Checks that a client in Python calls every kind of method of a server.
pub(crate) fn assert_calls_all(server: &Serving, client: &mut Script) {
    for step in STEPS {
        assert_eq!(client.line(), step);
    }
    assert_eq!(server.note(), "from python");
}

#[test]
fn a_python_client_calls_every_kind_of_method() {
    let server = Serving::start();
    let mut client = Script::start("tape_client.py", &server.endpoint);
    assert_calls_all(&server, &mut client);
    assert_eq!(server.counters.unreadable_batches(), 0);
    assert_no_panics();
}

/// Runs a client of a server in Python.
fn of_python<C: Future<Output = ()>>(client: impl FnOnce(TapeClient) -> C) -> Script {
    let mut server = Script::start("tape_server.py", "tcp://127.0.0.1:*");
    let endpoint = server.line();
    run(async {
        client(TapeClient::connect(endpoint).await.expect("the server answers a ping")).await;
    });
    server
}

#[test]
fn a_python_server_answers_calls() {
    of_python(|tape| async move {
        assert_eq!(tape.last("ACME").no_deadline().await, Ok(trade("ACME")));
        assert_eq!(tape.ping().await, Ok(()));
        let error = tape.last("NOPE").no_deadline().await.expect_err("there is no such symbol");
        assert_eq!(error, Error::Declared(TapeError::UnknownSymbol { symbol: "NOPE".to_owned() }));
        let within = Duration::from_secs(1);
        let Err(Error::Status(status)) = tape.last("SLOW").deadline(within).await else {
            panic!("the call is never answered")
        };
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
    });
}

#[test]
fn a_python_server_reads_and_writes_attachments() {
    of_python(|tape| async move {
        let shapes = ShapesClient::new(tape.channel().clone());
        for size in [32 * 1024 - 1, 32 * 1024, 100_000] {
            let blob = Shape::Blob(vec![7; size].into());
            assert_eq!(shapes.echo(blob.clone()).await, Ok(blob));
        }
    });
}

#[test]
fn a_python_server_streams() {
    of_python(|tape| async move {
        let trades = tape.watch(vec!["INIT"; 20_000]).await.expect("the call is on its way");
        let count = trades.map(|item| assert_eq!(item, Ok(trade("INIT")))).count().await;
        assert_eq!(count, 20_000);
        let mut trades = tape.watch(["FOREVER"]).await.expect("the call is on its way");
        assert_eq!(trades.next().await, Some(Ok(trade("FOREVER"))));
        drop(trades);
        let trades = tape.watch(["ACME", "NOPE"]).await.expect("the call is on its way");
        let trades: Vec<_> = trades.collect().await;
        assert_eq!(trades.len(), 2);
        assert!(matches!(&trades[1], Err(Error::Declared(TapeError::UnknownSymbol { .. }))), "{trades:?}");
    });
}

#[test]
fn a_python_server_reads_streams() {
    of_python(|tape| async move {
        let sum = tape.import("desk", stream::iter(vec![trade("ACME"); 20_000])).await;
        assert_eq!(sum, Ok(6_000_000));
        let error = tape.import("nobody", stream::empty()).await;
        assert_eq!(error, Err(Status::not_found("no such account")));
        let (orders, mut fills) = tape.converse().await.expect("the call is on its way");
        for symbol in ["ACME", "INIT"] {
            let order = MarketOrder { symbol: symbol.to_owned(), side: Side::Buy, size: 100 };
            orders.send(Order::Market(order)).await.expect("there is credit");
            assert_eq!(fills.next().await, Some(Ok(trade(symbol))));
        }
        orders.finish();
        assert_eq!(fills.next().await, None);
    });
}

#[test]
fn a_python_server_receives_one_way_calls_and_drains() {
    let mut server = of_python(|tape| async move {
        tape.note("from rust").await.expect("the one-way call is accepted");
        tape.channel().clone().close(TIMEOUT).await.expect("everything was read");
    });
    assert_eq!(server.line(), "note: from rust");
    drop(server.child.stdin.take());
    assert!(server.child.wait().is_ok_and(|status| status.success()), "{}", server.end());
}

#[test]
fn a_client_of_the_package_calls_every_kind_of_method() {
    let server = Serving::start();
    let mut client = Script::start("package_client.py", &server.endpoint);
    for step in
        ["unary", "shapes", "errors", "deadline", "streams", "both ways", "blocking", "one_way", "done"]
    {
        assert_eq!(client.line(), step);
    }
    assert_eq!(server.note(), "from python");
    assert_eq!(server.counters.unreadable_batches(), 0);
    assert_no_panics();
}

/// Runs a client of a server that is made with the package.
fn of_package<C: Future<Output = ()>>(client: impl FnOnce(TapeClient) -> C) -> Script {
    let mut server = Script::start("package_server.py", "tcp://127.0.0.1:*");
    let endpoint = server.line();
    run(async {
        client(TapeClient::connect(endpoint).await.expect("the server answers a ping")).await;
    });
    server
}

#[test]
fn a_server_of_the_package_answers_calls() {
    of_package(|tape| async move {
        assert_eq!(tape.last("ACME").no_deadline().await, Ok(trade("ACME")));
        assert_eq!(tape.ping().await, Ok(()));
        let error = tape.last("NOPE").no_deadline().await.expect_err("there is no such symbol");
        assert_eq!(error, Error::Declared(TapeError::UnknownSymbol { symbol: "NOPE".to_owned() }));
        let Err(Error::Status(status)) = tape.last("").await else { panic!("the symbol is too short") };
        assert_eq!((status.code(), status.outcome()), (Code::InvalidArgument, Outcome::NotSent));
        assert!(status.message().contains("symbol: "), "{status}");
        let within = Duration::from_secs(1);
        let Err(Error::Status(status)) = tape.last("SLOW").deadline(within).await else {
            panic!("the call is never answered")
        };
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        let shapes = ShapesClient::new(tape.channel().clone());
        for size in [255, 32 * 1024 - 1, 32 * 1024, 1_000_000] {
            let blob = Shape::Blob(vec![7; size].into());
            assert_eq!(shapes.echo(blob.clone()).await, Ok(blob));
        }
    });
}

#[test]
fn a_server_of_the_package_streams_both_ways() {
    of_package(|tape| async move {
        let trades = tape.watch(vec!["INIT"; 5_000]).await.expect("the call is on its way");
        let count = trades.map(|item| assert_eq!(item, Ok(trade("INIT")))).count().await;
        assert_eq!(count, 5_000);
        let mut trades = tape.watch(["FOREVER"]).await.expect("the call is on its way");
        assert_eq!(trades.next().await, Some(Ok(trade("FOREVER"))));
        drop(trades);
        let sum = tape.import("desk", stream::iter(vec![trade("ACME"); 5_000])).await;
        assert_eq!(sum, Ok(1_500_000));
        let error = tape.import("missing", stream::empty()).await;
        assert_eq!(error, Err(Status::not_found("no such account")));
        let (orders, mut fills) = tape.converse().await.expect("the call is on its way");
        for symbol in ["ACME", "INIT"] {
            let order = MarketOrder { symbol: symbol.to_owned(), side: Side::Buy, size: 100 };
            orders.send(Order::Market(order)).await.expect("there is credit");
            assert_eq!(fills.next().await, Some(Ok(trade(symbol))));
        }
        orders.finish();
        assert_eq!(fills.next().await, None);
    });
}

#[test]
fn a_server_of_the_package_receives_one_way_calls_and_drains() {
    let mut server = of_package(|tape| async move {
        tape.note("from rust").delivered().await.expect("the server has read it");
        tape.channel().clone().close(TIMEOUT).await.expect("everything was read");
    });
    assert_eq!(server.line(), "note: from rust");
    drop(server.child.stdin.take());
    assert!(server.child.wait().is_ok_and(|status| status.success()), "{}", server.end());
}
