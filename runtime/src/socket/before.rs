//! [`Before`]: the frames of a message until its batch has come, which is the last, and alone can tell how many of them are its
//! own.

use bytes::Bytes;

use super::into_bytes;
use super::router::MAX_ROUTE;
use crate::codec::MOST_APART;
use crate::wire::{Batch, Malformed, frames_before};

/// The frames of a message that have come before that of its batch, which is the last.
#[derive(Default)]
pub(super) struct Before {
    /// As many as may be kept, from the first on.
    pub(super) frames: Vec<zmq::Message>,
    /// How many there were.
    number: usize,
    /// How many bytes are kept.
    bytes: usize,
}

/// How many frames may be kept until their batch has come: what may belong to it, and the longest route.
const MOST_BEFORE: usize = MOST_APART + MAX_ROUTE / 4;

impl Before {
    /// One more, of which all that are kept may have so many bytes.
    pub(super) fn push(&mut self, frame: zmq::Message, most: usize) {
        self.number += 1;
        let kept = self.bytes.saturating_add(frame.len());
        // None after one that was not kept: those at the beginning are the route.
        if self.frames.len() + 1 == self.number && self.number <= MOST_BEFORE && kept <= most {
            self.bytes = kept;
            self.frames.push(frame);
        }
    }

    /// A batch with those that belong to it. Those that are left are something else; whether those are all of it.
    pub(super) fn attach_to(&mut self, batch: Bytes) -> (Result<Batch, Malformed>, bool) {
        if self.number == 0 {
            // Where there should be some, whoever reads the batch sees it.
            return (Ok(batch.into()), true);
        }
        let others = self.number.saturating_sub(frames_before(&batch));
        let (kept, number) = (self.frames.len(), self.number);
        (self.number, self.bytes) = (0, 0);
        let own = self.frames.split_off(others.min(kept));
        if kept < number {
            return (Err(Malformed::TooMuchAttached), others <= kept);
        }
        (Batch::attach(batch, own.into_iter().map(into_bytes).collect()), true)
    }
}
