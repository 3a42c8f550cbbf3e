//! [`Process`]: which process something was made in. A program may fork, and the child has a copy of everything: of sockets, whose
//! connections are still the parent's, and of locks and tasks, whose threads are not there.
//!
//! In the child nothing may be done with the parent's sockets. Bytes that it writes or reads are missing in the parent's connection; a
//! descriptor that it closes in tokio's `epoll` is removed from the parent's, since the two share it; and libzmq's threads, which are
//! woken by descriptors, end the parent's process where they find nothing to do. So what owns sockets is [`Owned`], what waits for
//! others asks [`Process::is_this`], and what the whole process shares is [`PerProcess`]. What is to differ from everything that
//! other processes choose comes from [`random`].
//!
//! A child that is made by a bare system call, past the C library, is not noticed.

// Only here, in `allocator` and in `transport::libzmq`: the C library's call to be told of a fork, and a value that is dropped by hand.
#![allow(unsafe_code)]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::SystemTime;

use crate::status::{Cause, Status};

/// Number of forks between the first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// A process, as told from its parent and its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// Returns this process.
    pub(crate) fn current() -> Self {
        watch();
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// Reports whether this is the process. Costs as much as reading a variable.
    #[inline]
    pub(crate) fn is_this(self) -> bool {
        self.0 == FORKS.load(Ordering::Relaxed)
    }
}

/// Has forks counted, from the first call on.
#[cfg(unix)]
fn watch() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    static WATCHED: std::sync::Once = std::sync::Once::new();
    // It fails for lack of memory alone; then forks go unnoticed.
    // SAFETY: the function lives as long as the process, and does nothing that a child of several threads may not.
    WATCHED.call_once(|| _ = unsafe { libc::pthread_atfork(None, None, Some(in_child)) });
}

#[cfg(not(unix))]
fn watch() {}

/// Returns why nothing can be done in this process with what was made in its parent.
#[cold]
pub(crate) fn forked(what: &str) -> Status {
    let why =
        format!("{what} was made before this process was forked, and is its parent's; make another one here");
    Status::unavailable(why).caused_by(Cause::Closed)
}

/// A value with sockets. It is dropped by the process that has made it, and by no child.
#[derive(Debug)]
pub(crate) struct Owned<T> {
    value: ManuallyDrop<T>,
    process: Process,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), process: Process::current() }
    }

    /// Reports whether this is the process that has made it. In another one it must not be used.
    #[inline]
    pub(crate) fn is_own(&self) -> bool {
        self.process.is_this()
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Owned<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.is_own() {
            // SAFETY: it is dropped nowhere else, and not used after this.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

/// A value that a whole process shares; a child makes one of its own.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    value: OnceLock<(Process, T)>,
    /// That of a child.
    next: OnceLock<Box<Self>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self { value: OnceLock::new(), next: OnceLock::new() }
    }

    /// Returns the value of this process, which is made when it is first asked for.
    pub(crate) fn get(&self, make: fn() -> T) -> &T {
        let (process, value) = self.value.get_or_init(|| (Process::current(), make()));
        if process.is_this() { value } else { self.next.get_or_init(|| Box::new(Self::new())).get(make) }
    }
}

/// Returns a random number, for ids and pauses, and not for secrets. The random keys of the standard hash maps are random enough, but
/// a thread has them from the system once: a child has those of its parent, and its siblings have the same.
pub(crate) fn random() -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
    RandomState::new().hash_one((std::process::id(), drawn, SystemTime::now()))
}

#[cfg(all(test, unix))]
pub(crate) mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Number of seconds after which a child has failed.
    const HANGS: u32 = 20;

    /// Returns what a child of this process returns.
    pub(crate) fn in_a_child(run: impl FnOnce() -> u64) -> u64 {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        // SAFETY: the child runs what the test is about, and ends by `_exit`. Of the locks of other threads it may need the
        // allocator's, which the C library sees to.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: it has no conditions.
            unsafe { libc::alarm(HANGS) };
            let is_told = writer.write_all(&run().to_ne_bytes()).is_ok();
            // SAFETY: it has no conditions.
            unsafe { libc::_exit(i32::from(!is_told)) };
        }
        assert!(child > 0, "{}", std::io::Error::last_os_error());
        drop(writer);
        let mut returned = [0; 8];
        reader.read_exact(&mut returned).expect("the child ends well and in time");
        let mut status = 0;
        // SAFETY: the status is a variable that lives through the call.
        let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((ended, status), (child, 0));
        u64::from_ne_bytes(returned)
    }

    #[test]
    fn children_draw_other_numbers_than_their_siblings_and_their_parent() {
        // The thread has its keys from now on.
        let mut drawn = vec![random()];
        drawn.extend((0..3).map(|_| in_a_child(random)));
        drawn.push(random());
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 5);
    }
}
