//! The peers in Python, which are scripts in `python/`, and their environment. The environment is created on demand
//! below `target/`, and reused while it is complete and its requirements are unchanged.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fmt, fs, io};

/// The packages to install, one package with its version per line.
const REQUIREMENTS: &str = include_str!("../python/requirements.txt");

/// A system that is a Python script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The package `zerorpc`.
    Zerorpc,
    /// DEALER and ROUTER sockets of the package `pyzmq`.
    Pyzmq,
}

impl Peer {
    fn script(self) -> &'static str {
        match self {
            Self::Zerorpc => "zerorpc_peer.py",
            Self::Pyzmq => "pyzmq_peer.py",
        }
    }
}

/// A Python environment with the packages that the scripts need.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    python: PathBuf,
}

impl Environment {
    /// Returns the environment below `target/`, after creating it if necessary.
    pub(crate) fn ready() -> Result<Self, Unready> {
        Self::in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python"), REQUIREMENTS)
    }

    fn in_folder(folder: &Path, requirements: &str) -> Result<Self, Unready> {
        let environment = Self { python: folder.join("bin/python") };
        // Written last, so that an environment without this file is recognized as incomplete.
        let complete = folder.join("complete");
        if !fs::read_to_string(&complete).is_ok_and(|made_of| made_of == requirements)
            || !environment.starts()
        {
            environment.make(folder, requirements)?;
            fs::write(&complete, requirements).map_err(|reason| Unready {
                doing: format!("writing `{}`", complete.display()),
                told: reason.to_string(),
            })?;
        }
        Ok(environment)
    }

    /// Reports whether its Python still starts: it is a link to the system's, which may have been removed.
    fn starts(&self) -> bool {
        let version =
            Command::new(&self.python).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    }

    fn make(&self, folder: &Path, requirements: &str) -> Result<(), Unready> {
        finish(
            "creating an environment with `python3 -m venv`",
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder),
        )?;
        let packages = requirements.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let pip = ["-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", "--retries=1"];
        finish("installing packages with pip", Command::new(&self.python).args(pip).args(packages))
    }

    /// Returns the command for a server, which prints `{"endpoint": …}` and serves until its standard input ends.
    pub(crate) fn serve(&self, peer: Peer) -> Command {
        let mut command = self.script(peer);
        command.arg("serve");
        command
    }

    /// Returns the command for a client, which takes one measure and prints its readings, one per line.
    pub(crate) fn drive(
        &self,
        peer: Peer,
        measure: &str,
        endpoint: &str,
        warm_up: Duration,
        window: Duration,
    ) -> Command {
        let mut command = self.script(peer);
        command
            .args(["drive", measure, endpoint])
            .args([warm_up, window].map(|time| time.as_secs_f64().to_string()));
        command
    }

    /// `-B`: do not write bytecode beside the scripts.
    fn script(&self, peer: Peer) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(peer.script()));
        command
    }
}

/// Runs a command to its end. Fails if the command does.
fn finish(doing: &str, command: &mut Command) -> Result<(), Unready> {
    let unready = |told: String| Unready { doing: doing.to_owned(), told };
    let output =
        command.stdin(Stdio::null()).output().map_err(|reason: io::Error| unready(reason.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).trim().to_owned());
    Err(unready(told.join("\n").trim().to_owned()))
}

/// Why there is no environment: usually Python 3 or its module `venv` is missing, or there is no network.
#[derive(Debug)]
pub(crate) struct Unready {
    doing: String,
    told: String,
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.doing, self.told)
    }
}

impl std::error::Error for Unready {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_says_what_it_was_for() {
        let error =
            finish("asking", Command::new("sh").args(["-c", "echo no >&2; exit 3"])).expect_err("it fails");
        assert_eq!(error.to_string(), "asking failed: no");
        let error = finish("asking", &mut Command::new("/no/such/program")).expect_err("it is not there");
        assert!(error.to_string().contains("asking failed"), "{error}");
    }

    #[test]
    fn a_client_is_told_what_to_measure() {
        let environment = Environment { python: "python".into() };
        let second = Duration::from_secs(1);
        let command = environment.drive(Peer::Pyzmq, "latency", "tcp://127.0.0.1:1", second / 2, second);
        let arguments: Vec<_> = command.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
        assert!(arguments[1].ends_with("pyzmq_peer.py"), "{arguments:?}");
        assert_eq!(arguments[2..], ["drive", "latency", "tcp://127.0.0.1:1", "0.5", "1"]);
    }
}
