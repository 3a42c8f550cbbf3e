//! Medians, spreads, and the summary of readings as measurements.

use crate::sample::{Measurement, Reading};

/// Returns the quantile of the values at `part` (0 to 1), interpolated between neighbours. Returns 0 if there are no
/// values.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = part * to_f64(last as u64);
    let below = place.floor();
    let at = |place: f64| sorted[to_index(place).min(last)];
    at(below) + (at(below + 1.0) - at(below)) * (place - below)
}

/// Returns the median of the values.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Returns the interquartile range as a fraction of the median; 0 if the median is 0.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let middle = median(values);
    if middle == 0.0 { 0.0 } else { (quantile(values, 0.75) - quantile(values, 0.25)) / middle }
}

/// Summarizes the rounds of one measure of one system: one measurement per name, in the order in which the names
/// first occur.
pub(crate) fn summarize(system: &str, rounds: &[Vec<Reading>]) -> Vec<Measurement> {
    let mut names: Vec<&Reading> = Vec::new();
    for reading in rounds.iter().flatten() {
        if names.iter().all(|known| known.name != reading.name) {
            names.push(reading);
        }
    }
    names.into_iter().map(|first| summary_of(first, system, rounds)).collect()
}

fn summary_of(first: &Reading, system: &str, rounds: &[Vec<Reading>]) -> Measurement {
    let values: Vec<f64> = rounds
        .iter()
        .flatten()
        .filter(|reading| reading.name == first.name)
        .map(|reading| reading.value)
        .collect();
    Measurement {
        name: first.name.clone(),
        system: system.to_owned(),
        value: median(&values),
        unit: first.unit.clone(),
        rounds: values.len(),
        spread: spread(&values),
    }
}

/// Converts a count to `f64`. Counts here are far below 2⁵³, up to which the conversion is exact.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
pub(crate) fn to_f64(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a slice, rounded down"
)]
fn to_index(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn medians_stand_in_the_middle() {
        assert!(close(median(&[]), 0.0));
        assert!(close(median(&[3.0]), 3.0));
        assert!(close(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
    }

    #[test]
    fn quantiles_fall_between_neighbours() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0];
        assert!(close(quantile(&values, 0.0), 0.0));
        assert!(close(quantile(&values, 1.0), 4.0));
        assert!(close(quantile(&values, 0.99), 3.96));
    }

    #[test]
    fn spread_is_a_fraction_of_the_median() {
        assert!(close(spread(&[0.0, 1.0, 2.0, 3.0, 4.0]), 1.0));
        assert!(close(spread(&[5.0, 5.0]), 0.0));
        assert!(close(spread(&[0.0, 0.0]), 0.0));
    }

    #[test]
    fn rounds_become_one_measurement_for_each_name() {
        let round = |value| {
            vec![Reading::new("latency p50", value, "µs"), Reading::new("latency p99", 2.0 * value, "µs")]
        };
        let all = summarize("bare", &[round(1.0), round(3.0), round(2.0)]);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name.as_str(), all[0].rounds, all[0].unit.as_str()), ("latency p50", 3, "µs"));
        assert!(close(all[0].value, 2.0) && close(all[1].value, 4.0) && close(all[1].spread, 0.5));
    }
}
