//! Runs `zsvc router` as a process: what it does on signals, and what is in its log.
#![cfg(all(feature = "router", unix))]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long anything may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A router that is killed at the end.
struct Router {
    process: Child,
    log: Receiver<String>,
    file: PathBuf,
    /// With the file.
    folder: Arc<tempfile::TempDir>,
}

impl Router {
    /// Starts a router at any free port, with more in its file.
    fn start(more: &str) -> (Self, String) {
        Self::start_at(Arc::new(tempfile::tempdir().expect("a folder")), more)
    }

    /// Starts another one in the same folder.
    fn start_in(before: &Self, more: &str) -> Self {
        Self::start_at(Arc::clone(&before.folder), more).0
    }

    fn start_at(folder: Arc<tempfile::TempDir>, more: &str) -> (Self, String) {
        let file = folder.path().join("router.toml");
        write(&file, more);
        let mut process = Command::new(env!("CARGO_BIN_EXE_zsvc"))
            .arg("router")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("a router");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let (tell, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let router = Self { process, log, file, folder };
        let first = router.says("listens at");
        let endpoint = first.rsplit(' ').next().expect("an endpoint").to_owned();
        (router, endpoint)
    }

    /// Waits for a line that has a text in it.
    fn says(&self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left).unwrap_or_else(|_| panic!("it never says `{text}`"));
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.expect("there is `kill`").success());
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write(file: &std::path::Path, more: &str) {
    std::fs::write(file, format!("listen = [\"tcp://127.0.0.1:*\"]\n{more}"))
        .expect("the file can be written");
}

const WORKER: &str = "[[worker]]\nname = \"one\"\nconnect = \"tcp://127.0.0.1:9\"\nservices = [\"a.B\"]\n";

#[test]
fn a_file_is_taken_over_on_sighup_though_it_is_the_same() {
    let (router, _) = Router::start("");
    for _ in 0..2 {
        router.signal("HUP");
        assert!(router.says("took the configuration over").ends_with("over"));
    }
}

#[test]
fn a_file_with_mistakes_is_told_on_sighup_and_the_old_one_is_kept() {
    let (router, _) = Router::start("");
    write(&router.file, "lisen = []\n");
    router.signal("HUP");
    router.says("keeps the configuration that it has");
    router.says("did you mean `listen`?");
    write(&router.file, "");
    router.signal("HUP");
    router.says("took the configuration over");
}

#[test]
fn a_changed_file_is_taken_over_by_itself() {
    let (router, _) = Router::start(WORKER);
    write(&router.file, &format!("{WORKER}capacity = 5\n"));
    assert!(router.says("took the configuration over").ends_with("over; changed one"));
    write(&router.file, "");
    assert!(router.says("took the configuration over").ends_with("over; removed one"));
}

#[test]
fn another_access_file_is_said_to_need_another_start() {
    let (router, _) = Router::start("");
    let folder = router.file.parent().expect("a folder");
    let mut keygen = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    assert!(keygen.args(["keygen", "floor"]).current_dir(folder).output().expect("it runs").status.success());
    let public = ["key_files = [\"floor.key\"]\n", "roles = [\"desk\"]\n"].concat();
    for name in ["one.toml", "two.toml"] {
        let clients = format!("[clients.desk]\n{public}");
        std::fs::write(folder.join(name), clients).expect("the file can be written");
    }
    let keys = |access: &str| format!("key_file = \"floor.key_secret\"\naccess_file = \"{access}\"\n");
    let second = Router::start_in(&router, &keys("one.toml"));
    second.signal("HUP");
    assert!(second.says("took the configuration over").ends_with("over"));
    write(&second.file, &keys("two.toml"));
    second.signal("HUP");
    let line = second.says("took the configuration over");
    assert!(line.ends_with("over; `access_file` will take effect when the router is started anew"), "{line}");
}

#[test]
fn a_client_that_is_refused_is_in_the_log_with_its_key() {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let zsvc = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
        command.args(arguments).current_dir(folder.path()).output().expect("it runs")
    };
    for name in ["floor", "desk", "other"] {
        assert!(zsvc(&["keygen", name]).status.success());
    }
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("clients.toml"), "[clients.desk]\nkey_files = [\"desk.key\"]\nroles = [\"desk\"]\n")
        .expect("the file can be written");
    let keys = "key_file = \"floor.key_secret\"\naccess_file = \"clients.toml\"\n";
    let (router, endpoint) = Router::start_at(Arc::clone(&folder), keys);
    let ping = ["ping", "--endpoint", &endpoint, "--server-key", "floor.key", "--key", "other.key_secret"];
    assert!(!zsvc(&ping).status.success());
    let line = router.says("refused a client that has proved its key");
    let key = std::fs::read_to_string(path("other.key")).expect("it was written");
    let told = line.split(", ").find_map(|field| field.strip_prefix("key: ")).expect("a key");
    assert!(key.contains(told), "{line}");
}

#[test]
fn connections_that_are_refused_are_in_the_log() {
    let (router, endpoint) = Router::start("");
    let address = endpoint.strip_prefix("tcp://").expect("an endpoint over TCP");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is connected");
    let line = router.says("refused a connection");
    assert!(line.contains("address: 127.0.0.1:"), "{line}");
}

/// Returns what a router answers to Prometheus.
fn metrics(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time is set");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is connected");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers, and closes");
    answer
}

