//! Tests of [`RawRecord`]: a forwarded record decodes to the original but for its id and time left, and its receiver can read it.

use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use bytes::Bytes;

use super::RecordKind as K;
use super::*;
use crate::codec::{Blob, Encode, Plain, Writer};
use crate::metadata::{Metadata, MetadataValue};
use crate::status::{Cause, Failure, Status};
use crate::wire::{
    CallRecord, Item, ItemHead, Outbox, Record, RecordBuilder, cancel, credit, end, error, going_away, ping,
    pong, pong_of_server, query, response_metadata,
};

/// Ids of every width on the wire.
const IDS: [u64; 8] = [0, 1, 0x7f, 0x80, 0xffff, 0x1_0000, 0x1_0000_0000, u64::MAX];

/// Returns the length and a hash of a body, with its attachments.
fn digest(batch: &Batch, body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    let body = batch.body(body).into_bytes();
    hasher.write(&body);
    format!("{} bytes {:x}", body.len(), hasher.finish())
}

/// Returns the id and the time left of a record, and everything else of it as text.
fn content(batch: &Batch, record: Record<'_>) -> (u64, Option<Duration>, String) {
    let call = |call: CallRecord<'_>, kind: &str| {
        let CallRecord { id, method, body, timeout, metadata, credit } = call;
        let body = digest(batch, body);
        (id, timeout, format!("{kind} {method:?} {body} {metadata:?} {credit}"))
    };
    let plain = |id, text: String| (id, None, text);
    match record {
        Record::Call(record) => call(record, "call"),
        Record::OneWay(record) => call(record, "one-way"),
        Record::Reply { id, body } => plain(id, format!("reply {}", digest(batch, body))),
        Record::Items { id, items } => plain(id, format!("items {}", digest(batch, items))),
        Record::Error { id, failure } => plain(id, format!("error {failure:?}")),
        Record::End { id } => plain(id, "end".to_owned()),
        Record::Credit { id, bytes } => plain(id, format!("credit {bytes}")),
        Record::Cancel { id } => plain(id, "cancel".to_owned()),
        Record::Ping { id } => plain(id, "ping".to_owned()),
        Record::Pong { id, instance } => plain(id, format!("pong {instance:?}")),
        Record::Query { id } => plain(id, "query".to_owned()),
        Record::ResponseMetadata { id, metadata } => plain(id, format!("metadata {metadata:?}")),
        Record::GoingAway => plain(0, "going away".to_owned()),
        Record::Unknown { kind, id } => plain(id, format!("kind {kind}")),
    }
}

type Read = (Vec<(u64, Option<Duration>, String)>, Result<(), Malformed>);

/// Returns all records of a batch up to its end or the first that can't be read.
fn read_all(batch: &Batch) -> Read {
    let mut records = Vec::new();
    let mut reader = match batch.records() {
        Ok(reader) => reader,
        Err(error) => return (records, Err(error)),
    };
    loop {
        match reader.next() {
            Ok(Some(record)) => records.push(content(batch, record)),
            Ok(None) => return (records, Ok(())),
            Err(error) => return (records, Err(error)),
        }
    }
}

/// Forwards all records of a batch up to its end or the first that can't be read. Returns the messages as their
/// receiver has them.
fn forward_all(batch: &Batch, id: u64, time_left: Option<Duration>) -> (Vec<Batch>, Result<(), Malformed>) {
    let mut outbox = Outbox::default();
    let result = (|| {
        let mut reader = batch.raw_records()?;
        while let Some(record) = reader.next()? {
            outbox.forward(&record, id, time_left);
        }
        Ok(())
    })();
    let mut batches = Vec::new();
    while let Some(message) = outbox.take() {
        let (bytes, attachments) = message.into_parts();
        let frames: Vec<_> = attachments.into_frames().collect();
        assert_eq!(super::super::frames_before(&bytes), frames.len(), "{:02x?}", &*bytes);
        batches.push(Batch::attach(bytes.to_vec().into(), frames).expect("the places go with the frames"));
    }
    assert!(outbox.is_empty());
    (batches, result)
}

