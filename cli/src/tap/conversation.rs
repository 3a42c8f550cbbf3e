//! [`Conversation`]: the calls of one connection, and what each record says by the schema.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use zsvc_dynamic::find::{self, FoundMethod};
use zsvc_dynamic::{Codec, Shape};
use zsvc_idl::schema::MethodKind;
use zsvc_proto::status::Failure;
use zsvc_proto::wire::{Batch, CallRecord, Record, VERSION};

use crate::live::known::Known;

/// Maximum number of calls that are kept for what comes later about them.
const MAX_CALLS: usize = 100_000;

/// Who has sent a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// One record, or an item of one, for people and for recordings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) side: Side,
    pub(crate) kind: &'static str,
    /// Id of the call; 0 for one that has none.
    pub(crate) id: u64,
    /// Name of the method, if it is known.
    pub(crate) method: Option<Arc<str>>,
    /// The value as JSON, or what can be said of it.
    pub(crate) value: Option<String>,
    /// Whether `value` is JSON.
    pub(crate) is_json: bool,
}

/// The calls of one connection.
pub(crate) struct Conversation<'k> {
    known: Option<&'k Known>,
    /// Methods of calls, by the route of a device before the connection, if there is one, and the id.
    calls: HashMap<(Vec<u8>, u64), Arc<str>>,
}

impl<'k> Conversation<'k> {
    pub(crate) fn new(known: Option<&'k Known>) -> Self {
        Self { known, calls: HashMap::new() }
    }

    /// Tells what a message says.
    pub(crate) fn message(&mut self, side: Side, frames: Vec<Vec<u8>>) -> Vec<Told> {
        // In front there may be the route of a device, none of whose frames looks like a batch.
        let Some(at) = frames.iter().position(|frame| frame.first() == Some(&VERSION)) else {
            return vec![broken(side, "a message that is none of zsvc".to_owned())];
        };
        let route = frames[..at].concat();
        let mut rest = frames.into_iter().skip(at).map(Bytes::from);
        let bytes = rest.next().unwrap_or_default();
        let batch = match Batch::attach(bytes, rest.collect()) {
            Ok(batch) => batch,
            Err(error) => return vec![broken(side, error.to_string())],
        };
        let mut told = Vec::new();
        let mut records = match batch.records() {
            Ok(records) => records,
            Err(error) => return vec![broken(side, error.to_string())],
        };
        loop {
            match records.next() {
                Ok(Some(record)) => self.record(side, &route, &batch, record, &mut told),
                Ok(None) => return told,
                Err(error) => {
                    told.push(broken(side, error.to_string()));
                    return told;
                }
            }
        }
    }

    fn record(&mut self, side: Side, route: &[u8], batch: &Batch, record: Record<'_>, told: &mut Vec<Told>) {
        let key = |id| (route.to_vec(), id);
        let mut tell = |kind, id, method, value: Option<(String, bool)>| {
            let (value, is_json) = value.map_or((None, false), |(value, is_json)| (Some(value), is_json));
            told.push(Told { side, kind, id, method, value, is_json });
        };
        match record {
            Record::Call(call) => {
                let method = self.begin(key(call.id), &call);
                tell("call", call.id, Some(Arc::clone(&method)), Some(self.params(&method, batch, &call)));
            }
            Record::OneWay(call) => {
                let method: Arc<str> = String::from_utf8_lossy(call.method).into();
                tell("one-way", 0, Some(Arc::clone(&method)), Some(self.params(&method, batch, &call)));
            }
            Record::Reply { id, body } => {
                let method = self.calls.remove(&key(id));
                let body = batch.body(body).into_bytes();
                tell("reply", id, method.clone(), Some(self.value(method.as_deref(), &body, answer)));
            }
            Record::Error { id, failure } => {
                let method = self.calls.remove(&key(id));
                let (kind, value) = self.failure(method.as_deref(), failure);
                tell(kind, id, method, Some(value));
            }
            Record::Items { id, items } => {
                let method = self.calls.get(&key(id)).cloned();
                let shape = if side == Side::Client { item } else { answer };
                for item in split(&batch.body(items).into_bytes()) {
                    tell("item", id, method.clone(), Some(self.value(method.as_deref(), &item, shape)));
                }
            }
            Record::End { id } => {
                let is_over = side == Side::Server;
                let method =
                    if is_over { self.calls.remove(&key(id)) } else { self.calls.get(&key(id)).cloned() };
                tell("end", id, method, None);
            }
            Record::Cancel { id } => tell("cancel", id, self.calls.remove(&key(id)), None),
            Record::Credit { id, bytes } => {
                tell(
                    "credit",
                    id,
                    self.calls.get(&key(id)).cloned(),
                    Some((format!("{bytes} bytes"), false)),
                );
            }
            Record::Ping { id } => tell("ping", id, None, None),
            Record::Pong { id, .. } => tell("pong", id, None, None),
            Record::Query { id } => tell("query", id, self.calls.get(&key(id)).cloned(), None),
            Record::ResponseMetadata { id, .. } => {
                tell("metadata", id, self.calls.get(&key(id)).cloned(), None);
            }
            Record::GoingAway => tell("going away", 0, None, None),
            Record::Unknown { kind, id } => {
                tell("unknown", id, None, Some((format!("record of kind {kind}"), false)));
            }
        }
    }

