//! [`OutboundStream`]: the sending half of a stream: its credit, the senders that wait for more, and small items that have
//! gathered until the session collects them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::status::Status;
use crate::wire::{Item, Outbox};

/// The sending half of a stream, between the tasks that write items and the session that sends them.
///
/// Small items gather here: each takes this lock, which is hardly contended, and not that of its session. A holder of both takes
/// the session's first.
#[derive(Debug)]
pub struct OutboundStream {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Number of bytes that may still be sent; below zero once an item went past the window.
    credit: i64,
    /// Number of bytes sent so far.
    sent: u64,
    /// Why nothing can be sent any more, once the call is over.
    closed: Option<Status>,
    /// Tasks that wait for credit.
    wakers: Vec<Waker>,
    /// Items that the session has not collected, laid end to end.
    items: Vec<u8>,
    /// Whether the session knows that there are items to collect.
    is_announced: bool,
}

/// What the sender of an item has to do once the stream has taken it.
#[derive(Debug)]
pub enum Pushed {
    /// Nothing: the session collects the item with those before it.
    Gathered,
    /// Announce the stream to its session: this item is the first to gather.
    First,
    /// Flush the stream into its session: enough has gathered for a record, or the item is too long to gather. In the latter case
    /// it is in here, and is queued after what has gathered.
    Flush(Option<Item>),
}

/// Gathered items of this size in bytes do not wait to be collected.
const FLUSH_AT_BYTES: usize = 4 * 1024;
/// Capacity in bytes that the first item reserves.
const FIRST_CAPACITY_BYTES: usize = 256;
/// Items of more bytes than this do not gather.
const MAX_GATHERED_ITEM_BYTES: usize = 1024;

impl OutboundStream {
    /// Creates a stream with `credit` bytes of credit.
    #[must_use]
    pub fn new(credit: u64) -> Self {
        Self {
            state: Mutex::new(State {
                credit: i64::try_from(credit).unwrap_or(i64::MAX),
                sent: 0,
                closed: None,
                wakers: Vec::new(),
                items: Vec::new(),
                is_announced: false,
            }),
        }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while the lock is held; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of bytes for which credit was taken so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.lock().sent
    }

    /// Adds `bytes` of credit. Returns the tasks to wake once no lock is held.
    #[must_use]
    pub fn grant(&self, bytes: u64) -> Vec<Waker> {
        let mut state = self.lock();
        state.credit = state.credit.saturating_add_unsigned(bytes);
        std::mem::take(&mut state.wakers)
    }

    /// Takes back what is left of the credit, so that senders wait. Returns the number of bytes, to be granted again.
    pub(crate) fn take_back_credit(&self) -> u64 {
        let mut state = self.lock();
        let left = u64::try_from(state.credit).unwrap_or(0);
        state.credit = state.credit.min(0);
        left
    }

    /// Closes the stream: nothing can be sent any more, and items that were not collected are dropped. Only the first
    /// call sets the reason. Returns the tasks to wake once no lock is held.
    #[must_use]
    pub fn close(&self, why: Status) -> Vec<Waker> {
        let mut state = self.lock();
        state.closed.get_or_insert(why);
        state.items = Vec::new();
        std::mem::take(&mut state.wakers)
    }

    /// Reports whether the session knows of items that it has not collected yet.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.lock().is_announced
    }

    /// Takes an item as soon as there is credit for it, and says what its sender has to do. `unsent` is empty afterwards; a call
    /// with an empty one does nothing.
    ///
    /// # Errors
    /// The call is over; the status says why.
    #[inline]
    pub fn poll_push(
        &self,
        context: &Context<'_>,
        unsent: &mut Option<Item>,
    ) -> Poll<Result<Pushed, Status>> {
        let mut state = self.lock();
        if let Some(why) = &state.closed {
            return Poll::Ready(Err(why.clone()));
        }
        if !state.has_credit(context) {
            return Poll::Pending;
        }
        let Some(item) = unsent.take() else { return Poll::Ready(Ok(Pushed::Gathered)) };
        state.take_credit(item.len());
        if item.len() > MAX_GATHERED_ITEM_BYTES {
            return Poll::Ready(Ok(Pushed::Flush(Some(item))));
        }
        let pushed = state.push(item.body());
        drop(state);
        item.recycle();
        Poll::Ready(Ok(pushed))
    }

    /// Hands what has gathered to `take`, for a sender that has more. Returns `true` if the stream is to be announced.
    pub(super) fn flush(&self, take: impl FnOnce(&[u8])) -> bool {
        let state = &mut *self.lock();
        state.hand_out(take);
        state.announce()
    }

    /// Queues what has gathered as items of the call `id`. The stream counts as not announced afterwards.
    pub fn collect(&self, outbox: &mut Outbox, id: u64) {
        let state = &mut *self.lock();
        state.is_announced = false;
        state.hand_out(|items| outbox.push_items(id, items));
    }
}

