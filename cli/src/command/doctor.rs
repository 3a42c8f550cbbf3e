//! `zsvc doctor`

use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::Outcome;
use crate::doctor::finding::Finding;
use crate::doctor::skew::{ClockOffset, OWN_VERSION, versions};
use crate::live::failure::{Failure, shown};
use crate::live::output::Output;
use crate::live::reflection::Reflection;
use crate::live::run::{Stop, run, unless_interrupted};
use crate::live::target::{Target, project};
use clap::Args;

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    target: Target,
}

/// Fewer descriptors than this are soon used up by a server: each connection takes one.
const FEW_DESCRIPTORS: u64 = 4_096;

/// Seconds since 1970 at the start of 2025: a clock before that is wrong.
const YEAR_2025: u64 = 1_735_689_600;

/// How long a connection over TCP may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Number of times that a server is asked for its clock.
const CLOCK_ROUNDS: u32 = 5;

impl Doctor {
    /// Looks at the system, the project, and the server if one is named. The exit status is 1 if something is bad.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.look())
    }

    async fn look(&self) -> Result<(), Stop> {
        let mut findings = vec![version(), engine(), descriptors(), clock()];
        findings.extend(keys());
        if self.target.endpoint().is_ok() {
            findings.extend(unless_interrupted(self.server()).await?);
        } else {
            findings.push(Finding::good("server", "none is named; `--endpoint` looks at one"));
        }
        let is_bad = findings.iter().any(Finding::is_bad);
        let output = Output::new();
        findings.iter().try_for_each(|finding| finding.print(output, self.target.json))?;
        if is_bad { Err(Stop::Told(Outcome::Wrong)) } else { Ok(()) }
    }

    /// Looks at a server from the bottom up: its name, its port, its protocol, what it tells of itself.
    async fn server(&self) -> Result<Vec<Finding>, Stop> {
        let endpoint = self.target.endpoint()?;
        let mut findings = reachable(&endpoint).await;
        if findings.iter().any(Finding::is_bad) {
            return Ok(findings);
        }
        let began = Instant::now();
        let connected = match self.target.connect().await {
            Ok(connected) => connected,
            Err(failure) => {
                let advice = "a server of zsvc answers; one with keys answers those who know its public key: `--server-key`";
                findings.push(Finding::bad("server", failure.text(), advice));
                return Ok(findings);
            }
        };
        findings.push(Finding::good(
            "server",
            format!("answers at `{}` after {:.1} ms", shown(&endpoint), milliseconds(began)),
        ));
        let told = told(&Reflection::new(&connected.channel)).await;
        connected.close().await;
        findings.extend(told?);
        Ok(findings)
    }
}

/// Looks at what a server tells of itself.
async fn told(reflection: &Reflection<'_>) -> Result<Vec<Finding>, Stop> {
    const ABOUT: &str = "reflection";
    let mut findings = match reflection.services().await {
        Ok(services) => {
            let names: Vec<String> = services.iter().map(|service| shown(&service.name)).collect();
            vec![Finding::good(ABOUT, format!("serves {}", names.join(", ")))]
        }
        // A server may keep it to itself.
        Err(Stop::Failed(failure)) => return Ok(vec![Finding::good(ABOUT, failure.text())]),
        Err(stop) => return Err(stop),
    };
    match skew(reflection).await {
        Ok(skew) => findings.extend(skew),
        Err(Stop::Failed(failure)) => {
            findings.push(Finding::bad("versions", failure.text(), "is it a server of zsvc?"));
        }
        Err(stop) => return Err(stop),
    }
    Ok(findings)
}