/// Checks that forwarded records equal the originals but for id and time left.
fn check(batch: &Batch) {
    let (expected, whole) = read_all(batch);
    for id in IDS {
        for time_left in [None, Some(Duration::from_micros(77)), Some(Duration::MAX)] {
            let (batches, result) = forward_all(batch, id, time_left);
            assert_eq!(result.is_ok(), whole.is_ok(), "{result:?} {whole:?} of {:02x?}", batch.bytes());
            let mut found = Vec::new();
            for batch in &batches {
                let (records, result) = read_all(batch);
                assert_eq!(result, Ok(()), "{:02x?}", batch.bytes());
                found.extend(records);
            }
            assert_eq!(found.len(), expected.len(), "{:02x?}", batch.bytes());
            for (found, expected) in found.into_iter().zip(&expected) {
                assert_eq!(found.2, expected.2);
                let is_call = found.2.starts_with("call") || found.2.starts_with("one-way");
                let time_left = time_left.map(|time| time.min(Duration::from_micros(u64::MAX)));
                let time = if is_call { time_left.or(expected.1) } else { None };
                assert_eq!(found.1, time);
                assert_eq!(found.0, if found.2 == "going away" { 0 } else { id });
            }
        }
    }
}

fn batch(records: &[&[u8]]) -> Batch {
    Bytes::from([&[VERSION][..], &records.concat()].concat()).into()
}

fn metadata() -> Metadata {
    let mut metadata = Metadata::default();
    metadata.insert("traceparent", "00-01");
    metadata.insert("key", MetadataValue::from(vec![1, 2, 3]));
    metadata
}

/// Bytes that travel as attachments.
struct Attached(Vec<Bytes>);

impl Encode for Attached {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(self.0.len());
        for (index, bytes) in self.0.iter().enumerate() {
            fields.write::<Blob, _>(index + 1, bytes);
        }
        fields.end();
    }
}

fn call(params: &dyn Encode, time: Option<Duration>, metadata: &Metadata, credit: Option<u64>) -> Message {
    let mut outbox = Outbox::default();
    let mut record = RecordBuilder::call("a.v1.B/c", false, params).unwrap();
    record.address(7, time, metadata, credit);
    outbox.push(record);
    outbox.take().unwrap()
}

#[test]
fn calls_keep_all_but_their_id_and_time_left() {
    let none = Metadata::default();
    let sizes = [3, 300, SEPARATE_MESSAGE_BYTES + 1, OUT_OF_LINE_BYTES, 100_000];
    let long = Bytes::from(vec![7; OUT_OF_LINE_BYTES]);
    let mut params: Vec<Box<dyn Encode>> = vec![Box::new(()), Box::new(Attached(vec![long.clone(), long]))];
    params.extend(sizes.map(|size| Box::new("x".repeat(size)) as Box<dyn Encode>));
    for params in &params {
        for time in [None, Some(Duration::ZERO), Some(Duration::from_secs(3))] {
            for metadata in [&none, &metadata()] {
                for credit in [None, Some(65_536)] {
                    let batch = call(&**params, time, metadata, credit).into_batch();
                    check(&batch);
                    let mut reader = batch.raw_records().unwrap();
                    let record = reader.next().unwrap().unwrap();
                    assert_eq!((record.kind(), record.id()), (RecordKind::Call, 7));
                    assert_eq!((record.method(), record.time_left()), (Some(&b"a.v1.B/c"[..]), time));
                }
            }
        }
    }
}

