//! The measure `build`: time to build a service of 200 methods, and size of the code generated for it, with zsvc and
//! with tonic.
//!
//! The crates are in `build-time/`, a separate workspace, and are built by the Cargo that builds this program. Both
//! crates can be built with no contents: this is done before each round, untimed, so that all dependencies are built
//! and no incremental state is left from the previous round. Then Cargo is timed while it runs the build script and
//! compiles the crate, in the dev profile.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{fmt, fs, io};

use serde::Deserialize;

use crate::sample::{Measurement, Reading};
use crate::statistics::{summarize, to_f64};

/// A crate in `build-time/`.
struct Package {
    system: &'static str,
    name: &'static str,
    /// Path of the generated file, relative to the build script's `OUT_DIR`.
    generated: &'static str,
}

const PACKAGES: [Package; 2] = [
    Package { system: "zsvc", name: "zsvc-200", generated: "zsvc/mod.rs" },
    Package { system: "tonic", name: "tonic-200", generated: "fleet.v1.rs" },
];

/// The part of a crate to build.
#[derive(Clone, Copy)]
enum Part {
    Nothing,
    /// Only the generated code.
    Generated,
    /// Also a handler and a call for each method: code that is generic over its users is compiled only then.
    Used,
}

impl Part {
    /// Returns the name that the build scripts use for the part.
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Generated => "generated",
            Self::Used => "used",
        }
    }
}

/// Returns the number of times that `measure` reports a step.
pub(crate) fn steps(rounds: usize) -> usize {
    PACKAGES.len() * (1 + 2 * rounds)
}

/// Builds both crates alternately for the given number of rounds. `step` is called with a description after each
/// build.
///
/// The first run builds all dependencies beforehand, which takes minutes.
pub(crate) fn measure(rounds: usize, step: &mut dyn FnMut(&str)) -> Result<Vec<Measurement>, BuildError> {
    for package in &PACKAGES {
        build(package, Part::Nothing)?;
        step(&format!("dependencies of {}", package.name));
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

/// Builds one part of a crate, with its dependencies built beforehand.
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

/// Returns the size of the generated code.
fn size(file: &Path) -> Result<[Reading; 2], BuildError> {
    let text =
        fs::read_to_string(file).map_err(|reason| BuildError::Read { file: file.to_owned(), reason })?;
    let count = |count: usize| to_f64(count as u64);
    Ok([
        Reading::new("build code size", count(text.len()), "bytes"),
        Reading::new("build code lines", count(text.lines().count()), "lines"),
    ])
}

/// The result of one run of Cargo.
struct Built {
    seconds: f64,
    out_dir: PathBuf,
    /// Packages that were compiled besides the crate itself.
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
    // `cargo run`, which started this program, names itself in `CARGO`.
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

/// The relevant messages of one run of Cargo.
#[derive(Debug, Default, PartialEq)]
struct Messages {
    out_dir: Option<PathBuf>,
    others: Vec<String>,
}

/// One message (a line of JSON).
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
    /// Cargo could not be started.
    NoCargo(io::Error),
    /// A build failed.
    Failed {
        /// The package that was built.
        package: &'static str,
        /// The output of Cargo.
        told: String,
    },
    /// Other packages were built during the measured time.
    NotAlone {
        /// The package that was measured.
        package: &'static str,
        /// The other packages.
        others: Vec<String>,
    },
    /// Cargo did not report the `OUT_DIR` of the build script.
    NoOutDir {
        /// The package that was built.
        package: &'static str,
    },
    /// The generated code can't be read.
    Read {
        /// Expected path of the file.
        file: PathBuf,
        /// The error.
        reason: io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCargo(reason) => {
                write!(f, "`cargo` did not start ({reason}); add it to the `PATH`")
            }
            Self::Failed { package, told } => write!(f, "`{package}` could not be built:\n{told}"),
            Self::NotAlone { package, others } => {
                let others = others.join(", ");
                write!(
                    f,
                    "building `{package}` also rebuilt {others}; change no sources while `build` is measured"
                )
            }
            Self::NoOutDir { package } => {
                write!(f, "Cargo did not report the output folder of the build script of `{package}`")
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
