//! [`YieldTurn`]: how a driver that has more to do lets other tasks run first.

use std::task::Context;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::policy::yield_to_driver;

/// Lets other tasks run between two turns of a driver, in the way that suits its runtime.
#[derive(Debug)]
pub(crate) struct YieldTurn {
    /// Whether the runtime has a single thread. If so, woken tasks run before the driver in any case, and what they
    /// send may wait for the last of them. With several threads, a task that was woken may keep one of them busy while
    /// others are idle; those could not take over a driver that has yielded to that task.
    has_one_thread: bool,
}

impl YieldTurn {
    /// Creates it for the current runtime. Must be called within a tokio runtime.
    pub(crate) fn new() -> Self {
        Self { has_one_thread: Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread }
    }

    /// Has the driver's task run again after other tasks.
    pub(crate) fn yield_turn(&self, context: &Context<'_>) {
        if self.has_one_thread {
            yield_to_driver(context);
        } else {
            context.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Yields, and reports whether the driver was woken at once.
    fn is_woken_at_once() -> bool {
        let woken = Arc::new(Woken::default());
        YieldTurn::new().yield_turn(&Context::from_waker(&Waker::from(Arc::clone(&woken))));
        woken.0.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn with_one_thread_a_driver_waits_for_the_others() {
        assert!(!tokio::spawn(async { is_woken_at_once() }).await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn with_several_threads_any_of_them_may_take_the_driver() {
        assert!(tokio::spawn(async { is_woken_at_once() }).await.unwrap());
    }
}
