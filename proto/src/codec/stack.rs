//! A bound on the stack that reading or writing a value may take.
//!
//! [`MAX_DEPTH`](super::MAX_DEPTH) counts levels, but what a level takes is the user's: a struct that holds
//! itself may have hundreds of fields, and a build without optimization takes many times what one with it
//! does. A stack that overflows ends the process, so large structs may nest less deep.

use std::cell::Cell;
use std::ptr;

/// Half of what a thread has, unless asked for otherwise; the rest is for what has been called before.
const MAX_STACK: usize = 1024 * 1024;

thread_local! {
    /// Where the stack stood when the current body began to be read or written; nought while none is.
    static START: Cell<usize> = const { Cell::new(0) };
}

/// Marks where reading or writing starts, until it is dropped; one may contain another.
#[must_use]
pub(super) struct Marked(usize);

#[inline]
pub(super) fn mark() -> Marked {
    Marked(START.replace(here()))
}

impl Drop for Marked {
    #[inline]
    fn drop(&mut self) {
        START.set(self.0);
    }
}

/// [`mark`], unless a body is being read or written already: for what is a part of it.
pub(super) fn mark_within() -> Marked {
    let start = START.get();
    if start == 0 { mark() } else { Marked(start) }
}

/// Whether reading or writing has taken all that it may. Asked wherever a type may hold itself.
#[inline]
pub(super) fn is_exhausted() -> bool {
    // Stacks grow downwards. Outside of a reading, and on a stack that is not the one that was marked, the
    // difference says nothing, and most often nothing that is too much.
    START.get().saturating_sub(here()) > MAX_STACK
}

/// About where the stack ends.
#[inline]
fn here() -> usize {
    let here = 0_u8;
    ptr::from_ref(&here).addr()
}
