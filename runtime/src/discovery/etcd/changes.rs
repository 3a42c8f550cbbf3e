//! [`Changes`]: the servers of a service as a first reading and the watch after it tell them. Knows no sockets.
//!
//! The gateway writes one JSON object per line, in chunks that may end anywhere; 64-bit numbers are strings, and keys and values base64.

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::entries;
use crate::discovery::FoundServer;

/// Maximum size of a line in bytes: of one answer with all changes of a moment.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
/// Maximum number of servers of a service that are known; further ones are left out.
const MAX_SERVERS: usize = 10_000;

/// The servers of one service.
#[derive(Debug)]
pub(super) struct Changes {
    /// What the keys of all servers begin with.
    prefix: Vec<u8>,
    /// The values that are servers, by what tells them apart.
    servers: BTreeMap<String, FoundServer>,
    revision: i64,
    /// Bytes of a line that has not ended yet.
    line: Vec<u8>,
}

/// What a piece of a watch's answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing has changed.
    Same,
    /// Servers have come, changed or gone.
    Changed,
    /// The watch is over; all must be read anew.
    Over,
}

/// The answer of a reading.
#[derive(Debug, Deserialize)]
pub(super) struct Reading {
    header: Header,
    #[serde(default)]
    kvs: Vec<Pair>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    #[serde(deserialize_with = "number")]
    revision: i64,
}

#[derive(Debug, Deserialize)]
struct Pair {
    #[serde(deserialize_with = "base64")]
    key: Vec<u8>,
    #[serde(default, deserialize_with = "base64")]
    value: Vec<u8>,
}

/// One line of a watch.
#[derive(Deserialize)]
struct Line {
    result: Option<Answer>,
    error: Option<Refusal>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    canceled: bool,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    /// Left out for what was written.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    kv: Pair,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

/// Reads a number that is written as a string, as JSON of protobuf has 64-bit numbers.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map_err(D::Error::custom)
}

impl Changes {
    /// Creates the state after all was read.
    ///
    /// # Errors
    /// The answer makes no sense.
    pub(super) fn new(prefix: &str, answer: &[u8]) -> io::Result<Self> {
        let reading: Reading = serde_json::from_slice(answer).map_err(|error| senseless(&error))?;
        let revision = reading.header.revision;
        let mut this =
            Self { prefix: prefix.as_bytes().to_vec(), servers: BTreeMap::new(), revision, line: Vec::new() };
        for pair in &reading.kvs {
            this.put(pair);
        }
        Ok(this)
    }

    /// Returns the revision of the first reading: a watch begins with the one after it, so that nothing is missed.
    pub(super) fn revision(&self) -> i64 {
        self.revision
    }

    /// Returns the servers as they are now.
    pub(super) fn servers(&self) -> Vec<FoundServer> {
        self.servers.values().cloned().collect()
    }

    /// Takes the next bytes of a watch.
    ///
    /// # Errors
    /// The bytes make no sense, or say that something is wrong.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> io::Result<Next> {
        let mut next = Next::Same;
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (rest, after) = bytes.split_at(end);
            bytes = &after[1..];
            self.extend_line(rest)?;
            let line = std::mem::take(&mut self.line);
            match self.read_line(&line)? {
                Next::Same => {}
                Next::Changed => next = Next::Changed,
                Next::Over => return Ok(Next::Over),
            }
        }
        self.extend_line(bytes)?;
        Ok(next)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.line.len() + bytes.len() > MAX_LINE_BYTES {
            return Err(io::Error::other(format!("etcd sent a line of more than {MAX_LINE_BYTES} bytes")));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn read_line(&mut self, line: &[u8]) -> io::Result<Next> {
        if line.trim_ascii().is_empty() {
            return Ok(Next::Same);
        }
        let line: Line = serde_json::from_slice(line).map_err(|error| senseless(&error))?;
        if let Some(refusal) = line.error {
            return Err(io::Error::other(format!("etcd has ended the watch: {}", refusal.message)));
        }
        let answer = line.result.unwrap_or_default();
        if answer.canceled {
            return Ok(Next::Over);
        }
        let mut next = Next::Same;
        for Event { kind, kv } in &answer.events {
            let changed = if kind.as_deref() == Some("DELETE") { self.remove(kv) } else { self.put(kv) };
            if changed {
                next = Next::Changed;
            }
        }
        Ok(next)
    }

    /// Takes a value that was written. Returns whether that changes anything.
    fn put(&mut self, pair: &Pair) -> bool {
        let Some(instance) = self.instance(pair) else { return false };
        match entries::read(&instance, &pair.value) {
            Some(_) if self.servers.len() >= MAX_SERVERS && !self.servers.contains_key(&instance) => false,
            Some(server) => self.servers.insert(instance, server.clone()) != Some(server),
            None => self.servers.remove(&instance).is_some(),
        }
    }

    fn remove(&mut self, pair: &Pair) -> bool {
        self.instance(pair).is_some_and(|instance| self.servers.remove(&instance).is_some())
    }

    /// Returns what tells a server from others, the end of its key.
    fn instance(&self, pair: &Pair) -> Option<String> {
        let end = pair.key.strip_prefix(&self.prefix[..])?;
        std::str::from_utf8(end).ok().map(str::to_owned)
    }
}

