//! The lines that the driver reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use zsvc::{Bytes, MetadataValue};

use crate::Wrong;

/// Options of a server or a client.
pub(crate) type Options = BTreeMap<String, Value>;

/// What the driver is to do. `of` names the server, the client or the call.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Order {
    Serve { of: String, options: Options },
    Drain { of: String },
    Stop { of: String },
    Connect { of: String, endpoint: String, options: Options },
    Close { of: String },
    Call(Call),
    Send { of: String, item: String },
    Finish { of: String },
    Read { of: String },
    Cancel { of: String },
}

/// A call that is to be made.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) of: String,
    pub(crate) client: String,
    pub(crate) method: String,
    /// The parameters, as an array of all of them, in hexadecimal digits.
    pub(crate) body: String,
    /// Seconds.
    pub(crate) timeout: Option<f64>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, Value>,
    /// Whether it may be made again.
    #[serde(default = "yes")]
    pub(crate) retry: bool,
    /// Whether items are read at once, and not only when a line says so.
    #[serde(default = "yes")]
    pub(crate) read: bool,
    /// Whether a one-way call is to be proved.
    #[serde(default)]
    pub(crate) delivered: bool,
}

const fn yes() -> bool {
    true
}

impl Call {
    /// Returns the parameters.
    pub(crate) fn parameters(&self) -> Result<Vec<u8>, Wrong> {
        bytes(&self.body)
            .ok_or_else(|| format!("`{}` is not written in hexadecimal digits", self.body).into())
    }

    /// Returns the permits to read what comes.
    pub(crate) fn reads(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(if self.read { Semaphore::MAX_PERMITS / 2 } else { 0 }))
    }

    /// Returns how long the call may take, where it says so.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs_f64)
    }

    /// Returns the names and values that go beside the parameters.
    pub(crate) fn metadata(&self) -> impl Iterator<Item = (&String, MetadataValue)> {
        self.metadata.iter().map(|(name, value)| {
            let bytes = value.get("hex").and_then(Value::as_str).and_then(bytes);
            let text = || MetadataValue::Text(value.as_str().unwrap_or_default().to_owned());
            (name, bytes.map_or_else(text, |bytes| MetadataValue::Bytes(Bytes::from(bytes))))
        })
    }
}

/// Returns the bytes that hexadecimal digits stand for.
pub(crate) fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
