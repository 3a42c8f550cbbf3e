//! [`Watchdog`]: ends a test program whose test hangs although a runtime's timers have a limit for it: they do not run, or do not count,
//! while the test's thread or all threads of the runtime wait for something that never comes.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Ends the process with a message, unless this is dropped in time.
#[derive(Debug)]
pub struct Watchdog {
    /// Dropped with this: that ends the thread that watches.
    _is_over: Sender<()>,
}

impl Watchdog {
    /// Watches the test that runs on this thread, which must be over within `limit`. That should be longer than the time in which the
    /// test can fail by itself: this ends all other tests of the program, too.
    #[must_use]
    pub fn of_this_test(limit: Duration) -> Self {
        let (is_over, waiting) = channel::<()>();
        let test = thread::current().name().unwrap_or("a thread of a test").to_owned();
        thread::spawn(move || {
            if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // Not by `eprintln!`: the harness would keep it for the end of the test.
                let _ = writeln!(std::io::stderr(), "`{test}` hangs: it is not over after {limit:?}");
                // Not by `exit`, which may wait for locks that the test holds.
                std::process::abort();
            }
        });
        Self { _is_over: is_over }
    }
}
