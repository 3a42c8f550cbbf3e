//! [`Outgoing`]: the half of a connection that is written to, and the bytes that are being written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::stream::{WriteHalf, no_wait};
use crate::transport::SendReceipt;
use crate::wire::{Buffer, Message};
use zsvc_proto::zmtp::curve::Sealer;
use zsvc_proto::zmtp::{self, FrameHeader, Transmit};

/// The half of a connection that is written to, what is left of a message that is being written, and commands. With CURVE, all of it is
/// encrypted here, in the order in which it is written.
///
/// A message or a command is taken only if there is nothing left, so this holds one of them.
#[derive(Debug)]
pub(super) struct Outgoing {
    stream: WriteHalf,
    chunks: VecDeque<Chunk>,
    /// Number of bytes of the first chunk that were written.
    written: usize,
    /// Users' bytes that were written, to be dropped where no lock is held.
    done: Vec<Bytes>,
    is_closed: bool,
    /// Whether room for chunks is kept where there are none: not before the first message, since there may be none.
    keeps_room: bool,
    framing: Framing,
}

/// How messages become frames.
#[derive(Debug)]
pub(super) enum Framing {
    /// In the clear.
    Plain,
    /// Encrypted, once the handshake is complete: until then there must be none.
    Pending,
    Sealed(Box<Sealer>),
    /// Something could not be encrypted, so that the connection has to end.
    Broken,
}

#[derive(Debug)]
enum Chunk {
    /// The header of a frame.
    Header(Header),
    /// The frame of a batch, or of an attachment.
    Body(Buffer, Option<SendReceipt>),
    /// Whole frames: a route, or commands.
    Frames(Bytes),
    /// All frames of a message, encrypted.
    Sealed(Buffer, Option<SendReceipt>),
}

/// The bytes of a header, and their number.
#[derive(Debug, Clone, Copy, Default)]
struct Header([u8; 9], u8);

/// Chunks of a message without attachments.
const USUAL_CHUNKS: usize = 2;
/// Maximum number of chunks that are written by one call.
const MAX_SLICES: usize = 16;

impl Outgoing {
    pub(super) fn new(stream: WriteHalf, framing: Framing) -> Self {
        let chunks = VecDeque::new();
        Self { stream, chunks, written: 0, done: Vec::new(), is_closed: false, keeps_room: false, framing }
    }

    /// Has all that follows encrypted.
    pub(super) fn seal_by(&mut self, sealer: Box<Sealer>) {
        self.framing = Framing::Sealed(sealer);
    }

    /// Reports whether everything was written.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Returns how much is left: the number of chunks, and that of the bytes of the first that were written.
    pub(super) fn left(&self) -> (usize, usize) {
        (self.chunks.len(), self.written)
    }

    /// Reports whether a message may be added: everything before it was written, and its peer is there.
    pub(super) fn takes_message(&self) -> bool {
        self.is_empty() && !self.is_closed
    }

    /// Adds a message, after the frames of its route. Dropping `receipt` says that all of it was written.
    pub(super) fn push_message(&mut self, route: Bytes, message: Message, receipt: Option<SendReceipt>) {
        if !self.keeps_room {
            // For no more: it is kept by idle connections, too.
            self.chunks.reserve_exact(USUAL_CHUNKS);
            self.keeps_room = true;
        }
        if !matches!(self.framing, Framing::Plain) {
            return self.push_sealed(&route, message, receipt);
        }
        if !route.is_empty() {
            self.chunks.push_back(Chunk::Frames(route));
        }
        let (batch, attachments) = message.into_parts();
        for frame in attachments.into_frames() {
            self.push_frame(Buffer::Attachment(frame), true, None);
        }
        self.push_frame(batch, false, receipt);
    }

    fn push_frame(&mut self, body: Buffer, has_more: bool, receipt: Option<SendReceipt>) {
        self.chunks.push_back(Chunk::Header(Header::of(body.len(), has_more)));
        self.chunks.push_back(Chunk::Body(body, receipt));
    }

