//! [`defer_drop`]: drops users' bytes once no lock is held. Dropping them may run the user's code.

use std::sync::Arc;
use std::task::{Wake, Waker};

/// A value that is dropped when it is "woken", which happens when no lock is held.
struct Deferred<T>(T);

impl<T: Send + Sync + 'static> Wake for Deferred<T> {
    fn wake(self: Arc<Self>) {
        drop(self);
    }
}

/// Drops values along with the wakers.
pub(super) fn defer_drop<T: Send + Sync + 'static>(what: Vec<T>, wakers: &mut Vec<Waker>) {
    if !what.is_empty() {
        wakers.push(Waker::from(Arc::new(Deferred(what))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_dropped_when_wakers_are_woken() {
        let (kept, mut wakers) = (Arc::new(()), Vec::new());
        defer_drop(Vec::<Arc<()>>::new(), &mut wakers);
        assert!(wakers.is_empty());
        defer_drop(vec![Arc::clone(&kept)], &mut wakers);
        assert_eq!((wakers.len(), Arc::strong_count(&kept)), (1, 2));
        wakers.drain(..).for_each(Waker::wake);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