#[test]
fn answers_and_items_keep_all_but_their_id() {
    let mut outbox = Outbox::default();
    for size in [1, 1_000, SEPARATE_MESSAGE_BYTES, OUT_OF_LINE_BYTES + 1] {
        let text = "x".repeat(size);
        outbox.push(RecordBuilder::reply::<Plain, String>(9, &text).unwrap());
        outbox.push_item(9, Item::encode::<Plain, String>(&ItemHead::new(9), &text).unwrap());
        outbox.push_item(9, Item::encode::<Plain, String>(&ItemHead::new(9), &text).unwrap());
    }
    let attached = Attached(vec![Bytes::from(vec![7; OUT_OF_LINE_BYTES])]);
    outbox.push(RecordBuilder::reply::<Plain, Attached>(9, &attached).unwrap());
    outbox.push_item(9, Item::encode::<Plain, Attached>(&ItemHead::new(9), &attached).unwrap());
    let mut messages = 0;
    while let Some(message) = outbox.take() {
        check(&message.into_batch());
        messages += 1;
    }
    assert!(messages > 4, "{messages}");
}

/// Needed for the form; never called.
impl crate::codec::Decode for Attached {
    fn decode(_: &mut crate::codec::Reader<'_>) -> Result<Self, crate::codec::DecodeError> {
        unreachable!("it is only written")
    }
}

/// A batch of one record of each kind without a long body.
fn one_of_each() -> Vec<u8> {
    let mut out = call(&(), Some(Duration::from_secs(1)), &metadata(), Some(1)).batch().to_vec();
    let status =
        Status::unavailable("x").caused_by(Cause::GoingAway).with_retry_after(Duration::from_secs(1));
    error(&mut out, 1, &Failure::Status(status));
    error(&mut out, 1, &Failure::Status(Status::internal("y").not_sent()));
    let declared = Failure::Declared { body: Bytes::from_static(&[1, 2]), message: "z".to_owned() };
    error(&mut out, 1, &declared);
    end(&mut out, 1);
    credit(&mut out, 1, 300);
    cancel(&mut out, 1);
    ping(&mut out, 1);
    pong(&mut out, 1);
    pong_of_server(&mut out, 1, 300);
    query(&mut out, 1);
    response_metadata(&mut out, 1, "venue", &MetadataValue::from("7"));
    going_away(&mut out);
    // Kind 12 with two elements more, and the one-way call as a script may write it: numbers in signed forms, nils at the end.
    out.extend_from_slice(&[0x94, 12, 1, 0xa1, b'x', 0x92, 1, 2]);
    out.extend_from_slice(&[
        0x98, 0xd0, 2, 0xd1, 0, 0, 0xa3, b'a', b'/', b'b', 0xc4, 1, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0,
    ]);
    out
}

#[test]
fn records_of_every_kind_keep_all_but_their_id() {
    let bytes = one_of_each();
    let batch = Batch::from(Bytes::from(bytes));
    check(&batch);
    let mut reader = batch.raw_records().unwrap();
    let mut kinds = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        kinds.push(record.kind());
    }
    let expected = [K::Call, K::Error, K::Error, K::Error, K::End, K::Credit, K::Cancel, K::Ping, K::Pong];
    assert_eq!(kinds[..9], expected);
    let rest = [K::Pong, K::Query, K::ResponseMetadata, K::GoingAway, K::Other(12), K::OneWay];
    assert_eq!(kinds[9..], rest);
}

#[test]
fn a_time_left_is_replaced_or_added() {
    for (record, expected) in [
        (&[0x94, 1, 1, 0xa1, b'm', 0xc4, 0][..], &[0x95, 1, 5, 0xa1, b'm', 0xc4, 0, 77][..]),
        (&[0x95, 1, 1, 0xa1, b'm', 0xc4, 0, 0xc0], &[0x95, 1, 5, 0xa1, b'm', 0xc4, 0, 77]),
        (
            &[0x97, 1, 1, 0xa1, b'm', 0xc4, 0, 0xcd, 1, 0, 0xc0, 9],
            &[0x97, 1, 5, 0xa1, b'm', 0xc4, 0, 77, 0xc0, 9],
        ),
    ] {
        let batch = batch(&[record]);
        let (batches, result) = forward_all(&batch, 5, Some(Duration::from_micros(77)));
        assert_eq!(result, Ok(()));
        assert_eq!(batches[0].bytes()[1..], *expected);
    }
}

