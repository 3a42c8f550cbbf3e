//! [`InboundStream`]: the receiving half of a stream: items that have arrived and are not read yet.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::codec::{Body, is_small_part};
use crate::status::Failure;
use crate::wire::Batch;

/// The receiving half of a stream, between the session that fills it and the task that reads it.
#[derive(Debug)]
pub struct InboundStream {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Chunks of one or more items laid end to end. At most the window and one message in all.
    chunks: VecDeque<Body>,
    /// Items after those in `chunks`, copied out of batches of which they were a small part.
    copied: Vec<u8>,
    /// How the stream ended, to be returned after the last chunk.
    end: Option<Result<(), Failure>>,
    /// Number of bytes that the peer may still send; the last item may take it below zero.
    allowed: i64,
    /// Number of bytes that have arrived.
    received: u64,
    waker: Option<Waker>,
}

/// Items of fewer bytes than this are copied, whatever the size of their batch: keeping a batch costs some hundred
/// bytes by itself.
const COPY_BELOW_BYTES: usize = 1024;

/// Items arrived for which the peer had no credit.
#[derive(Debug, PartialEq, Eq)]
pub struct Overrun;

impl InboundStream {
    /// Creates a stream whose peer has been granted `window` bytes.
    #[must_use]
    pub fn new(window: u64) -> Self {
        let allowed = i64::try_from(window).unwrap_or(i64::MAX);
        Self {
            state: Mutex::new(State {
                chunks: VecDeque::new(),
                copied: Vec::new(),
                end: None,
                allowed,
                received: 0,
                waker: None,
            }),
        }
    }

    #[inline]
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in here panics while the lock is held; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes items, which are a part of `batch`. Returns the reader to wake once no lock is held. Items after the end
    /// are ignored.
    ///
    /// # Errors
    /// The peer had no credit left.
    pub fn receive(&self, batch: &Batch, items: &[u8]) -> Result<Option<Waker>, Overrun> {
        let mut state = self.lock();
        let length = batch.body_len(items);
        if state.end.is_some() || length == 0 {
            return Ok(None);
        }
        if state.allowed <= 0 {
            return Err(Overrun);
        }
        state.allowed = state.allowed.saturating_sub_unsigned(length as u64);
        state.received += length as u64;
        state.keep(batch, items);
        Ok(state.waker.take())
    }

    /// Returns the number of bytes that have arrived so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// Reports whether items have arrived that no reader has taken.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        let state = self.lock();
        !state.chunks.is_empty() || !state.copied.is_empty()
    }

    /// Ends the stream. Only the first call sets how. Returns the reader to wake once no lock is held.
    #[must_use]
    pub fn finish(&self, end: Result<(), Failure>) -> Option<Waker> {
        let mut state = self.lock();
        if state.end.is_some() {
            return None;
        }
        state.end = Some(end);
        state.waker.take()
    }

    /// Allows the peer `bytes` more, which the caller tells it by a credit record.
    pub fn grant(&self, bytes: u64) {
        let mut state = self.lock();
        state.allowed = state.allowed.saturating_add_unsigned(bytes);
    }

    /// Returns the next items laid end to end, or how the stream failed, or `None` at its end.
    #[inline]
    pub fn poll_chunk(&self, context: &Context<'_>) -> Poll<Option<Result<Body, Failure>>> {
        let mut state = self.lock();
        if let Some(chunk) = state.take() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        match state.end.as_mut() {
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
        }
    }
}

impl State {
    /// Keeps items. A slice keeps its whole batch in memory, so items that are a small part of it, as in a batch of
    /// many streams, are copied: an unread stream takes no more memory than was granted to it.
    fn keep(&mut self, batch: &Batch, items: &[u8]) {
        let is_small = items.len() < COPY_BELOW_BYTES || is_small_part(items.len(), batch.bytes().len());
        if is_small && batch.is_whole(items) {
            return self.copied.extend_from_slice(items);
        }
        let mut body = batch.body(items);
        if body.len() < COPY_BELOW_BYTES {
            return self.copied.extend_from_slice(&body.into_bytes());
        }
        // Also for a body with out-of-line parts.
        body.detach(batch.bytes().len());
        if !self.copied.is_empty() {
            let copied = std::mem::take(&mut self.copied);
            self.chunks.push_back(Bytes::from(copied).into());
        }
        self.chunks.push_back(body);
    }

