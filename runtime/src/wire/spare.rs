//! Buffers that were used before: small ones, of which each thread has its own, and a few large ones for all.
//!
//! A large buffer that is allocated anew for each message has its pages mapped and cleared anew, which takes longer than to
//! fill them.

use std::cell::{Cell, RefCell};
use std::sync::{Mutex, PoisonError};

use super::LARGE;

/// Up to which size a thread keeps a buffer for its next drafts, and how many bytes of them.
const SPARE_SIZE: usize = 64 * 1024;
const SPARE_BYTES: usize = 64 * SPARE_SIZE;

/// How many bytes of larger ones the process keeps. What has no room there is given back to the allocator.
const LARGE_BYTES: usize = 8 * 1024 * 1024;

/// Buffers up to a number of bytes.
struct Spares {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    most: usize,
}

thread_local! {
    static SMALL: RefCell<Spares> = const { RefCell::new(Spares::up_to(SPARE_BYTES)) };
    /// The draft before was a large one, and so the next may be.
    static EXPECTS_LARGE: Cell<bool> = const { Cell::new(false) };
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

/// An empty buffer, a used one where there is one.
#[inline]
pub(super) fn spare() -> Vec<u8> {
    // Where the thread is ending, its buffers are gone already.
    let expects_large = EXPECTS_LARGE.try_with(Cell::get).unwrap_or(false);
    let large = if expects_large { take_large() } else { None };
    let used = large.or_else(|| SMALL.try_with(|small| small.borrow_mut().take()).ok().flatten());
    used.unwrap_or_else(|| Vec::with_capacity(256))
}

#[cold]
fn take_large() -> Option<Vec<u8>> {
    // Nothing panics while it holds the lock; what is in it is whole in any case.
    LARGE_ONES.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A draft of this thread has come to so many bytes: the next may come to as many.
#[inline]
pub(super) fn drafted(length: usize) {
    let _ = EXPECTS_LARGE.try_with(|expects| expects.set(length >= LARGE));
}

/// Keeps a buffer for a next draft.
#[inline]
pub(crate) fn keep(buffer: Vec<u8>) {
    if buffer.capacity() > SPARE_SIZE {
        return keep_large(buffer);
    }
    // Where the thread is ending, there is no next draft.
    let _ = SMALL.try_with(|small| small.borrow_mut().keep(buffer));
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
    fn what_comes_after_a_large_draft_may_use_its_buffer() {
        // Other tests have large drafts, too, and may be the next.
        let is_used_again = || {
            keep(Vec::with_capacity(SPARE_SIZE + 1));
            drafted(LARGE);
            let one = spare();
            one.is_empty() && one.capacity() > SPARE_SIZE
        };
        assert!((0..100).any(|_| is_used_again()));
        drafted(LARGE - 1);
        assert!(spare().capacity() <= SPARE_SIZE);
    }
}
