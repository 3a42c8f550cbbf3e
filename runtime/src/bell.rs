//! [`Bell`]: how others tell the task that owns a socket that there is work for it.

use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Waker};

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

impl Bell {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(ASLEEP), waker: AtomicWaker::new() }
    }

    /// Tells the owner that there is work.
    pub(crate) fn ring(&self) {
        if self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP {
            self.waker.wake();
        }
    }

    /// The same, but where this thread has other tasks to run, the owner comes after them, and finds what they have left
    /// for it, too: a wake-up and a message for many calls in place of one for each.
    ///
    /// tokio would rather run a task next that has just been woken. It puts off a task that yields until its thread has
    /// nothing else to do, or has gone through some dozens of tasks: the owner's waker goes the way of such a task's.
    pub(crate) fn ring_soon(&self) {
        if self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP
            && let Some(waker) = self.waker.take()
        {
            let yielding = pin!(tokio::task::yield_now());
            // It has done all that it does by its first poll: outside of a runtime, that is to wake at once.
            let _ = yielding.poll(&mut Context::from_waker(&waker));
        }
    }

    /// The owner is at work and about to look at everything.
    pub(crate) fn answer(&self) {
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    /// The owner wants to sleep. `false`: it was rung for in the meantime and must look again.
    pub(crate) fn sleep(&self, waker: &Waker) -> bool {
        // Registered first: a ring right after the exchange must find whom to wake.
        self.waker.register(waker);
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

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
        let bell = Bell::new();
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
        let bell = Bell::new();
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
}
