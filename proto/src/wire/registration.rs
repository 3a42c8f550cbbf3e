//! [`Registration`]: how a worker tells a router what it answers, and how the connection changes its direction with that.
//!
//! A worker connects to a router as a client, and its first record is a call of [`REGISTER`] with the id [`REGISTRATION_ID`]. Once the
//! router has answered with an item of that call's stream, the router is the client of the connection, for all other ids. The contract is
//! the project's `docs/protocol.md`.

use super::{Malformed, RawRecord, Reader, RecordKind, VERSION, kind, write};
use crate::msgpack::write::{array_header, bin_header, nil, uint};

/// The method by which a worker registers.
pub const REGISTER: &str = "zsvc.router.v1.Workers/register";
/// The id of that call, which no other call of the connection has.
pub const REGISTRATION_ID: u64 = 1;
/// Credit that a worker grants for what it is told of its registration.
const NOTICE_CREDIT: u64 = 65_536;
/// Maximum number of services of one worker.
pub const MAX_REGISTERED_SERVICES: u64 = 1_000;

/// What a worker tells a router of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registration {
    /// Names of its services: `package.Service`.
    pub services: Vec<String>,
    /// Number of calls that it takes at a time; 0 leaves it to the router.
    pub capacity: u32,
    /// What people call it; empty leaves it to the router.
    pub name: String,
    /// Its group: 0 for those that get calls, more for those that stand by.
    pub standby: u8,
    /// A token that says who it is, as `authorization` of a call's metadata has it; empty for none.
    pub token: String,
}

/// What a router tells a worker of its registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The router is the client of the connection from here on.
    Registered,
}

impl Registration {
    /// Returns the batch that registers.
    #[must_use]
    pub fn to_batch(&self) -> Vec<u8> {
        let mut out = vec![VERSION, 0x97, kind::CALL];
        uint(&mut out, REGISTRATION_ID);
        write::str(&mut out, REGISTER);
        let body = self.to_body();
        // A thousand names, far below what a header holds.
        let _ = bin_header(&mut out, body.len());
        out.extend_from_slice(&body);
        nil(&mut out);
        if self.token.is_empty() {
            nil(&mut out);
        } else {
            out.push(0x81);
            write::str(&mut out, "authorization");
            write::str(&mut out, &format!("Bearer {}", self.token));
        }
        uint(&mut out, NOTICE_CREDIT);
        out
    }

    fn to_body(&self) -> Vec<u8> {
        // One parameter, which is a struct.
        let mut out = vec![0x91, 0x94];
        let _ = array_header(&mut out, self.services.len());
        self.services.iter().for_each(|service| write::str(&mut out, service));
        uint(&mut out, self.capacity.into());
        write::str(&mut out, &self.name);
        uint(&mut out, self.standby.into());
        out
    }

    /// Reads the registration that a record is; `None` if the record is another one.
    ///
    /// # Errors
    /// The record registers, and can't be read.
    #[must_use]
    pub fn of(record: &RawRecord<'_>) -> Option<Result<Self, Malformed>> {
        let is_one = record.kind() == RecordKind::Call && record.method() == Some(REGISTER.as_bytes());
        is_one.then(|| Self::read(record.inline_body()))
    }

    fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::resume(body, 0);
        if reader.array_len()? < 1 {
            return Err(reader.expected("a registration"));
        }
        let elements = reader.array_len()?;
        let services = reader.array_len()?;
        if !(1..=MAX_REGISTERED_SERVICES).contains(&services) {
            return Err(reader.expected("the names of 1 to 1,000 services"));
        }
        let mut registration = Self::default();
        for _ in 0..services {
            registration.services.push(reader.str()?.to_owned());
        }
        if elements > 1 {
            let capacity = reader.uint("a number of calls")?;
            registration.capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
        }
        if elements > 2 && !reader.nil() {
            reader.str()?.clone_into(&mut registration.name);
        }
        if elements > 3 {
            registration.standby = u8::try_from(reader.uint("a group")?).unwrap_or(u8::MAX);
        }
        Ok(registration)
    }
}

impl Notice {
    /// Returns the batch that tells it.
    #[must_use]
    pub fn to_batch(self) -> Vec<u8> {
        let Self::Registered = self;
        let mut out = vec![VERSION, 0x93, kind::ITEMS];
        uint(&mut out, REGISTRATION_ID);
        // A union without a value.
        out.extend_from_slice(&[0xc4, 3, 0x92, 1, 0xc0]);
        out
    }

    /// Reads what an item says; `None` of what this version does not know, which is skipped.
    #[must_use]
    pub fn of(record: &RawRecord<'_>) -> Option<Self> {
        if record.kind() != RecordKind::Items {
            return None;
        }
        let mut reader = Reader::resume(record.inline_body(), 0);
        reader.array_len().ok().filter(|elements| *elements >= 1)?;
        match reader.uint("a notice").ok()? {
            1 => Some(Self::Registered),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::{Batch, Record};

    fn first(batch: Vec<u8>) -> Batch {
        Bytes::from(batch).into()
    }

    #[test]
    fn a_registration_is_an_ordinary_call() {
        let sent = Registration {
            services: vec!["a.B".to_owned(), "c.D".to_owned()],
            capacity: 300,
            name: "w".to_owned(),
            standby: 1,
            token: "t".to_owned(),
        };
        let batch = first(sent.to_batch());
        let mut records = batch.records().unwrap();
        let Some(Record::Call(call)) = records.next().unwrap() else { panic!("it is a call") };
        assert_eq!((call.id, call.method, call.credit), (1, REGISTER.as_bytes(), NOTICE_CREDIT));
        assert!(call.metadata.iter().any(|(name, _)| name == "authorization"));
        let mut raw = batch.raw_records().unwrap();
        let read = Registration::of(&raw.next().unwrap().unwrap()).unwrap().unwrap();
        assert_eq!(read, Registration { token: String::new(), ..sent });
    }

    #[test]
    fn what_is_left_off_or_comes_later_does_no_harm() {
        for (body, capacity, name) in [
            (&b"\x91\x91\x91\xa3a.B"[..], 0, ""),
            (b"\x91\x92\x91\xa3a.B\x05", 5, ""),
            (b"\x92\x96\x91\xa3a.B\x05\xc0\x01\xc0\xc3\xc0", 5, ""),
            (b"\x91\x93\x91\xa3a.B\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1x", u32::MAX, "x"),
        ] {
            let read = Registration::read(body).unwrap();
            assert_eq!((read.capacity, read.name.as_str()), (capacity, name));
        }
        for body in [
            &b"\x90"[..],
            b"\x91\x91\x90",
            b"\x91\xc0",
            b"\x91\x91\x91\x05",
            b"",
            b"\x91\x91\xdd\xff\xff\xff\xff",
        ] {
            Registration::read(body).unwrap_err();
        }
    }

    #[test]
    fn notices_are_items_of_its_stream() {
        let batch = first(Notice::Registered.to_batch());
        let record = batch.raw_records().unwrap().next().unwrap().unwrap();
        assert_eq!((record.id(), Notice::of(&record)), (REGISTRATION_ID, Some(Notice::Registered)));
    }
}
