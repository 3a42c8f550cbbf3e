//! [`Outbox`]: records that wait for their driver, packed into batches as they come.

use std::collections::VecDeque;
use std::time::Duration;

use super::pool::BufferPool;
use super::unsent::{calls_in, without};
use super::{Item, Message, RawRecord, RecordBuilder, Rewrite, SEAL_BATCH_AT_BYTES, VERSION, kind, write};

/// The records to be sent to one peer, in order. Those that have gathered when the driver runs leave as one message.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Complete messages.
    sealed: VecDeque<Message>,
    /// The batch that still takes records. Invariant: empty, or a version byte and at least one record.
    open: Vec<u8>,
    /// The stream whose items the batch ends in, and the index of their length, so that more items can join them.
    open_items: Option<(u64, usize)>,
    /// Size of everything in here in bytes.
    bytes: usize,
    /// Size of the previous batch in bytes; capacity hint for the next, since to grow it step by step is to copy it
    /// several times.
    previous_batch_bytes: usize,
}

impl Outbox {
    /// Queues a record that `write` appends: one of the functions of this module, such as [`ping`](super::ping).
    #[inline]
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.open_items = None;
        self.append(write);
        self.seal_if_full();
    }

    /// Queues a record with a body.
    #[inline]
    pub fn push(&mut self, record: RecordBuilder) {
        if record.is_separate() {
            self.push_message(record.into_message());
        } else {
            self.record(|batch| record.append_to(batch));
            record.recycle();
        }
    }

    /// Queues a record with a body that its caller keeps. A large one is shared, not copied.
    #[inline]
    pub fn push_copy(&mut self, record: &mut RecordBuilder) {
        record.fit();
        if record.is_separate() {
            self.push_message(record.share());
        } else {
            self.record(|batch| record.append_to(batch));
        }
    }

    /// Queues a record that was received, under another id. This is what a router uses.
    ///
    /// If `time_left` is given and the record is a call, it replaces the time left; without, the call keeps the one it came with.
    /// Nothing else of the record changes. A short record is copied into the batch; one of 16 KiB or more travels as a message of
    /// its own. Attachments are not copied, and a body of 32 KiB or more becomes one, which is a slice of the message
    /// that came in, unless that message is more than four times as long.
    pub fn forward(&mut self, record: &RawRecord<'_>, id: u64, time_left: Option<Duration>) {
        self.forward_changed(record, id, Rewrite { time_left, credit: None });
    }

    /// Queues a record that was received, as [`Outbox::forward`] does, with what is to be changed of it if it is a call.
    pub fn forward_changed(&mut self, record: &RawRecord<'_>, id: u64, rewrite: Rewrite) {
        if record.is_separate() {
            self.push_message(record.to_message(id, rewrite));
        } else {
            self.record(|batch| record.append_to(batch, id, rewrite));
        }
    }

    /// Queues an item of a stream.
    pub fn push_item(&mut self, id: u64, item: Item) {
        if item.is_separate() {
            self.push_message(item.into_message());
        } else {
            self.push_items(id, item.body());
            item.recycle();
        }
    }

    /// Queues items of a stream that are laid end to end and take fewer bytes than a separate message. They join the
    /// record that the batch ends in, if that holds items of the same stream.
    pub(crate) fn push_items(&mut self, id: u64, items: &[u8]) {
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

    fn push_message(&mut self, message: Message) {
        self.seal();
        self.bytes += message.len();
        self.sealed.push_back(message);
    }

    #[inline]
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.open.is_empty() {
            if self.open.capacity() == 0 {
                self.open = BufferPool::acquire_for(self.previous_batch_bytes);
                self.open.reserve(self.previous_batch_bytes);
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
        let message = self.take_open();
        self.sealed.extend(message);
    }

    #[inline]
    fn take_open(&mut self) -> Option<Message> {
        self.open_items = None;
        if self.open.is_empty() {
            return None;
        }
        self.previous_batch_bytes = self.open.len();
        Some(std::mem::take(&mut self.open).into())
    }

    /// Takes the next message to send.
    pub fn take(&mut self) -> Option<Message> {
        // The batch that takes records does not go through the queue, which most connections never need.
        let message = match self.sealed.pop_front() {
            Some(message) => message,
            None => self.take_open()?,
        };
        self.bytes -= message.len();
        Some(message)
    }

    /// Puts back a message that could not be sent. It becomes the next.
    pub fn put_back(&mut self, message: Message) {
        self.bytes += message.len();
        self.sealed.push_front(message);
    }

    /// Returns the size of everything in here in bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Reports whether nothing waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Hands out the ids of the calls that are not sent yet, with 0 for each one-way call.
    pub fn calls(&self, mut found: impl FnMut(u64)) {
        self.sealed.iter().for_each(|message| calls_in(message.batch(), &mut found));
        calls_in(&self.open, &mut found);
    }

    /// Removes all records of some calls. Returns messages with users' bytes: they must be dropped while no lock is held, because
    /// that may run users' code.
    #[must_use]
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

    /// Removes everything. Returns messages with users' bytes, as [`Outbox::take_out`] does.
    #[must_use]
    pub fn clear(&mut self) -> Vec<Message> {
        let mut users = Vec::new();
        while let Some(message) = self.take() {
            if message.is_own() { message.recycle() } else { users.push(message) }
        }
        users
    }
}

/// Sets the `bin 32` length at the index `length_at` so that it reaches to the end of the batch.
#[inline]
fn patch_length(batch: &mut [u8], length_at: usize) {
    // A batch is sealed soon after `SEAL_BATCH_AT_BYTES`, and what joins it is smaller than `SEPARATE_MESSAGE_BYTES`.
    let length = u32::try_from(batch.len() - length_at - 4).unwrap_or(u32::MAX);
    batch[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests;