    /// Takes the next items.
    #[inline]
    fn take(&mut self) -> Option<Body> {
        let chunk = self.chunks.pop_front();
        let copied = &mut self.copied;
        chunk.or_else(|| (!copied.is_empty()).then(|| Bytes::from(std::mem::take(copied)).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(inbound: &InboundStream, items: &'static [u8]) -> Result<(), Overrun> {
        let batch = Batch::from(Bytes::from_static(items));
        inbound.receive(&batch, batch.bytes()).map(crate::flow::wake)
    }

    #[test]
    fn the_last_item_may_go_past_the_window_but_no_further_one() {
        let inbound = InboundStream::new(10);
        assert_eq!(receive(&inbound, b"123456789"), Ok(()));
        assert_eq!(receive(&inbound, b"123456789"), Ok(()));
        assert_eq!(receive(&inbound, b"1"), Err(Overrun));
        inbound.grant(9);
        assert_eq!(receive(&inbound, b"1"), Ok(()));
    }

    #[test]
    fn a_small_part_of_a_batch_does_not_keep_it() {
        let inbound = InboundStream::new(1_000_000);
        let bytes = Bytes::from(vec![7; 100_000]);
        let batch = || Batch::from(bytes.clone());
        inbound.receive(&batch(), &bytes[..10]).unwrap();
        assert!(bytes.is_unique());
        inbound.receive(&batch(), &bytes[..50_000]).unwrap();
        assert!(!bytes.is_unique(), "a large part is not copied");
        inbound.receive(&batch(), &bytes[..20]).unwrap();
        inbound.receive(&batch(), &bytes[..30]).unwrap();
        let context = Context::from_waker(Waker::noop());
        let next = || match inbound.poll_chunk(&context) {
            Poll::Ready(Some(Ok(chunk))) => chunk.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!([next(), next(), next()], [10, 50_000, 50], "in the order in which they came");
    }

    /// Else a byte of credit would be worth all that it costs to keep an attachment, and the batch besides.
    #[test]
    fn what_is_attached_is_kept_apart_only_where_it_is_long() {
        let inbound = InboundStream::new(1_000_000);
        let receive = |attachment: Bytes, inline: usize| {
            let items = [&[1, 0x94, 5, 1, 0xc5], &u16::try_from(inline).unwrap().to_be_bytes()[..]].concat();
            let batch = [items, vec![7; inline], vec![0x91, 0], [0x92, 64, 1].repeat(5_000)].concat();
            let bytes = Bytes::from(batch);
            let batch = Batch::attach(bytes.clone(), vec![attachment]).unwrap();
            inbound.receive(&batch, &batch.bytes()[7..7 + inline]).unwrap();
            bytes
        };
        let long = Bytes::from(vec![8; 5_000]);
        for (attachment, inline) in [(Bytes::from_static(b"x"), 1), (long.clone(), 300)] {
            assert!(receive(attachment, inline).is_unique(), "the batch is not kept");
        }
        assert!(!long.is_unique(), "what is long is not copied");
        let context = Context::from_waker(Waker::noop());
        let next = || match inbound.poll_chunk(&context) {
            Poll::Ready(Some(Ok(chunk))) => chunk.into_bytes(),
            other => panic!("{other:?}"),
        };
        assert_eq!([next(), next()], [Bytes::from_static(b"x\x07"), [&long[..], &[7; 300]].concat().into()]);
    }

    #[test]
    fn small_items_do_not_keep_batches_of_their_own() {
        let inbound = InboundStream::new(1_000_000);
        let bytes = Bytes::from(vec![7; 100]);
        let batch = || Batch::from(bytes.clone());
        inbound.receive(&batch(), &bytes[10..]).unwrap();
        assert!(bytes.is_unique());
    }
}
