//! `compare`: measures all systems side by side, round after round, and reports the results as tables, JSON and
//! charts.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Plan;
use crate::measure::Measure;
use crate::python::Environment;
use crate::report::{chart, json, table, targets};
use crate::round::Rounds;
use crate::sample::{Measurement, Reading};
use crate::statistics::summarize;
use crate::system::System;
use crate::{Failure, build_time};

/// Measures all systems side by side.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Takes at most 3 minutes: fewer and shorter rounds.
    #[arg(long)]
    quick: bool,
    /// Takes only this measure.
    #[arg(long, value_name = "NAME")]
    only: Option<Measure>,
    /// Measures only this system; may be repeated. Ratios need two systems.
    #[arg(long, value_name = "NAME")]
    system: Vec<System>,
    /// Number of rounds.
    #[arg(long)]
    rounds: Option<usize>,
    /// Writes all measurements to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws charts into this folder.
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
}

/// Takes all measures, and reports them. Fails if a measure could not be taken.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (systems, python) = systems(arguments);
    let plan = Plan::new(arguments.quick, arguments.only, arguments.rounds, systems);
    if plan.measures.is_empty() {
        return Err("none of these systems has this measure".into());
    }
    let mut run =
        Run { bar: progress(&plan), rounds: Rounds::new(plan.window, python), plan, found: Found::default() };
    run.take_all();
    let Found { measurements, failures } = run.found;
    if arguments.only.is_none() {
        println!("{}", targets::table(&measurements));
    }
    if let Some(file) = &arguments.json {
        json::write(&measurements, file)?;
    }
    if let Some(folder) = &arguments.charts {
        chart::draw(&measurements, folder)?;
    }
    for failure in &failures {
        eprintln!("could not be measured: {failure}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the requested systems that are available on this machine, and the environment for those in Python.
fn systems(arguments: &Arguments) -> (Vec<System>, Option<Environment>) {
    let asked = |system: &System| arguments.system.is_empty() || arguments.system.contains(system);
    let mut systems: Vec<System> = System::all().iter().copied().filter(asked).collect();
    systems.retain(|system| {
        let lacks = system.lacks();
        if let Some(what) = lacks {
            eprintln!("{} is left out: {what}", system.name());
        }
        lacks.is_none()
    });
    let needs_python =
        |system: &System| system.python().is_some() && arguments.only.is_none_or(|only| system.takes(only));
    let python = systems.iter().any(needs_python).then(Environment::ready);
    if let Some(Err(unready)) = &python {
        eprintln!("zerorpc and pyzmq are left out: {unready}");
    }
    let python = python.and_then(Result::ok);
    if python.is_none() {
        systems.retain(|system| system.python().is_none());
    }
    (systems, python)
}

fn progress(plan: &Plan) -> ProgressBar {
    let steps = |measure: &Measure| match measure {
        Measure::Build => build_time::steps(plan.rounds_of(*measure)),
        _ => plan.rounds_of(*measure) * plan.systems_of(*measure).len(),
    };
    let bar = ProgressBar::new(plan.measures.iter().map(steps).sum::<usize>() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed_precise} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Results so far.
#[derive(Default)]
struct Found {
    measurements: Vec<Measurement>,
    failures: Vec<String>,
}

struct Run {
    plan: Plan,
    bar: ProgressBar,
    rounds: Rounds,
    found: Found,
}

impl Run {
    fn take_all(&mut self) {
        for measure in self.plan.measures.clone() {
            let mut taken = match measure {
                Measure::Build => self.take_build(),
                _ => self.take(measure),
            };
            taken.retain(|measurement| self.plan.wants(&measurement.name));
            self.bar.suspend(|| print!("{}", table::of(&taken)));
            self.found.measurements.append(&mut taken);
        }
        self.bar.finish_and_clear();
    }

    /// Takes a measure of each system in turn, once per round. A system that fails is left out of later rounds.
    fn take(&mut self, measure: Measure) -> Vec<Measurement> {
        let mut systems: Vec<(System, Vec<Vec<Reading>>)> =
            self.plan.systems_of(measure).into_iter().map(|system| (system, Vec::new())).collect();
        for _ in 0..self.plan.rounds_of(measure) {
            systems.retain_mut(|(system, readings)| {
                self.bar.set_message(format!("{} of {}", measure.name(), system.name()));
                let taken = self.rounds.take(measure, *system);
                self.bar.inc(1);
                taken
                    .map(|round| readings.push(round))
                    .map_err(|failure| self.found.failures.push(told(measure, *system, &failure)))
                    .is_ok()
            });
        }
        self.rounds.end();
        systems.iter().flat_map(|(system, rounds)| summarize(&system.name(), rounds)).collect()
    }

    fn take_build(&mut self) -> Vec<Measurement> {
        let bar = &self.bar;
        let mut step = |what: &str| {
            bar.set_message(what.to_owned());
            bar.inc(1);
        };
        build_time::measure(self.plan.rounds_of(Measure::Build), &mut step).unwrap_or_else(|failure| {
            self.found.failures.push(format!("{}: {failure}", Measure::Build.name()));
            Vec::new()
        })
    }
}

fn told(measure: Measure, system: System, failure: &Failure) -> String {
    format!("{} of {}: {failure}", measure.name(), system.name())
}
