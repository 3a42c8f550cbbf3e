//! What `zsvc doctor` says of servers whose version or clock is not that of the command, and what ends a benchmark of what does not end.

use std::time::{Duration, Instant};

use zsvc::dynamic::{RawService, RawValue, method};
use zsvc::reflection::{FilePart, Reflection, ReflectionError, ReflectionServer, ServerInfo, ServiceInfo};
use zsvc::{Context, Error, MethodKind, Sink, Status, Timestamp};

use super::peers::Serving;
use super::*;

/// A server that says of itself what the test wants.
struct Telling {
    implementation: &'static str,
    version: &'static str,
    protocol: u32,
    /// Seconds by which its clock is ahead.
    ahead: i64,
}

impl Reflection for Telling {
    async fn services(&self, _: &Context) -> Result<Vec<ServiceInfo>, Status> {
        Ok(Vec::new())
    }

    async fn schema(
        &self,
        _: &Context,
        service: String,
        _: Sink<FilePart>,
    ) -> Result<(), Error<ReflectionError>> {
        Err(ReflectionError::NoSchema { service }.into())
    }

    async fn server(&self, _: &Context) -> Result<ServerInfo, Status> {
        let now = Timestamp::now();
        Ok(ServerInfo {
            implementation: self.implementation.to_owned(),
            version: self.version.to_owned(),
            protocol: self.protocol,
            now: Timestamp::new(now.seconds() + self.ahead, now.nanoseconds()).expect("a time"),
        })
    }
}

/// Returns what the doctor finds, by what it is about, and its exit status.
fn found(endpoint: &str) -> (impl Fn(&str) -> serde_json::Value, Option<i32>) {
    let output = run(endpoint, &["doctor", "--json"]);
    let printed = String::from_utf8(output.stdout).expect("text");
    let found: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let about =
        move |what: &str| found.iter().find(|finding| finding["about"] == what).cloned().unwrap_or_default();
    (about, output.status.code())
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_server_of_another_version_or_with_another_clock_is_told() {
    let telling =
        |implementation, version, protocol, ahead| Telling { implementation, version, protocol, ahead };
    let same = format!("the server is zsvc {VERSION} (rust), protocol 1");
    let newer = format!("the server is zsvc 97.1.0 (python), protocol 1; this command is {VERSION}");
    for (server, versions, is_version_good, clocks, is_clock_good) in [
        (telling("rust", VERSION, 1, 0), same.as_str(), true, "the server's clock ", true),
        (telling("python", "97.1.0", 1, 0), &newer, false, "the server's clock ", true),
        (telling("go", "97.1.0", 1, 0), "the server is zsvc 97.1.0 (go), protocol 1", true, "clock ", true),
        (telling("rust", VERSION, 2, 0), "protocol 2; this command speaks protocol 1", false, "clock ", true),
        (telling("rust", VERSION, 1, 3_600), &same, true, " s ahead of ours, ± ", false),
        (telling("rust", VERSION, 1, -3_600), &same, true, " s behind ours, ± ", false),
    ] {
        let serving = Serving::start(|builder| builder.service(ReflectionServer::new(server)));
        let (about, status) = found(&serving.endpoint);
        let text = |what| about(what)["found"].as_str().unwrap_or_default().to_owned();
        assert!(text("versions").contains(versions), "{versions}: {}", about("versions"));
        assert_eq!(about("versions")["good"], is_version_good, "{}", about("versions"));
        assert!(text("clocks").contains(clocks), "{clocks}: {}", about("clocks"));
        assert_eq!(about("clocks")["good"], is_clock_good, "{}", about("clocks"));
        let advice = about("clocks")["advice"].as_str().unwrap_or_default().to_owned();
        assert_eq!(advice.contains("more than 1 s"), !is_clock_good, "{advice}");
        // What else is looked at on this machine, such as its descriptors, may be bad, too.
        assert!(is_version_good && is_clock_good || status == Some(1), "{status:?}");
    }
}

#[test]
fn a_server_that_does_not_tell_its_version_is_not_bad() {
    // As servers were before: an empty list of services, and nothing else.
    let services = method("zsvc.reflection.v1.Reflection/services", MethodKind::Unary, None, true);
    let service = RawService::new(vec![services], |_| {
        Box::pin(async { Ok(Some(RawValue::new(bytes::Bytes::from_static(b"\x90")))) })
    });
    let serving = Serving::start(|builder| builder.service(service));
    let (about, _) = found(&serving.endpoint);
    let versions = about("versions");
    assert_eq!(versions["good"], true, "{versions}");
    let text = versions["found"].as_str().expect("text");
    assert!(text.starts_with("the server does not tell its version and its clock"), "{text}");
    assert_eq!(about("clocks"), serde_json::Value::Null);
}

#[cfg(unix)]
#[test]
fn keys_that_others_may_read_are_bad() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let here = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
        command
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("ZSVC_ENDPOINT")
            .output()
            .expect("it runs")
    };
    assert!(here(&["keygen", "floor"]).status.success() && here(&["keygen", "desk"]).status.success());
    let project = "[client]\nserver_key = \"floor.key\"\nkey = \"desk.key_secret\"\n";
    std::fs::write(folder.path().join("zsvc.toml"), project).expect("it is written");
    let keys = || {
        let printed = String::from_utf8(here(&["doctor"]).stdout).expect("text");
        printed.lines().filter(|line| line.contains("  keys ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let good = keys();
    assert!(good.len() == 2 && good.iter().all(|line| line.starts_with("good")), "{good:?}");
    let secret = folder.path().join("desk.key_secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let bad = keys();
    assert!(bad[0].starts_with("good") && bad[1].starts_with("bad "), "{bad:?}");
    assert_eq!(here(&["doctor"]).status.code(), Some(1));
}

#[test]
fn a_benchmark_of_calls_that_do_not_end_ends() {
    let watch = method("market.v1.Tape/watch", MethodKind::ServerStream, None, false);
    let service = RawService::new(vec![watch], |_| Box::pin(std::future::pending()));
    let serving = Serving::start(|builder| builder.service(service));
    for rate in [&[][..], &["--rate", "20"]] {
        let began = Instant::now();
        let bench = ["bench", "watch", "symbols=[]", "--concurrency", "2", "--duration", "200ms"];
        let more = ["--warmup", "0s", "--json", "--schema", SCHEMA];
        let output = run(&serving.endpoint, &[&bench[..], rate, &more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        let measured: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        // At the rate, two are made, and the others that are due find no room.
        let calls = if rate.is_empty() { 2 } else { 4 };
        assert_eq!(measured["calls"], calls, "{measured}");
        assert_eq!(measured["failures"], serde_json::json!({ "unfinished": calls }), "{measured}");
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}