#[test]
fn metrics_are_told_over_http() {
    let (router, _) = Router::start(&format!("{WORKER}[metrics]\nlisten = \"127.0.0.1:*\"\n"));
    let line = router.says("tells its metrics at");
    let address = line.split_once("http://").and_then(|(_, rest)| rest.strip_suffix("/metrics"));
    let address = address.expect("an address, and nothing behind it");
    let until = Instant::now() + PATIENCE;
    let answer = loop {
        let answer = metrics(address);
        // The first numbers are there once it routes.
        if answer.contains("zsvc_router_worker_calls") && answer.contains("zsvc_router_clients") {
            break answer;
        }
        assert!(Instant::now() < until, "{answer}");
    };
    for line in [
        "HTTP/1.1 200 OK\r\n",
        "\n# HELP zsvc_router_clients clients that are connected\n# TYPE zsvc_router_clients gauge\n",
        "\nzsvc_router_clients 0\n",
        "\n# TYPE zsvc_router_total counter\n",
        "\nzsvc_router_total{what=\"forwarded\"} 0\n",
        "\nzsvc_router_worker_up{realm=\"\",worker=\"one\"} 0\n",
    ] {
        assert!(answer.contains(line), "`{line}` is not in\n{answer}");
    }
    write(&router.file, WORKER);
    let line = router.says("took the configuration over");
    assert!(line.ends_with("over; `metrics` will take effect when the router is started anew"), "{line}");
}

#[test]
fn metrics_that_other_machines_can_read_are_in_the_log() {
    let (router, _) = Router::start("[metrics]\nlisten = \"0.0.0.0:*\"\n");
    assert!(router.says("tells its metrics at http://0.0.0.0:").contains("which other machines can read"));
}

#[test]
fn what_others_have_written_makes_no_lines_of_its_own() {
    let process = "[[worker]]\nname = \"one\"\ncommand = ['printf', 'a\\033[2Jb\\rzsvc router: drains\\n']\n";
    let (router, _) = Router::start(process);
    let line = router.says("one: a");
    assert_eq!(line, r"zsvc router: one: a\u{1b}[2Jb\rzsvc router: drains");
}

#[test]
fn it_drains_and_ends_on_sigterm() {
    let (mut router, _) = Router::start("");
    router.signal("TERM");
    router.says("drains");
    router.says("has ended");
    assert!(router.process.wait().expect("it ends").success());
}

#[test]
fn a_grant_for_a_method_that_no_worker_has_is_told_and_it_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("router.toml");
    let schema = folder.path().join("tape.svc");
    let text = "package market.v1;\n\nservice Tape {\n    rpc last(symbol: string) -> u64;\n}\n";
    std::fs::write(&schema, text).expect("the file can be written");
    let mut worker = Command::new(env!("CARGO_BIN_EXE_zsvc"))
        .args(["mock", "--bind", "tcp://127.0.0.1:*"])
        .arg(&schema)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a worker");
    let mut line = String::new();
    BufReader::new(worker.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("it says where it listens");
    let endpoint = line.trim_end().rsplit(' ').next().expect("an endpoint");
    let worker_table = format!("[[worker]]\nconnect = \"{endpoint}\"\nservices = [\"market.v1.Tape\"]\n");
    write(&file, &format!("[[grant]]\ncall = [\"market.v1.Tape/lasst\"]\n{worker_table}"));
    let done = Command::new(env!("CARGO_BIN_EXE_zsvc")).arg("router").arg(&file).output().expect("it runs");
    let _ = worker.kill();
    let _ = worker.wait();
    let says = String::from_utf8_lossy(&done.stderr);
    let told = format!(
        ":3:9: `market.v1.Tape` has no method `lasst` at the worker `{endpoint}`; did you mean `market.v1.Tape/last`?"
    );
    assert!(!done.status.success() && says.contains(&told), "{says}");
}

/// What `zsvc call` publishes by a router comes to who has subscribed there.
#[test]
fn an_event_is_published_by_a_call() {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let schema = folder.path().join("exchange.svc");
    let text = "package exchange.v1;\n\n@latest\nevent Price {\n    @key symbol: string = 1;\n    cents: u64 = 2;\n}\n\n\
                event Halt {\n    reason: string? = 1;\n}\n";
    std::fs::write(&schema, text).expect("the file can be written");
    let more = "schemas = [\"exchange.svc\"]\n[[grant]]\nsubscribe = [\"*\"]\npublish = [\"*\"]\n";
    let (_router, endpoint) = Router::start_at(folder, more);
    let call = |given: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
        command.args(["call", "--endpoint", &endpoint, "--schema"]).arg(&schema).args(given);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    for given in [
        &["Price/publish", "symbol=ACME", "cents=5"][..],
        &["exchange.v1.Price/publish", r#"{"event": {"symbol": "INIT", "cents": 6}}"#],
        &["Halt/publish"],
    ] {
        let done = call(given).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    for (given, told) in [
        (&["Price/publish", "symbl=ACME"][..], "the event has no field `symbl`"),
        (&["Price/publish", "cents=many"], "cents"),
    ] {
        let done = call(given).output().expect("it runs");
        let says = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && says.contains(told), "{says}");
    }
    let mut watch = call(&["Price/subscribe"]).spawn().expect("it runs");
    let lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let (tell, told) = channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut kept = Vec::new();
    while kept.len() < 2 {
        let line: String = told.recv_timeout(PATIENCE).expect("what is kept comes");
        kept.extend(["ACME", "INIT"].into_iter().filter(|symbol| line.contains(symbol)));
    }
    let _ = watch.kill();
    let _ = watch.wait();
    kept.sort_unstable();
    assert_eq!(kept, ["ACME", "INIT"]);
}
