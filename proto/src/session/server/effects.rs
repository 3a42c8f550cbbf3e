//! [`Effects`]: what a session leaves to be done once its lock is let go of.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::CallKey;
use super::session::Answer;
use crate::codec::Body;
use crate::flow::InboundStream;
use crate::status::Status;
use crate::wire::{Batch, Item, Message};

/// What a session leaves to be done without its lock: it may run code of the user's, which may want the lock.
#[derive(Debug)]
pub struct Effects<C> {
    /// Whether there is anything in here.
    any: bool,
    /// Calls that were ended from outside their handlers, which are to be stopped.
    pub ended: Vec<Ended<C>>,
    /// What is to be counted.
    pub counts: Counts,
    wakers: Wakers,
    discarded: Vec<Discarded>,
}

/// A call that was ended from outside its handler.
#[derive(Debug)]
pub struct Ended<C> {
    /// The call.
    pub key: CallKey,
    /// What the application kept with it.
    pub app: C,
    /// Why it ended: the status that its client was told, or would have been.
    pub why: Status,
}

/// Tasks to wake. The first needs no allocation: mostly there is one.
#[derive(Debug, Default)]
struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

/// What may hold a user's bytes, and is only dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "to drop it is all that is done with it")]
enum Discarded {
    Message(Message),
    Answer(Answer),
    Item(Item),
    Batch(Batch),
    Body(Body),
}

/// What a session has counted since it was last asked.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Number of calls that were turned away before a handler saw them.
    pub refused: u64,
    /// Number of messages and records that could not be read.
    pub unreadable: u64,
    /// Number of times that the client was given up with calls in flight.
    pub lost: u64,
    /// Why the client was given up last.
    pub lost_why: &'static str,
    dropped: [u64; DropReason::ALL.len()],
}

/// Why a session has dropped something that its client was waiting for, or a one-way call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DropReason {
    /// The client can't be reached any more.
    Unreachable,
    /// The client did not read what waited for it.
    NotRead,
    /// There was no room for an answer. In its place, the client is told so.
    NoRoom,
    /// The server has ended.
    ServerEnded,
    /// A one-way call was turned away. No answer could say so.
    OneWay,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::Unreachable, Self::NotRead, Self::NoRoom, Self::ServerEnded, Self::OneWay];
}

impl Counts {
    /// Reports whether there is nothing to count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the number of records that were dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }
}

impl<C> Default for Effects<C> {
    fn default() -> Self {
        Self {
            any: false,
            ended: Vec::new(),
            counts: Counts::default(),
            wakers: Wakers::default(),
            discarded: Vec::new(),
        }
    }
}

impl<C> Effects<C> {
    /// Wakes tasks, and drops what the session has discarded. No lock may be held. Calls in `ended` are the
    /// application's to stop.
    pub fn run(self) {
        self.wakers.first.into_iter().chain(self.wakers.more).for_each(Waker::wake);
        drop(self.discarded);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.any
    }

    pub(super) fn end(&mut self, key: CallKey, app: C, why: &Status) {
        self.any = true;
        self.ended.push(Ended { key, app, why: why.clone() });
    }

    #[inline]
    pub(super) fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        for waker in wakers {
            self.any = true;
            if self.wakers.first.is_none() {
                self.wakers.first = Some(waker);
            } else {
                self.wakers.more.push(waker);
            }
        }
    }

    /// Counts the client as given up.
    pub(super) fn lost(&mut self, why: &'static str) {
        let counts = self.count();
        counts.lost += 1;
        counts.lost_why = why;
    }

    pub(super) fn discard_message(&mut self, message: Message) {
        self.discard(Discarded::Message(message));
    }

    pub(super) fn discard_answer(&mut self, answer: Answer) {
        self.discard(Discarded::Answer(answer));
    }

    pub(super) fn discard_item(&mut self, item: Item) {
        self.discard(Discarded::Item(item));
    }

    /// Takes a message that was read.
    #[inline]
    pub(super) fn discard_batch(&mut self, batch: Batch) {
        if batch.has_attachments() {
            self.discard(Discarded::Batch(batch));
        }
    }

    /// Takes a client's stream that has ended. What its handler has not read is dropped here if the handler has let go
    /// of it, and by the handler otherwise, which holds no lock then.
    pub(super) fn discard_stream(&mut self, inbound: Arc<InboundStream>) {
        let Some(inbound) = Arc::into_inner(inbound) else { return };
        while let Poll::Ready(Some(Ok(chunk))) = inbound.poll_chunk(&Context::from_waker(Waker::noop())) {
            self.discard(Discarded::Body(chunk));
        }
    }

    #[cold]
    fn discard(&mut self, what: Discarded) {
        self.any = true;
        self.discarded.push(what);
    }

    /// Returns the numbers, to be added to.
    pub(super) fn count(&mut self) -> &mut Counts {
        self.any = true;
        &mut self.counts
    }

    pub(super) fn count_dropped(&mut self, reason: DropReason, records: u64) {
        self.count().dropped[reason as usize] += records;
    }
}
