//! Tests of [`Outbox`] by what leaves it.

use bytes::Bytes;

use super::*;
use crate::codec::{Blob, Encode, Plain, WriteForm, Writer, decode};
use crate::metadata::Metadata;
use crate::wire::{Buffer, ItemHead, Reader, Record, SEPARATE_MESSAGE_BYTES, end, ping};

fn item(id: u64, text: &str) -> Item {
    Item::encode::<Plain, String>(&ItemHead::new(id), &text.to_owned()).unwrap()
}

/// Takes all messages and returns their records in order, as short texts.
fn messages(outbox: &mut Outbox) -> Vec<Vec<String>> {
    let mut messages = Vec::new();
    while let Some(message) = outbox.take() {
        let mut reader = Reader::new(message.batch()).unwrap();
        let mut records = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            records.push(match record {
                Record::Items { id, items } => format!("items {id} of {} bytes", items.len()),
                Record::Ping { id } => format!("ping {id}"),
                Record::End { id } => format!("end {id}"),
                other => format!("{other:?}"),
            });
        }
        messages.push(records);
    }
    messages
}

#[test]
fn what_has_gathered_leaves_as_one_message() {
    let mut outbox = Outbox::default();
    (1..=3).for_each(|id| outbox.record(|out| ping(out, id)));
    assert_eq!(messages(&mut outbox), [["ping 1", "ping 2", "ping 3"]]);
    assert!(outbox.is_empty());
}

#[test]
fn items_of_one_stream_share_a_record_until_another_record_comes() {
    let mut outbox = Outbox::default();
    outbox.push_item(1, item(1, "a"));
    outbox.push_item(1, item(1, "b"));
    outbox.push_item(2, item(2, "c"));
    outbox.push_item(1, item(1, "d"));
    outbox.record(|out| end(out, 1));
    outbox.push_item(1, item(1, "e"));
    let expected =
        ["items 1 of 4 bytes", "items 2 of 2 bytes", "items 1 of 2 bytes", "end 1", "items 1 of 2 bytes"];
    assert_eq!(messages(&mut outbox), [expected]);
}

#[test]
fn a_large_item_travels_alone_and_keeps_its_place() {
    let mut outbox = Outbox::default();
    let large = "x".repeat(SEPARATE_MESSAGE_BYTES);
    outbox.push_item(1, item(1, "a"));
    outbox.push_item(1, item(1, &large));
    outbox.push_item(1, item(1, "b"));
    let large = format!("items 1 of {} bytes", large.len() + 3);
    assert_eq!(messages(&mut outbox), [["items 1 of 2 bytes"], [large.as_str()], ["items 1 of 2 bytes"]]);
}

#[test]
fn a_full_batch_is_closed_also_within_a_stream() {
    let mut outbox = Outbox::default();
    let text = "x".repeat(1_000);
    (0..1_000).for_each(|_| outbox.push_item(1, item(1, &text)));
    assert!(outbox.len() > 1_000_000);
    let mut sizes = Vec::new();
    while let Some(message) = outbox.take() {
        sizes.push(message.len());
    }
    assert!(sizes.len() > 1 && sizes.iter().all(|size| *size < SEAL_BATCH_AT_BYTES + 2_000), "{sizes:?}");
    assert_eq!(outbox.len(), 0);
}

/// Bytes that travel out of line if they are long.
struct Attached(Bytes);

impl Encode for Attached {
    fn encode(&self, out: &mut Writer) {
        <Blob as WriteForm<Bytes>>::encode(&self.0, out);
    }
}

fn call(id: u32) -> RecordBuilder {
    let mut record = RecordBuilder::call("a.B/c", false, &()).unwrap();
    record.address(id, None, &Metadata::default(), None);
    record
}

#[test]
fn a_large_call_that_is_kept_is_shared_until_it_is_sent_again() {
    let metadata = Metadata::default();
    let mut record = RecordBuilder::call("a.B/c", false, &vec!["x".repeat(SEPARATE_MESSAGE_BYTES)]).unwrap();
    let mut outbox = Outbox::default();
    let mut sent = Vec::new();
    for id in 1..=3 {
        record.address(id, None, &metadata, None);
        outbox.push_copy(&mut record);
        sent.extend(outbox.take());
    }
    // Messages that are still on their way do not change.
    for (message, expected) in sent.iter().zip(1..) {
        let mut ids = Vec::new();
        calls_in(message.batch(), |id| ids.push(id));
        assert_eq!(ids, [expected]);
    }
    for message in sent {
        assert!(matches!(message.into_parts().0, Buffer::Shared(_)));
    }
    assert_eq!(record.body_len(), SEPARATE_MESSAGE_BYTES + 4);
}

