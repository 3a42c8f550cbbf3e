//! The measure `build`: how long a service of 200 methods takes to build, and how much code is generated for it, with zsvc and
//! with tonic.
//!
//! What is built is in `build-time/`, a workspace of its own, by the Cargo that builds this program. Both crates have a part that
//! is empty: it is built before each round, untimed, so that all that they depend on is there and rustc has nothing
//! left of the round before. Then Cargo is timed while it runs the build script and compiles the crate, in the dev profile.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{fmt, fs, io};

use serde::Deserialize;

use crate::sample::{Measurement, Reading};
use crate::statistics::{summarize, to_f64};

/// A system's crate in `build-time/`.
struct Package {
    system: &'static str,
    name: &'static str,
    /// What its generator writes, below the folder that Cargo gives to its build script.
    generated: &'static str,
}

const PACKAGES: [Package; 2] = [
    Package { system: "zsvc", name: "zsvc-200", generated: "zsvc/mod.rs" },
    Package { system: "tonic", name: "tonic-200", generated: "fleet.v1.rs" },
];

/// How much of a crate is built.
#[derive(Clone, Copy)]
enum Part {
    Nothing,
    /// The generated code, by itself.
    Generated,
    /// A handler and a call for each method, too: only then is code compiled that is generic over its users.
    Used,
}

impl Part {
    /// As the build scripts know it.
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Generated => "generated",
            Self::Used => "used",
        }
    }
}

/// How often `measure` tells of a step.
pub(crate) fn steps(rounds: usize) -> usize {
    PACKAGES.len() * (1 + 2 * rounds)
}

/// Builds both crates in turn, in so many rounds; `step` is called with a word about each build that is done.
///
/// The first time, all that they depend on is built before, which takes minutes.
pub(crate) fn measure(rounds: usize, step: &mut dyn FnMut(&str)) -> Result<Vec<Measurement>, BuildError> {
    for package in &PACKAGES {
        build(package, Part::Nothing)?;
        step(&format!("what {} depends on", package.name));
    }
    let mut readings = PACKAGES.map(|_| Vec::new());
    for _ in 0..rounds {
        let mut round = PACKAGES.map(|_| Vec::new());
        for part in [Part::Generated, Part::Used] {
            for (package, round) in PACKAGES.iter().zip(&mut round) {
                round.extend(timed(package, part)?);
                step(&format!("{}, {}", package.name, part.name()));
            }
        }
        readings.iter_mut().zip(round).for_each(|(all, round)| all.push(round));
    }
    Ok(PACKAGES
        .iter()
        .zip(&readings)
        .flat_map(|(package, rounds)| summarize(package.system, rounds))
        .collect())
}

/// Builds one part of a crate, with all that it depends on there.
fn timed(package: &Package, part: Part) -> Result<Vec<Reading>, BuildError> {
    build(package, Part::Nothing)?;
    let built = build(package, part)?;
    if !built.others.is_empty() {
        return Err(BuildError::NotAlone { package: package.name, others: built.others });
    }
    let name = if let Part::Used = part { "build used" } else { "build" };
    let mut readings = vec![Reading::new(name, built.seconds, "s")];
    if let Part::Generated = part {
        readings.extend(size(&built.out_dir.join(package.generated))?);
    }
    Ok(readings)
}

/// How much was generated.
fn size(file: &Path) -> Result<[Reading; 2], BuildError> {
    let text =
        fs::read_to_string(file).map_err(|reason| BuildError::Read { file: file.to_owned(), reason })?;
    let count = |count: usize| to_f64(count as u64);
    Ok([
        Reading::new("build code size", count(text.len()), "bytes"),
        Reading::new("build code lines", count(text.lines().count()), "lines"),
    ])
}

/// What one run of Cargo came to.
struct Built {
    seconds: f64,
    out_dir: PathBuf,
    /// What was compiled besides the crate itself.
    others: Vec<String>,
}

