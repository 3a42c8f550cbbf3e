//! [`Before`]: the frames of a message until its batch has come, which is the last, and alone can tell how many of them are its
//! own.

use bytes::Bytes;

use super::router::MAX_ROUTE;
use super::{Delivered, into_bytes};
use crate::codec::MAX_ATTACHMENTS;
use crate::wire::{Batch, Malformed, frames_before};

/// The frames of a message that have come before that of its batch.
pub(super) struct Before {
    /// As many as may be kept, from the first on.
    frames: Vec<zmq::Message>,
    /// How many there were.
    number: usize,
    /// How many bytes there were in them.
    bytes: usize,
    /// How many bytes a message may have.
    most: usize,
}

/// The frames of a message that do not belong to its batch: at a server, its route.
pub(super) enum Others<'a> {
    All(std::vec::Drain<'a, zmq::Message>),
    /// There were more than are kept.
    Lost,
}

/// How many frames may be kept until their batch has come: what may belong to it, and the longest route.
const MOST_BEFORE: usize = MAX_ATTACHMENTS + MAX_ROUTE / 4;

impl Before {
    /// Of messages that may have so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { frames: Vec::new(), number: 0, bytes: 0, most }
    }

    /// One more.
    pub(super) fn push(&mut self, frame: zmq::Message) {
        self.number += 1;
        self.bytes = self.bytes.saturating_add(frame.len());
        // None after one that was not kept: those at the beginning are the route.
        if self.frames.len() + 1 == self.number && self.number <= MOST_BEFORE && self.bytes <= self.most {
            self.frames.push(frame);
        }
    }

    /// The message that ends in this frame, and what of it is something else.
    pub(super) fn deliver(&mut self, batch: Bytes) -> (Delivered, Others<'_>) {
        if self.number == 0 {
            let bytes = batch.len();
            return (Delivered { batch: Ok(batch.into()), bytes }, Others::All(self.frames.drain(..)));
        }
        let others = self.number.saturating_sub(frames_before(&batch));
        let bytes = self.bytes.saturating_add(batch.len());
        let (kept, number) = (self.frames.len(), self.number);
        (self.number, self.bytes) = (0, 0);
        let own = self.frames.split_off(others.min(kept));
        let batch = if kept < number || bytes > self.most {
            Err(Malformed::TooMuchAttached)
        } else {
            Batch::attach(batch, own.into_iter().map(into_bytes).collect())
        };
        let rest = self.frames.drain(..);
        (Delivered { batch, bytes }, if others <= kept { Others::All(rest) } else { Others::Lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Blob, List};
    use crate::wire::{Item, ItemHead, Outbox};

    /// A message of one item with two attachments, after other frames; its batch, or what is wrong with it, and how many of the
    /// others came with it.
    fn delivered(others: &[&[u8]], most: usize) -> (Result<usize, Malformed>, Option<usize>) {
        let value = vec![Bytes::from(vec![7; 40_000]); 2];
        let mut outbox = Outbox::default();
        outbox.push_item(1, Item::encode::<List<Blob>, _>(&ItemHead::new(1), &value).unwrap());
        let (batch, attachments) = outbox.take().unwrap().into_parts();
        let mut before = Before::new(most);
        let attachments: Vec<_> = attachments.into_frames().collect();
        for frame in others.iter().copied().chain(attachments.iter().map(|frame| &frame[..])) {
            before.push(frame.into());
        }
        let (message, others) = {
            let (message, others) = before.deliver(Bytes::copy_from_slice(&batch));
            let others = if let Others::All(others) = others { Some(others.len()) } else { None };
            (message, others)
        };
        let (next, _) = before.deliver(Bytes::from_static(b"\x01"));
        assert!(next.batch.is_ok() && next.bytes == 1, "nothing is left for the next");
        (message.batch.map(|_| message.bytes), others)
    }

    #[test]
    fn what_belongs_to_a_batch_is_told_from_what_does_not() {
        let (whole, others) = delivered(&[], 1_000_000);
        let whole = whole.unwrap();
        assert_eq!((whole > 80_000, others), (true, Some(0)));
        assert_eq!(delivered(&[b"", b"route"], 1_000_000), (Ok(whole + 5), Some(2)));
        assert_eq!(delivered(&[&b""[..]; MOST_BEFORE - 2], 1_000_000), (Ok(whole), Some(MOST_BEFORE - 2)));
    }

    #[test]
    fn a_message_has_no_more_frames_or_bytes_than_it_may() {
        let too_much = Err(Malformed::TooMuchAttached);
        let (whole, _) = delivered(&[], 1_000_000);
        let whole = whole.unwrap();
        assert_eq!(delivered(&[b"route"], whole + 5), (Ok(whole + 5), Some(1)));
        // The route is known, so it can be told.
        assert_eq!(delivered(&[b"route"], whole + 4), (too_much.clone(), Some(1)));
        assert_eq!(delivered(&[b"route"], 50_000), (too_much.clone(), Some(1)));
        assert_eq!(delivered(&[&b""[..]; MOST_BEFORE], 1_000_000), (too_much.clone(), Some(MOST_BEFORE)));
        assert_eq!(delivered(&[&b""[..]; MOST_BEFORE + 1], 1_000_000), (too_much, None));
    }
}