#[test]
fn records_that_a_receiver_may_skip_are_forwarded() {
    let batch = batch(&[&[0x93, 64, 1, 0xa1, b'x'], &[0x92, 9, 2]]);
    let (batches, result) = forward_all(&batch, 3, None);
    assert_eq!((batches.len(), result), (1, Ok(())));
    assert_eq!(batches[0].bytes()[..], [1, 0x93, 64, 3, 0xa1, b'x', 0x92, 9, 3]);
}

#[test]
fn elements_that_a_later_version_adds_are_kept() {
    // Sixteen elements come to take a longer header; the eighth names places.
    for extra in [1, 7, 8, 9] {
        let elements = 8 + extra;
        let header = if elements < 16 { vec![0x90 | elements] } else { vec![0xdc, 0, elements] };
        let body = vec![0; OUT_OF_LINE_BYTES];
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let head = [&[1, 1, 0xa1, b'm', 0xc6], &length[..]].concat();
        let tail = [&[0xc0, 0xc0, 0xc0, 0xc0][..], &vec![9; usize::from(extra)]].concat();
        let batch = batch(&[&header, &head, &body, &tail]);
        check(&batch);
        let (batches, _) = forward_all(&batch, 1, None);
        assert!(batches[0].bytes().ends_with(&[&[0x91, 0][..], &vec![9; usize::from(extra)]].concat()));
    }
}

#[test]
fn long_bodies_and_attachments_are_not_copied() {
    let long = call(&"x".repeat(100_000), None, &Metadata::default(), None).into_batch();
    let record = long.raw_records().unwrap().next().unwrap().unwrap();
    let message = record.to_message(5, Rewrite::default());
    assert!(message.batch().len() < 50);
    let (_, attachments) = message.into_parts();
    let frames: Vec<_> = attachments.into_frames().collect();
    assert_eq!((frames.len(), frames[0].len()), (1, record.body_len()));
    assert!(long.bytes().as_ptr_range().contains(&frames[0].as_ptr()));

    let part = Bytes::from(vec![7; OUT_OF_LINE_BYTES]);
    let attached = call(&Attached(vec![part.clone()]), None, &Metadata::default(), None).into_batch();
    let record = attached.raw_records().unwrap().next().unwrap().unwrap();
    assert_eq!(record.body_len(), part.len() + 4);
    let (_, attachments) = record.to_message(5, Rewrite::default()).into_parts();
    assert_eq!(attachments.into_frames().next().unwrap().as_ptr(), part.as_ptr());
}

#[test]
fn a_long_body_in_a_much_longer_batch_is_copied() {
    let reply = |length: usize| {
        let header = u32::try_from(length).unwrap().to_be_bytes();
        [&[0x93, 3, 1, 0xc6][..], &header, &vec![7; length]].concat()
    };
    let batch = batch(&[&reply(OUT_OF_LINE_BYTES), &reply(10 * OUT_OF_LINE_BYTES)]);
    let mut reader = batch.raw_records().unwrap();
    let mut is_own = || reader.next().unwrap().unwrap().to_message(5, Rewrite::default()).is_own();
    assert_eq!([is_own(), is_own()], [true, false]);
}

#[test]
fn a_long_record_does_not_lengthen_a_batch() {
    let text = vec![b'x'; 3 * SEPARATE_MESSAGE_BYTES];
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    let ping = [&[0x93, 9, 1, 0xdb][..], &length, &text].concat();
    let batch = batch(&[&[0x92, 9, 1], &ping, &[0x92, 9, 2]]);
    assert_eq!(forward_all(&batch, 3, None).0.len(), 3);
    check(&batch);
}

#[test]
fn reading_goes_on_where_it_stopped() {
    let batch = Batch::from(Bytes::from(one_of_each()));
    let mut expected = batch.raw_records().unwrap();
    let mut at = 0;
    while let Some(record) = expected.next().unwrap() {
        let mut reader = batch.raw_records_from(at).unwrap();
        let found = reader.next().unwrap().unwrap();
        assert_eq!((found.kind(), found.id(), found.rest()), (record.kind(), record.id(), record.rest()));
        at = reader.at();
    }
    assert_eq!(at, batch.bytes().len());
}

