//! [`Bell`]: how others tell the task that owns a socket that there is work for it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

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
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
