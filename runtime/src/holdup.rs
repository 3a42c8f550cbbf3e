//! Which threads user code holds up: a handler that blocks its thread keeps other tasks of that thread from running.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::fork::{PerProcess, Process};
use crate::sweep::SweepPace;

/// A thread that runs handlers.
#[derive(Debug, Default)]
struct Thread {
    /// Counts when a handler is entered and when it is left: odd while one runs.
    changes: AtomicU32,
}

/// The threads of a process that have run handlers.
struct Threads {
    /// Each with its number of changes at the last look.
    known: Vec<(Weak<Thread>, u32)>,
    /// When those that have ended are looked for: not every program looks at them.
    pace: SweepPace,
}

fn threads() -> MutexGuard<'static, Threads> {
    // A child has one thread of its parent's. The lock may be held as the process forks: a thread of this crate looks now and then.
    static THREADS: PerProcess<Mutex<Threads>> = PerProcess::new();
    let threads = THREADS.get(|| Mutex::new(Threads { known: Vec::new(), pace: SweepPace::new() }));
    // Nothing panics while the lock is held but for lack of memory; the list is whole in any case.
    threads.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// Whether the thread is there to be held up.
    static MAY_BE_HELD_UP: Cell<bool> = const { Cell::new(false) };
    static CURRENT: Current = Current::new();
}

/// The thread that runs, as one of those of a process.
struct Current {
    thread: Arc<Thread>,
    /// The process among whose threads it is.
    process: Cell<Process>,
}

impl Current {
    fn new() -> Self {
        let (thread, process) = (Arc::<Thread>::default(), Cell::new(Process::current()));
        add(&thread);
        Self { thread, process }
    }

    /// Enters a handler. Returns the process in which that was.
    #[inline]
    fn enter(&self) -> Process {
        if !self.process.get().is_this() {
            self.begin_anew();
        }
        self.thread.change();
        self.process.get()
    }

    /// Leaves a handler, unless it was entered in the parent of this process.
    #[inline]
    fn leave(&self, entered_in: Process) {
        if self.process.get() == entered_in {
            self.thread.change();
        }
    }

    /// Adds the thread to those of a child. If it has forked in a handler, that is not the child's.
    #[cold]
    fn begin_anew(&self) {
        self.thread.changes.store(0, Ordering::Relaxed);
        self.process.set(Process::current());
        add(&self.thread);
    }
}

fn add(thread: &Arc<Thread>) {
    let Threads { known, pace } = &mut *threads();
    if pace.is_due(known.len()) {
        known.retain(|(thread, _)| thread.strong_count() > 0);
        pace.swept(known.len());
    }
    known.push((Arc::downgrade(thread), 0));
}

impl Thread {
    #[inline]
    fn change(&self) {
        // Only its own thread writes.
        self.changes.store(self.changes.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// Runs code that a user may have made block its thread.
#[inline]
pub(crate) fn watched<T>(run: impl FnOnce() -> T) -> T {
    /// Also where the code panics.
    struct Leave(Process);
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|current| current.leave(self.0));
        }
    }
    if MAY_BE_HELD_UP.get() {
        return run();
    }
    // Where the thread is about to end, it is not watched any more.
    let _leave = CURRENT.try_with(Current::enter).ok().map(Leave);
    run()
}

/// Runs code on a thread that has nothing else to do, and so may be held up.
pub(crate) fn on_a_thread_of_its_own<T>(run: impl FnOnce() -> T) -> T {
    /// Also where the code panics: the thread runs other code later.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            MAY_BE_HELD_UP.set(false);
        }
    }
    MAY_BE_HELD_UP.set(true);
    let _leave = Leave;
    run()
}

/// Reports whether a thread is in the same code of a user as at the last look.
pub(crate) fn look() -> bool {
    let mut any = false;
    threads().known.retain_mut(|(thread, seen)| {
        let Some(thread) = thread.upgrade() else { return false };
        let changes = thread.changes.load(Ordering::Relaxed);
        any |= std::mem::replace(seen, changes) == changes && changes % 2 == 1;
        true
    });
    any
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    #[cfg(unix)]
    use crate::fork::tests::in_a_child;

    /// Whether a child finds threads held up.
    #[cfg(unix)]
    fn is_held_up_in_a_child() -> bool {
        in_a_child(|| {
            watched(|| ());
            look();
            u64::from(look())
        }) == 1
    }

    #[cfg(unix)]
    #[test]
    fn a_child_has_neither_the_threads_of_its_parent_nor_their_lock() {
        let _held = threads();
        assert!(!is_held_up_in_a_child());
    }

    #[cfg(unix)]
    #[test]
    fn a_child_that_is_made_in_a_handler_is_not_in_it() {
        assert!(!watched(is_held_up_in_a_child));
    }

    #[test]
    fn a_thread_is_held_up_for_as_long_as_it_does_not_leave_what_it_has_entered() {
        let (go_on, blocked) = channel::<()>();
        let (tell, entered) = channel();
        let thread = std::thread::spawn(move || {
            watched(|| {
                tell.send(()).unwrap();
                blocked.recv().unwrap();
            });
        });
        entered.recv().unwrap();
        look();
        assert!(look(), "it is where it was");
        go_on.send(()).unwrap();
        thread.join().unwrap();
        // Other tests' handlers may be in the way for a moment.
        while look() {}
        let panicking = std::panic::catch_unwind(|| watched(|| panic!("as the test asks for")));
        assert!(panicking.is_err());
        while look() {}
    }
}
