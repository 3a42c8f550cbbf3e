//! [`note_waiting`] and [`note_message`]: give memory back to the system that much traffic has taken and that the allocator keeps.
//!
//! glibc's allocator raises the size from which it returns free memory with the largest block that it was given back, up to 64 MiB for each
//! thread's arena; and what is free below a block in use it never returns by itself. So a server that has held a gigabyte for
//! clients that did not read would keep it. Other allocators return memory by themselves: with them, this does nothing.

// Beside `fork` and `transport::libzmq` the only place: a call of the C library.
#![allow(unsafe_code)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::codec::MEMORY_PER_BYTE;
use crate::fork::PerProcess;

/// Number of bytes at a time from which on they count as much: below, the allocator returns them by itself, or they are few.
const MUCH_BYTES: usize = 8 * 1024 * 1024;

/// Time that must pass without much traffic, so that nothing that is about to be used again is returned.
const QUIET: Duration = Duration::from_secs(10);
/// Time after which memory is returned though there is no quiet.
const AT_LATEST: Duration = Duration::from_secs(60);

static TRIMMING: PerProcess<Trimming> = PerProcess::new();

struct Trimming {
    /// Whether a task waits to return memory.
    is_due: AtomicBool,
    /// When there was much traffic last.
    last: Mutex<Instant>,
}

impl Trimming {
    fn new() -> Self {
        Self { is_due: AtomicBool::new(false), last: Mutex::new(Instant::now()) }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Says that this many bytes wait to be sent.
#[inline]
pub(crate) fn note_waiting(bytes: usize) {
    if bytes >= MUCH_BYTES {
        note_much();
    }
}

/// Says that a message of this many bytes was received, or is sent. Its values may take more in memory.
#[inline]
pub(crate) fn note_message(bytes: usize) {
    if bytes >= MUCH_BYTES / MEMORY_PER_BYTE {
        note_much();
    }
}

/// Says that [`MUCH_BYTES`] or more are held, or were just now. Once they have not been for some time, what is free is returned to
/// the system, by a thread for code that blocks. Must be called within a tokio runtime.
#[cold]
fn note_much() {
    let trimming = TRIMMING.get(Trimming::new);
    *trimming.last() = Instant::now();
    if cfg!(all(target_os = "linux", target_env = "gnu")) && !trimming.is_due.swap(true, Ordering::AcqRel) {
        let due = Due(trimming);
        Handle::current().spawn(trim_once_quiet(due));
    }
}

/// The task that returns memory. Dropped with its runtime before it has, it leaves that to the next.
struct Due(&'static Trimming);

impl Drop for Due {
    fn drop(&mut self) {
        self.0.is_due.store(false, Ordering::Release);
    }
}

async fn trim_once_quiet(due: Due) {
    let latest = Instant::now() + AT_LATEST;
    loop {
        let quiet = *due.0.last() + QUIET;
        let at = quiet.min(latest);
        if at <= Instant::now() {
            break;
        }
        tokio::time::sleep_until(at.into()).await;
    }
    let _ = tokio::task::spawn_blocking(trim).await;
}

/// Returns what is free to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: it takes the allocator's own locks, and touches nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