/// Asks a server for its version and its clock, several times: the shortest round trip tells most of the clock.
async fn skew(reflection: &Reflection<'_>) -> Result<Vec<Finding>, Stop> {
    let mut found: Option<(Finding, ClockOffset)> = None;
    for _ in 0..CLOCK_ROUNDS {
        let (sent, began) = (zsvc::Timestamp::now(), Instant::now());
        let Some(info) = reflection.server().await? else {
            return Ok(vec![Finding::good(
                "versions",
                "the server does not tell its version and its clock, as older ones do not".to_owned(),
            )]);
        };
        let offset = ClockOffset::of(sent, began.elapsed(), info.now);
        found = Some(match found {
            Some((versions, best)) => (versions, best.or_better(offset)),
            None => (versions(&info), offset),
        });
    }
    Ok(found.map(|(versions, offset)| vec![versions, offset.finding()]).unwrap_or_default())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn version() -> Finding {
    Finding::good("version", format!("zsvc {OWN_VERSION}"))
}

fn engine() -> Finding {
    Finding::good("engine", "zmtp, ZMTP 3.1 with CURVE; this command is built without libzmq")
}

/// Reads the limit of descriptors where the system tells it in a file.
fn descriptors() -> Finding {
    const ABOUT: &str = "descriptors";
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match soft {
        Some(limit) if limit < FEW_DESCRIPTORS => Finding::bad(
            ABOUT,
            format!("a process may open {limit} files and connections"),
            "raise it where a server runs: `ulimit -n 65536`, or `LimitNOFILE` of systemd",
        ),
        Some(limit) => Finding::good(ABOUT, format!("a process may open {limit} files and connections")),
        None => Finding::good(ABOUT, "this system does not tell its limit in `/proc`"),
    }
}

fn clock() -> Finding {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let shown = zsvc::Timestamp::now().to_string();
    if now < YEAR_2025 {
        let advice = "set it: tokens and timestamps are read by it; deadlines are not";
        return Finding::bad("clock", format!("it is {shown}"), advice);
    }
    Finding::good("clock", format!("it is {shown}"))
}

/// Looks at the files of keys that the project names.
fn keys() -> Vec<Finding> {
    let project = match project() {
        Ok(project) => project,
        Err(failure) => return vec![Finding::bad("project", failure.text(), "`zsvc check` says where")],
    };
    let Some(project) = project else { return Vec::new() };
    let mut findings = vec![Finding::good("project", format!("`{}`", project.path))];
    let check = |path: &Path, is_secret: bool| {
        let file = zsvc::curve::KeyFile::new(path);
        let read = if is_secret { file.secret_key().map(|_| ()) } else { file.public_key().map(|_| ()) };
        match read {
            Ok(()) => Finding::good("keys", format!("`{}`", path.display())),
            Err(error) => {
                Finding::bad("keys", error.to_string(), "`zsvc keygen` writes both files of a pair")
            }
        }
    };
    findings.extend(project.client.server_key.iter().map(|path| check(path, false)));
    findings.extend(project.client.key.iter().map(|path| check(path, true)));
    findings
}

/// Looks whether a port is there at all, of an endpoint over TCP.
async fn reachable(endpoint: &str) -> Vec<Finding> {
    const ABOUT: &str = "reachable";
    let Some(address) = endpoint.strip_prefix("tcp://") else { return Vec::new() };
    let address = address.to_owned();
    let tried = tokio::task::spawn_blocking(move || {
        let found: Vec<_> = address.to_socket_addrs().map_err(|error| (true, error))?.collect();
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in &found {
            match std::net::TcpStream::connect_timeout(address, PATIENCE) {
                Ok(_) => return Ok(*address),
                Err(error) => last = error,
            }
        }
        Err((false, last))
    });
    let Ok(tried) = tried.await else { return Vec::new() };
    vec![match tried {
        Ok(address) => Finding::good(ABOUT, format!("something listens at {address}")),
        Err((true, error)) => {
            Finding::bad(ABOUT, shown(&error.to_string()), "an endpoint is `tcp://HOST:PORT`; check the name")
        }
        Err((false, error)) => Finding::bad(
            ABOUT,
            shown(&error.to_string()),
            "start the server, check the port, and what lies between",
        ),
    }]
}

impl Failure {
    /// Returns the message in one line.
    fn text(&self) -> String {
        self.message().lines().next().unwrap_or_default().to_owned()
    }
}
