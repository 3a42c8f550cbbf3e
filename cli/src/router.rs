//! `zsvc router`: starts a router by its file, and takes the file over again when it has changed or on SIGHUP.
//!
//! What happens is written to standard error, a line each, by [`log()`]: standard output has nothing.

mod log;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zsvc_router::file::{self, FileError};
use zsvc_router::{Changes, Router, RouterHandle};

use crate::command::Outcome;

use log::log;

/// How often the file is looked at. A change is taken over once two looks have found the same.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Reports what is wrong with a configuration file.
pub(crate) fn check(path: &Path) -> Outcome {
    match file::read(path) {
        Ok(_) => Outcome::Fine,
        Err(error) => report(&error),
    }
}

fn report(error: &FileError) -> Outcome {
    let _ = writeln!(anstream::stderr(), "{error}");
    match error {
        FileError::Wrong { .. } => Outcome::Wrong,
        _ => Outcome::Unusable,
    }
}

/// Routes until the process is asked to end, then drains.
pub(crate) fn serve(path: PathBuf) -> Outcome {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log(&format!("can't start: {error}"));
            return Outcome::Unusable;
        }
    };
    runtime.block_on(route(path))
}

async fn route(path: PathBuf) -> Outcome {
    log::follow_runtime();
    let stop = zsvc::shutdown_signal();
    let hangups = Hangups::watch();
    // Before the file is read: what is written after that is a change.
    let stamp = Stamp::of(&path);
    let config = match file::read(&path) {
        Ok(config) => config.observe(|event| log(&event.to_string())),
        Err(error) => return report(&error),
    };
    let mut router = match Router::bind(config) {
        Ok(router) => router,
        Err(error) => {
            log(&error.to_string());
            return Outcome::Unusable;
        }
    };
    // Workers that come later are told of by events.
    if let Err(error) = router.check_names().await {
        return report(&error);
    }
    log(&format!("listens at {}", router.endpoints().join(", ")));
    if let Some(address) = router.metrics_address() {
        let who = if address.ip().is_loopback() {
            ""
        } else {
            ", which other machines can read: no key is asked for"
        };
        log(&format!("tells its metrics at http://{address}/metrics{who}"));
    }
    let follower = tokio::spawn(follow(path, stamp, router.handle(), hangups));
    let drains = async {
        stop.await;
        log("drains");
    };
    let served = router.serve_until(drains).await;
    follower.abort();
    match served {
        Ok(()) => {
            log("has ended");
            Outcome::Fine
        }
        Err(error) => {
            log(&error.to_string());
            Outcome::Unusable
        }
    }
}

/// Takes the file over again whenever it has changed, and on SIGHUP.
async fn follow(path: PathBuf, mut taken: Option<Stamp>, router: RouterHandle, mut hangups: Hangups) {
    let mut seen = taken;
    loop {
        let is_asked = tokio::select! {
            () = hangups.next() => true,
            () = tokio::time::sleep(LOOK_PAUSE) => false,
        };
        let stamp = Stamp::of(&path);
        // One that is being written is no file yet.
        let is_settled = std::mem::replace(&mut seen, stamp) == stamp;
        if is_asked || is_settled && stamp != taken && stamp.is_some() {
            taken = stamp;
            reload(&path, &router).await;
        }
    }
}

async fn reload(path: &Path, router: &RouterHandle) {
    let config = match file::read(path) {
        Ok(config) => config,
        Err(error) => {
            log("keeps the configuration that it has:");
            // Of several lines, which are the file's.
            let _ = report(&error);
            return;
        }
    };
    match router.reload(config).await {
        Ok(changes) => log(&told(&changes)),
        Err(error) => log(&format!("keeps the configuration that it has: {error}")),
    }
}

fn told(changes: &Changes) -> String {
    let list = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("; {what} {}", names.join(", ")),
    };
    let restart = match changes.need_restart.as_slice() {
        [] => String::new(),
        keys => format!("; `{}` will take effect when the router is started anew", keys.join("`, `")),
    };
    format!(
        "took the configuration over{}{}{}{restart}",
        list("added", &changes.added),
        list("removed", &changes.removed),
        list("changed", &changes.changed)
    )
}

/// What tells one version of a file from another, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), bytes: metadata.len() })
    }
}

/// SIGHUPs, where there are any.
struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    fn watch() -> Self {
        #[cfg(unix)]
        return Self { signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok() };
        #[cfg(not(unix))]
        Self {}
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
