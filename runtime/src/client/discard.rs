//! What is dropped later: to drop a user's bytes may run his code, and no lock may be held then.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::state::Wakers;

/// It goes when it is "woken", which is what is done when no lock is held.
struct Discarded<T>(T);

impl<T: Send + Sync + 'static> Wake for Discarded<T> {
    fn wake(self: Arc<Self>) {
        drop(self);
    }
}

/// Drops these with the wakers.
pub(super) fn discard<T: Send + Sync + 'static>(what: Vec<T>, wakers: &mut Wakers) {
    if !what.is_empty() {
        wakers.push(Waker::from(Arc::new(Discarded(what))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_dropped_when_wakers_are_woken() {
        let (kept, mut wakers) = (Arc::new(()), Wakers::new());
        discard(Vec::<Arc<()>>::new(), &mut wakers);
        assert!(wakers.is_empty());
        discard(vec![Arc::clone(&kept)], &mut wakers);
        assert_eq!((wakers.len(), Arc::strong_count(&kept)), (1, 2));
        wakers.drain(..).for_each(Waker::wake);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
