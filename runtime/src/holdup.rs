//! Which threads user code holds up: a handler that blocks its thread keeps other tasks of that thread from running.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::fork::Process;
use crate::sweep::SweepPace;

/// A thread that runs handlers.
#[derive(Debug, Default)]
struct Thread {
    /// Counts when a handler is entered and when it is left: odd while one runs.
    changes: AtomicU32,
}

/// The threads that have run handlers.
struct Threads {
    /// Each with its number of changes at the last look.
    known: Vec<(Weak<Thread>, u32)>,
    /// When those that have ended are looked for: not every program looks at them.
    pace: SweepPace,
    /// The process whose threads these are; a child has one of them. `None` before the first look.
    process: Option<Process>,
}

static THREADS: Mutex<Threads> =
    Mutex::new(Threads { known: Vec::new(), pace: SweepPace::new(), process: None });

fn threads() -> MutexGuard<'static, Threads> {
    // Nothing panics while the lock is held but for lack of memory; the list is whole in any case.
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// Whether the thread is there to be held up.
    static MAY_BE_HELD_UP: Cell<bool> = const { Cell::new(false) };
    static CURRENT: Arc<Thread> = {
        let thread = Arc::<Thread>::default();
        add(&thread);
        thread
    };
}

fn add(thread: &Arc<Thread>) {
    let Threads { known, pace, .. } = &mut *threads();
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
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = CURRENT.try_with(|thread| thread.change());
        }
    }
    if MAY_BE_HELD_UP.get() {
        return run();
    }
    // Where the thread is about to end, it is not watched any more.
    let _leave = CURRENT.try_with(|thread| thread.change()).is_ok().then_some(Leave);
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
    let mut threads = threads();
    if threads.process.replace(Process::current()).is_some_and(|process| !process.is_this()) {
        // Those that were in a handler would be there for ever.
        threads.known.retain(|(thread, _)| {
            thread.upgrade().is_some_and(|thread| thread.changes.load(Ordering::Relaxed) % 2 == 0)
        });
    }
    threads.known.retain_mut(|(thread, seen)| {
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
