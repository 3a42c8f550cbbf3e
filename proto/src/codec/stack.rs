//! A bound on the stack that reading or writing a value may use.
//!
//! [`MAX_DEPTH`](super::MAX_DEPTH) counts levels, but the size of a level depends on the user's schema and build: a
//! struct that holds itself may have hundreds of fields, and a build without optimization uses many times the stack. A
//! stack overflow ends the process, so large structs may be nested less deep.

use std::cell::Cell;
use std::ptr;

/// Bytes of stack that reading or writing may use: half of a thread's default of 2 MiB. The rest is for the callers.
const MAX_STACK_BYTES: usize = 1024 * 1024;

thread_local! {
    /// Address of the stack's end when reading or writing the current body began; 0 while there is none.
    static START: Cell<usize> = const { Cell::new(0) };
}

/// Notes where reading or writing starts, until it is dropped. May be nested.
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

/// Does as [`mark`], unless a body is being read or written already, for a part of it.
pub(super) fn mark_within() -> Marked {
    let start = START.get();
    if start == 0 { mark() } else { Marked(start) }
}

/// Reports whether reading or writing has used all that it may. Checked wherever a type may hold itself.
#[inline]
pub(super) fn is_exhausted() -> bool {
    // Stacks grow downwards. Outside a body, and on another stack than the one marked, the difference means nothing, and is
    // most often 0.
    START.get().saturating_sub(here()) > MAX_STACK_BYTES
}

/// Returns about the address where the stack ends.
#[inline]
fn here() -> usize {
    let here = 0_u8;
    ptr::from_ref(&here).addr()
}
