//! [`FrameAssembler`]: keeps the frames of a message until its batch has arrived. The batch is the last frame; only the
//! batch tells how many of the frames before it belong to it.

use bytes::Bytes;

use super::Delivered;
use crate::codec::MAX_ATTACHMENTS;
use crate::wire::{Batch, Malformed, first_record, frames_before};

/// Maximum length of a route in bytes. ZMTP's routing ids have up to 255 bytes, and a chain of devices is short.
pub(crate) const MAX_ROUTE_BYTES: usize = 2_048;

/// Collects the frames of a message that come before that of its batch.
#[derive(Debug)]
pub(crate) struct FrameAssembler {
    /// The first frames, up to the maximum number.
    frames: Vec<Bytes>,
    /// Number of frames so far.
    count: usize,
    /// Size of those frames in bytes.
    bytes: usize,
    /// Maximum size of a message in bytes.
    max_bytes: usize,
    /// Whether the message was found to be larger before all of it had arrived, so that nothing more of it is kept.
    is_too_large: bool,
}

/// The frames of a message that do not belong to its batch: at a server, its route.
pub(crate) enum OtherFrames<'a> {
    All(std::vec::Drain<'a, Bytes>),
    /// There were more than are kept.
    Lost,
}

/// Maximum number of frames that are kept until their batch has arrived: what may belong to it, and the longest route.
pub(crate) const MAX_FRAMES: usize = MAX_ATTACHMENTS + MAX_ROUTE_BYTES / 4;

#[cfg(test)]
impl OtherFrames<'_> {
    /// Returns the number of frames, if they were kept.
    pub(crate) fn count(&self) -> Option<usize> {
        match self {
            Self::All(frames) => Some(frames.len()),
            Self::Lost => None,
        }
    }
}