fn senseless(error: &serde_json::Error) -> io::Error {
    io::Error::other(format!("etcd's answer is not what was expected: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "/zsvc/services/a.v1.A/";

    fn pair(instance: &str, value: &str) -> String {
        let (key, value) = (STANDARD.encode(format!("{PREFIX}{instance}")), STANDARD.encode(value));
        format!(r#"{{"key":"{key}","value":"{value}","mod_revision":"9"}}"#)
    }

    fn server(endpoint: &str) -> String {
        format!(r#"{{"endpoints":["{endpoint}"]}}"#)
    }

    fn put(instance: &str, value: &str) -> String {
        format!(
            r#"{{"result":{{"header":{{"revision":"9"}},"events":[{{"kv":{}}}]}}}}"#,
            pair(instance, value)
        ) + "\n"
    }

    fn delete(instance: &str) -> String {
        let key = STANDARD.encode(format!("{PREFIX}{instance}"));
        format!(r#"{{"result":{{"events":[{{"type":"DELETE","kv":{{"key":"{key}"}}}}]}}}}"#) + "\n"
    }

    fn begun(pairs: &[String]) -> Changes {
        let answer = format!(r#"{{"header":{{"revision":"8"}},"kvs":[{}]}}"#, pairs.join(","));
        Changes::new(PREFIX, answer.as_bytes()).unwrap()
    }

    /// Returns the servers as `INSTANCE ENDPOINT`.
    fn servers(changes: &Changes) -> Vec<String> {
        let servers = changes.servers();
        servers.iter().map(|server| format!("{} {}", server.instance, server.endpoints[0])).collect()
    }

    #[test]
    fn servers_are_read_and_followed() {
        let mut changes = begun(&[pair("1", &server("tcp://a:1")), pair("x", "no server")]);
        assert_eq!((changes.revision(), servers(&changes)), (8, vec!["1 tcp://a:1".to_owned()]));
        for (line, next, expected) in [
            (
                r#"{"result":{"header":{"revision":"8"},"created":true}}"#.to_owned() + "\n",
                Next::Same,
                "1 tcp://a:1",
            ),
            (put("2", &server("tcp://b:1")), Next::Changed, "1 tcp://a:1, 2 tcp://b:1"),
            (put("2", &server("tcp://b:1")), Next::Same, "1 tcp://a:1, 2 tcp://b:1"),
            (delete("1") + &put("2", &server("tcp://b:2")), Next::Changed, "2 tcp://b:2"),
            (delete("1"), Next::Same, "2 tcp://b:2"),
            // What is no server any more is gone.
            (put("2", "nothing"), Next::Changed, ""),
            ("\n".to_owned(), Next::Same, ""),
        ] {
            assert_eq!(changes.read(line.as_bytes()).unwrap(), next, "{line}");
            assert_eq!(servers(&changes).join(", "), expected, "{line}");
        }
        let over = br#"{"result":{"canceled":true,"compact_revision":"12"}}"#;
        assert_eq!(changes.read(over).unwrap(), Next::Same, "the line has not ended");
        assert_eq!(changes.read(b"\n").unwrap(), Next::Over);
    }

    #[test]
    fn chunks_end_anywhere() {
        let lines = put("1", &server("tcp://a:1")) + &delete("1") + &put("2", &server("tcp://b:1"));
        for size in 1..lines.len() {
            let mut changes = begun(&[]);
            for chunk in lines.as_bytes().chunks(size) {
                changes.read(chunk).unwrap();
            }
            assert_eq!(servers(&changes), ["2 tcp://b:1"], "in chunks of {size} bytes");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for (line, expected) in [
            ("<html>\n", "etcd's answer is not what was expected: expected value at line 1 column 1"),
            (
                r#"{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}"#,
                "etcd has ended the watch: etcdserver: no leader",
            ),
        ] {
            let error = begun(&[]).read(format!("{line}\n").as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let mut changes = begun(&[]);
        let piece = vec![b' '; MAX_LINE_BYTES / 2 + 1];
        changes.read(&piece).unwrap();
        assert!(changes.read(&piece).is_err(), "a line without end");
        assert!(Changes::new(PREFIX, b"{}").is_err() && Changes::new(PREFIX, b"").is_err());
    }

    #[test]
    fn only_so_many_servers_are_known() {
        let pairs: Vec<_> = (0..MAX_SERVERS).map(|at| pair(&at.to_string(), &server("tcp://a:1"))).collect();
        let mut changes = begun(&pairs);
        assert_eq!(changes.read(put("further", &server("tcp://b:1")).as_bytes()).unwrap(), Next::Same);
        assert_eq!(changes.read(put("7", &server("tcp://b:1")).as_bytes()).unwrap(), Next::Changed);
        assert_eq!(changes.servers().len(), MAX_SERVERS);
    }
}
