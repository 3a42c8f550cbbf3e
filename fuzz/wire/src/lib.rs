//! What the targets share: batches that are made of records, most of which are nearly right.
//!
//! The door into the runtime is there with `--cfg fuzzing` alone, which cargo-fuzz sets.

use arbitrary::Arbitrary;
use bytes::Bytes;

/// One message, as a peer might send it.
#[derive(Debug, Arbitrary)]
pub enum Message {
    /// Any bytes.
    Raw(Vec<u8>),
    /// Records behind the version byte, of which so many bytes are cut off at the end; and what is attached to the first.
    Records(Vec<Record>, u8, Vec<Vec<u8>>),
}

/// One record.
#[derive(Debug, Arbitrary)]
pub struct Record {
    kind: u8,
    id: u8,
    elements: Vec<Element>,
}

/// What a record may hold.
#[derive(Debug, Arbitrary)]
pub enum Element {
    /// Nothing.
    Nil,
    /// A number.
    Small(u8),
    /// A number of any size.
    Large(u64),
    /// The name of a method.
    Method(u8),
    /// Bytes.
    Bin(Vec<u8>),
    /// Bytes that hold an array of numbers, as parameters and items do.
    Numbers(Vec<u8>),
    /// Text.
    Text(String),
    /// Metadata.
    Map(Vec<(String, String)>),
    /// The places of attachments.
    Places(Vec<u8>),
}

/// Methods of every kind, and one that is none.
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
    /// The bytes of its batch.
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

    /// The frames before it.
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
        // Elements beyond a call's are skipped; a few of them are enough to see that.
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
                // Writing into a vector does not fail.
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

/// Runs one case on a clock of its own, which goes on when there is nothing to do.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made").block_on(case);
}

/// Gives the tasks that were spawned their turns.
pub async fn settle() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}
