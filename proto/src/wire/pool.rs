//! Buffers that were used before: small ones, of which each thread has its own, and a few large ones for all.
//!
//! A large buffer that is allocated anew for each message has its pages mapped and cleared anew, which takes longer than to
//! fill them.

use std::cell::{Cell, RefCell};
use std::sync::{Mutex, PoisonError};
use std::thread::LocalKey;

use super::SEPARATE_MESSAGE_BYTES;

/// Up to which size a buffer counts as short, as most drafts are: a call that is kept to be made again keeps its buffer, which
/// is to be no larger than it needs.
const SHORT: usize = 1024;
/// Up to which size a thread keeps a buffer for its next drafts and batches.
const SPARE_SIZE: usize = 64 * 1024;
/// How many bytes a thread keeps, of short ones and of others.
const SPARE_BYTES: usize = 1024 * 1024;

/// How many bytes of larger ones the process keeps. What has no room there is given back to the allocator.
const LARGE_BYTES: usize = 8 * 1024 * 1024;

/// Buffers up to a number of bytes.
struct Spares {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    most: usize,
}

thread_local! {
    /// The short one that was kept last, apart from the others: to find it again need not cost what they cost.
    static SHORT_ONE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SHORT_ONES: RefCell<Spares> = const { RefCell::new(Spares::up_to(SPARE_BYTES)) };
    static OTHERS: RefCell<Spares> = const { RefCell::new(Spares::up_to(SPARE_BYTES)) };
    /// To how many bytes the draft before came: the next may come to as many.
    static EXPECTED: Cell<usize> = const { Cell::new(0) };
}

static LARGE_ONES: Mutex<Spares> = Mutex::new(Spares::up_to(LARGE_BYTES));

impl Spares {
    const fn up_to(most: usize) -> Self {
        Self { buffers: Vec::new(), bytes: 0, most }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        let size = buffer.capacity();
        if size > 0 && self.bytes + size <= self.most {
            buffer.clear();
            self.bytes += size;
            self.buffers.push(buffer);
        }
    }
}

/// An empty buffer for a draft, a used one where there is one.
#[inline]
pub(super) fn spare() -> Vec<u8> {
    spare_for(EXPECTED.get())
}

/// An empty buffer for about so many bytes, a used one where there is one.
#[inline]
pub(super) fn spare_for(length: usize) -> Vec<u8> {
    let used = if length <= SHORT {
        let last = SHORT_ONE.try_with(Cell::take).unwrap_or_default();
        if last.capacity() > 0 { Some(last) } else { take(&SHORT_ONES) }
    } else if length < SEPARATE_MESSAGE_BYTES {
        take(&OTHERS)
    } else {
        take_large()
    };
    used.unwrap_or_else(|| Vec::with_capacity(256))
}

#[inline]
fn take(spares: &'static LocalKey<RefCell<Spares>>) -> Option<Vec<u8>> {
    // Where the thread is ending, its buffers are gone already.
    spares.try_with(|spares| spares.borrow_mut().take()).ok().flatten()
}

#[cold]
fn take_large() -> Option<Vec<u8>> {
    // Nothing panics while it holds the lock; what is in it is whole in any case.
    LARGE_ONES.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Whether a buffer is much larger than what is in it.
#[inline]
pub(super) fn is_oversized(capacity: usize, length: usize) -> bool {
    capacity > SHORT && capacity / 4 > length
}

/// A draft of this thread has come to so many bytes.
#[inline]
pub(super) fn drafted(length: usize) {
    EXPECTED.set(length);
}

/// Keeps a buffer for what comes next.
#[inline]
pub fn keep(mut buffer: Vec<u8>) {
    if buffer.capacity() > SHORT {
        return keep_longer(buffer);
    }
    buffer.clear();
    // Where the thread is ending, nothing comes next.
    let before = SHORT_ONE.try_with(|last| last.replace(buffer)).unwrap_or_default();
    if before.capacity() > 0 {
        let _ = SHORT_ONES.try_with(|spares| spares.borrow_mut().keep(before));
    }
}

fn keep_longer(buffer: Vec<u8>) {
    if buffer.capacity() > SPARE_SIZE {
        return keep_large(buffer);
    }
    let _ = OTHERS.try_with(|spares| spares.borrow_mut().keep(buffer));
}

#[cold]
fn keep_large(buffer: Vec<u8>) {
    LARGE_ONES.lock().unwrap_or_else(PoisonError::into_inner).keep(buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut spares = Spares::up_to(1_000);
        for size in [600, 600, 300, 0] {
            spares.keep(Vec::with_capacity(size));
        }
        assert_eq!((spares.buffers.len(), spares.bytes), (2, 900));
        assert!(spares.take().is_some() && spares.take().is_some() && spares.take().is_none());
        assert_eq!(spares.bytes, 0);
    }

    #[test]
    fn short_buffers_come_back_the_last_first() {
        let kept = [10, 20, 30].map(|size| {
            let buffer = Vec::with_capacity(size);
            let at = buffer.as_ptr();
            keep(buffer);
            at
        });
        let found = [(); 3].map(|()| spare_for(0));
        assert_eq!(found.each_ref().map(Vec::as_ptr), [kept[2], kept[1], kept[0]]);
        assert!(found.iter().all(Vec::is_empty));
    }

    #[test]
    fn what_comes_after_a_large_draft_may_use_its_buffer() {
        // Other tests have large drafts, too, and may be the next.
        let is_used_again = || {
            keep(Vec::with_capacity(SPARE_SIZE + 1));
            drafted(SEPARATE_MESSAGE_BYTES);
            let one = spare();
            one.is_empty() && one.capacity() > SPARE_SIZE
        };
        assert!((0..100).any(|_| is_used_again()));
        keep(Vec::with_capacity(SHORT + 1));
        drafted(SEPARATE_MESSAGE_BYTES - 1);
        assert!((SHORT + 1..=SPARE_SIZE).contains(&spare().capacity()));
        drafted(SHORT);
        assert!(spare().capacity() <= SHORT);
    }
}
