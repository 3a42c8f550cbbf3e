//! Servers that are not as they should be: they tell a schema that is hostile, or none, or no end; and servers in Python.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use tokio::runtime::Runtime;
use zsvc::dynamic::{RawService, RawValue, method};
use zsvc::reflection::{SchemaFile, ServiceSchema};
use zsvc::{MethodKind, Server, ServerBuilder};

use super::*;

/// A server of this process.
pub(super) struct Serving {
    pub(super) endpoint: String,
    /// Ends with the value, and the server with it.
    _runtime: Runtime,
}

impl Serving {
    pub(super) fn start(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let entered = runtime.enter();
        let server = set(Server::builder()).bind("tcp://127.0.0.1:*").listen().expect("a port is free");
        let endpoint = server.endpoints()[0].clone();
        runtime.spawn(server.serve());
        drop(entered);
        Self { endpoint, _runtime: runtime }
    }

    /// Starts a server that tells these files as the schema of its only service.
    fn telling(service: &str, files: Vec<(String, String)>) -> Self {
        let leak = |text: String| &*String::leak(text);
        let files: Vec<SchemaFile> =
            files.into_iter().map(|(path, text)| SchemaFile::new(leak(path), leak(text))).collect();
        let needed = Vec::leak((0..files.len()).collect());
        let schema = ServiceSchema::new(leak(service.to_owned()), Vec::leak(files), needed, 1);
        let methods = vec![method(&format!("{service}/run"), MethodKind::Unary, None, false)];
        let service = RawService::new(methods, |_| Box::pin(async { Ok(None) }));
        Self::start(|server| server.service(service.schema(Box::leak(Box::new(schema)))))
    }
}

fn file(path: &str, text: &str) -> (String, String) {
    (path.to_owned(), text.to_owned())
}

/// Runs a command that may not have more memory than this, which is address space, threads' stacks and all.
#[cfg(target_os = "linux")]
fn within_memory(mebibytes: usize, endpoint: &str, arguments: &[&str]) -> Output {
    let limit = format!("ulimit -v {} && exec \"$0\" \"$@\"", mebibytes * 1024);
    let mut command = Command::new("sh");
    command.args(["-c", &limit, env!("CARGO_BIN_EXE_zsvc")]).args(arguments).args(["--endpoint", endpoint]);
    command.stdin(Stdio::null()).output().expect("it runs")
}

/// What nests as deep as a text of this size can.
fn deep() -> String {
    let nested = format!("{}u8{}", "list<".repeat(20_000), ">".repeat(20_000));
    format!("package deep.v1; struct Deep {{ a: {nested} = 1; }} service Deep_ {{ rpc run(); }}")
}

#[cfg(target_os = "linux")]
#[test]
fn a_schema_that_is_hostile_is_refused_within_bounds() {
    let huge = (0..40).map(|number| file(&format!("{number}.svc"), &"// x\n".repeat(200_000)));
    let many = (0..5_000).map(|number| file(&format!("many/{number}.svc"), "package many.v1;"));
    let cyclic = vec![
        file(
            "a.svc",
            "package a.v1; import \"b.svc\" as b; struct A { b: b.B = 1; } service S { rpc run(a: A); }",
        ),
        file("b.svc", "package b.v1; import \"a.svc\" as a; struct B { a: a.A = 1; }"),
    ];
    let odd = file("a\u{1b}[2J\u{202e}.svc", "package odd.v1; service S { rpc run\u{1b}[31m(); }");
    let cases = [
        (huge.collect(), "bytes are read"),
        (many.collect(), "files"),
        (cyclic, "the server's schema is wrong"),
        (vec![odd], "the server's schema is wrong"),
        (vec![file("deep.svc", &deep())], "the server's schema is wrong"),
        (
            vec![file("../../etc/passwd", "root:x:0:0"), file("/etc/passwd", "")],
            "the server's schema is wrong",
        ),
        (vec![], "no files"),
    ];
    for (files, why) in cases {
        let server = Serving::telling("odd.v1.S", files);
        for arguments in [&["call", "odd.v1.S/run"][..], &["describe", "odd.v1.S"], &["bench", "run"]] {
            let output = within_memory(2_048, &server.endpoint, arguments);
            let told = told(&output);
            // On a slow machine, the time that a server has to tell of itself is over first.
            let is_late = output.status.code() == Some(5) && told.contains("deadline_exceeded");
            assert!(is_late || output.status.code() == Some(2) && told.contains(why), "{why}: {told}");
            assert!(!told.contains(['\u{1b}', '\u{202e}']), "{why}: {told}");
            assert!(told.len() < 8_192, "{why}: {} bytes", told.len());
        }
    }
}

