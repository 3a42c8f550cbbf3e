//! The system's allocator with a counter, for the measure `allocations`.
//!
//! While it does not count, the cost is one load of a flag that no thread writes. A reallocation counts as an
//! allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Resets the counter to 0 and starts counting.
pub(crate) fn begin() {
    ALLOCATIONS.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
}

/// Stops counting, and returns the number of allocations since [`begin`].
pub(crate) fn end() -> u64 {
    COUNTING.store(false, Ordering::Relaxed);
    ALLOCATIONS.load(Ordering::Relaxed)
}

fn note() {
    if COUNTING.load(Ordering::Relaxed) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts allocations, and forwards them to the system's allocator.
pub(crate) struct Counting;

#[expect(unsafe_code, reason = "an allocator can't be written without it")]
// SAFETY: every call is forwarded to the system's allocator with the same arguments, and its result is returned.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller fulfils the contract of `alloc`, which is the same here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: `block` came from the system's allocator, as all blocks do here; the caller guarantees the rest.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_meanwhile_is_counted() {
        begin();
        let kept: Vec<Box<u64>> = (0..100).map(Box::new).collect();
        let counted = end();
        assert!(counted >= 100, "{counted} for {}", kept.len());
    }
}
