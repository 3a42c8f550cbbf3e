//! [`DriverNotify`]: how tasks tell a driver that there is work for it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

use atomic_waker::AtomicWaker;

use super::policy::{Flush, yield_to_driver};
use crate::fork::Process;

/// The driver sleeps and must be woken.
const ASLEEP: u8 = 0;
/// The driver runs, and was not notified since it last looked.
const AWAKE: u8 = 1;
/// There is work that the driver has not seen.
const NOTIFIED: u8 = 2;

/// Wakes a driver if it sleeps. Notifying one that runs costs an atomic swap.
///
/// Data must be stored before [`DriverNotify::notify`] is called; the driver reads it after [`DriverNotify::begin_turn`].
#[derive(Debug)]
pub(crate) struct DriverNotify {
    state: AtomicU8,
    waker: AtomicWaker,
    /// The process that has the driver.
    process: Process,
}

thread_local! {
    /// The driver that runs on this thread.
    static RUNNING: Cell<*const DriverNotify> = const { Cell::new(std::ptr::null()) };
    /// The driver that this thread will notify later; the last one, if there are several. **What a thread has deferred is woken
    /// or dropped by the same thread**, as tokio has it (read in 1.54): by a worker's own list, which it empties before it parks,
    /// before it blocks in place and where it has lost its core, or by `block_on`, which drops it.
    static DEFERRED: Cell<*const DriverNotify> = const { Cell::new(std::ptr::null()) };
}

impl DriverNotify {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(ASLEEP), waker: AtomicWaker::new(), process: Process::current() }
    }

    /// Tells the driver that there is work.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == ASLEEP && self.process.is_this() {
            self.waker.wake();
        }
    }

    /// Does the same once this thread has run its other tasks, so that the driver finds their records, too: one wake-up
    /// and one message for many calls, instead of one for each.
    ///
    /// tokio prefers to run a task next that has just been woken. It defers a task that yields until its thread has
    /// nothing else to do, or has run some dozens of tasks: this function defers its waker as such a task does.
    #[inline]
    pub(crate) fn notify_deferred(self: &Arc<Self>) {
        let driver = Arc::as_ptr(self);
        if RUNNING.get() == driver {
            self.notify();
        } else if DEFERRED.get() != driver {
            DEFERRED.set(driver);
            let waker = Waker::from(Arc::new(Deferred(Arc::clone(self))));
            yield_to_driver(&Context::from_waker(&waker));
        }
    }

    /// Tells the driver of new records, now or deferred.
    #[inline]
    pub(crate) fn flush(self: &Arc<Self>, when: Flush) {
        match when {
            Flush::ByCaller | Flush::Now => self.notify(),
            Flush::Deferred => self.notify_deferred(),
        }
    }

    /// Marks the driver as running on this thread until the guard is dropped. Such a driver needs no deferred
    /// notification of itself.
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        Entered(RUNNING.replace(Arc::as_ptr(self)))
    }

    /// Reports whether the driver sleeps. If so, it has sent whatever it took from the records before.
    #[inline]
    pub(crate) fn is_asleep(&self) -> bool {
        self.state.load(Ordering::Acquire) == ASLEEP
    }

    /// Reports whether there is work that the driver has not looked for yet.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) == NOTIFIED
    }

    /// Records that the driver begins to look for work. Returns whether it was notified.
    pub(crate) fn begin_turn(&self) -> bool {
        self.state.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }

    /// Puts the driver to sleep. Returns `false` if it was notified since [`DriverNotify::begin_turn`], and must look again.
    pub(crate) fn sleep(&self, waker: &Waker) -> bool {
        // Registered first: a notification right after the exchange must find a waker.
        self.waker.register(waker);
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// See [`DriverNotify::enter`]. Dropped, it restores the driver that ran before: drivers do not nest, but may share a thread.
#[must_use]
pub(crate) struct Entered(*const DriverNotify);

impl Drop for Entered {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Notifies when it is dropped, whether it was woken or never will be: a runtime that ends drops what it has deferred.
struct Deferred(Arc<DriverNotify>);

impl Wake for Deferred {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Deferred {
    fn drop(&mut self) {
        if DEFERRED.get() == Arc::as_ptr(&self.0) {
            DEFERRED.set(std::ptr::null());
        }
        self.0.notify();
    }
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
    fn only_a_sleeping_driver_is_woken_and_only_once() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let driver = Arc::new(DriverNotify::new());
        driver.begin_turn();
        driver.notify();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert!(!driver.sleep(&waker), "notified since it last looked");
        driver.begin_turn();
        assert!(driver.sleep(&waker));
        driver.notify();
        driver.notify_deferred();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn outside_of_a_runtime_a_deferred_notification_is_immediate() {
        let count = Arc::new(Count::default());
        let driver = Arc::new(DriverNotify::new());
        driver.begin_turn();
        assert!(driver.sleep(&Waker::from(Arc::clone(&count))));
        driver.notify_deferred();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn in_a_runtime_the_driver_runs_after_ready_tasks() {
        let count = Arc::new(Count::default());
        let driver = Arc::new(DriverNotify::new());
        driver.begin_turn();
        assert!(driver.sleep(&Waker::from(Arc::clone(&count))));
        let notifier = tokio::spawn(async move { driver.notify_deferred() });
        let (seen, counted) = (Arc::clone(&count), Arc::clone(&count));
        let other = tokio::spawn(async move { seen.0.load(Ordering::Relaxed) });
        notifier.await.unwrap();
        assert_eq!(other.await.unwrap(), 0);
        tokio::task::yield_now().await;
        assert_eq!(counted.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_runtime_that_stops_loses_no_deferred_notification() {
        let count = Arc::new(Count::default());
        let driver = Arc::new(DriverNotify::new());
        driver.begin_turn();
        assert!(driver.sleep(&Waker::from(Arc::clone(&count))));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for times in 1..3 {
            runtime.block_on(async { driver.notify_deferred() });
            assert_eq!(count.0.load(Ordering::Relaxed), times);
            assert!(driver.begin_turn() && driver.sleep(&Waker::from(Arc::clone(&count))));
        }
    }

    #[test]
    fn a_driver_that_notifies_itself_is_not_woken() {
        let count = Arc::new(Count::default());
        let driver = Arc::new(DriverNotify::new());
        let waker = Waker::from(Arc::clone(&count));
        driver.begin_turn();
        {
            let _entered = driver.enter();
            driver.notify_deferred();
            assert!(!driver.sleep(&waker) && driver.begin_turn(), "it was notified");
        }
        assert!(driver.sleep(&waker));
        driver.notify_deferred();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