#[test]
fn names_that_control_a_terminal_are_not_printed_as_they_are() {
    let service = "odd\u{1b}[2J.v1.\u{202e}S";
    let server = Serving::telling(service, vec![file("a.svc", "package a.v1;")]);
    for arguments in
        [&["list", "-m"][..], &["call", "nothing"], &["doctor"], &["describe", "S"], &["stats", "--all"]]
    {
        let output = run(&server.endpoint, arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &told(&output);
        assert!(!printed.is_empty() && !printed.contains('\u{1b}'), "{arguments:?}: {printed:?}");
    }
}

#[test]
fn sessions_by_reflection() {
    // A server of its own: what one session does, another would see.
    let (_server, endpoint) = start_tape();
    let cases = trycmd::TestCases::new();
    cases.env("ZSVC_ENDPOINT", &endpoint);
    cases.insert_var("[ENDPOINT]", endpoint).expect("a name");
    cases.case("tests/reflection/*.trycmd");
}

#[test]
fn a_server_without_reflection_says_so_and_is_called_by_files() {
    let service =
        RawService::new(vec![method("market.v1.Tape/ping", MethodKind::Unary, None, false)], |_| {
            Box::pin(async { Ok(None) })
        });
    let server = Serving::start(|server| server.reflection(false).service(service));
    for arguments in [&["list"][..], &["describe", "Tape"], &["call", "ping"], &["bench", "ping"]] {
        let output = run(&server.endpoint, arguments);
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        let told = told(&output);
        assert!(told.contains("does not tell its schema") && told.contains("--schema FILE"), "{told}");
    }
    let output = run(&server.endpoint, &["call", "ping", "--schema", SCHEMA]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"null\n"[..]), "{}", told(&output));
    // What it does not have is its own word.
    let output = run(&server.endpoint, &["call", "note", "text=a", "--schema", SCHEMA]);
    assert_eq!(output.status.code(), Some(0), "a one-way call is not answered: {}", told(&output));
    let output = run(&server.endpoint, &["call", "poll", "symbol=A", "--schema", SCHEMA]);
    assert!(told(&output).contains("unimplemented"), "{}", told(&output));
}

