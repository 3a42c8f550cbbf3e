//! Runs the commands that talk to a server against the example `tape`: its server, at a port of its own.
//!
//! `live/*.trycmd` are sessions, as in `cmd/`: `TRYCMD=overwrite` accepts changes. What needs pipes, signals or servers that are none is
//! below.
#![cfg(feature = "live")]

#[path = "live/peers.rs"]
mod peers;
#[path = "live/skew.rs"]
mod skew;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// How long anything may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

const SCHEMA: &str = "../examples/tape/svc/tape.svc";

/// A process that is killed at the end.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Cargo is run once at a time.
static CARGO: Mutex<()> = Mutex::new(());

/// Builds the server of the example, starts it, and returns its endpoint.
fn start_tape() -> (Process, String) {
    let built = {
        let _one = CARGO.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "tape", "--bin", "server"]).status()
    };
    assert!(built.expect("Cargo runs").success(), "the example builds");
    // Beside this test's own program, below `deps`.
    let this = std::env::current_exe().expect("a path");
    let server = this.parent().and_then(Path::parent).expect("a folder").join("server");
    let mut child =
        Command::new(server).arg("tcp://127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("a server");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("text");
    // What it prints later has to be read, or it would wait.
    std::thread::spawn(move || lines.for_each(drop));
    let endpoint = first.rsplit(' ').next().expect("an endpoint").to_owned();
    (Process(child), endpoint)
}

