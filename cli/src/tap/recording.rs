//! Recordings: what passed, a line of JSON each; and the calls of a recording, made again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::conversation::{Side, Told};

/// A line of a recording. Names are part of the contract in docs/tool.md.
pub(crate) fn line(seconds: f64, connection: u64, told: &Told) -> String {
    let from = if told.side == Side::Client { "client" } else { "server" };
    let mut line = json!({
        "seconds": seconds,
        "connection": connection,
        "from": from,
        "record": told.kind,
        "id": told.id,
        "method": told.method.as_deref(),
    });
    let value = match (&told.value, told.is_json) {
        (Some(json), true) => serde_json::from_str(json).unwrap_or_default(),
        (Some(text), false) => {
            line["note"] = text.as_str().into();
            serde_json::Value::Null
        }
        (None, _) => serde_json::Value::Null,
    };
    line["value"] = value;
    line.to_string()
}

/// A call of a recording.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Time since the first line.
    pub(crate) at: Duration,
    pub(crate) method: String,
    /// The parameters as JSON.
    pub(crate) params: String,
    /// The items of the client's stream as JSON, with the times since the first line.
    pub(crate) items: Vec<(Duration, String)>,
}

#[derive(Deserialize)]
struct Line<'a> {
    seconds: f64,
    connection: u64,
    from: String,
    record: String,
    id: u64,
    method: Option<String>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// Returns the calls of a recording, in their order. Those whose values were not known by a schema can't be made again.
///
/// # Errors
/// A line is none of a recording: returns its number and what is wrong.
pub(crate) fn calls(text: &str) -> Result<Vec<Recorded>, (usize, String)> {
    let mut calls: Vec<Recorded> = Vec::new();
    let mut open: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for (number, text) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line<'_> = serde_json::from_str(text).map_err(|error| (number, error.to_string()))?;
        let at = Duration::try_from_secs_f64(line.seconds).map_err(|error| (number, error.to_string()))?;
        let Some(value) = line.value.filter(|_| line.from == "client") else { continue };
        let key = (line.connection, line.id);
        match line.record.as_str() {
            "call" | "one-way" => {
                let method = line.method.ok_or_else(|| (number, "a call has no method".to_owned()))?;
                open.insert(key, calls.len());
                calls.push(Recorded { at, method, params: value.get().to_owned(), items: Vec::new() });
            }
            "item" => {
                if let Some(call) = open.get(&key) {
                    calls[*call].items.push((at, value.get().to_owned()));
                }
            }
            _ => {}
        }
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_from_what_was_recorded() {
        let told = |kind, id, method: Option<&str>, value: &str, is_json| Told {
            side: Side::Client,
            kind,
            id,
            method: method.map(Into::into),
            value: Some(value.to_owned()),
            is_json,
        };
        let lines = [
            line(0.0, 1, &told("call", 1, Some("a.v1.S/m"), r#"{"n":1}"#, true)),
            line(0.5, 1, &told("item", 1, Some("a.v1.S/m"), "5", true)),
            line(0.5, 2, &told("item", 1, None, "6", true)),
            line(1.0, 1, &told("call", 2, Some("a.v1.S/n"), "3 bytes", false)),
            line(1.5, 1, &Told { side: Side::Server, ..told("reply", 1, None, "7", true) }),
        ];
        let calls = calls(&lines.join("\n")).expect("a recording");
        // A call whose parameters were not understood is not among them.
        let [call] = &calls[..] else { panic!("{calls:?}") };
        assert_eq!((call.method.as_str(), call.params.as_str()), ("a.v1.S/m", r#"{"n":1}"#));
        assert_eq!(call.items, [(Duration::from_millis(500), "5".to_owned())]);
        assert_eq!(super::calls("{}\n").expect_err("no line").0, 1);
    }
}