/// Signals when it is dropped.
struct Ended(mpsc::Sender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[cfg(unix)]
#[test]
fn an_interruption_and_a_reader_that_goes_reach_the_handler() {
    let (ended, ends) = mpsc::channel();
    let service = RawService::new(
        vec![method("market.v1.Tape/watch", MethodKind::ServerStream, None, false)],
        move |call| {
            let ended = Ended(ended.clone());
            Box::pin(async move {
                let _ended = ended;
                let sink = call.answers.expect("the method answers with a stream");
                // A trade: what the schema says, or the client would end the call by itself.
                let trade =
                    b"\x97\xa4ACME\x92\x05\x02\x03\xd7\xff\x00\x00\x00\x00\x65\x00\x00\x00\xc0\x90\x80";
                loop {
                    sink.send(RawValue::new(bytes::Bytes::from_static(trade))).await?;
                }
            })
        },
    );
    let server = Serving::start(|server| server.service(service));
    for is_interrupted in [true, false] {
        let mut watch = zsvc(&server.endpoint, &["call", "watch", "symbols=[\"ACME\"]", "--schema", SCHEMA]);
        let mut watch = watch.spawn().expect("it runs");
        let mut out = BufReader::new(watch.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        assert!(line.starts_with("{\"symbol\":\"ACME\""), "{line}");
        if is_interrupted {
            let interrupt = Command::new("kill").args(["-INT", &watch.id().to_string()]).status();
            assert!(interrupt.expect("`kill` runs").success());
            thread::spawn(move || out.lines().for_each(drop));
        } else {
            drop(out);
        }
        assert_eq!(ended_with(&mut watch), Some(if is_interrupted { 130 } else { 0 }));
        assert_eq!(ends.recv_timeout(PATIENCE), Ok(()), "the handler is dropped");
    }
}

fn ended_with(child: &mut Child) -> Option<i32> {
    ended(child).code()
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_megabytes_of_json_take_a_few_times_as_much_memory() {
    let service =
        RawService::new(vec![method("market.v1.Tape/poll", MethodKind::Unary, None, false)], |_| {
            Box::pin(async { Ok(None) })
        });
    let server = Serving::start(|server| server.service(service));
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("text.json"), format!("{{\"symbol\":\"{}\"}}", "x".repeat(100_000_000))).expect("written");
    fs::write(path("list.json"), format!("{{\"symbol\":[{}0]}}", "0,".repeat(50_000_000))).expect("written");
    // Past what is read at all; the system keeps no bytes of it.
    File::create(path("past.json")).and_then(|file| file.set_len(300 << 20)).expect("written");
    for (name, status, says) in [
        ("text.json", 3, "resource_exhausted"),
        ("list.json", 2, "the parameters: symbol: invalid type: a list, expected a string"),
        ("past.json", 2, "has more than 256 MiB"),
    ] {
        let at = format!("@{}", path(name));
        let output = within_memory(1_536, &server.endpoint, &["call", "poll", &at, "--schema", SCHEMA]);
        assert_eq!(output.status.code(), Some(status), "{name}: {}", told(&output));
        let told = told(&output);
        assert!(told.contains(says) && told.len() < 4_096, "{name}: {told}");
    }
}

#[test]
fn a_line_without_end_is_no_item() {
    let (_server, endpoint) = start_tape();
    let mut import = zsvc(&endpoint, &["call", "import", "account=desk", "--schema", SCHEMA]);
    let mut import = import.stdin(Stdio::piped()).spawn().expect("it runs");
    let mut items = import.stdin.take().expect("piped");
    let feed = thread::spawn(move || {
        let part = vec![b'x'; 1 << 20];
        // Until it is not read any more.
        (0..1_000).take_while(|_| items.write_all(&part).is_ok()).count()
    });
    assert_eq!(ended_with(&mut import), Some(2));
    assert!(feed.join().expect("no panic") < 200, "it is not read to the end");
    let mut errors = String::new();
    import.stderr.take().expect("piped").read_to_string(&mut errors).expect("text");
    assert!(errors.contains("line 1 of standard input has more than 64 MiB"), "{errors}");
}

#[test]
fn readers_that_go_end_commands_that_would_go_on() {
    let (_server, endpoint) = start_tape();
    for arguments in [
        &["stats", "--watch", "--interval", "50ms", "--all"][..],
        &["stats", "--watch", "--interval", "50ms", "--json"],
        &["ping", "--count", "1000000", "--interval", "1ms"],
    ] {
        let mut command = zsvc(&endpoint, arguments).spawn().expect("it runs");
        let mut out = BufReader::new(command.stdout.take().expect("piped"));
        out.read_line(&mut String::new()).expect("a line");
        drop(out);
        assert_eq!(ended_with(&mut command), Some(0), "{arguments:?}");
    }
}

/// The packages that the package for Python needs, as the tests of the runtime have them.
const PACKAGES: [&str; 4] =
    ["pyzmq==27.3.0", "msgpack==1.2.4", "msgspec==0.23.0", "typing-extensions==4.15.0"];

/// Returns a Python with the packages, in an environment that is made once for all tests and runs.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", PACKAGES.join("-")));
    fs::create_dir_all(&folder).expect("the target directory can be written to");
    let lock = File::create(folder.join("lock")).expect("the target directory can be written to");
    lock.lock().expect("the file system supports locks");
    let (environment, ready) = (folder.join("venv"), folder.join("ready"));
    let python = environment.join("bin/python");
    if !ready.exists() {
        let _ = fs::remove_dir_all(&environment);
        let mut venv = Command::new("python3");
        let made = venv.args(["-m", "venv"]).arg(&environment).status().expect("this test needs `python3`");
        assert!(made.success(), "this test needs Python 3.10 or newer with `venv`");
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
        assert!(pip.status().expect("pip runs").success(), "the packages can be installed");
        File::create(ready).expect("the target directory can be written to");
    }
    python
}

#[test]
fn sessions_with_a_server_in_python() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let paths = ["python/src", "python/tests"].map(|path| root.join(path).display().to_string()).join(":");
    let mut server = Command::new(python());
    server.args(["-B", "-u", "tests/python/server.py", "tcp://127.0.0.1:*"]).env("PYTHONPATH", paths);
    let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let _server = Process(server);
    let endpoint = lines.next().expect("a line").expect("text");
    let cases = trycmd::TestCases::new();
    cases.env("ZSVC_ENDPOINT", &endpoint);
    cases.insert_var("[ENDPOINT]", endpoint).expect("a name");
    cases.case("tests/python/*.trycmd");
}

