//! What subscribers that do not read take, however much their topic keeps: counted by an allocator, so it has this binary to itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

use zsvc_proto::codec::Plain;
use zsvc_proto::events::{EventType, Joined, KeyField, KeyKind, Limits, Posted, Slow, Topic, Wanted};
use zsvc_proto::method::{Method, MethodKind};

/// Counts the bytes that are allocated.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is the system's; what is counted has no influence on it.
#[allow(unsafe_code, reason = "an allocator that counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size().cast_signed(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn held() -> usize {
    usize::try_from(HELD.load(Relaxed)).expect("no more was freed than allocated")
}

const KEYS: &[KeyField] = &[KeyField::new(1, "symbol", KeyKind::String)];
const METHOD: Method = Method::new("market.v1.Price/subscribe", MethodKind::ServerStream);
static PRICE: EventType = EventType::new("market.v1.Price", METHOD).keys(KEYS).kept(1).slow(Slow::DropOldest);

/// Number of keys, each of which has an event that is kept.
const KEPT: u64 = 1_000;
const EVENT_BYTES: usize = 1_000;
const KEY_BYTES: usize = 500;
const SUBSCRIBERS: usize = 2_000;
const QUEUE_BYTES: usize = 64 * 1024;

fn post(topic: &mut Topic, number: u64) {
    let (key, body) = (format!("{number:0KEY_BYTES$}"), "x".repeat(EVENT_BYTES));
    let key = |writer: &mut zsvc_proto::events::KeyWriter| writer.write::<Plain, str>(&key);
    let posted = Posted::encode::<Plain, String>(&body, key, usize::MAX).expect("it can be encoded");
    assert!(topic.post(posted).wakers.is_empty(), "no task waits");
}

#[test]
fn subscribers_that_never_read_hold_none_of_what_is_kept() {
    let before = held();
    let limits = Limits { queue_bytes: QUEUE_BYTES, kept_bytes: usize::MAX, ..Limits::default() };
    let mut topic = Topic::new(&PRICE, limits, 7);
    (0..KEPT).for_each(|number| post(&mut topic, number));
    let kept = held() - before;
    let counted = topic.kept().2;
    assert!(kept < counted + counted / 4, "{kept} bytes, counted as {counted}");

    let join = |topic: &mut Topic| topic.join(Wanted::default(), None, None);
    let mut joined: Vec<Joined> = (0..SUBSCRIBERS).map(|_| join(&mut topic)).collect();
    // One half has read nothing, the other a little.
    joined[SUBSCRIBERS / 2..].iter_mut().for_each(|joined| topic.catch_up(&mut joined.catch_up));
    let each = (held() - before - kept) / SUBSCRIBERS;
    assert!(each < 2_500, "{each} bytes for each, where {KEPT} events are kept");

    // Everything that was kept is replaced, and again: none of it is held
    // any more but what the second half has begun to read.
    let all_joined = held() - before;
    for _ in 0..2 {
        (0..KEPT).for_each(|number| post(&mut topic, number));
    }
    let grown = (held() - before).saturating_sub(all_joined);
    // Some ten bytes for each event that waits, of which there are as many as the bound of a queue has room for.
    let waiting = SUBSCRIBERS * (QUEUE_BYTES / (EVENT_BYTES + KEY_BYTES)) * 32;
    assert!(grown < waiting + 2 * QUEUE_BYTES, "{grown} bytes more, of {waiting} that queues take");

    for joined in joined {
        topic.leave(&joined.member);
    }
    let left = held() - before;
    assert!(left < kept + kept / 8, "{left} bytes are left of {kept}");
    drop(topic);
    assert!(held() - before < 1_024, "{} bytes are left of nothing", held() - before);
}