    /// Adds a message, encrypted. What it was made of is not needed any more.
    fn push_sealed(&mut self, route: &[u8], message: Message, receipt: Option<SendReceipt>) {
        let (batch, attachments) = message.into_parts();
        let attachments: Vec<Bytes> = attachments.into_frames().collect();
        let bytes = attachments.iter().map(|frame| Sealer::sealed_bytes(frame.len())).sum::<usize>();
        let sealed = self.seal(bytes + Sealer::sealed_bytes(batch.len()), |sealer, out| {
            sealer.seal_frames(route, out)?;
            for frame in &attachments {
                sealer.seal(&[frame], true, out)?;
            }
            sealer.seal(&[&batch], false, out)
        });
        batch.recycle();
        self.done.extend(attachments);
        self.chunks.extend(sealed.map(|sealed| Chunk::Sealed(Buffer::Own(sealed), receipt)));
    }

    /// Encrypts by a function, to a buffer for `bytes` bytes. If that fails, the next write does.
    fn seal(
        &mut self,
        bytes: usize,
        by: impl FnOnce(&mut Sealer, &mut Vec<u8>) -> Result<(), zmtp::Error>,
    ) -> Option<Vec<u8>> {
        let mut out = Buffer::acquire(bytes);
        out.reserve(bytes);
        if let Framing::Sealed(sealer) = &mut self.framing
            && by(sealer, &mut out).is_ok()
        {
            return Some(out);
        }
        // Never in the clear.
        self.framing = Framing::Broken;
        None
    }

    /// Adds what the machine has to send.
    pub(super) fn push_transmit(&mut self, next: Transmit) {
        let frames = match (next, &self.framing) {
            (Transmit::Handshake(bytes), _) | (Transmit::Command(bytes), Framing::Plain) => bytes,
            (Transmit::Command(frame), _) => {
                match self
                    .seal(Sealer::sealed_bytes(frame.len()), |sealer, out| sealer.seal_frames(&frame, out))
                {
                    Some(sealed) => sealed.into(),
                    None => return,
                }
            }
        };
        self.chunks.push_back(Chunk::Frames(frames));
    }

    /// Writes until everything is written, or there is no room.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.framing, Framing::Broken) {
            return Poll::Ready(Err(io::Error::other("a message could not be encrypted")));
        }
        while !self.chunks.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut number = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                let skipped = if number == 0 { self.written } else { 0 };
                *slice = IoSlice::new(&chunk.bytes()[skipped..]);
                number += 1;
            }
            let written = ready!(self.stream.poll_write(context, &slices[..number]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        if !self.keeps_room && self.chunks.capacity() > 0 {
            self.chunks = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes as much as there is room for. What is left is written by the next [`Outgoing::poll_write`].
    pub(super) fn write_now(&mut self) -> io::Result<()> {
        match self.poll_write(&mut no_wait()) {
            Poll::Ready(written) => written,
            Poll::Pending => Ok(()),
        }
    }

    /// Takes the chunks that were written off the list.
    fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        while let Some(first) = self.chunks.front() {
            let length = first.bytes().len();
            if self.written < length {
                return;
            }
            self.written -= length;
            match self.chunks.pop_front() {
                Some(Chunk::Body(Buffer::Attachment(bytes), _)) => self.done.push(bytes),
                Some(Chunk::Body(body, receipt) | Chunk::Sealed(body, receipt)) => {
                    body.recycle();
                    drop(receipt);
                }
                Some(Chunk::Header(_) | Chunk::Frames(_)) | None => {}
            }
        }
    }

    /// Takes the users' bytes that were written.
    pub(super) fn take_written(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.done)
    }

    /// Takes all that was not written, to be dropped where no lock is held. Nothing more may be added.
    pub(super) fn close(&mut self) -> impl Sized + use<> {
        self.is_closed = true;
        std::mem::take(&mut self.chunks)
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Header(Header(bytes, length)) => &bytes[..usize::from(*length)],
            Self::Body(body, _) | Self::Sealed(body, _) => body,
            Self::Frames(bytes) => bytes,
        }
    }
}

impl Header {
    fn of(length: usize, has_more: bool) -> Self {
        let mut header = Self::default();
        let mut rest = &mut header.0[..];
        FrameHeader::message(length, has_more).write(&mut rest);
        let left = rest.len();
        // Two or nine.
        header.1 = u8::try_from(header.0.len() - left).unwrap_or(0);
        header
    }
}

/// Returns the frames of a route, as they are written before a message.
pub(super) fn route_frames<'a>(frames: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut out = Vec::new();
    for frame in frames {
        FrameHeader::message(frame.len(), true).write(&mut out);
        out.extend_from_slice(frame);
    }
    out.into()
}
