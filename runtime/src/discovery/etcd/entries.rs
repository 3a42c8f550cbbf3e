//! [`Entries`]: what is stored in etcd for a server, and under which keys. Other languages write and read the same.

use serde::{Deserialize, Serialize};

use crate::discovery::{Announcement, FoundServer};

/// Maximum size of a value in bytes that is read: some hundreds of endpoints.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The keys below one prefix.
pub(super) struct Entries<'a> {
    prefix: &'a str,
}

/// One key and its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
}

/// The value of a server. Further fields are left alone, so that there may be more one day.
#[derive(Serialize, Deserialize)]
struct Value {
    endpoints: Vec<String>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(prefix: &'a str) -> Self {
        Self { prefix }
    }

    /// Returns what all keys of a service's servers begin with.
    pub(super) fn of_service(&self, service: &str) -> String {
        format!("{}/services/{service}/", self.prefix)
    }

    /// Returns the entries of a server: one for each of its services.
    pub(super) fn of(&self, server: &Announcement) -> Vec<Entry> {
        let value = Value { endpoints: server.endpoints.clone() };
        // Only maps whose keys are no strings can't be written.
        let value = serde_json::to_string(&value).expect("strings are valid in JSON");
        let entry = |service: &String| Entry {
            key: format!("{}{}", self.of_service(service), server.instance),
            value: value.clone(),
        };
        server.services.iter().map(entry).collect()
    }
}

/// Reads the value of a server. `None` if it is none, which is left out: anything may write there.
pub(super) fn read(instance: &str, value: &[u8]) -> Option<FoundServer> {
    if value.len() > MAX_VALUE_BYTES {
        return None;
    }
    let Value { endpoints } = serde_json::from_slice(value).ok()?;
    Some(FoundServer { instance: instance.to_owned(), endpoints })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_an_entry_for_each_service() {
        let server = Announcement {
            services: vec!["a.v1.A".to_owned(), "a.v1.B".to_owned()],
            endpoints: vec!["tcp://10.0.0.5:7100".to_owned(), "ipc:///run/a \"b\".sock".to_owned()],
            instance: "00000000000000ff".to_owned(),
        };
        let entries = Entries::new("/zsvc").of(&server);
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(
            keys,
            ["/zsvc/services/a.v1.A/00000000000000ff", "/zsvc/services/a.v1.B/00000000000000ff"]
        );
        assert_eq!(entries[0].value, r#"{"endpoints":["tcp://10.0.0.5:7100","ipc:///run/a \"b\".sock"]}"#);
        let read = read("00000000000000ff", entries[0].value.as_bytes()).unwrap();
        assert_eq!((read.instance, read.endpoints), (server.instance, server.endpoints));
    }

    #[test]
    fn what_is_no_server_is_left_out() {
        let long = format!(r#"{{"endpoints":["{}"]}}"#, "a".repeat(MAX_VALUE_BYTES));
        for value in ["", "x", "[]", "{}", r#"{"endpoints":"tcp://a:1"}"#, r#"{"endpoints":[7]}"#, &long] {
            assert_eq!(read("x", value.as_bytes()), None, "{value:.40}");
        }
        let more = br#"{"endpoints":["tcp://a:1"],"zone":"b","weight":{"x":1}}"#;
        assert_eq!(read("x", more).unwrap().endpoints, ["tcp://a:1"], "further fields are left alone");
    }
}
