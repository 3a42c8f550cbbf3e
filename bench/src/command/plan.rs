//! The plan of a run of `compare`: which measures of which systems, in how many rounds, and for how long.

use std::time::Duration;

use crate::load::Window;
use crate::measure::Measure;
use crate::system::System;

/// What to measure, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The measures, in the order in which they are taken.
    pub measures: Vec<Measure>,
    /// Prefix of the names of wanted readings. `None` for all readings.
    pub only: Option<&'static str>,
    /// The systems that can be measured on this machine.
    pub systems: Vec<System>,
    /// Number of rounds.
    pub rounds: usize,
    /// Number of rounds of measures whose values hardly vary, or that take long.
    pub few: usize,
    /// Duration of each measure in each round.
    pub window: Window,
}

impl Plan {
    /// Returns the plan for the given arguments.
    pub(crate) fn new(
        quick: bool,
        only: Option<Measure>,
        rounds: Option<usize>,
        systems: Vec<System>,
    ) -> Self {
        let (default, few, [warm_up, length]) = if quick { (3, 1, [40, 100]) } else { (7, 3, [200, 700]) };
        let window =
            Window { warm_up: Duration::from_millis(warm_up), length: Duration::from_millis(length) };
        let rounds = rounds.unwrap_or(default);
        let mut measures = measures(only);
        measures.retain(|measure| systems.iter().any(|system| system.takes(*measure)));
        Self { measures, only: wanted(only), systems, rounds, few: few.min(rounds), window }
    }

    /// Returns the number of rounds of a measure.
    pub(crate) fn rounds_of(&self, measure: Measure) -> usize {
        match measure {
            Measure::Allocations | Measure::Idle1000 | Measure::Idle10000 | Measure::Build => self.few,
            _ => self.rounds,
        }
    }

    /// Returns the systems for which the measure is taken.
    pub(crate) fn systems_of(&self, measure: Measure) -> Vec<System> {
        self.systems.iter().copied().filter(|system| system.takes(measure)).collect()
    }

    /// Reports whether a reading with this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_none_or(|prefix| name.starts_with(prefix))
    }
}

/// Returns the measures to take. `cpu` has no window of its own: CPU time is read in those of `in-flight-64` and
/// `in-flight-1000`.
fn measures(only: Option<Measure>) -> Vec<Measure> {
    match only {
        None => Measure::all().iter().copied().filter(|measure| *measure != Measure::Cpu).collect(),
        Some(Measure::Cpu) => vec![Measure::InFlight64, Measure::InFlight1000],
        Some(measure) => vec![measure],
    }
}

fn wanted(only: Option<Measure>) -> Option<&'static str> {
    match only {
        Some(Measure::Cpu) => Some("cpu-"),
        Some(Measure::InFlight8 | Measure::InFlight64 | Measure::InFlight1000) => Some("in-flight-"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(only: Option<Measure>, rounds: Option<usize>) -> Plan {
        Plan::new(true, only, rounds, System::all().to_vec())
    }

    #[test]
    fn everything_is_measured_once() {
        let plan = plan(None, None);
        assert_eq!(plan.measures.len(), Measure::all().len() - 1);
        assert!(plan.wants("cpu-64") && plan.wants("in-flight-64"));
    }

    #[test]
    fn cpu_time_comes_with_calls_in_flight() {
        let plan = plan(Some(Measure::Cpu), None);
        assert_eq!(plan.measures, [Measure::InFlight64, Measure::InFlight1000]);
        assert!(plan.wants("cpu-64") && !plan.wants("in-flight-64"));
    }

    #[test]
    fn what_no_system_has_is_not_measured() {
        let plan = Plan::new(true, Some(Measure::OneWay), None, vec![System::Tonic]);
        assert!(plan.measures.is_empty());
    }

    #[test]
    fn rounds_are_as_many_as_asked_for() {
        let plan = plan(None, Some(2));
        assert_eq!((plan.rounds_of(Measure::Latency), plan.rounds_of(Measure::Build)), (2, 1));
    }

    #[test]
    fn a_system_is_asked_for_what_it_has() {
        let plan = plan(None, None);
        assert_eq!(
            plan.systems_of(Measure::OneWay),
            [System::Zsvc, System::ZsvcCurrent, System::ZsvcLibzmq, System::Bare]
        );
        assert!(!plan.systems_of(Measure::ServerStream64).contains(&System::Tarpc));
        assert!(plan.systems_of(Measure::Latency).contains(&System::Pyzmq));
    }
}