fn build(package: &Package, part: Part) -> Result<Built, BuildError> {
    let mut cargo = cargo(package, part);
    let start = Instant::now();
    let output = cargo.output().map_err(BuildError::NoCargo)?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(BuildError::Failed { package: package.name, told });
    }
    let messages = Messages::read(&String::from_utf8_lossy(&output.stdout), package.name);
    let out_dir = messages.out_dir.ok_or(BuildError::NoOutDir { package: package.name })?;
    Ok(Built { seconds, out_dir, others: messages.others })
}

fn cargo(package: &Package, part: Part) -> Command {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    // What runs this program by `cargo run` says which Cargo it is.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--locked", "--message-format", "json-render-diagnostics", "--package", package.name])
        .arg("--manifest-path")
        .arg(bench.join("build-time/Cargo.toml"))
        .arg("--target-dir")
        .arg(bench.join("target/build-time"))
        .env("BUILD_PART", part.name())
        .stdin(Stdio::null());
    cargo
}

/// What Cargo has told of a run, as far as it matters here.
#[derive(Debug, Default, PartialEq)]
struct Messages {
    out_dir: Option<PathBuf>,
    others: Vec<String>,
}

/// One line of it.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    out_dir: Option<PathBuf>,
    fresh: Option<bool>,
}

impl Messages {
    fn read(lines: &str, package: &str) -> Self {
        let mut all = Self::default();
        for message in lines.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()) {
            let is_own = message.package_id.contains(&format!("/{package}#"));
            match message.reason.as_str() {
                "build-script-executed" if is_own => all.out_dir = message.out_dir,
                "compiler-artifact" if !is_own && message.fresh == Some(false) => {
                    all.others.push(message.package_id);
                }
                _ => {}
            }
        }
        all
    }
}

/// Why the measure could not be taken.
#[derive(Debug)]
pub(crate) enum BuildError {
    /// Cargo did not start.
    NoCargo(io::Error),
    /// A build failed.
    Failed {
        /// Of what.
        package: &'static str,
        /// What Cargo said.
        told: String,
    },
    /// Something else was built in the time that was measured.
    NotAlone {
        /// Beside what.
        package: &'static str,
        /// What it was.
        others: Vec<String>,
    },
    /// Cargo did not tell where the build script has written.
    NoOutDir {
        /// Whose.
        package: &'static str,
    },
    /// What was generated can't be read.
    Read {
        /// Where it should be.
        file: PathBuf,
        /// Why not.
        reason: io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCargo(reason) => {
                write!(f, "`cargo` did not start ({reason}); `build` needs it in the PATH")
            }
            Self::Failed { package, told } => write!(f, "`{package}` could not be built:\n{told}"),
            Self::NotAlone { package, others } => {
                let others = others.join(", ");
                write!(
                    f,
                    "building `{package}` built {others} anew, too; change no sources while `build` is measured"
                )
            }
            Self::NoOutDir { package } => {
                write!(f, "Cargo does not say where the build script of `{package}` writes")
            }
            Self::Read { file, reason } => write!(f, "`{}` can't be read: {reason}", file.display()),
        }
    }
}

impl std::error::Error for BuildError {}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"
{"reason":"compiler-artifact","package_id":"registry+https://github.com/rust-lang/crates.io-index#prost@0.14.6","fresh":true}
{"reason":"compiler-artifact","package_id":"path+file:///bench/build-time/schema#schema-200@0.1.0","fresh":false}
{"reason":"build-script-executed","package_id":"registry+https://github.com/rust-lang/crates.io-index#libc@0.2.1","out_dir":"/other"}
{"reason":"build-script-executed","package_id":"path+file:///bench/build-time/zsvc-200#0.1.0","out_dir":"/out"}
{"reason":"compiler-artifact","package_id":"path+file:///bench/build-time/zsvc-200#0.1.0","fresh":false}
{"reason":"build-finished","success":true}"#;

    #[test]
    fn what_else_was_built_is_noticed() {
        let others = vec!["path+file:///bench/build-time/schema#schema-200@0.1.0".to_owned()];
        let expected = Messages { out_dir: Some("/out".into()), others };
        assert_eq!(Messages::read(TOLD, "zsvc-200"), expected);
    }

    #[test]
    fn each_build_is_a_step() {
        assert_eq!((steps(0), steps(1), steps(5)), (2, 6, 22));
    }
}
