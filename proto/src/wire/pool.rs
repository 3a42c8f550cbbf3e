//! [`BufferPool`]: buffers that were used before: small ones, of which each thread has its own, and a few large ones
//! for the process.
//!
//! A large buffer that is allocated anew for each message has its pages mapped and cleared anew, which takes longer than to fill
//! them.

use std::cell::{Cell, RefCell};
use std::sync::{Mutex, PoisonError};
use std::thread::LocalKey;

use super::SEPARATE_MESSAGE_BYTES;

/// Buffers of up to this many bytes count as short, as most records are: a call that is kept to be sent again keeps its buffer,
/// which is to be no larger than it needs.
const SHORT_BYTES: usize = 1024;
/// A thread keeps buffers of up to this many bytes for its next records and batches; the process keeps larger ones.
const MAX_THREAD_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes that a thread keeps of short buffers, and as many again of others. Past it, a buffer goes back to the allocator.
const MAX_THREAD_BYTES: usize = 1024 * 1024;
/// Bytes that the process keeps of larger buffers. Past it, a buffer goes back to the allocator.
const MAX_PROCESS_BYTES: usize = 8 * 1024 * 1024;
/// Capacity in bytes of a buffer for which there was no used one.
const NEW_BUFFER_BYTES: usize = 256;

/// A stack of buffers.
struct Stack {
    buffers: Vec<Vec<u8>>,
    /// Sum of their capacities in bytes. Invariant: at most `max_bytes`.
    bytes: usize,
    max_bytes: usize,
}

thread_local! {
    /// The short buffer that was released last. Apart from the others, because to find it again need not cost what they cost.
    static LAST_SHORT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SHORT: RefCell<Stack> = const { RefCell::new(Stack::new(MAX_THREAD_BYTES)) };
    static MEDIUM: RefCell<Stack> = const { RefCell::new(Stack::new(MAX_THREAD_BYTES)) };
    /// Size of the previous body in bytes; capacity hint for the next.
    static PREVIOUS_BODY_BYTES: Cell<usize> = const { Cell::new(0) };
}

static LARGE: Mutex<Stack> = Mutex::new(Stack::new(MAX_PROCESS_BYTES));

impl Stack {
    const fn new(max_bytes: usize) -> Self {
        Self { buffers: Vec::new(), bytes: 0, max_bytes }
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn push(&mut self, mut buffer: Vec<u8>) {
        let size = buffer.capacity();
        if size > 0 && self.bytes + size <= self.max_bytes {
            buffer.clear();
            self.bytes += size;
            self.buffers.push(buffer);
        }
    }
}

/// The buffers of this thread, and those that all threads share.
pub(super) struct BufferPool;

impl BufferPool {
    /// Returns an empty buffer for a record whose body may be as large as the previous one of this thread.
    #[inline]
    pub(super) fn acquire() -> Vec<u8> {
        Self::acquire_for(PREVIOUS_BODY_BYTES.get())
    }

    /// Returns an empty buffer for about `bytes` bytes; a used one if there is one.
    #[inline]
    pub(super) fn acquire_for(bytes: usize) -> Vec<u8> {
        let used = if bytes <= SHORT_BYTES {
            let last = LAST_SHORT.try_with(Cell::take).unwrap_or_default();
            if last.capacity() > 0 { Some(last) } else { pop(&SHORT) }
        } else if bytes < SEPARATE_MESSAGE_BYTES {
            pop(&MEDIUM)
        } else {
            pop_large()
        };
        used.unwrap_or_else(|| Vec::with_capacity(NEW_BUFFER_BYTES))
    }

    /// Takes note of the size of a body that this thread has encoded, as a hint for [`BufferPool::acquire`].
    #[inline]
    pub(super) fn note_body(bytes: usize) {
        PREVIOUS_BODY_BYTES.set(bytes);
    }

    /// Keeps a buffer for what comes next.
    #[inline]
    pub(super) fn release(mut buffer: Vec<u8>) {
        if buffer.capacity() > SHORT_BYTES {
            return release_longer(buffer);
        }
        buffer.clear();
        // At the end of a thread nothing comes next.
        let before = LAST_SHORT.try_with(|last| last.replace(buffer)).unwrap_or_default();
        if before.capacity() > 0 {
            let _ = SHORT.try_with(|stack| stack.borrow_mut().push(before));
        }
    }

    /// Reports whether a buffer is much larger than what is in it.
    #[inline]
    pub(super) fn is_oversized(capacity: usize, length: usize) -> bool {
        capacity > SHORT_BYTES && capacity / 4 > length
    }
}

#[inline]
fn pop(stack: &'static LocalKey<RefCell<Stack>>) -> Option<Vec<u8>> {
    // At the end of a thread its buffers are gone.
    stack.try_with(|stack| stack.borrow_mut().pop()).ok().flatten()
}

#[cold]
fn pop_large() -> Option<Vec<u8>> {
    // Nothing panics while it holds the lock; the state is whole in any case.
    LARGE.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn release_longer(buffer: Vec<u8>) {
    if buffer.capacity() > MAX_THREAD_BUFFER_BYTES {
        return release_large(buffer);
    }
    let _ = MEDIUM.try_with(|stack| stack.borrow_mut().push(buffer));
}

#[cold]
fn release_large(buffer: Vec<u8>) {
    LARGE.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut stack = Stack::new(1_000);
        for size in [600, 600, 300, 0] {
            stack.push(Vec::with_capacity(size));
        }
        assert_eq!((stack.buffers.len(), stack.bytes), (2, 900));
        assert!(stack.pop().is_some() && stack.pop().is_some() && stack.pop().is_none());
        assert_eq!(stack.bytes, 0);
    }

    #[test]
    fn short_buffers_come_back_the_last_first() {
        let released = [10, 20, 30].map(|size| {
            let buffer = Vec::with_capacity(size);
            let at = buffer.as_ptr();
            BufferPool::release(buffer);
            at
        });
        let found = [(); 3].map(|()| BufferPool::acquire_for(0));
        assert_eq!(found.each_ref().map(Vec::as_ptr), [released[2], released[1], released[0]]);
        assert!(found.iter().all(Vec::is_empty));
    }

    #[test]
    fn a_record_after_a_large_one_may_use_its_buffer() {
        // Other tests have large records, too, and may be the next.
        let is_used_again = || {
            BufferPool::release(Vec::with_capacity(MAX_THREAD_BUFFER_BYTES + 1));
            BufferPool::note_body(SEPARATE_MESSAGE_BYTES);
            let one = BufferPool::acquire();
            one.is_empty() && one.capacity() > MAX_THREAD_BUFFER_BYTES
        };
        assert!((0..100).any(|_| is_used_again()));
        BufferPool::release(Vec::with_capacity(SHORT_BYTES + 1));
        BufferPool::note_body(SEPARATE_MESSAGE_BYTES - 1);
        let medium = BufferPool::acquire().capacity();
        assert!((SHORT_BYTES + 1..=MAX_THREAD_BUFFER_BYTES).contains(&medium));
        BufferPool::note_body(SHORT_BYTES);
        assert!(BufferPool::acquire().capacity() <= SHORT_BYTES);
    }
}
