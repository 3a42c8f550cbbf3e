//! Shared code of the targets: batches made of records, most of which are almost valid.
//!
//! The runtime's entry points for fuzzing exist only with `--cfg fuzzing`, which cargo-fuzz sets.

use arbitrary::Arbitrary;
use bytes::Bytes;

/// A message that a peer might send.
#[derive(Debug, Arbitrary)]
pub enum Message {
    /// Arbitrary bytes.
    Raw(Vec<u8>),
    /// Records behind the version byte, truncated by the given number of bytes; and the attachments of the first
    /// record.
    Records(Vec<Record>, u8, Vec<Vec<u8>>),
}

/// A record.
#[derive(Debug, Arbitrary)]
pub struct Record {
    kind: u8,
    id: u8,
    elements: Vec<Element>,
}

/// An element of a record.
#[derive(Debug, Arbitrary)]
pub enum Element {
    /// Nil.
    Nil,
    /// A small number.
    Small(u8),
    /// A number of any size.
    Large(u64),
    /// The name of a method.
    Method(u8),
    /// Bytes.
    Bin(Vec<u8>),
    /// Bytes that hold an array of numbers, as parameters and items do.
    Numbers(Vec<u8>),
    /// A string.
    Text(String),
    /// Metadata.
    Map(Vec<(String, String)>),
    /// The positions of attachments.
    Places(Vec<u8>),
}

/// Methods of every kind, and one that does not exist.
const METHODS: [&str; 12] = [
    "probe.v1.Probe/echo",
    "probe.v1.Probe/hold",
    "probe.v1.Probe/hold_briefly",
    "probe.v1.Probe/refuse",
    "probe.v1.Probe/count",
    "probe.v1.Probe/sum",
    "probe.v1.Probe/hold_items",
    "probe.v1.Probe/mirror",
    "probe.v1.Probe/note",
    "probe.v1.Probe/hold_unheard",
    "probe.v1.Clock/tick",
    "probe.v1.Probe/none",
];

impl Message {
    /// Returns the encoded batch.
    #[must_use]
    pub fn batch(&self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::Records(records, cut, _) => {
                let mut bytes = vec![1];
                records.iter().for_each(|record| record.write(&mut bytes));
                bytes.truncate(bytes.len().saturating_sub(usize::from(cut % 8)));
                bytes
            }
        }
    }

    /// Returns the frames before the batch.
    #[must_use]
    pub fn frames(&self) -> Vec<Bytes> {
        match self {
            Self::Raw(_) => Vec::new(),
            Self::Records(_, _, frames) => frames.iter().map(|frame| Bytes::copy_from_slice(frame)).collect(),
        }
    }
}

impl Record {
    fn write(&self, out: &mut Vec<u8>) {
        // Elements beyond those of a call are skipped; eight are enough to test that.
        let elements = &self.elements[..self.elements.len().min(8)];
        array(out, elements.len() + 2);
        uint(out, u64::from(self.kind % 16));
        uint(out, u64::from(self.id % 8));
        elements.iter().for_each(|element| element.write(out));
    }
}

impl Element {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.push(0xc0),
            Self::Small(number) => uint(out, u64::from(*number)),
            Self::Large(number) => uint(out, *number),
            Self::Method(index) => text(out, METHODS[usize::from(*index) % METHODS.len()]),
            Self::Bin(bytes) => bin(out, bytes),
            Self::Numbers(numbers) => {
                let mut body = Vec::new();
                array(&mut body, numbers.len());
                numbers.iter().for_each(|number| uint(&mut body, u64::from(*number)));
                bin(out, &body);
            }
            Self::Text(string) => text(out, string),
            Self::Places(places) => {
                array(out, places.len());
                places.iter().for_each(|place| uint(out, u64::from(*place)));
            }
            Self::Map(entries) => {
                // Writing to a vector can't fail.
                let _ = rmp::encode::write_map_len(out, len(entries.len()));
                for (name, value) in entries {
                    text(out, name);
                    text(out, value);
                }
            }
        }
    }
}

fn len(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn array(out: &mut Vec<u8>, length: usize) {
    let _ = rmp::encode::write_array_len(out, len(length));
}

fn uint(out: &mut Vec<u8>, number: u64) {
    let _ = rmp::encode::write_uint(out, number);
}

fn text(out: &mut Vec<u8>, text: &str) {
    let _ = rmp::encode::write_str(out, text);
}

fn bin(out: &mut Vec<u8>, bytes: &[u8]) {
    let _ = rmp::encode::write_bin(out, bytes);
}

/// Runs one case on a paused clock, which advances when there is nothing to do.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made").block_on(case);
}

/// Yields until the spawned tasks have run.
pub async fn settle() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}
