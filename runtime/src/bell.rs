//! [`Bell`]: how others tell the task that owns a socket that there is work for it.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use atomic_waker::AtomicWaker;

/// The owner sleeps; whoever rings must wake it.
const ASLEEP: u8 = 0;
/// The owner is at work, and has not been rung for since it last looked.
const AWAKE: u8 = 1;
/// There is work that the owner has not seen.
const RUNG: u8 = 2;

/// Wakes the owner, and only when it sleeps: ringing for one that is at work costs an atomic swap.
///
/// What is to be seen must be in its place before [`Bell::ring`]; the owner looks at it after [`Bell::answer`].
#[derive(Debug)]
pub(crate) struct Bell {
    state: AtomicU8,
    waker: AtomicWaker,
}

thread_local! {
    /// The bell whose owner is at work on this thread.
    static AT_WORK: Cell<*const Bell> = const { Cell::new(std::ptr::null()) };
    /// The bell that this thread will ring soon, of several the last. **What a thread has put off is woken or dropped by the
    /// same thread**, as tokio has it (read in 1.54): by a worker's own list, which it empties before it parks, before it blocks in
    /// place and where it has lost its core, or by `block_on`, which drops it.
    static SOON: Cell<*const Bell> = const { Cell::new(std::ptr::null()) };
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(ASLEEP), waker: AtomicWaker::new() }
    }

    /// Tells the owner that there is work.
    #[inline]
    pub(crate) fn ring(&self) {
        if self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP {
            self.waker.wake();
        }
    }

    /// The same, but where this thread has other tasks to run, the owner hears of it after them, and finds what they have
    /// left for it, too: a wake-up and a message for many calls in place of one for each.
    ///
    /// tokio would rather run a task next that has just been woken. It puts off a task that yields until its thread has
    /// nothing else to do, or has gone through some dozens of tasks: this goes the way of such a task's waker.
    #[inline]
    pub(crate) fn ring_soon(self: &Arc<Self>) {
        let bell = Arc::as_ptr(self);
        if AT_WORK.get() == bell {
            self.ring();
        } else if SOON.get() != bell {
            SOON.set(bell);
            put_off(Soon(Arc::clone(self)));
        }
    }

    /// The owner is at work on this thread, until what this returns is dropped: whatever it rings for itself it sees soon
    /// enough.
    pub(crate) fn at_work(self: &Arc<Self>) -> AtWork {
        AtWork(AT_WORK.replace(Arc::as_ptr(self)))
    }

    /// Somebody has told the owner of work that it has not looked for yet.
    #[inline]
    pub(crate) fn is_rung(&self) -> bool {
        self.state.load(Ordering::Acquire) == RUNG
    }

    /// The owner is at work and about to look at everything. Whether it was rung for.
    pub(crate) fn answer(&self) -> bool {
        self.state.swap(AWAKE, Ordering::AcqRel) == RUNG
    }

    /// The owner wants to sleep. `false`: it was rung for in the meantime and must look again.
    pub(crate) fn sleep(&self, waker: &Waker) -> bool {
        // Registered first: a ring right after the exchange must find whom to wake.
        self.waker.register(waker);
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// See [`Bell::at_work`]. What was at work before is put back: owners don't run inside of each other, but may on one thread.
#[must_use]
pub(crate) struct AtWork(*const Bell);

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.set(self.0);
    }
}

/// Rings when it is dropped, be it that it was woken or that it never will be: a runtime forgets what it has put off when it
/// goes.
struct Soon(Arc<Bell>);

impl Wake for Soon {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Soon {
    fn drop(&mut self) {
        if SOON.get() == Arc::as_ptr(&self.0) {
            SOON.set(std::ptr::null());
        }
        self.0.ring();
    }
}

fn put_off(soon: Soon) {
    let waker = Waker::from(Arc::new(soon));
    give_way(&Context::from_waker(&waker));
}

/// Where what waits for an owner has waited for so long, whoever has more for it gives way to it: it may be waiting for that
/// very thread.
pub(crate) const OVERDUE: Duration = Duration::from_millis(1);

/// Has the task woken once its thread has nothing else to do, or has gone through some dozens of tasks.
pub(crate) fn give_way(context: &Context<'_>) {
    // It has done all that it does by its first poll: outside of a runtime, that is to wake at once.
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(context.waker()));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_a_sleeper_is_woken_and_only_once() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let bell = Arc::new(Bell::new());
        bell.answer();
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert!(!bell.sleep(&waker), "rung for since it last looked");
        bell.answer();
        assert!(bell.sleep(&waker));
        bell.ring();
        bell.ring_soon();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn outside_of_a_runtime_soon_is_at_once() {
        let count = Arc::new(Count::default());
        let bell = Arc::new(Bell::new());
        bell.answer();
        assert!(bell.sleep(&Waker::from(Arc::clone(&count))));
        bell.ring_soon();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn within_one_the_owner_comes_after_what_is_ready() {
        let count = Arc::new(Count::default());
        let bell = Arc::new(Bell::new());
        bell.answer();
        assert!(bell.sleep(&Waker::from(Arc::clone(&count))));
        let ringer = tokio::spawn(async move { bell.ring_soon() });
        let (seen, counted) = (Arc::clone(&count), Arc::clone(&count));
        let other = tokio::spawn(async move { seen.0.load(Ordering::Relaxed) });
        ringer.await.unwrap();
        assert_eq!(other.await.unwrap(), 0);
        tokio::task::yield_now().await;
        assert_eq!(counted.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_a_runtime_has_put_off_when_it_stops_is_not_lost() {
        let count = Arc::new(Count::default());
        let bell = Arc::new(Bell::new());
        bell.answer();
        assert!(bell.sleep(&Waker::from(Arc::clone(&count))));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for times in 1..3 {
            runtime.block_on(async { bell.ring_soon() });
            assert_eq!(count.0.load(Ordering::Relaxed), times);
            assert!(bell.answer() && bell.sleep(&Waker::from(Arc::clone(&count))));
        }
    }

    #[test]
    fn an_owner_that_rings_for_itself_is_not_woken() {
        let count = Arc::new(Count::default());
        let bell = Arc::new(Bell::new());
        let waker = Waker::from(Arc::clone(&count));
        bell.answer();
        {
            let _at_work = bell.at_work();
            bell.ring_soon();
            assert!(!bell.sleep(&waker) && bell.answer(), "it was rung for");
        }
        assert!(bell.sleep(&waker));
        bell.ring_soon();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