impl State {
    /// Reports whether there is credit; if not, the caller is woken when there is some.
    #[inline]
    fn has_credit(&mut self, context: &Context<'_>) -> bool {
        if self.credit > 0 {
            return true;
        }
        if !self.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            self.wakers.push(context.waker().clone());
        }
        false
    }

    #[inline]
    fn take_credit(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub_unsigned(bytes as u64);
        self.sent += bytes as u64;
    }

    #[inline]
    fn push(&mut self, item: &[u8]) -> Pushed {
        if self.items.capacity() == 0 {
            self.items.reserve(FIRST_CAPACITY_BYTES);
        }
        self.items.extend_from_slice(item);
        if self.items.len() >= FLUSH_AT_BYTES {
            Pushed::Flush(None)
        } else if self.announce() {
            Pushed::First
        } else {
            Pushed::Gathered
        }
    }

    /// Keeps the buffer for the next items: it is small, and freeing it on another thread than the sender's costs more.
    #[inline]
    fn hand_out(&mut self, take: impl FnOnce(&[u8])) {
        if !self.items.is_empty() {
            take(&self.items);
            self.items.clear();
        }
    }

    /// Marks the stream as announced. Returns `true` if it was not.
    #[inline]
    fn announce(&mut self) -> bool {
        !std::mem::replace(&mut self.is_announced, true)
    }
}

#[cfg(test)]
impl OutboundStream {
    /// Creates a stream in which `items` have gathered.
    pub(super) fn with_items(items: &[u8]) -> Self {
        let this = Self::new(0);
        this.lock().items.extend_from_slice(items);
        this
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::codec::{Blob, Form, Plain};
    use crate::flow::PendingStreams;
    use crate::wire::ItemHead;

    #[expect(clippy::unnecessary_wraps, reason = "a sender holds its item so")]
    fn unsent<F: Form<T>, T>(value: &T) -> Option<Item> {
        Some(Item::encode::<F, T>(&ItemHead::new(1), value).unwrap())
    }

    fn poll(stream: &OutboundStream, unsent: &mut Option<Item>) -> Poll<Result<Pushed, Status>> {
        stream.poll_push(&Context::from_waker(Waker::noop()), unsent)
    }

    /// Pushes a value, and returns what its sender has to do, in short.
    fn push<F: Form<T>, T>(stream: &OutboundStream, value: &T) -> String {
        match poll(stream, &mut unsent::<F, T>(value)) {
            Poll::Ready(Ok(Pushed::Flush(item))) => format!("flush {:?}", item.map(|item| item.len())),
            Poll::Ready(Ok(pushed)) => format!("{pushed:?}"),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the items that a session collects.
    fn collected(stream: &OutboundStream) -> Vec<u8> {
        let mut outbox = Outbox::default();
        stream.collect(&mut outbox, 1);
        // Version, array, kind, id, and the header of a `bin 32`.
        outbox.take().map_or_else(Vec::new, |message| message.batch()[9..].to_vec())
    }

    #[test]
    fn a_stream_is_announced_once_until_it_is_collected() {
        let stream = OutboundStream::new(1_000_000);
        for _ in 0..2 {
            let told = [(); 3].map(|()| push::<Plain, u64>(&stream, &7));
            assert_eq!(told, ["First", "Gathered", "Gathered"]);
            assert!(stream.is_announced());
            assert_eq!(collected(&stream), [7, 7, 7]);
            assert!(!stream.is_announced());
        }
        assert!(collected(&stream).is_empty());
    }

    #[test]
    fn many_small_items_and_longer_ones_are_flushed_in_order() {
        let stream = Arc::new(OutboundStream::new(1_000_000));
        let (small, longer) = (Bytes::from(vec![7; 510]), Bytes::from(vec![7; 2_000]));
        let told: Vec<_> = (0..8).map(|_| push::<Blob, Bytes>(&stream, &small)).collect();
        assert_eq!((told[0].as_str(), told[7].as_str()), ("First", "flush None"));
        let (mut pending, mut outbox) = (PendingStreams::default(), Outbox::default());
        pending.flush(&mut outbox, 1, &stream, None);
        assert!(pending.is_empty() && outbox.len() > 4_104, "it was announced before");
        push::<Blob, Bytes>(&stream, &small);
        assert_eq!(push::<Blob, Bytes>(&stream, &longer), "flush Some(2003)");
        assert_eq!(collected(&stream).len(), 513);
        pending.flush(&mut outbox, 1, &stream, unsent::<Blob, Bytes>(&longer));
        assert!(!pending.is_empty(), "a flush announces a stream that was collected: its sender has more");
    }

    #[test]
    fn nothing_is_kept_for_a_call_that_is_over() {
        let stream = OutboundStream::new(1_000_000);
        push::<Plain, u64>(&stream, &7);
        assert!(stream.close(Status::cancelled("over")).is_empty());
        assert!(collected(&stream).is_empty());
        let Poll::Ready(Err(why)) = poll(&stream, &mut unsent::<Plain, u64>(&7)) else {
            panic!("a closed stream takes nothing")
        };
        assert_eq!(why, Status::cancelled("over"));
    }

    #[test]
    fn credit_may_go_below_zero_once_and_a_sender_waits_for_more() {
        let stream = OutboundStream::new(1);
        assert_eq!(push::<Plain, u64>(&stream, &300), "First");
        let mut next = unsent::<Plain, u64>(&7);
        assert!(poll(&stream, &mut next).is_pending() && next.is_some());
        assert_eq!(stream.grant(2).len(), 1, "the sender is woken");
        assert!(poll(&stream, &mut next).is_pending(), "three bytes were sent, and three granted");
        assert_eq!(stream.grant(1).len(), 1);
        assert!(poll(&stream, &mut next).is_ready() && next.is_none());
        assert_eq!(stream.sent(), 4);
    }
}
