//! [`users_bytes`]: bytes of a user within the same process. Dropping them runs the user's code, which may call the runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;

struct UsersBytes {
    ask: Arc<dyn Fn() + Send + Sync>,
    dropped: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for UsersBytes {
    fn as_ref(&self) -> &[u8] {
        static LONG: [u8; 40_000] = [7; 40_000];
        &LONG
    }
}

impl Drop for UsersBytes {
    fn drop(&mut self) {
        let (ask, (done, answer)) = (Arc::clone(&self.ask), channel());
        std::thread::spawn(move || {
            ask();
            done.send(())
        });
        assert!(answer.recv_timeout(Duration::from_secs(20)).is_ok(), "dropped under the lock");
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns 40,000 bytes, long enough to be attached. Where they are dropped, another thread runs `ask`, which takes the
/// lock that must not be held there, and `dropped` counts it.
///
/// # Panics
/// Dropping them, if `ask` does not return.
pub(crate) fn users_bytes(dropped: &Arc<AtomicUsize>, ask: impl Fn() + Send + Sync + 'static) -> Bytes {
    Bytes::from_owner(UsersBytes { ask: Arc::new(ask), dropped: Arc::clone(dropped) })
}
