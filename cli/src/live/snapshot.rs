//! [`Snapshot`]: the numbers of a server at one moment, as a table.

use std::collections::BTreeMap;

use serde::Deserialize;
use zsvc_dynamic::duration;

use super::failure::shown;
use super::reflection::is_builtin;

/// The numbers of a server, as `zsvc.stats.v1` has them.
#[derive(Debug, Deserialize)]
pub(crate) struct Snapshot {
    uptime: String,
    connections: u64,
    in_flight: u64,
    refused: u64,
    lost_clients: u64,
    unreadable: u64,
    dropped: BTreeMap<String, u64>,
    methods: Vec<MethodStats>,
}

#[derive(Debug, Deserialize)]
struct MethodStats {
    name: String,
    calls: u64,
    running: u64,
    failures: BTreeMap<String, u64>,
    handler: Latency,
    queue: Latency,
    request_bytes: u64,
    answer_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Latency {
    timed: u64,
    p50: String,
    p99: String,
}

const HEAD: [&str; 9] =
    ["method", "calls", "per s", "running", "failed", "p50", "p99", "waited p99", "bytes in/out"];

impl Snapshot {
    /// Returns the lines of a table, with the calls per second since an earlier moment, or since the start.
    pub(crate) fn table(&self, before: Option<&Self>, all: bool) -> Vec<String> {
        let mut lines = vec![format!(
            "up {}, connections: {}, calls in flight: {}, refused: {}, clients lost: {}, unreadable: {}",
            since(&self.uptime),
            self.connections,
            self.in_flight,
            self.refused,
            self.lost_clients,
            self.unreadable
        )];
        let dropped = self.dropped.iter().filter(|(_, count)| **count > 0);
        let dropped: Vec<String> = dropped.map(|(why, count)| format!("{count} {}", shown(why))).collect();
        if !dropped.is_empty() {
            lines.push(format!("dropped: {}", dropped.join(", ")));
        }
        let methods = self.methods.iter().filter(|method| all || !is_builtin(&method.name));
        let rows: Vec<[String; 9]> = methods.map(|method| self.row(method, before)).collect();
        lines.push(String::new());
        lines.extend(aligned(&rows));
        let failed = self.methods.iter().filter(|method| all || !is_builtin(&method.name));
        for method in failed.filter(|method| method.failures.values().any(|count| *count > 0)) {
            let codes = method.failures.iter().map(|(code, count)| format!("{count} {}", shown(code)));
            lines.push(format!("{}: {}", shown(&method.name), codes.collect::<Vec<_>>().join(", ")));
        }
        lines
    }

    fn row(&self, method: &MethodStats, before: Option<&Self>) -> [String; 9] {
        let earlier = before.and_then(|before| before.methods.iter().find(|known| known.name == method.name));
        let calls = method.calls.saturating_sub(earlier.map_or(0, |earlier| earlier.calls));
        let seconds = seconds(&self.uptime) - before.map_or(0.0, |before| seconds(&before.uptime));
        #[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
        let rate = if seconds > 0.0 { calls as f64 / seconds } else { 0.0 };
        let latency = |latency: &Latency, text: &str| {
            if latency.timed == 0 { "-".to_owned() } else { since(text) }
        };
        [
            shown(&method.name),
            method.calls.to_string(),
            format!("{rate:.1}"),
            method.running.to_string(),
            method.failures.values().sum::<u64>().to_string(),
            latency(&method.handler, &method.handler.p50),
            latency(&method.handler, &method.handler.p99),
            latency(&method.queue, &method.queue.p99),
            format!("{}/{}", method.request_bytes, method.answer_bytes),
        ]
    }
}

/// Returns the lines of a table: names to the left, numbers to the right.
fn aligned(rows: &[[String; 9]]) -> Vec<String> {
    let mut widths = HEAD.map(|name| name.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; 9]| {
        let cells = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(HEAD)];
    lines.extend(rows.iter().map(|row| line(row.each_ref().map(String::as_str))));
    lines
}

fn seconds(text: &str) -> f64 {
    duration(text).unwrap_or_default().as_secs_f64()
}

/// Returns a time with three digits and the unit that suits it.
fn since(text: &str) -> String {
    let seconds = seconds(text);
    match seconds {
        _ if seconds < 1e-3 => format!("{:.3} µs", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.3} ms", seconds * 1e3),
        _ if seconds < 600.0 => format!("{seconds:.1} s"),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::Snapshot;

    fn snapshot(uptime: &str, calls: u64) -> Snapshot {
        let latency = r#"{"timed": 9, "mean": "0.001s", "p50": "0.00025s", "p90": "0s", "p99": "1.5s", "p999": "0s", "max": "0s"}"#;
        let none = latency.replace("\"timed\": 9", "\"timed\": 0");
        let text = format!(
            r#"{{"uptime": "{uptime}", "connections": 2, "in_flight": 1, "refused": 0, "lost_clients": 0, "unreadable": 0,
                "dropped": {{"late": 3, "other": 0}}, "methods": [
                {{"name": "market.v1.Tape/last", "calls": {calls}, "running": 1, "failures": {{"declared": 2}}, "handler": {latency},
                  "queue": {none}, "request_bytes": 10, "answer_bytes": 20}},
                {{"name": "zsvc.stats.v1.Stats/read", "calls": 1, "running": 1, "failures": {{}}, "handler": {none},
                  "queue": {none}, "request_bytes": 1, "answer_bytes": 2}}]}}"#
        );
        serde_json::from_str(&text).expect("a snapshot")
    }

    #[test]
    fn rates_are_those_since_the_table_before() {
        let (before, now) = (snapshot("10s", 100), snapshot("12s", 150));
        assert_eq!(
            now.table(Some(&before), false),
            [
                "up 12.0 s, connections: 2, calls in flight: 1, refused: 0, clients lost: 0, unreadable: 0",
                "dropped: 3 late",
                "",
                "method               calls  per s  running  failed         p50    p99  waited p99  bytes in/out",
                "market.v1.Tape/last    150   25.0        1       2  250.000 µs  1.5 s           -         10/20",
                "market.v1.Tape/last: 2 declared",
            ]
        );
        assert!(before.table(None, true).iter().any(|line| line.starts_with("zsvc.stats.v1.Stats/read")));
    }
}