fn zsvc(endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    command.args(arguments).args(["--endpoint", endpoint]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(endpoint: &str, arguments: &[&str]) -> Output {
    zsvc(endpoint, arguments).output().expect("it runs")
}

/// Waits for the end of a process, which is killed if it does not come.
fn ended(child: &mut Child) -> ExitStatus {
    let (done, ends) = std::sync::mpsc::channel::<()>();
    let id = child.id().to_string();
    let watchdog = std::thread::spawn(move || {
        if ends.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
    });
    let status = child.wait().expect("a child");
    drop(done);
    watchdog.join().expect("no panic");
    status
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn sessions() {
    let (_server, endpoint) = start_tape();
    let cases = trycmd::TestCases::new();
    cases.env("ZSVC_ENDPOINT", &endpoint);
    cases.insert_var("[ENDPOINT]", endpoint).expect("a name");
    cases.case("tests/live/*.trycmd");
}

/// Sends trades to the floor until the returned value is dropped.
fn trades(endpoint: &str) -> Process {
    let mut import = zsvc(endpoint, &["call", "import", "account=desk", "--schema", SCHEMA]);
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let mut items = import.stdin.take().expect("piped");
    std::thread::spawn(move || {
        let trade = include_str!("live/trades.jsonl").lines().next().expect("a trade");
        while writeln!(items, "{trade}").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    Process(import)
}

#[test]
fn a_reader_that_goes_ends_an_endless_stream_quietly() {
    let (_server, endpoint) = start_tape();
    let _trades = trades(&endpoint);
    let mut watch = zsvc(&endpoint, &["call", "watch", "symbols=[\"ACME\"]", "--schema", SCHEMA]);
    let mut watch = watch.spawn().expect("it runs");
    let mut out = BufReader::new(watch.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(line.starts_with("{\"symbol\":\"ACME\""), "{line}");
    drop(out);
    assert_eq!(ended(&mut watch).code(), Some(0));
    let mut errors = String::new();
    watch.stderr.take().expect("piped").read_to_string(&mut errors).expect("text");
    assert_eq!(errors, "");
}

#[cfg(unix)]
#[test]
fn an_interruption_cancels_the_call() {
    let (_server, endpoint) = start_tape();
    let _trades = trades(&endpoint);
    let mut watch = zsvc(&endpoint, &["call", "watch", "symbols=[\"ACME\"]", "--schema", SCHEMA]);
    let mut watch = watch.spawn().expect("it runs");
    let mut out = BufReader::new(watch.stdout.take().expect("piped"));
    // It has begun, and listens to signals.
    out.read_line(&mut String::new()).expect("a line");
    let interrupt = Command::new("kill").args(["-INT", &watch.id().to_string()]).status();
    assert!(interrupt.expect("`kill` runs").success());
    std::thread::spawn(move || out.lines().for_each(drop));
    assert_eq!(ended(&mut watch).code(), Some(130));
}

#[test]
fn items_come_from_standard_input_as_they_are_written() {
    let (_server, endpoint) = start_tape();
    let mut call = zsvc(&endpoint, &["call", "converse", "--schema", SCHEMA]);
    let mut call = call.stdin(Stdio::piped()).spawn().expect("it runs");
    let (mut items, out) = (call.stdin.take().expect("piped"), call.stdout.take().expect("piped"));
    let mut out = BufReader::new(out);
    for units in [1, 2] {
        let order =
            format!(r#"{{"Limit":{{"symbol":"ACME","side":"Buy","limit":{{"units":{units},"scale":2}}}}}}"#);
        writeln!(items, "{order}").expect("it reads");
        // The answer to one item comes before the next is there.
        let mut fill = String::new();
        out.read_line(&mut fill).expect("a line");
        assert!(fill.contains(&format!("\"units\":{units},")), "{fill}");
    }
    drop(items);
    assert_eq!(ended(&mut call).code(), Some(0));
}

#[test]
fn a_message_past_the_server_s_limit_is_told() {
    let (_server, endpoint) = start_tape();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.json");
    let text = "x".repeat(20 * 1024 * 1024);
    std::fs::write(&path, format!("{{\"symbol\": \"{text}\"}}")).expect("it is written");
    let output = run(&endpoint, &["call", "poll", &format!("@{}", path.display()), "--schema", SCHEMA]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains("resource_exhausted"), "{}", told(&output));
}

/// Starts something that is no server of zsvc: it answers each connection with these bytes, and reads on.
fn impostor(greeting: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut connection = connection;
            let _ = connection.write_all(greeting);
            std::thread::spawn(move || while matches!(connection.read(&mut [0; 64]), Ok(1..)) {});
        }
    });
    endpoint
}

#[test]
fn what_is_no_server_of_zsvc_is_told_within_the_time() {
    for greeting in [&b""[..], b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", &[0xff; 200]] {
        let endpoint = impostor(greeting);
        let output = run(&endpoint, &["list", "--connect-timeout", "700ms"]);
        assert_eq!(output.status.code(), Some(4), "{}", told(&output));
        let told = told(&output);
        assert!(told.contains(&format!("error: no server at `{endpoint}`")), "{told}");
        assert!(told.contains(" = tried: for ") && told.contains(" = found: "), "{told}");
    }
}

/// Starts a mock of the example, with a script.
fn start_mock() -> (Process, String) {
    let mut mock = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    mock.args(["mock", SCHEMA, "--bind", "tcp://127.0.0.1:0", "--script", "tests/mock/script.json"]);
    let mut child = mock.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.starts_with("mock of market.v1.Tape at tcp://127.0.0.1:"), "{first}");
    std::thread::spawn(move || lines.for_each(drop));
    (Process(child), first.rsplit(' ').next().expect("an endpoint").to_owned())
}

#[test]
fn sessions_with_a_mock() {
    let (_mock, endpoint) = start_mock();
    let cases = trycmd::TestCases::new();
    cases.env("ZSVC_ENDPOINT", &endpoint);
    cases.insert_var("[ENDPOINT]", endpoint).expect("a name");
    cases.case("tests/mock/*.trycmd");
}

#[test]
fn both_loops_of_a_benchmark_make_calls_and_tell_of_failures() {
    let (_mock, endpoint) = start_mock();
    let folder = tempfile::tempdir().expect("a folder");
    let plot = folder.path().join("plot.svg");
    for (symbol, rate) in [("ACME", None), ("ACME", Some("200")), ("NOPE", None)] {
        let params = format!("symbol={symbol}");
        let plot_path = plot.display().to_string();
        let mut arguments =
            vec!["bench", "last", &params, "--duration", "300ms", "--warmup", "0s", "--concurrency", "2"];
        arguments.extend(["--json", "--svg", &plot_path, "--schema", SCHEMA]);
        arguments.extend(rate.map(|rate| ["--rate", rate]).into_iter().flatten());
        let output = run(&endpoint, &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        let measured: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let calls = measured["calls"].as_u64().expect("a number");
        assert!(calls > 0, "{measured}");
        match symbol {
            "NOPE" => assert_eq!(measured["failures"]["declared"], calls, "{measured}"),
            _ => assert_eq!(measured["answers"], calls, "{measured}"),
        }
        if rate.is_some() {
            // All that were due in this time, however slow the machine is.
            assert_eq!((calls, measured["loop"].as_str()), (60, Some("open")), "{measured}");
        }
        assert!(std::fs::read_to_string(&plot).expect("a plot").starts_with("<svg"));
    }
}

/// Measures a method for a short time, and returns what was measured.
fn benched(endpoint: &str, arguments: &[&str]) -> serde_json::Value {
    let all =
        [&["bench"], arguments, &["--duration", "300ms", "--warmup", "0s", "--json", "--schema", SCHEMA]];
    let output = run(endpoint, &all.concat());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn one_operation_of_a_benchmark_is_a_call_with_all_of_its_streams() {
    let (_mock, endpoint) = start_mock();
    let import = ["import", "account=a", "--items", "tests/live/trades.jsonl", "--concurrency", "2"];
    let converse = ["converse", "--items", "tests/live/orders.jsonl", "--stream-length", "7"];
    for (arguments, length, answers_of_a_call) in [
        (&import[..], 100, 1),
        (&[&import[..], &["--stream-length", "3", "--rate", "50"]].concat(), 3, 1),
        (&converse, 7, 7),
        (&[&converse[..], &["--rate", "50"]].concat(), 7, 7),
    ] {
        let measured = benched(&endpoint, arguments);
        let calls = measured["calls"].as_u64().expect("a number");
        assert!(calls > 0 && measured["failures"] == serde_json::json!({}), "{measured}");
        assert_eq!(measured["items"]["per_call"], length, "{measured}");
        assert_eq!(measured["items"]["sent"], calls * length, "{measured}");
        assert_eq!(measured["answers"], calls * answers_of_a_call, "{measured}");
        assert!(measured["items"]["per_second"].as_f64() > measured["per_second"].as_f64(), "{measured}");
        if arguments.contains(&"--rate") {
            assert_eq!((calls, measured["loop"].as_str()), (15, Some("open")), "{measured}");
        }
    }
    assert_eq!(benched(&endpoint, &["ping"])["items"], serde_json::Value::Null);
}

#[test]
fn what_makes_no_sense_to_be_measured_is_refused() {
    let (_mock, endpoint) = start_mock();
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.jsonl").display().to_string();
    std::fs::write(&empty, "\n \n").expect("it is written");
    for (arguments, says) in [
        (
            &["note", "text=a"][..],
            "`market.v1.Tape/note` is one-way: no answer tells when a call of it is over",
        ),
        (&["import", "account=a"], "`market.v1.Tape/import` takes a stream, and no items are given"),
        (&["ping", "--items", "tests/live/trades.jsonl"], "takes no stream, and `--items` is given"),
        (&["ping", "--stream-length", "3"], "takes no stream, and `--stream-length` is given"),
        (&["import", "-", "--items", "-"], "can't be both the parameters and the items of the stream"),
        (&["import", "account=a", "--items", &empty], "has no items"),
        (&["import", "account=a", "--items", "tests/live/none.jsonl"], "can't be read"),
        (
            &["converse", "--items", "tests/live/wrong.jsonl"],
            "item on line 1: side: unknown enum value \"Bye\"",
        ),
        (&["import", "account=a", "--items", "-", "--stream-length", "0"], "0 is not in 1..="),
    ] {
        let output = run(&endpoint, &[&["bench"], arguments, &["--schema", SCHEMA]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(says), "{arguments:?}: {}", told(&output));
    }
}

#[test]
fn parameters_on_standard_input_are_read_once() {
    let (_mock, endpoint) = start_mock();
    for schema in [&["--schema", SCHEMA][..], &[]] {
        let mut call = zsvc(&endpoint, &[&["call", "last", "-", "--deadline", "60s"], schema].concat());
        let mut call = call.stdin(Stdio::piped()).spawn().expect("it runs");
        let mut params = call.stdin.take().expect("piped");
        params.write_all(b"{\"symbol\": \"NOPE\"}").expect("it reads");
        drop(params);
        let output = call.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(1), "{}", told(&output));
        assert!(told(&output).contains("UnknownSymbol"), "{}", told(&output));
    }
}

#[test]
fn a_tap_shows_and_records_calls_that_can_be_made_again() {
    let (_mock, server) = start_mock();
    let folder = tempfile::tempdir().expect("a folder");
    let recording = folder.path().join("recording.jsonl").display().to_string();
    let mut tap =
        zsvc(&server, &["tap", "--listen", "tcp://127.0.0.1:0", "--record", &recording, "--schema", SCHEMA]);
    let mut tap = tap.spawn().expect("it runs");
    let mut lines = BufReader::new(tap.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    let tap = Process(tap);
    let listens = line().rsplit(' ').next().expect("an endpoint").to_owned();

    assert_eq!(run(&listens, &["call", "last", "symbol=NOPE", "--schema", SCHEMA]).status.code(), Some(1));
    let import = ["call", "import", "account=desk", "--items", "tests/live/trades.jsonl", "--schema", SCHEMA];
    assert_eq!(run(&listens, &import).status.code(), Some(0));

    let call = line();
    assert!(
        call.contains("-> call ") && call.ends_with(r#" market.v1.Tape/last {"symbol":"NOPE"}"#),
        "{call}"
    );
    let error = line();
    assert!(
        error.contains("<- error ") && error.ends_with(r#"{"UnknownSymbol":{"symbol":"NOPE"}}"#),
        "{error}"
    );
    let import = line();
    assert!(import.ends_with(r#" market.v1.Tape/import {"account":"desk"}"#), "{import}");
    for _ in 0..2 {
        let item = line();
        assert!(item.contains("-> item ") && item.contains(r#"{"symbol":"ACME""#), "{item}");
    }
    let end = line();
    assert!(end.contains("-> end "), "{end}");
    let reply = line();
    assert!(reply.contains("<- reply ") && reply.ends_with(" market.v1.Tape/import 2"), "{reply}");
    drop(tap);

    let again = run(&server, &["tap", "--replay", &recording, "--schema", SCHEMA]);
    assert_eq!(again.status.code(), Some(0), "{}", told(&again));
    let printed = String::from_utf8(again.stdout.clone()).expect("text");
    assert!(
        printed.contains("market.v1.Tape/import {\"account\":\"desk\"}\n") && printed.contains("\n2\n"),
        "{printed}"
    );
    assert!(told(&again).contains("UnknownSymbol"), "{}", told(&again));
}

#[test]
fn a_tap_says_that_it_sees_nothing_of_what_is_no_zeromq() {
    let foreign = impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let mut tap = zsvc(&foreign, &["tap", "--listen", "tcp://127.0.0.1:0", "--schema", SCHEMA]);
    let mut tap = tap.spawn().expect("it runs");
    let mut lines = BufReader::new(tap.stdout.take().expect("piped")).lines();
    let _tap = Process(tap);
    let first = lines.next().expect("a line").expect("text");
    let address = first.rsplit("tcp://").next().expect("an address");
    let mut client = std::net::TcpStream::connect(address).expect("it listens");
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it reads");
    let mut answer = [0; 12];
    client.read_exact(&mut answer).expect("what the other says");
    assert_eq!(&answer, b"HTTP/1.1 400");
    let note = lines.next().expect("a line").expect("text");
    assert!(note.ends_with("these bytes are not ZeroMQ's"), "{note}");
}

#[test]
fn the_doctor_looks_from_the_bottom_up() {
    let (_mock, server) = start_mock();
    let output = run(&server, &["doctor", "--json"]);
    let printed = String::from_utf8(output.stdout).expect("text");
    let found: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let about =
        |what: &str| found.iter().find(|finding| finding["about"] == what).cloned().unwrap_or_default();
    for what in [
        "version",
        "engine",
        "descriptors",
        "clock",
        "reachable",
        "server",
        "reflection",
        "versions",
        "clocks",
    ] {
        assert!(about(what).is_object(), "{what}: {printed}");
    }
    assert_eq!(about("server")["good"], true, "{printed}");
    let unreached = run("tcp://127.0.0.1:1", &["doctor"]);
    assert_eq!(unreached.status.code(), Some(1));
    let printed = String::from_utf8(unreached.stdout).expect("text");
    assert!(printed.contains("bad   reachable ") && !printed.contains("server "), "{printed}");
}
