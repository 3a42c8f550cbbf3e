//! Malformed bytes: truncated, of wrong types, changed at random.

use rmpv::Value;

use crate::raw::{batch, kind, packed, record, tape};

/// Random numbers that are the same in every run: a xorshift, <https://doi.org/10.18637/jss.v008.i14>.
pub(crate) struct Random {
    state: u64,
    seed: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // The state must not be 0.
        Self { state: seed | 1, seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a size has no more than 64 bits");
        usize::try_from(self.next() % end).expect("it is below a size")
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    /// Returns random bytes, at least half of which begin with the version.
    pub(crate) fn noise(&mut self) -> Vec<u8> {
        let length = self.below(120);
        let mut noise: Vec<u8> = (0..length).map(|_| self.byte()).collect();
        if let Some(first) = noise.first_mut()
            && self.state.is_multiple_of(2)
        {
            *first = 1;
        }
        noise
    }

    /// Returns the bytes with a few random changes.
    pub(crate) fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.insert(at, self.byte()),
                1 => bytes.truncate(at),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                _ if at < bytes.len() => bytes[at] = self.byte(),
                _ => {}
            }
        }
        bytes
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the random numbers began with {:#x}", self.seed);
        }
    }
}

/// Returns one record of each kind that clients send, for the call with this id.
pub(crate) fn client_records(id: u64) -> Vec<Value> {
    let body = |params: &Value| Value::Binary(packed(params));
    let metadata = Value::Map(vec![("a".into(), "b".into()), ("c".into(), Value::Binary(vec![1]))]);
    vec![
        record![kind::CALL, id, tape("last"), body(&record!["ACME"]), 60_000_000, metadata.clone(), 100],
        record![kind::ONE_WAY, 0, tape("note"), body(&record!["lunch"]), 60_000_000, metadata],
        record![kind::ITEMS, id, Value::Binary(trade_bytes())],
        record![kind::END, id],
        record![kind::CREDIT, id, 1000],
        record![kind::CANCEL, id],
        record![kind::PING, id],
        record![kind::PONG, id],
    ]
}

/// Returns one record of each kind that servers send, for the call with this id.
pub(crate) fn server_records(id: u64) -> Vec<Value> {
    let error = Value::Binary(packed(&record![1, record!["NOPE"]]));
    vec![
        record![kind::REPLY, id, Value::Binary(trade_bytes())],
        record![kind::ERROR, id, 5, "not found", 2],
        record![kind::ERROR, id, 0, "no such symbol", 2, error],
        record![kind::ITEMS, id, Value::Binary(trade_bytes())],
        record![kind::END, id],
        record![kind::CREDIT, id, 1000],
        record![kind::PING, id],
        record![kind::PONG, id],
    ]
}

/// Returns the encoding of the document's trade.
pub(crate) fn trade_bytes() -> Vec<u8> {
    let reply = &crate::raw::records(&crate::listings::bytes("reply"))[0];
    reply.bin(2).to_vec()
}

/// Returns batches of this record, truncated at each byte.
pub(crate) fn truncations(record: &Value) -> impl Iterator<Item = Vec<u8>> {
    let whole = batch(std::slice::from_ref(record));
    // After the version alone, a batch is empty and valid.
    (2..whole.len()).map(move |length| whole[..length].to_vec())
}

/// Returns the record with each of its elements replaced by a value of each other type.
pub(crate) fn wrong_types(record: &Value) -> Vec<Value> {
    let Value::Array(elements) = record else { return Vec::new() };
    let mut wrong = Vec::new();
    for at in 0..elements.len() {
        for value in strange_values().into_iter().filter(|value| is_other(value, &elements[at])) {
            let mut elements = elements.clone();
            elements[at] = value;
            wrong.push(Value::Array(elements));
        }
    }
    wrong
}

/// Returns a value of each type.
fn strange_values() -> Vec<Value> {
    vec![
        Value::Nil,
        true.into(),
        (-1).into(),
        u64::MAX.into(),
        1.5.into(),
        "text".into(),
        Value::Binary(vec![0xc1]),
        record![1, record![]],
        Value::Map(vec![(1.into(), Value::Nil)]),
        Value::Ext(5, vec![1, 2, 3]),
    ]
}

fn is_other(value: &Value, than: &Value) -> bool {
    std::mem::discriminant(value) != std::mem::discriminant(than) || value.as_i64() == Some(-1)
}

/// Returns batches whose headers announce data that does not follow, or that nest too deep.
pub(crate) fn huge_announcements() -> Vec<Vec<u8>> {
    let head = |bytes: &[u8]| [&[1], bytes].concat();
    let nested = |depth: usize| [&[1, 0x93, 0x40, 0x01][..], &vec![0x91; depth]].concat();
    vec![
        head(&[0xdd, 0xff, 0xff, 0xff, 0xff]),
        head(&[0xdd, 0xff, 0xff, 0xff, 0xff, 0x40, 0x01]),
        head(&[0xdc, 0xff, 0xff, 0x09, 0x01]),
        head(&[0x94, 0x01, 0x01, 0xdb, 0xff, 0xff, 0xff, 0xff]),
        head(&[0x94, 0x01, 0x01, 0xa1, b'm', 0xc6, 0xff, 0xff, 0xff, 0xff]),
        head(&[0x96, 0x01, 0x01, 0xa1, b'm', 0xc4, 0x00, 0xc0, 0xdf, 0xff, 0xff, 0xff, 0xff]),
        head(&[0x93, 0x05, 0x01, 0xc6, 0xff, 0xff, 0xff, 0xff, 0x00]),
        head(&[0x93, 0x40, 0x01, 0xdf, 0xff, 0xff, 0xff, 0xff]),
        head(&[0x93, 0x40, 0x01, 0xc9, 0xff, 0xff, 0xff, 0xff, 0x05]),
        head(&[0x93, 0x40, 0x01, 0xc1]),
        nested(1),
        nested(100_000),
        vec![1; 10_000],
        vec![0xff; 10_000],
    ]
}
