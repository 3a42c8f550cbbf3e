//! The ends of a stream as a runtime uses them: [`Reader`] and [`Writer`], each with the checks of its side; [`Poller`]
//! finds wake-ups that were lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use zsvc_proto::codec::{Body, Plain, decode_prefix};
use zsvc_proto::flow::{InboundStream, OutboundStream, Pushed};
use zsvc_proto::status::{Failure, Status};
use zsvc_proto::wire::{Item, ItemHead};

use crate::rng::Rng;

/// Largest size in bytes of an encoded item that a writer makes.
pub(crate) const MAX_ITEM_BYTES: u64 = 21_000;

/// A task that polls one thing, and must be woken before that is ready.
#[derive(Debug)]
pub(crate) struct Poller(Arc<Woken>);

#[derive(Debug)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Default for Poller {
    fn default() -> Self {
        Self(Arc::new(Woken(AtomicBool::new(true))))
    }
}

impl Poller {
    /// Returns the waker of a task that need not look before it is woken.
    pub(crate) fn asleep(&self) -> Waker {
        self.0.0.store(false, Ordering::Relaxed);
        Waker::from(Arc::clone(&self.0))
    }

    /// Reports whether the task was woken since it last looked.
    pub(crate) fn is_woken(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Polls, and checks that what is ready was announced by a wake-up.
    pub(crate) fn poll<T>(&self, what: &str, poll: impl FnOnce(&Context<'_>) -> Poll<T>) -> Poll<T> {
        let was_woken = self.0.0.swap(false, Ordering::Relaxed);
        let result = poll(&Context::from_waker(&Waker::from(Arc::clone(&self.0))));
        if result.is_ready() {
            assert!(was_woken, "a wake-up was lost: {what} is ready, and its task was not woken");
            self.0.0.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Returns a text that begins with a number, and is `padding` bytes longer than that.
pub(crate) fn text(number: u64, padding: usize) -> String {
    format!("{number}.{}", "x".repeat(padding))
}

/// Returns the number that a text begins with.
pub(crate) fn number(text: &str) -> u64 {
    let (number, _) = text.split_once('.').expect("texts are made by `text`");
    number.parse().expect("texts are made by `text`")
}

/// The reading end of a stream.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) inbound: Arc<InboundStream>,
    poller: Poller,
    window: u64,
    /// Number of bytes read since credit was last returned.
    consumed: u64,
    /// Number of bytes of credit that the writer was ever granted.
    pub(crate) granted: u64,
    /// Number of items read; also the number of the next item if none is lost.
    pub(crate) items: u64,
    /// Items that have arrived and are not decoded.
    chunk: Body,
    /// How the stream ended.
    pub(crate) end: Option<Result<(), Failure>>,
}

impl Reader {
    pub(crate) fn new(inbound: Arc<InboundStream>, window: u64) -> Self {
        let (poller, chunk) = (Poller::default(), Body::default());
        Self { inbound, poller, window, consumed: 0, granted: window, items: 0, chunk, end: None }
    }

    /// Reads one item, or the end. Returns `None` if there is nothing to read, otherwise the credit to return.
    ///
    /// Items must come in order and, unless messages are lost (`may_miss`), with none missing.
    pub(crate) fn read(&mut self, may_miss: bool) -> Option<u64> {
        if self.end.is_some() {
            return None;
        }
        if self.chunk.is_empty() {
            match self.poller.poll("a stream", |context| self.inbound.poll_chunk(context)) {
                Poll::Pending => return None,
                Poll::Ready(Some(Ok(chunk))) => self.chunk = chunk,
                Poll::Ready(Some(Err(failure))) => self.end = Some(Err(failure)),
                Poll::Ready(None) => self.end = Some(Ok(())),
            }
        }
        if self.end.is_some() {
            return Some(0);
        }
        let before = self.chunk.len();
        let item: String = decode_prefix::<Plain, _>(&mut self.chunk, usize::MAX).expect("items are texts");
        let number = number(&item);
        assert!(
            number == self.items || may_miss && number > self.items,
            "item {number} after {}",
            self.items
        );
        self.items = number + 1;
        Some(self.return_credit((before - self.chunk.len()) as u64))
    }

    fn return_credit(&mut self, bytes: u64) -> u64 {
        self.consumed += bytes;
        if self.consumed * 2 < self.window {
            return 0;
        }
        let bytes = std::mem::take(&mut self.consumed);
        self.inbound.grant(bytes);
        self.granted += bytes;
        bytes
    }
}

/// The writing end of a stream.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) stream: Arc<OutboundStream>,
    poller: Poller,
    head: ItemHead,
    unsent: Option<Item>,
    /// Number of items that the stream has taken.
    pub(crate) items: u64,
    /// Number of times that the writer had to wait for credit.
    pub(crate) waits: u64,
    /// Whether the stream was ended by its writer.
    pub(crate) is_finished: bool,
}

impl Writer {
    pub(crate) fn new(stream: Arc<OutboundStream>, id: u64) -> Self {
        let head = ItemHead::new(id);
        Self { stream, poller: Poller::default(), head, unsent: None, items: 0, waits: 0, is_finished: false }
    }

    /// Pushes the item that waits, or a new one.
    pub(crate) fn push(&mut self, rng: &mut Rng) -> Poll<Result<Pushed, Status>> {
        let number = self.items;
        let item = self.unsent.get_or_insert_with(|| {
            let padding = rng.pick(&[0, 3, 40, 40, 900, 1_500, 9_000, 20_000]);
            Item::encode::<Plain, String>(&self.head, &text(number, padding)).expect("it is a short text")
        });
        assert!((item.len() as u64) < MAX_ITEM_BYTES);
        let (stream, unsent) = (&self.stream, &mut self.unsent);
        let pushed = self.poller.poll("a sender", |context| stream.poll_push(context, unsent));
        self.items += u64::from(matches!(pushed, Poll::Ready(Ok(_))));
        self.waits += u64::from(pushed.is_pending());
        pushed
    }
}
