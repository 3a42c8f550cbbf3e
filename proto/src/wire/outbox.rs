//! Records waiting for their socket's owner, packed into batches as they come.

use std::collections::VecDeque;

use super::pool::spare_for;
use super::unsent::{calls_in, without};
use super::{Item, Message, RecordBuilder, SEAL_BATCH_AT_BYTES, VERSION, kind, write};

/// What one peer is to be sent, in order. Whatever has gathered by the time the owner runs leaves as one message.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Messages that are complete.
    sealed: VecDeque<Message>,
    /// The batch that still takes records; empty, or a version byte and at least one record.
    open: Vec<u8>,
    /// The batch ends in items of this stream, whose length stands at this place, so that more can join them.
    open_items: Option<(u64, usize)>,
    /// The size of everything in here.
    bytes: usize,
    /// The size of the batch before, as a guess at that of the next: to grow it step by step is to copy it several times.
    usual: usize,
}

impl Outbox {
    /// Adds a record that one of the functions of this module writes.
    #[inline]
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.open_items = None;
        self.append(write);
        self.seal_if_full();
    }

    /// Adds a record with a body.
    #[inline]
    pub fn push(&mut self, draft: RecordBuilder) {
        if draft.is_large() {
            self.alone(draft.into_message());
        } else {
            self.record(|batch| draft.append_to(batch));
            draft.recycle();
        }
    }

    /// Adds a record with a body that its owner keeps: a large one is shared, not copied.
    #[inline]
    pub fn push_copy(&mut self, draft: &mut RecordBuilder) {
        draft.fit();
        if draft.is_large() {
            self.alone(draft.share());
        } else {
            self.record(|batch| draft.append_to(batch));
        }
    }

    /// Adds an item to a stream.
    pub fn push_item(&mut self, id: u64, item: Item) {
        if item.is_large() {
            self.alone(item.into_message());
        } else {
            self.push_items(id, item.body());
            item.recycle();
        }
    }

    /// Adds items to a stream that lie end to end and are fewer bytes than a large one: to the record that the batch ends in,
    /// if that is the same stream's.
    pub fn push_items(&mut self, id: u64, items: &[u8]) {
        match self.open_items {
            Some((stream, length_at)) if stream == id => self.append(|batch| {
                batch.extend_from_slice(items);
                patch_length(batch, length_at);
            }),
            _ => self.start_items(id, items),
        }
        self.seal_if_full();
    }

    fn start_items(&mut self, id: u64, items: &[u8]) {
        let mut length_at = 0;
        self.append(|batch| {
            write::head(batch, 3, kind::ITEMS, id);
            batch.extend_from_slice(&[0xc6, 0, 0, 0, 0]);
            length_at = batch.len() - 4;
            batch.extend_from_slice(items);
            patch_length(batch, length_at);
        });
        self.open_items = Some((id, length_at));
    }

    fn alone(&mut self, message: Message) {
        self.seal();
        self.bytes += message.len();
        self.sealed.push_back(message);
    }

    #[inline]
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.open.is_empty() {
            if self.open.capacity() == 0 {
                self.open = spare_for(self.usual);
                self.open.reserve(self.usual);
            }
            self.open.push(VERSION);
            self.bytes += 1;
        }
        let before = self.open.len();
        write(&mut self.open);
        self.bytes += self.open.len() - before;
    }

    #[inline]
    fn seal_if_full(&mut self) {
        if self.open.len() >= SEAL_BATCH_AT_BYTES {
            self.seal();
        }
    }

    fn seal(&mut self) {
        self.open_items = None;
        if !self.open.is_empty() {
            self.usual = self.open.len();
            self.sealed.push_back(std::mem::take(&mut self.open).into());
        }
    }

    /// The next message to send.
    pub fn take(&mut self) -> Option<Message> {
        if self.sealed.is_empty() {
            self.seal();
        }
        let message = self.sealed.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }

    /// Puts back a message that could not be sent, as the next.
    pub fn put_back(&mut self, message: Message) {
        self.bytes += message.len();
        self.sealed.push_front(message);
    }

    /// The size of everything in here, in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Nothing is waiting.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Hands out the ids of the calls that have not left yet, with 0 for each one-way call.
    pub fn calls(&self, mut found: impl FnMut(u64)) {
        self.sealed.iter().for_each(|message| calls_in(message.batch(), &mut found));
        calls_in(&self.open, &mut found);
    }

    /// Takes back all that was said of some calls. What is handed out is to be dropped when no lock is held: to drop a user's
    /// bytes may run his code.
    pub fn take_out(&mut self, is_out: impl Fn(u64) -> bool) -> Vec<Message> {
        self.open_items = None;
        let (mut kept, mut users) = (VecDeque::new(), Vec::new());
        for message in std::mem::take(&mut self.sealed) {
            match without(message.batch(), &is_out) {
                Some(rest) if rest.len() == message.batch().len() => kept.push_back(message),
                Some(rest) => kept.push_back(rest.into()),
                None if message.is_own() => {}
                None => users.push(message),
            }
        }
        self.sealed = kept;
        self.open = without(&self.open, &is_out).unwrap_or_default();
        self.bytes = self.open.len() + self.sealed.iter().map(Message::len).sum::<usize>();
        users
    }

    /// Throws everything away, but for what is handed out, as by [`Outbox::take_out`].
    pub fn clear(&mut self) -> Vec<Message> {
        let mut users = Vec::new();
        while let Some(message) = self.take() {
            if message.is_own() { message.recycle() } else { users.push(message) }
        }
        users
    }
}

