//! [`Measured`]: what was measured, as text and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::load::Tally;

/// The percentiles that are told.
const PERCENTILES: [f64; 6] = [50.0, 75.0, 90.0, 99.0, 99.9, 99.99];

/// What was measured of a method.
pub(crate) struct Measured {
    pub(crate) tally: Tally,
    /// Time from the first call until the last was answered.
    pub(crate) took: Duration,
    pub(crate) concurrency: usize,
    pub(crate) rate: Option<f64>,
    /// Number of items that were sent, and of those that each call sends, of a method that takes a stream.
    pub(crate) items: Option<(u64, u64)>,
    pub(crate) method: &'static str,
}

impl Measured {
    /// Returns the number of calls in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.in_a_second(self.tally.times.len())
    }

    #[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
    fn in_a_second(&self, number: u64) -> f64 {
        number as f64 / self.took.as_secs_f64()
    }

    /// Returns the time in milliseconds below which this part of all calls was, in percent.
    pub(crate) fn at(&self, percentile: f64) -> f64 {
        milliseconds(self.tally.times.value_at_percentile(percentile))
    }

    /// Returns the lines that are printed for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let kind = match self.rate {
            Some(rate) => {
                format!("open loop: {rate} calls per second due, up to {} in flight", self.concurrency)
            }
            None => format!("closed loop: {} callers", self.concurrency),
        };
        let mut lines = vec![
            format!("{}, {kind}", self.method),
            format!(
                "{} calls in {:.1} s, {:.1} per second, {} answers",
                self.tally.times.len(),
                self.took.as_secs_f64(),
                self.per_second(),
                self.tally.answers
            ),
        ];
        if let Some((sent, per_call)) = self.items {
            let rate = self.in_a_second(sent);
            lines.push(format!("{sent} items sent, {per_call} in each call, {rate:.1} per second"));
        }
        let failures = self.tally.failures.iter().map(|(code, count)| format!("{count} {code}"));
        let failures: Vec<String> = failures.collect();
        if !failures.is_empty() {
            lines.push(format!("failed: {}", failures.join(", ")));
        }
        if !self.tally.times.is_empty() {
            lines.push(format!("{:>8}  {:>10.3} ms", "least", milliseconds(self.tally.times.min())));
            lines.push(format!("{:>8}  {:>10.3} ms", "mean", self.tally.times.mean() / 1e3));
            lines.extend(PERCENTILES.map(|at| format!("{:>8}  {:>10.3} ms", format!("p{at}"), self.at(at))));
            lines.push(format!("{:>8}  {:>10.3} ms", "most", milliseconds(self.tally.times.max())));
        }
        lines
    }

    /// Returns all of it as JSON.
    pub(crate) fn json(&self) -> Value {
        let percentiles: serde_json::Map<String, Value> =
            PERCENTILES.iter().map(|at| (format!("p{at}"), self.at(*at).into())).collect();
        json!({
            "method": self.method,
            "loop": if self.rate.is_some() { "open" } else { "closed" },
            "rate": self.rate,
            "concurrency": self.concurrency,
            "seconds": self.took.as_secs_f64(),
            "calls": self.tally.times.len(),
            "per_second": self.per_second(),
            "answers": self.tally.answers,
            "answers_per_second": self.in_a_second(self.tally.answers),
            "items": self.items.map(|(sent, per_call)| {
                json!({ "sent": sent, "per_call": per_call, "per_second": self.in_a_second(sent) })
            }),
            "failures": self.tally.failures,
            "milliseconds": {
                "least": milliseconds(self.tally.times.min()),
                "mean": self.tally.times.mean() / 1e3,
                "percentiles": percentiles,
                "most": milliseconds(self.tally.times.max()),
            },
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53 microseconds")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}
