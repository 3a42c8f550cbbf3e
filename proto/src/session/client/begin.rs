//! How calls begin: with an id, and a record in the outbox.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::call::{ClientCall, PING, Streams};
use super::session::Session;
use crate::flow::OutboundStream;
use crate::metadata::Metadata;
use crate::session::Deadline;
use crate::wire::{self, Item, RecordBuilder};

/// What a call is sent with beside its parameters.
#[derive(Debug)]
pub struct NewCall<'a> {
    /// `package.Service/method`
    pub method: &'static str,
    /// When its time is up.
    pub deadline: Option<Deadline>,
    /// What travels beside its parameters.
    pub metadata: &'a Metadata,
    /// Its streams.
    pub streams: &'a Streams,
    /// Credit in bytes for the server's stream, if it answers with one.
    pub credit: Option<u64>,
    /// The task to wake when the call has ended, if it need not look once more before.
    pub waker: Option<&'a Waker>,
}

/// The record of a call, with its parameters.
#[derive(Debug)]
pub enum CallRecord<'a> {
    /// Sent once.
    Once(RecordBuilder),
    /// Kept by the caller, to be sent again perhaps: a large one is shared, not copied.
    Kept(&'a mut RecordBuilder),
}

/// There must be room: see [`Session::check_ready`] and [`Session::poll_room`].
impl Session {
    /// Begins a call. Returns its id.
    #[inline]
    pub fn begin_call(&mut self, call: NewCall<'_>, record: CallRecord<'_>, now: Instant) -> u32 {
        let NewCall { method, deadline, metadata, streams, credit, waker } = call;
        let id = self.begin(method, deadline, streams.clone(), waker, now);
        let left = deadline.map(|deadline| deadline.left(now));
        self.push(record, |record| record.address(id, left, metadata, credit));
        self.wake_next();
        id
    }

    /// Sends a one-way call, of which nothing more will be heard.
    #[inline]
    pub fn begin_one_way(
        &mut self,
        deadline: Option<Deadline>,
        metadata: &Metadata,
        record: CallRecord<'_>,
        now: Instant,
    ) {
        self.ask_for_one_way(now);
        let left = deadline.map(|deadline| deadline.left(now));
        let bytes = self.push(record, |record| {
            record.address(0, left, metadata, None);
            record.record_len()
        });
        self.one_way.begin(self.begun, bytes);
        self.wake_next();
    }

    /// Begins a ping, past the queue of callers that wait for room: it takes none to speak of. Returns its id.
    pub fn begin_ping(&mut self, deadline: Option<Deadline>, now: Instant) -> u32 {
        let id = self.begin(PING, deadline, Streams::default(), None, now);
        self.outbox.record(|out| wire::ping(out, u64::from(id)));
        id
    }

    #[inline]
    fn begin(
        &mut self,
        method: &'static str,
        deadline: Option<Deadline>,
        streams: Streams,
        waker: Option<&Waker>,
        now: Instant,
    ) -> u32 {
        self.begun += 1;
        self.open += 1;
        self.look_no_later_than(deadline.map(|deadline| deadline.at));
        let look = self.liveness.as_mut().map(|liveness| liveness.begin(now));
        self.look_no_later_than(look);
        self.calls.insert(ClientCall::new(method, deadline, streams, waker.cloned(), self.begun))
    }

    #[inline]
    fn push<R>(&mut self, record: CallRecord<'_>, address: impl FnOnce(&mut RecordBuilder) -> R) -> R {
        match record {
            CallRecord::Once(mut record) => {
                let addressed = address(&mut record);
                self.outbox.push(record);
                addressed
            }
            CallRecord::Kept(record) => {
                let addressed = address(record);
                self.outbox.push_copy(record);
                addressed
            }
        }
    }

    /// Pings the server if it is time to know which one-way calls it has read. No task waits for this pong but those that have no room.
    pub(super) fn ask_for_one_way(&mut self, now: Instant) {
        if self.one_way.must_ask() {
            let id = self.begin_ping(None, now);
            self.one_way.ask(id);
        }
    }
}

/// Streams.
impl Session {
    fn has_call(&self, id: u64) -> bool {
        u32::try_from(id).is_ok_and(|id| self.calls.get(id).is_some())
    }

    /// Reports whether the server may be told something of a call. A record about one that has ended would be the only thing in the
    /// outbox of a connection that was closed, which would never be done then.
    fn is_open(&self, id: u64) -> bool {
        u32::try_from(id).is_ok_and(|id| self.is_call_open(id))
    }

    /// Grants the server `bytes` of credit for the stream of a call. Does nothing for a call that has ended.
    pub fn grant(&mut self, id: u64, bytes: u64) {
        if self.is_open(id) {
            self.outbox.record(|out| wire::credit(out, id, bytes));
        }
    }

    /// Announces that items have begun to gather in the stream of a call. Returns `false` if there is no such call any more.
    pub fn announce(&mut self, id: u64, stream: &Arc<OutboundStream>) -> bool {
        let is_known = self.has_call(id);
        if is_known {
            self.pending.announce(id, stream);
        }
        is_known
    }

    /// Queues the items that have gathered in the stream of a call, and `last` after them.
    ///
    /// # Errors
    /// There is no such call any more. `last` comes back, to be dropped once no lock is held.
    pub fn flush(
        &mut self,
        id: u64,
        stream: &Arc<OutboundStream>,
        last: Option<Item>,
    ) -> Result<(), Option<Item>> {
        if !self.has_call(id) {
            return Err(last);
        }
        self.pending.flush(&mut self.outbox, id, stream, last);
        Ok(())
    }

    /// Ends the client's stream of a call, after the items that have gathered in it. Does nothing for a call that has ended.
    pub fn finish(&mut self, id: u64, stream: &OutboundStream) {
        if self.is_open(id) {
            stream.collect(&mut self.outbox, id);
            self.outbox.record(|out| wire::end(out, id));
        }
    }
}
