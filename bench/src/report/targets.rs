//! The performance targets of zsvc, and whether they were met. A missed target does not fail the run: it is one of
//! its results.

use comfy_table::Table;

use super::table::{number, plain};
use crate::sample::Measurement;

/// The allowed range of a number.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
        }
    }
}

use Bound::{AtLeast, AtMost};

/// A number of zsvc, as a multiple of the same number of another system if one is named.
struct Target {
    name: &'static str,
    of: Option<&'static str>,
    bound: Bound,
}

const fn against(name: &'static str, other: &'static str, bound: Bound) -> Target {
    Target { name, of: Some(other), bound }
}

const fn plainly(name: &'static str, bound: Bound) -> Target {
    Target { name, of: None, bound }
}

/// The multi-thread runtime is to reach three quarters of the rate of the current-thread runtime.
const THREADS: Bound = AtLeast(0.75);

/// The system of this name on the same runtime as the zsvc that is judged.
const TARPC_ALIKE: &str = "tarpc, same runtime";

const TARGETS: &[Target] = &[
    against("latency p50", "bare", AtMost(0.75)),
    against("latency p50", TARPC_ALIKE, AtMost(0.9)),
    against("latency p50", "capnp", AtMost(0.85)),
    against("in-flight-8", TARPC_ALIKE, AtLeast(1.25)),
    against("in-flight-8", "capnp", AtLeast(1.25)),
    against("in-flight-64", "bare", AtLeast(1.25)),
    against("in-flight-64", "tarpc", AtLeast(2.5)),
    against("in-flight-1000", "bare", AtLeast(1.0)),
    against("in-flight-1000", "tarpc", AtLeast(4.0)),
    against("cpu-64", "bare", AtMost(1.0)),
    against("sync-clients", "tarpc", AtLeast(1.1)),
    against("server-stream-64", "tonic", AtLeast(1.1)),
    against("server-stream-4k", "tonic", AtLeast(1.5)),
    against("stream-trade", "tonic", AtLeast(1.5)),
    against("client-stream-64", "tonic", AtLeast(1.0)),
    against("bidi-64", "tonic", AtLeast(1.0)),
    against("one-way", "bare", AtLeast(1.0)),
    against("payload-1k", "capnp", AtLeast(1.1)),
    against("payload-64k", "bare", AtLeast(1.1)),
    against("payload-1m", "bare", AtLeast(1.1)),
    plainly("payload-1m memory client", AtMost(4.0)),
    plainly("payload-1m memory server", AtMost(4.0)),
    against("in-flight-64", "zerorpc", AtLeast(50.0)),
    plainly("idle-1000 memory", AtMost(4_096.0)),
    plainly("idle-10000 memory", AtMost(4_096.0)),
    against("cold-start", "tonic", AtMost(1.0)),
    plainly("allocations-1 client", AtMost(4.0)),
    plainly("allocations-1 server", AtMost(4.0)),
    plainly("allocations-64 client", AtMost(4.0)),
    plainly("allocations-64 server", AtMost(4.0)),
    plainly("allocations-1000 client", AtMost(4.0)),
    plainly("allocations-1000 server", AtMost(4.0)),
    plainly("allocations-stream-64 client", AtMost(0.1)),
    plainly("allocations-stream-64 server", AtMost(0.1)),
    against("in-flight-8", "zsvc-current", THREADS),
    against("in-flight-64", "zsvc-current", THREADS),
    against("in-flight-1000", "zsvc-current", THREADS),
    against("server-stream-64", "zsvc-current", THREADS),
    against("client-stream-64", "zsvc-current", THREADS),
    against("bidi-64", "zsvc-current", THREADS),
    against("one-way", "zsvc-current", THREADS),
    against("payload-64k", "zsvc-current", THREADS),
    against("build", "tonic", AtMost(0.5)),
];

/// Returns a table of all targets and what was reached, on both of tokio's runtimes.
pub(crate) fn table(measurements: &[Measurement]) -> Table {
    let mut table = plain(["Targets", "target", "zsvc", "met", "zsvc-current", "met"]);
    for target in TARGETS {
        let what =
            target.of.map_or_else(|| target.name.to_owned(), |other| format!("{}, × {other}", target.name));
        let [threads, thread] =
            ["zsvc", "zsvc-current"].map(|ours| verdict(target, value_of(target, ours, measurements)));
        let (value, met) = threads;
        // A target that compares the two runtimes has one value.
        let (value_of_one, met_by_one) =
            if target.of == Some("zsvc-current") { (String::new(), String::new()) } else { thread };
        table.add_row([what, target.bound.text(), value, met, value_of_one, met_by_one]);
    }
    table
}

fn verdict(target: &Target, value: Option<f64>) -> (String, String) {
    let met = value.map_or("not measured", |value| if target.bound.is_met(value) { "yes" } else { "no" });
    (value.map_or_else(|| "–".to_owned(), number), met.to_owned())
}

fn value_of(target: &Target, ours: &str, measurements: &[Measurement]) -> Option<f64> {
    let of = |system: &str| {
        let mut found =
            measurements.iter().filter(|number| number.name == target.name && number.system == system);
        found.next().map(|number| number.value)
    };
    match target.of {
        None => of(ours),
        Some(TARPC_ALIKE) => {
            ratio(of(ours), of(if ours == "zsvc-current" { "tarpc-current" } else { "tarpc" }))
        }
        Some(other) => ratio(of(ours), of(other)),
    }
}

fn ratio(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    Some(ours? / theirs.filter(|value| *value != 0.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, system: &str, value: f64) -> Measurement {
        let (name, system) = (name.to_owned(), system.to_owned());
        Measurement { name, system, value, unit: String::new(), rounds: 3, spread: 0.0 }
    }

    fn row(measurements: &[Measurement], what: &str) -> Vec<String> {
        let text = table(measurements).to_string();
        let line =
            text.lines().find(|line| line.trim_start().starts_with(what)).unwrap_or_default().to_owned();
        line.trim_start().trim_start_matches(what).split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn ratios_are_judged() {
        let good = [measured("latency p50", "zsvc", 70.0), measured("latency p50", "bare", 100.0)];
        assert_eq!(row(&good, "latency p50, × bare"), ["≤", "0.75", "0.70", "yes", "–", "not", "measured"]);
        let bad = [measured("in-flight-64", "zsvc", 2.0), measured("in-flight-64", "tarpc", 1.0)];
        assert_eq!(row(&bad, "in-flight-64, × tarpc"), ["≥", "2.5", "2.00", "no", "–", "not", "measured"]);
    }

    #[test]
    fn each_runtime_is_compared_with_a_system_on_the_same() {
        let numbers = [("zsvc", 8.0), ("zsvc-current", 6.0), ("tarpc", 10.0), ("tarpc-current", 5.0)];
        let numbers = numbers.map(|(system, value)| measured("latency p50", system, value));
        let row = row(&numbers, "latency p50, × tarpc, same runtime");
        assert_eq!(row, ["≤", "0.9", "0.80", "yes", "1.20", "no"]);
    }

    #[test]
    fn plain_numbers_are_judged() {
        let measured = [measured("allocations-1 client", "zsvc", 4.5)];
        assert_eq!(row(&measured, "allocations-1 client"), ["≤", "4", "4.50", "no", "–", "not", "measured"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        let half = [measured("one-way", "zsvc", 4.5)];
        assert_eq!(row(&half, "one-way, × bare"), ["≥", "1", "–", "not", "measured", "–", "not", "measured"]);
    }
}