impl FrameAssembler {
    /// Creates an assembler for messages of up to `max_bytes` bytes.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { frames: Vec::new(), count: 0, bytes: 0, max_bytes, is_too_large: false }
    }

    /// Adds a frame that is not the last.
    pub(crate) fn push(&mut self, frame: Bytes) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(frame.len());
        // No frame is kept after one that was not: those at the beginning are the route.
        let is_next = self.frames.len() + 1 == self.count && self.count <= MAX_FRAMES;
        if is_next && self.bytes <= self.max_bytes && !self.is_too_large {
            self.frames.push(frame);
        }
    }

    /// Says that a frame of this many bytes is arriving. If the message has too many with it, only what may be its route is kept
    /// any longer: its sender is told along that.
    pub(crate) fn announce(&mut self, bytes: usize) {
        if self.is_too_large || self.bytes.saturating_add(bytes) <= self.max_bytes {
            return;
        }
        let mut route = 0_usize;
        for frame in &mut self.frames {
            route = route.saturating_add(frame.len() + 4);
            if route > MAX_ROUTE_BYTES {
                *frame = Bytes::new();
            }
        }
        self.is_too_large = true;
    }

    /// Adds a frame that was not kept, and is not the last.
    pub(crate) fn push_skipped(&mut self, bytes: u64) {
        self.announce(usize::MAX);
        self.count += 1;
        self.bytes = self.bytes.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// Completes the message by its last frame, of which only the beginning was kept.
    pub(crate) fn complete_skipped(&mut self, head: Bytes, bytes: u64) -> (Delivered, OtherFrames<'_>) {
        self.announce(usize::MAX);
        let rest = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_sub(head.len());
        self.bytes = self.bytes.saturating_add(rest);
        self.complete_after(head)
    }

    /// Completes the message by its last frame. Returns it, and the frames that are not its batch's.
    pub(crate) fn complete(&mut self, batch: Bytes) -> (Delivered, OtherFrames<'_>) {
        if self.count == 0 {
            let bytes = batch.len();
            let message = Delivered::anonymous(Ok(batch.into()), bytes);
            return (message, OtherFrames::All(self.frames.drain(..)));
        }
        self.complete_after(batch)
    }

    fn complete_after(&mut self, batch: Bytes) -> (Delivered, OtherFrames<'_>) {
        let others = self.count.saturating_sub(frames_before(&batch));
        let bytes = self.bytes.saturating_add(batch.len());
        let (kept, count) = (self.frames.len(), self.count);
        (self.count, self.bytes) = (0, 0);
        let is_too_large = std::mem::take(&mut self.is_too_large) || bytes > self.max_bytes;
        let own = self.frames.split_off(others.min(kept));
        let batch = if is_too_large {
            Err(Malformed::TooLarge { first: first_record(&batch), bytes: bytes as u64, max: self.max_bytes })
        } else if kept < count {
            Err(Malformed::TooMuchAttached)
        } else {
            Batch::attach(batch, own)
        };
        let rest = self.frames.drain(..);
        let others = if others <= kept { OtherFrames::All(rest) } else { OtherFrames::Lost };
        (Delivered::anonymous(batch, bytes), others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Blob, List};
    use crate::wire::{FirstRecord, Item, ItemHead, Outbox, RecordKind};

    /// Assembles a message of one item with two attachments, after other frames. Returns its size or what is wrong with it, and
    /// the number of the others that came with it.
    fn assemble(others: &[&[u8]], max: usize) -> (Result<usize, Malformed>, Option<usize>) {
        let value = vec![Bytes::from(vec![7; 40_000]); 2];
        let mut outbox = Outbox::default();
        outbox.push_item(1, Item::encode::<List<Blob>, _>(&ItemHead::new(1), &value).unwrap());
        let (batch, attachments) = outbox.take().unwrap().into_parts();
        let mut assembler = FrameAssembler::new(max);
        let attachments: Vec<_> = attachments.into_frames().collect();
        for frame in others.iter().copied().chain(attachments.iter().map(|frame| &frame[..])) {
            assembler.push(Bytes::copy_from_slice(frame));
        }
        let (message, others) = {
            let (message, others) = assembler.complete(Bytes::copy_from_slice(&batch));
            (message, others.count())
        };
        let (next, _) = assembler.complete(Bytes::from_static(b"\x01"));
        assert!(next.batch.is_ok() && next.bytes == 1, "nothing is left for the next message");
        (message.batch.map(|_| message.bytes), others)
    }

    #[test]
    fn frames_of_a_batch_are_told_from_others() {
        let (whole, others) = assemble(&[], 1_000_000);
        let whole = whole.unwrap();
        assert_eq!((whole > 80_000, others), (true, Some(0)));
        assert_eq!(assemble(&[b"", b"route"], 1_000_000), (Ok(whole + 5), Some(2)));
        assert_eq!(assemble(&[&b""[..]; MAX_FRAMES - 2], 1_000_000), (Ok(whole), Some(MAX_FRAMES - 2)));
    }

    #[test]
    fn a_message_that_will_be_too_large_is_dropped_but_for_its_route_before_it_has_arrived() {
        let mut assembler = FrameAssembler::new(10_000);
        for frame in [&b"route"[..], &[7; 6_000], &[7; 3_000]] {
            assembler.announce(frame.len());
            assembler.push(Bytes::copy_from_slice(frame));
        }
        assembler.announce(995);
        assert_eq!(assembler.frames.iter().map(Bytes::len).sum::<usize>(), 9_005, "it may still fit");
        assembler.announce(996);
        assert_eq!(assembler.frames.iter().map(Bytes::len).collect::<Vec<_>>(), [5, 0, 0]);
        assembler.push(Bytes::from_static(&[7; 996]));
        assert_eq!(assembler.frames.len(), 3, "nothing more is kept");
        let (message, others) = assembler.complete(Bytes::from_static(b"\x01"));
        let too_large = Malformed::TooLarge { first: None, bytes: 10_002, max: 10_000 };
        assert_eq!((message.batch.map(|_| ()), others.count()), (Err(too_large), None));
        drop(others);
        let (next, _) = assembler.complete(Bytes::from_static(b"\x01"));
        assert!(next.batch.is_ok(), "the next message is none the worse");
    }

    #[test]
    fn of_frames_that_were_not_kept_their_sizes_and_the_call_are_known() {
        let mut assembler = FrameAssembler::new(10_000);
        assembler.push(Bytes::from_static(b"route"));
        assembler.push_skipped(20_000);
        let first = Some(FirstRecord { kind: RecordKind::Call, id: 7 });
        let (message, _) = assembler.complete(Bytes::from_static(b"\x01\x94\x01\x07"));
        let too_large = Malformed::TooLarge { first, bytes: 20_009, max: 10_000 };
        assert_eq!(message.batch.map(|_| ()), Err(too_large));
        let (message, others) = assembler.complete_skipped(Bytes::from_static(b"\x01\x94\x01\x07"), 10_001);
        let too_large = Malformed::TooLarge { first, bytes: 10_001, max: 10_000 };
        assert_eq!((message.batch.map(|_| ()), others.count()), (Err(too_large), Some(0)));
    }

    #[test]
    fn a_message_keeps_to_its_bounds() {
        let too_much = Err(Malformed::TooMuchAttached);
        let (whole, _) = assemble(&[], 1_000_000);
        let whole = whole.unwrap();
        assert_eq!(assemble(&[b"route"], whole + 5), (Ok(whole + 5), Some(1)));
        // The route is known, so the peer can be told; and so is the call.
        let first = Some(FirstRecord { kind: RecordKind::Items, id: 1 });
        for max in [whole + 4, 50_000] {
            let too_large = Malformed::TooLarge { first, bytes: whole as u64 + 5, max };
            assert_eq!(assemble(&[b"route"], max), (Err(too_large), Some(1)));
        }
        assert_eq!(assemble(&[&b""[..]; MAX_FRAMES], 1_000_000), (too_much.clone(), Some(MAX_FRAMES)));
        assert_eq!(assemble(&[&b""[..]; MAX_FRAMES + 1], 1_000_000), (too_much, None));
    }
}
