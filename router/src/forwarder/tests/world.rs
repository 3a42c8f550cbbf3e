//! [`World`]: a forwarder with callers and workers that say what a test has them say.
//!
//! Records are shown as text. The ids of calls at workers, which the forwarder chooses, are shown in the order in which they first
//! appear: `#1`, `#2`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zsvc_proto::status::{Code, Failure, Status};
use zsvc_proto::wire::{self, Batch, Record};

use crate::forwarder::one_way::OneWays;
use crate::forwarder::{CallerKey, Forwarder, Limits, NewWorker, WorkerKey};
use crate::rights::Rights;

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) struct World {
    pub(super) forwarder: Forwarder<&'static str>,
    pub(super) now: Instant,
    /// Ids of calls at workers, in the order in which they appeared.
    ids: Vec<u64>,
    names: HashMap<&'static str, Key>,
}

#[derive(Clone, Copy)]
enum Key {
    Caller(CallerKey<&'static str>),
    Worker(WorkerKey<&'static str>),
}

impl World {
    pub(super) fn with(limits: Limits) -> Self {
        let forwarder = Forwarder::new(limits, 77, 1);
        Self { forwarder, now: Instant::now(), ids: Vec::new(), names: HashMap::new() }
    }

    /// A caller `c` and a worker `w` of `p.S` that is up.
    pub(super) fn pair() -> Self {
        let mut world = Self::with(Limits::default());
        world.caller("c");
        world.worker("w", 100, 0);
        world
    }

    pub(super) fn caller(&mut self, name: &'static str) {
        self.caller_with(name, Rights::to_call());
    }

    pub(super) fn caller_with(&mut self, name: &'static str, rights: Arc<Rights>) {
        let key = self.forwarder.add_caller(name, rights, None, self.now).unwrap();
        self.names.insert(name, Key::Caller(key));
    }

    /// Adds a worker that is up.
    pub(super) fn worker(&mut self, name: &'static str, capacity: u32, standby: u8) {
        self.worker_down(name, capacity, standby);
        self.up(name);
    }

    pub(super) fn worker_down(&mut self, name: &'static str, capacity: u32, standby: u8) {
        self.worker_of("", name, capacity, standby);
    }

    /// Adds a worker of a realm, which is down.
    pub(super) fn worker_of(&mut self, realm: &str, name: &'static str, capacity: u32, standby: u8) {
        self.worker_called(name, name, realm, (capacity, standby));
    }

    /// Adds a worker, which is down, that has another name for callers than in the test.
    pub(super) fn worker_called(
        &mut self,
        name: &'static str,
        called: &str,
        realm: &str,
        (capacity, standby): (u32, u8),
    ) {
        let (services, realm) = (vec!["p.S".to_owned()], realm.to_owned());
        let new = NewWorker { name: called.to_owned(), services, capacity, standby, realm };
        let key = self.forwarder.add_worker(new, name, self.now).unwrap();
        self.names.insert(name, Key::Worker(key));
    }

    /// Adds a worker that stands in for others, which is down.
    pub(super) fn relay(&mut self, name: &'static str) {
        let (services, realm) = (vec!["p.S".to_owned()], String::new());
        let new = NewWorker { name: name.to_owned(), services, capacity: 100, standby: 0, realm };
        let key = self.forwarder.add_relay(new, name, self.now).unwrap();
        self.names.insert(name, Key::Worker(key));
    }

    /// Has a worker come up. It is greeted by a ping, which [`World::told`] leaves out.
    pub(super) fn up(&mut self, name: &'static str) {
        self.forwarder.handle_worker_up(self.worker_key(name), self.now);
    }

    pub(super) fn down(&mut self, name: &'static str) {
        self.forwarder.handle_worker_down(self.worker_key(name), self.now);
    }

    pub(super) fn leaves(&mut self, name: &'static str) {
        match self.names[name] {
            Key::Caller(key) => self.forwarder.remove_caller(key, self.now),
            Key::Worker(key) => self.forwarder.remove_worker(key, self.now),
        }
    }

    pub(super) fn worker_key(&self, name: &str) -> WorkerKey<&'static str> {
        match self.names[name] {
            Key::Worker(key) => key,
            Key::Caller(_) => panic!("{name} is a caller"),
        }
    }

    pub(super) fn caller_key(&self, name: &str) -> CallerKey<&'static str> {
        match self.names[name] {
            Key::Caller(key) => key,
            Key::Worker(_) => panic!("{name} is a worker"),
        }
    }

