//! [`Subscription`]: how a connection is told that something has changed, without a lock where nothing has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use atomic_waker::AtomicWaker;

/// All who want to be told.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<Vec<Weak<Slot>>>);

/// Number of subscriptions below which those that are gone are not looked for.
const MIN_SWEPT: usize = 64;

/// Tells one connection of changes.
#[derive(Debug)]
pub(crate) struct Subscription(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    has_changed: AtomicBool,
    waker: AtomicWaker,
}

impl Subscriptions {
    pub(super) fn add(&self) -> Subscription {
        let slot = Arc::new(Slot::default());
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // As often as the room is used up, so that it costs a constant time each.
        if slots.len() == slots.capacity() && slots.len() >= MIN_SWEPT {
            slots.retain(|slot| slot.strong_count() > 0);
        }
        slots.push(Arc::downgrade(&slot));
        Subscription(slot)
    }

    pub(super) fn tell(&self) {
        let slots: Vec<_> = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.retain(|slot| slot.strong_count() > 0);
            slots.iter().filter_map(Weak::upgrade).collect()
        };
        // Without the lock: a waker may run anything.
        for slot in slots {
            slot.has_changed.store(true, Ordering::Release);
            slot.waker.wake();
        }
    }
}

impl Subscription {
    /// Has a task woken at the next change. Called anew after each.
    pub(crate) fn register(&self, waker: &Waker) {
        self.0.waker.register(waker);
    }

    /// Reports whether something has changed since [`Subscription::take_change`].
    #[inline]
    pub(crate) fn has_changed(&self) -> bool {
        self.0.has_changed.load(Ordering::Relaxed)
    }

    /// Reports whether something has changed since the last call.
    pub(crate) fn take_change(&self) -> bool {
        self.0.has_changed.swap(false, Ordering::Acquire)
    }
}