/// A mock of events publishes for ever; what a subscription prints is JSON, a line each.
#[test]
fn events_of_a_mock_come_as_lines_until_the_reader_goes() {
    let mut mock = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    mock.args(["mock", "tests/events/exchange.svc", "--bind", "tcp://127.0.0.1:0", "--quiet"]);
    let mut mock = mock.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(mock.stdout.take().expect("piped")).lines();
    let _mock = Process(mock);
    let first = lines.next().expect("a line").expect("text");
    let endpoint = first.rsplit(' ').next().expect("an endpoint").to_owned();
    let mut watch = zsvc(&endpoint, &["call", "Price/subscribe", "symbol=ACME", "symbol=INIT"]);
    let mut watch = watch.spawn().expect("it runs");
    let mut out = BufReader::new(watch.stdout.take().expect("piped")).lines();
    for expected in [
        r#"{"Opened":1}"#,
        r#"{"Live":0}"#,
        r#"{"Event":{"sequence":1,"event":{"symbol":"symbol","cents":1}}}"#,
        r#"{"Event":{"sequence":2,"event":{"symbol":"symbol","cents":1}}}"#,
    ] {
        assert_eq!(out.next().expect("a line").expect("text"), expected);
    }
    drop(out);
    assert_eq!(ended_with(&mut watch), Some(0));
    let cases = trycmd::TestCases::new();
    cases.env("ZSVC_ENDPOINT", &endpoint);
    cases.case("tests/events/*.trycmd");
}

/// On a terminal, the table has a screen of its own, which is given back whatever ends the command.
#[cfg(unix)]
#[test]
fn an_interruption_gives_the_terminal_back() {
    let (_server, endpoint) = start_tape();
    let mut terminal = Command::new("python3");
    terminal.args([
        "tests/live/terminal.py",
        env!("CARGO_BIN_EXE_zsvc"),
        "stats",
        "--watch",
        "--interval",
        "50ms",
    ]);
    let output = terminal.args(["--endpoint", &endpoint]).output().expect("this test needs `python3`");
    assert!(output.status.success(), "{}", told(&output));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "entered, left, status 130\n", "{}", told(&output));
}