    pub(super) fn passes(&mut self, time: Duration) {
        self.now += time;
        self.forwarder.handle_timeout(self.now);
    }

    /// Has a peer say records in one message.
    pub(super) fn says(&mut self, name: &str, records: &[Vec<u8>]) {
        let batch = Batch::from(bytes::Bytes::from([&[1_u8][..], &records.concat()].concat()));
        self.says_batch(name, &batch);
    }

    /// Has a peer say a record with attachments.
    pub(super) fn says_with(&mut self, name: &str, record: &[u8], attachments: &[&[u8]]) {
        let attachments = attachments.iter().map(|bytes| bytes::Bytes::copy_from_slice(bytes)).collect();
        let batch = Batch::attach([&[1_u8][..], record].concat().into(), attachments).unwrap();
        self.says_batch(name, &batch);
    }

    fn says_batch(&mut self, name: &str, batch: &Batch) {
        match self.names[name] {
            Key::Caller(key) => self.forwarder.handle_caller_message(key, Ok(batch), self.now),
            Key::Worker(key) => self.forwarder.handle_worker_message(key, Ok(batch), self.now),
        }
    }

    /// Returns what a peer is told next, all messages of it, a record a line.
    pub(super) fn told(&mut self, name: &str) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let message = match self.names[name] {
                Key::Caller(key) => self.forwarder.poll_transmit_to_caller(key),
                Key::Worker(key) => self.forwarder.poll_transmit_to_worker(key, self.now),
            };
            let Some(message) = message else { return told };
            let batch = message.into_batch();
            let mut records = batch.records().unwrap();
            while let Some(record) = records.next().unwrap() {
                let is_worker = matches!(self.names[name], Key::Worker(_));
                if matches!(record, Record::Ping { id } if id == OneWays::FIRST_PING) {
                    continue;
                }
                told.push(self.shown(&batch, record, is_worker));
            }
        }
    }

    /// Returns the id at its worker of the call that appeared as `#number`.
    pub(super) fn id(&self, number: usize) -> u64 {
        self.ids[number - 1]
    }

    fn shown(&mut self, batch: &Batch, record: Record<'_>, is_worker: bool) -> String {
        let mut shown_id = |id: u64| {
            // Below are the ids of pings, and those of callers.
            if !is_worker || id < 1 << 20 {
                return id.to_string();
            }
            let at = self.ids.iter().position(|known| *known == id).unwrap_or_else(|| {
                self.ids.push(id);
                self.ids.len() - 1
            });
            format!("#{}", at + 1)
        };
        let text = |body: &[u8]| String::from_utf8_lossy(&batch.body(body).into_bytes()).into_owned();
        match record {
            Record::Call(call) => {
                let left = call.timeout.map_or(String::new(), |left| format!(" within {left:?}"));
                let credit = if call.credit > 0 { format!(" credit {}", call.credit) } else { String::new() };
                format!("call {} {}{left}{credit}", shown_id(call.id), text(call.body))
            }
            Record::OneWay(call) => format!("one-way {} {}", call.id, text(call.body)),
            Record::Reply { id, body } => format!("reply {} {}", shown_id(id), text(body)),
            Record::Error { id, failure: Failure::Status(status) } => {
                let cause = status.cause().map_or(String::new(), |cause| format!(" {cause:?}"));
                let again = match (status.code(), status.retry_after()) {
                    (Code::Unavailable, Some(time)) => format!(", again in {time:?}"),
                    _ => String::new(),
                };
                format!("error {} {:?} {:?}{cause}{again}", shown_id(id), status.code(), status.outcome())
            }
            Record::Error { id, failure: Failure::Declared { body, .. } } => {
                format!("declared {} {body:?}", shown_id(id))
            }
            Record::Items { id, items } => {
                let items = text(items);
                let items = if items.len() > 20 { format!("{} bytes", items.len()) } else { items };
                format!("items {} {items}", shown_id(id))
            }
            Record::End { id } => format!("end {}", shown_id(id)),
            Record::Credit { id, bytes } => format!("credit {} {bytes}", shown_id(id)),
            Record::Cancel { id } => format!("cancel {}", shown_id(id)),
            Record::Ping { id } => format!("ping {id}"),
            Record::Pong { id, instance } => format!("pong {id} {instance:?}"),
            Record::Query { id } => format!("query {}", shown_id(id)),
            Record::ResponseMetadata { id, .. } => format!("metadata {}", shown_id(id)),
            Record::GoingAway => "going away".to_owned(),
            Record::Unknown { kind, id } => format!("kind {kind} {}", shown_id(id)),
        }
    }
}