    /// Keeps a call's method. Past the bound, all calls are forgotten, and what comes of them is shown without its method.
    fn begin(&mut self, key: (Vec<u8>, u64), call: &CallRecord<'_>) -> Arc<str> {
        if self.calls.len() >= MAX_CALLS {
            self.calls.clear();
        }
        let method: Arc<str> = String::from_utf8_lossy(call.method).into();
        self.calls.insert(key, Arc::clone(&method));
        method
    }

    fn params(&self, method: &str, batch: &Batch, call: &CallRecord<'_>) -> (String, bool) {
        let body = batch.body(call.body).into_bytes();
        self.value(Some(method), &body, |method| Shape::Parameters(&method.method.parameters))
    }

    /// Returns a value as JSON, or its size if the schema does not have its type.
    fn value(
        &self,
        method: Option<&str>,
        body: &[u8],
        shape: for<'s> fn(&FoundMethod<'s>) -> Shape<'s>,
    ) -> (String, bool) {
        let found = self
            .known
            .zip(method)
            .and_then(|(known, name)| Some((known, find::method(&known.schema, name).ok()?)));
        let Some((known, found)) = found else { return (format!("{} bytes", body.len()), false) };
        match Codec::new(&known.schema).decode(shape(&found), body) {
            Ok(json) => (json, true),
            Err(error) => (format!("{} bytes, which are not as the schema says: {error}", body.len()), false),
        }
    }

    fn failure(&self, method: Option<&str>, failure: Failure) -> (&'static str, (String, bool)) {
        match failure {
            Failure::Declared { body, message } => {
                let (value, is_json) =
                    self.value(method, &body, |method| Shape::Errors(&method.method.throws));
                ("error", if is_json { (value, true) } else { (message, false) })
            }
            Failure::Status(status) => ("status", (format!("{status}, {}", status.outcome()), false)),
        }
    }
}

fn answer<'s>(method: &FoundMethod<'s>) -> Shape<'s> {
    match &method.method.kind {
        MethodKind::Unary(Some(ty))
        | MethodKind::ServerStream(ty)
        | MethodKind::ClientStream(_, Some(ty))
        | MethodKind::Bidirectional(_, ty) => Shape::Type(ty),
        MethodKind::Unary(None) | MethodKind::ClientStream(_, None) | MethodKind::OneWay => Shape::Nothing,
    }
}

fn item<'s>(method: &FoundMethod<'s>) -> Shape<'s> {
    match &method.method.kind {
        MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _) => {
            Shape::Type(&stream.item)
        }
        MethodKind::Unary(_) | MethodKind::ServerStream(_) | MethodKind::OneWay => Shape::Nothing,
    }
}

/// Splits items that lie end to end. What is broken is one item, of which the decoder says so.
fn split(items: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = zsvc_proto::codec::Reader::of_bytes(items, usize::MAX);
    let mut all = Vec::new();
    while !reader.has_ended() {
        if let Ok(item) = reader.skipped() {
            all.push(item.to_vec());
        } else {
            all.push(reader.rest().to_vec());
            break;
        }
    }
    all
}

fn broken(side: Side, what: String) -> Told {
    Told { side, kind: "broken", id: 0, method: None, value: Some(what), is_json: false }
}
