//! [`shutdown_signal`]: what a program waits for before its server drains.

use std::future::pending;

/// Waits until the program is asked to end: by SIGINT (Ctrl-C) or, on Unix, by SIGTERM, which `kill`, systemd, Docker and Kubernetes
/// send. For [`Server::serve_until`](crate::Server::serve_until), which then drains.
///
/// The signals count from the call of this function on, not only once its future is awaited. From then on they do not end the
/// program by themselves any more, also not when they come again: their sender waits for the
/// [grace time](crate::ServerBuilder::grace), or sends SIGKILL. If the system refuses to watch one of the signals, that one ends the
/// program as before.
///
/// # Panics
/// When called outside of a tokio runtime, or within one that was built without `enable_io` or `enable_all`.
///
/// # Cancel safety
/// If the future is dropped, nothing is lost: another call of this function waits for the next signal.
#[must_use = "the signals are watched, and so do nothing any more unless this is awaited"]
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    let signals = watch();
    async move {
        if !signals.await {
            // None can be watched, so that they end the program as if this had not been called.
            pending::<()>().await;
        }
    }
}

/// Begins to watch the signals. The future is ready with whether there was one; `false` if none can be watched.
#[cfg(unix)]
fn watch() -> impl Future<Output = bool> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};

    let mut signals: Vec<_> = [SignalKind::interrupt(), SignalKind::terminate()]
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect();
    std::future::poll_fn(move |context| {
        if signals.is_empty() {
            return std::task::Poll::Ready(false);
        }
        let any = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if any { std::task::Poll::Ready(true) } else { std::task::Poll::Pending }
    })
}

#[cfg(windows)]
fn watch() -> impl Future<Output = bool> + Send + 'static {
    let signal = tokio::signal::windows::ctrl_c();
    async move {
        let Ok(mut signal) = signal else { return false };
        signal.recv().await.is_some()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    /// Sends a signal to this process, which must be watched by now.
    fn send(signal: &str) {
        let status = Command::new("kill").args([signal, &std::process::id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Both in one test: a signal reaches everything in the process that waits for it.
    #[tokio::test]
    async fn either_signal_ends_the_wait_also_one_that_came_before_it() {
        for signal in ["-TERM", "-INT"] {
            let ended = shutdown_signal();
            send(signal);
            tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the signal was seen");
        }
        let mut ended = Box::pin(shutdown_signal());
        let now = tokio::time::timeout(Duration::from_millis(1), &mut ended).await;
        assert!(now.is_err(), "it waits for the next");
        send("-TERM");
        ended.await;
    }
}