fn uint(out: &mut Vec<u8>, number: u64) {
    out.push(0xcf);
    out.extend_from_slice(&number.to_be_bytes());
}

fn optional(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => uint(out, number),
        None => out.push(0xc0),
    }
}

fn bin(out: &mut Vec<u8>, body: &[u8]) {
    out.push(0xc6);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    out.extend_from_slice(body);
}

/// A call with a time left in milliseconds, and credit.
pub(super) fn call_with(
    id: u64,
    method: &str,
    body: &str,
    left: Option<u64>,
    credit: Option<u64>,
) -> Vec<u8> {
    start(1, id, method, body.as_bytes(), left, credit)
}

fn start(kind: u8, id: u64, method: &str, body: &[u8], left: Option<u64>, credit: Option<u64>) -> Vec<u8> {
    let mut out = vec![0x97, kind];
    uint(&mut out, id);
    out.extend_from_slice(&[0xd9, u8::try_from(method.len()).unwrap()]);
    out.extend_from_slice(method.as_bytes());
    bin(&mut out, body);
    optional(&mut out, left.map(|millis| millis * 1_000));
    out.push(0xc0);
    optional(&mut out, credit);
    out
}

/// A call with a body of any bytes.
pub(super) fn call_of(id: u64, method: &str, body: &[u8]) -> Vec<u8> {
    start(1, id, method, body, None, None)
}

/// A call with attachments behind that many bytes of its body each.
pub(super) fn call_with_places(id: u64, method: &str, body: &[u8], places: &[u8]) -> Vec<u8> {
    let mut out = call_of(id, method, body);
    out[0] = 0x98;
    out.push(0x90 | u8::try_from(places.len()).unwrap());
    out.extend_from_slice(places);
    out
}

pub(super) fn call(id: u64, body: &str) -> Vec<u8> {
    call_with(id, "p.S/m", body, None, None)
}

/// A call whose method has a name of up to 65,535 bytes.
pub(super) fn long_method(id: u64, method: &str) -> Vec<u8> {
    let mut out = vec![0x94, 1];
    uint(&mut out, id);
    out.push(0xda);
    out.extend_from_slice(&u16::try_from(method.len()).unwrap().to_be_bytes());
    out.extend_from_slice(method.as_bytes());
    bin(&mut out, b"");
    out
}

pub(super) fn one_way(body: &[u8]) -> Vec<u8> {
    start(2, 0, "p.S/note", body, None, None)
}

pub(super) fn reply(id: u64, body: &str) -> Vec<u8> {
    let mut out = vec![0x93, 3];
    uint(&mut out, id);
    bin(&mut out, body.as_bytes());
    out
}

pub(super) fn items(id: u64, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x93, 5];
    uint(&mut out, id);
    bin(&mut out, body);
    out
}

/// A record of a kind with nothing but an id.
pub(super) fn bare(kind: u8, id: u64) -> Vec<u8> {
    let mut out = vec![0x92, kind];
    uint(&mut out, id);
    out
}

pub(super) fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

pub(super) fn error(id: u64, status: &Status) -> Vec<u8> {
    written(|out| wire::error(out, id, &Failure::Status(status.clone())))
}

pub(super) fn end(id: u64) -> Vec<u8> {
    written(|out| wire::end(out, id))
}

pub(super) fn credit(id: u64, bytes: u64) -> Vec<u8> {
    written(|out| wire::credit(out, id, bytes))
}

pub(super) fn cancel(id: u64) -> Vec<u8> {
    written(|out| wire::cancel(out, id))
}