#[test]
fn what_is_attached_to_a_call_that_is_kept_is_sent_each_time() {
    let metadata = Metadata::default();
    let long = Bytes::from(vec![7; 100_000]);
    let mut record = RecordBuilder::call("a.B/c", false, &Attached(long.clone())).unwrap();
    let mut outbox = Outbox::default();
    for id in 1..=3 {
        record.address(id, None, &metadata, None);
        assert_eq!(record.body_len(), 5 + long.len());
        outbox.push_copy(&mut record);
        assert!(outbox.len() > long.len());
        let batch = outbox.take().unwrap().into_batch();
        assert!(outbox.is_empty());
        let Some(Record::Call(call)) = batch.records().unwrap().next().unwrap() else {
            panic!("it is a call")
        };
        let read = decode::<Blob, Bytes>(&batch.body(call.body), usize::MAX).unwrap();
        assert_eq!((call.id, read.as_ptr()), (u64::from(id), long.as_ptr()));
    }
}

#[test]
fn a_call_with_attachments_waits_and_is_taken_out_whole() {
    let long = Bytes::from(vec![7; 100_000]);
    let attached = |id| {
        let mut record = RecordBuilder::call("a.B/c", false, &Attached(long.clone())).unwrap();
        record.address(id, None, &Metadata::default(), None);
        record
    };
    let mut outbox = Outbox::default();
    (1..=3).for_each(|id| outbox.push(attached(id)));
    let length = outbox.len();
    let first = outbox.take().unwrap();
    outbox.put_back(first);
    assert_eq!(outbox.len(), length);
    let mut ids = Vec::new();
    outbox.calls(|id| ids.push(id));
    assert_eq!(ids, [1, 2, 3]);
    let users = outbox.take_out(|id| id == 2);
    assert_eq!((users.len(), outbox.len()), (1, length / 3 * 2));
    assert_eq!(outbox.clear().len(), 2);
    assert!(outbox.is_empty());
    drop(users);
    assert!(long.is_unique(), "nothing of it is left");
}

#[test]
fn a_small_call_that_is_kept_keeps_no_large_buffer() {
    let metadata = Metadata::default();
    let large = || RecordBuilder::call("a.B/c", false, &vec!["x".repeat(1 << 20)]).unwrap();
    for _ in 0..10 {
        large().recycle();
        let mut small = RecordBuilder::call("a.B/c", false, &()).unwrap();
        small.address(1, None, &metadata, None);
        Outbox::default().push_copy(&mut small);
        assert!(small.capacity() <= 1024, "{}", small.capacity());
        large().recycle();
        let mut attached = RecordBuilder::call("a.B/c", false, &Attached(vec![7; 100_000].into())).unwrap();
        attached.address(1, None, &metadata, None);
        Outbox::default().push_copy(&mut attached);
        attached.address(2, None, &metadata, None);
        assert!(attached.capacity() <= 1024, "{}", attached.capacity());
    }
}

#[test]
fn what_was_said_of_a_call_is_taken_out_and_nothing_else() {
    let mut outbox = Outbox::default();
    outbox.push(call(1));
    outbox.push_item(1, item(1, "a"));
    outbox.push_item(2, item(2, &"x".repeat(SEPARATE_MESSAGE_BYTES)));
    outbox.push_item(1, item(1, &"x".repeat(SEPARATE_MESSAGE_BYTES)));
    outbox.push(call(2));
    outbox.push_item(1, item(1, "b"));
    outbox.record(|out| ping(out, 1));
    let mut ids = Vec::new();
    outbox.calls(|id| ids.push(id));
    assert_eq!(ids, [1, 2]);
    assert!(outbox.take_out(|id| id == 1).is_empty());
    outbox.push_item(2, item(2, "c"));
    let length = outbox.len();
    let messages = messages(&mut outbox);
    assert_eq!(messages[0], ["items 2 of 16387 bytes"]);
    assert_eq!(
        (messages.len(), &messages[1][1..]),
        (2, &["ping 1".to_owned(), "items 2 of 2 bytes".to_owned()][..])
    );
    assert!(length > 0 && outbox.is_empty());
}

#[test]
fn a_message_that_was_put_back_is_the_next() {
    let mut outbox = Outbox::default();
    outbox.record(|out| ping(out, 1));
    let message = outbox.take().unwrap();
    outbox.record(|out| ping(out, 2));
    outbox.put_back(message);
    assert_eq!(messages(&mut outbox), [["ping 1"], ["ping 2"]]);
}
