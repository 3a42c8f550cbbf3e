//! Tables for a terminal: one per number, with a row for each system.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use crate::sample::Measurement;

/// Returns the tables of all numbers in the measurements, in order.
pub(crate) fn of(measurements: &[Measurement]) -> String {
    let mut names: Vec<&str> = measurements.iter().map(|measurement| measurement.name.as_str()).collect();
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    let mut text = String::new();
    for name in names {
        let group: Vec<&Measurement> =
            measurements.iter().filter(|measurement| measurement.name == name).collect();
        let _ = writeln!(text, "{}\n", table_of(name, &group));
    }
    text
}

fn table_of(name: &str, group: &[&Measurement]) -> Table {
    let reference = reference(group);
    let unit = group.first().map_or("", |first| first.unit.as_str());
    let ratio = reference.map_or_else(|| "ratio".to_owned(), |reference| format!("× {}", reference.system));
    let mut table = plain([name, unit, "spread", &ratio]);
    for measurement in group {
        table.add_row([
            measurement.system.clone(),
            number(measurement.value),
            format!("{:.1} %", measurement.spread * 100.0),
            reference.map_or_else(String::new, |reference| ratio_of(measurement.value, reference.value)),
        ]);
    }
    table
}

/// Returns an empty table whose first column is text and whose other columns are numbers.
pub(super) fn plain<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Returns the measurement that the others are compared with: bare libzmq if it was measured, else the best peer of
/// zsvc.
fn reference<'a>(group: &[&'a Measurement]) -> Option<&'a Measurement> {
    let peers = || group.iter().copied().filter(|measurement| !measurement.system.starts_with("zsvc"));
    let by_value = |left: &&Measurement, right: &&Measurement| left.value.total_cmp(&right.value);
    let more_is_better = group.first().is_some_and(|first| first.unit.ends_with("/s"));
    let best = || if more_is_better { peers().max_by(by_value) } else { peers().min_by(by_value) };
    peers().find(|measurement| measurement.system == "bare").or_else(best)
}

fn ratio_of(value: f64, reference: f64) -> String {
    if reference == 0.0 { "–".to_owned() } else { format!("{:.2}", value / reference) }
}

/// Formats with the significant digits only, and commas between thousands.
pub(super) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        small if small < 10.0 => 2,
        medium if medium < 1000.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &str, system: &str, value: f64, unit: &str) -> Measurement {
        let (name, system, unit) = (name.to_owned(), system.to_owned(), unit.to_owned());
        Measurement { name, system, value, unit, rounds: 3, spread: 0.034 }
    }

    #[test]
    fn numbers_are_readable() {
        for (value, text) in [
            (0.0, "0"),
            (0.004, "0.00"),
            (1.234, "1.23"),
            (103.44, "103.4"),
            (999.96, "1,000.0"),
            (8_046.4, "8,046"),
            (1_095_271.0, "1,095,271"),
            (-1_234.0, "-1,234"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_table_compares_with_bare_libzmq() {
        let all = [
            measured("in-flight-64", "zsvc", 250_000.0, "calls/s"),
            measured("in-flight-64", "bare", 500_000.0, "calls/s"),
        ];
        let text = of(&all);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["in-flight-64", "calls/s", "spread", "×", "bare"]);
        assert_eq!(lines[1], ["zsvc", "250,000", "3.4", "%", "0.50"]);
        assert_eq!(lines[2], ["bare", "500,000", "3.4", "%", "1.00"]);
    }

    #[test]
    fn without_it_a_table_compares_with_the_best_peer() {
        let rates = ["zsvc", "tonic", "capnp"].into_iter().zip([3.0, 1.0, 2.0]);
        let rates: Vec<_> =
            rates.map(|(system, value)| measured("bidi-64", system, value, "items/s")).collect();
        assert_eq!(
            reference(&rates.iter().collect::<Vec<_>>()).map(|best| best.system.as_str()),
            Some("capnp")
        );
        let times: Vec<_> =
            rates.into_iter().map(|rate| Measurement { unit: "ms".to_owned(), ..rate }).collect();
        assert_eq!(
            reference(&times.iter().collect::<Vec<_>>()).map(|best| best.system.as_str()),
            Some("tonic")
        );
    }

    #[test]
    fn each_number_has_its_table() {
        let all = [
            measured("latency p50", "zsvc", 1.0, "µs"),
            measured("latency p99", "zsvc", 2.0, "µs"),
            measured("latency p50", "bare", 1.0, "µs"),
        ];
        assert_eq!(of(&all).matches("latency").count(), 2);
    }
}
