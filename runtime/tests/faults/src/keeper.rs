//! [`Keeper`]: the handlers of the service `Ledger`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use zsvc::{Context, Counters, Dropped, HandshakeFailure, Sink, Status, Streaming};

use crate::Book;
use crate::faults::v1::{Condition, Ledger};

/// Implements `Ledger` with a [`Book`].
#[derive(Debug)]
pub struct Keeper {
    book: Book,
    tally: Arc<Tally>,
}

/// The counts of a keeper, and access to the counters of its server.
#[derive(Debug, Default)]
pub struct Tally {
    running: AtomicU64,
    gathered: AtomicU64,
    counters: std::sync::OnceLock<Arc<Counters>>,
}

impl Tally {
    /// Makes the keeper report the counters of the server that it runs in.
    pub fn tell_of(&self, counters: Arc<Counters>) {
        // A keeper runs in one server; later values are ignored.
        let _ = self.counters.set(counters);
    }
}

/// A running handler. Dropped when the handler ends in any way.
struct Running(Arc<Tally>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Keeper {
    /// Returns a keeper with the given book.
    #[must_use]
    pub fn new(book: Book) -> Self {
        Self { book, tally: Arc::default() }
    }

    /// Returns its counts.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    fn begin(&self) -> Running {
        self.tally.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.tally))
    }

    fn write(&self, key: u64) -> Result<(), Status> {
        self.book.write(key).map_err(|error| Status::internal(format!("the book can't be written: {error}")))
    }

    async fn enter_and_pause(&self, key: u64, pause: Duration) -> Result<u64, Status> {
        let _running = self.begin();
        self.write(key)?;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(key)
    }
}

impl Ledger for Keeper {
    async fn enter(&self, _: &Context, key: u64, pause: Duration) -> Result<u64, Status> {
        self.enter_and_pause(key, pause).await
    }

    async fn set(&self, _: &Context, key: u64, pause: Duration) -> Result<u64, Status> {
        self.enter_and_pause(key, pause).await
    }

    async fn watch(&self, _: &Context, items: u64, size: u32, out: Sink<Bytes>) -> Result<(), Status> {
        let _running = self.begin();
        let item = Bytes::from(vec![7; size as usize]);
        for _ in 0..items {
            out.send(item.clone()).await?;
        }
        Ok(())
    }

    async fn gather(&self, _: &Context, key: u64, mut items: Streaming<Bytes>) -> Result<u64, Status> {
        let _running = self.begin();
        let mut size = 0;
        while let Some(item) = items.next().await {
            size += item?.len() as u64;
        }
        self.write(key)?;
        self.tally.gathered.fetch_add(1, Ordering::Relaxed);
        Ok(size)
    }

    async fn mirror(&self, _: &Context, mut items: Streaming<Bytes>, out: Sink<Bytes>) -> Result<(), Status> {
        let _running = self.begin();
        while let Some(item) = items.next().await {
            out.send(item?).await?;
        }
        Ok(())
    }

    async fn wait(&self, _: &Context) -> Result<(), Status> {
        let _running = self.begin();
        std::future::pending().await
    }

    async fn block(&self, _: &Context, time: Duration) -> Result<(), Status> {
        let _running = self.begin();
        std::thread::sleep(time);
        Ok(())
    }

    async fn blow_up(&self, _: &Context) -> Result<(), Status> {
        let _running = self.begin();
        panic!("requested by the test");
    }

    async fn note(&self, _: &Context, key: u64) {
        let _running = self.begin();
        if let Err(status) = self.write(key) {
            eprintln!("{status}");
        }
    }

    async fn look(&self, _: &Context) -> Result<Condition, Status> {
        let counters = self.tally.counters.get();
        Ok(Condition {
            running: self.tally.running.load(Ordering::Relaxed),
            calls: counters.map_or(0, |counters| counters.calls()),
            lost_peers: counters.map_or(0, |counters| counters.lost_peers()),
            dropped: counters
                .map_or(0, |counters| Dropped::ALL.into_iter().map(|why| counters.dropped(why)).sum()),
            resident: resident().map_err(|error| Status::internal(error.to_string()))?,
            gathered: self.tally.gathered.load(Ordering::Relaxed),
            crowded: counters
                .map_or(0, |counters| counters.refused_connections_for(HandshakeFailure::Crowded)),
        })
    }
}

/// Returns the resident memory of this process in bytes. Source: `proc_pid_status(5)`, `VmRSS`.
///
/// # Errors
/// The system has no `/proc/self/status`, or one without that line.
pub fn resident() -> std::io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| std::io::Error::other("no `VmRSS` in /proc/self/status"))
}