/// Records that can't be read must not be passed on: they would cost the records after them, which may be another peer's.
#[test]
fn what_can_be_forwarded_can_be_read() {
    let bytes = one_of_each();
    for end in 0..bytes.len() {
        compare(&Bytes::copy_from_slice(&bytes[..end]).into());
    }
    for at in 0..bytes.len() {
        for byte in 0..=u8::MAX {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            compare(&Bytes::from(bytes).into());
        }
    }
}

#[test]
fn attachments_that_do_not_go_with_the_record_are_found() {
    let reply = [0x94, 3, 1, 0xc4, 2, 8, 8, 0x92, 0, 2];
    for at in 0..reply.len() {
        for byte in 0..=u8::MAX {
            let mut reply = reply;
            reply[at] = byte;
            let bytes = Bytes::from([&[VERSION][..], &reply, &[0x92, 9, 1]].concat());
            compare(&bytes.clone().into());
            let frames = vec![Bytes::from_static(b"ab"); super::super::frames_before(&bytes).min(3)];
            if let Ok(batch) = Batch::attach(bytes, frames) {
                compare(&batch);
            }
        }
    }
}

/// Compares forwarded records with those that are read. Records that may be skipped are forwarded, but not read.
fn compare(batch: &Batch) {
    let (expected, whole) = read_all(batch);
    let (batches, result) = forward_all(batch, 5, None);
    assert_eq!(result.is_ok(), whole.is_ok(), "{result:?} {whole:?} of {:02x?}", batch.bytes());
    let found = batches.iter().flat_map(|batch| {
        let (records, result) = read_all(batch);
        assert_eq!(result, Ok(()), "{:02x?}", batch.bytes());
        records
    });
    let content = |records: Vec<(u64, Option<Duration>, String)>| {
        records.into_iter().map(|(_, time, text)| (time, text)).collect::<Vec<_>>()
    };
    assert_eq!(content(found.collect()), content(expected), "{:02x?}", batch.bytes());
}

/// The credit of a call is replaced in each form that a call has, and nothing else of it with it.
#[test]
fn the_credit_of_a_call_is_replaced_where_there_is_one() {
    let long = vec![7; 40_000];
    for (body, time, has_credit) in [
        (&b"x"[..], false, true),
        (b"x", true, true),
        (b"x", true, false),
        (&long, true, true),
        (&long, false, true),
    ] {
        let mut bytes = vec![1, if has_credit { 0x97 } else { 0x95 }, 1, 5, 0xa5];
        bytes.extend_from_slice(b"p.S/m");
        bytes.push(0xc6);
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(body);
        bytes.push(if time { 9 } else { 0xc0 });
        if has_credit {
            bytes.extend_from_slice(&[0xc0, 0xcd, 1, 0]);
        }
        let batch = Batch::from(Bytes::from(bytes));
        let record = batch.raw_records().unwrap().next().unwrap().unwrap();
        let rewrite = Rewrite { time_left: None, credit: Some(3) };
        let batch = record.to_message(6, rewrite).into_batch();
        let mut records = batch.records().unwrap();
        let Some(Record::Call(call)) = records.next().unwrap() else { panic!("it is a call") };
        assert_eq!(
            (call.id, call.method, call.credit),
            (6, b"p.S/m".as_slice(), if has_credit { 3 } else { 0 })
        );
        assert_eq!(call.timeout, time.then(|| Duration::from_micros(9)));
        assert_eq!(batch.body(call.body).into_bytes().len(), body.len());
    }
}

#[test]
fn a_pong_tells_the_life_of_its_server() {
    let mut bytes = vec![1];
    pong_of_server(&mut bytes, 3, 77);
    pong(&mut bytes, 4);
    let batch = Batch::from(Bytes::from(bytes));
    let mut records = batch.raw_records().unwrap();
    let mut instance = || records.next().unwrap().unwrap().instance();
    assert_eq!([instance(), instance()], [Some(77), None]);
}