/// Sets the `bin 32` length at `length_at` to reach to the end of the batch.
#[inline]
fn patch_length(batch: &mut [u8], length_at: usize) {
    // A batch is closed soon after `SEAL_BATCH_AT_BYTES`, and what joins it is smaller than `SEPARATE_MESSAGE_BYTES`.
    let length = u32::try_from(batch.len() - length_at - 4).unwrap_or(u32::MAX);
    batch[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::{Blob, Encode, Plain, WriteForm, Writer, decode};
    use crate::wire::{Buffer, ItemHead, Reader, Record, end, ping};

    fn item(id: u64, text: &str) -> Item {
        Item::encode::<Plain, String>(&ItemHead::new(id), &text.to_owned()).unwrap()
    }

    /// The records of every message, in order, as short texts.
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
        let large = "x".repeat(super::super::SEPARATE_MESSAGE_BYTES);
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

    /// Long bytes.
    struct Attached(Bytes);

    impl Encode for Attached {
        fn encode(&self, out: &mut Writer) {
            <Blob as WriteForm<Bytes>>::encode(&self.0, out);
        }
    }

    fn call(id: u32) -> RecordBuilder {
        let mut draft = RecordBuilder::call("a.B/c", false, &()).unwrap();
        draft.address(id, None, &crate::metadata::Metadata::default(), None);
        draft
    }

    #[test]
    fn a_large_call_that_is_kept_is_shared_until_it_is_sent_again() {
        let metadata = crate::metadata::Metadata::default();
        let mut draft =
            RecordBuilder::call("a.B/c", false, &vec!["x".repeat(super::super::SEPARATE_MESSAGE_BYTES)])
                .unwrap();
        let mut outbox = Outbox::default();
        let mut sent = Vec::new();
        for id in 1..=3 {
            draft.address(id, None, &metadata, None);
            outbox.push_copy(&mut draft);
            sent.extend(outbox.take());
        }
        // What is still on its way stays as it is.
        for (message, expected) in sent.iter().zip(1..) {
            let mut ids = Vec::new();
            calls_in(message.batch(), |id| ids.push(id));
            assert_eq!(ids, [expected]);
        }
        for message in sent {
            assert!(matches!(message.into_parts().0, Buffer::Shared(_)));
        }
        assert_eq!(draft.body_len(), super::super::SEPARATE_MESSAGE_BYTES + 4);
    }

    #[test]
    fn what_is_attached_to_a_call_that_is_kept_is_sent_each_time() {
        let metadata = crate::metadata::Metadata::default();
        let long = Bytes::from(vec![7; 100_000]);
        let mut draft = RecordBuilder::call("a.B/c", false, &Attached(long.clone())).unwrap();
        let mut outbox = Outbox::default();
        for id in 1..=3 {
            draft.address(id, None, &metadata, None);
            assert_eq!(draft.body_len(), 5 + long.len());
            outbox.push_copy(&mut draft);
            assert!(outbox.len() > long.len());
            let batch = outbox.take().unwrap().into_batch();
            assert!(outbox.is_empty());
            let Some(Record::Call(call)) = batch.records().unwrap().next().unwrap() else {
                panic!("it is a call")
            };
            let read = decode::<Blob, Bytes>(&batch.body(call.body)).unwrap();
            assert_eq!((call.id, read.as_ptr()), (u64::from(id), long.as_ptr()));
        }
    }

    #[test]
    fn a_call_with_attachments_waits_and_is_taken_out_whole() {
        let long = Bytes::from(vec![7; 100_000]);
        let attached = |id| {
            let mut draft = RecordBuilder::call("a.B/c", false, &Attached(long.clone())).unwrap();
            draft.address(id, None, &crate::metadata::Metadata::default(), None);
            draft
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
        let metadata = crate::metadata::Metadata::default();
        let large = || RecordBuilder::call("a.B/c", false, &vec!["x".repeat(1 << 20)]).unwrap();
        for _ in 0..10 {
            large().recycle();
            let mut small = RecordBuilder::call("a.B/c", false, &()).unwrap();
            small.address(1, None, &metadata, None);
            Outbox::default().push_copy(&mut small);
            assert!(small.capacity() <= 1024, "{}", small.capacity());
            large().recycle();
            let mut attached =
                RecordBuilder::call("a.B/c", false, &Attached(vec![7; 100_000].into())).unwrap();
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
        outbox.push_item(2, item(2, &"x".repeat(super::super::SEPARATE_MESSAGE_BYTES)));
        outbox.push_item(1, item(1, &"x".repeat(super::super::SEPARATE_MESSAGE_BYTES)));
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
}
