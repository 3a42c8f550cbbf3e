//! [`Load`]: callers that make calls of every kind, and cancel some of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zsvc::Status;
use zsvc_faults::faults::v1::LedgerClient;

use crate::account::{Account, Kind, Started};

/// A set of running callers.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

/// One caller.
struct Caller {
    ledger: LedgerClient,
    account: Arc<Account>,
    rng: fastrand::Rng,
}

/// Deadline of calls. Streams have it, too: without it, a stream over a connection that went silent would hold up the
/// end.
const DEADLINE: Duration = Duration::from_secs(8);

impl Load {
    pub(crate) fn begin(ledger: &LedgerClient, account: &Arc<Account>, callers: usize, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for nth in 0..callers {
            let rng = fastrand::Rng::with_seed(seed.wrapping_add(1 + nth as u64));
            let mut caller = Caller { ledger: ledger.clone(), account: Arc::clone(account), rng };
            let stop = Arc::clone(&stop);
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    caller.call().await;
                }
            });
        }
        Self { stop, callers: tasks }
    }

    /// Stops starting calls, and waits for those in flight. Reports whether all of them ended in time.
    pub(crate) async fn end(mut self, within: Duration) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let all = async {
            while let Some(ended) = self.callers.join_next().await {
                ended.expect("callers don't panic");
            }
        };
        timeout(within, all).await.is_ok()
    }
}

impl Caller {
    /// Makes one call, and cancels it midway now and then.
    async fn call(&mut self) {
        let gives_up = self.rng.u8(..10) == 0;
        let patience = Duration::from_millis(self.rng.u64(..50));
        let kind = self.rng.u8(..8);
        let (pause, items, size) =
            (Duration::from_millis(self.rng.u64(..20)), self.rng.u64(1..200), self.rng.u32(1..2_000));
        let call = async {
            match kind {
                0..=2 => self.enter(pause).await,
                3 => self.set(pause).await,
                4 => self.watch(items, size).await,
                5 => self.gather(items, size).await,
                6 => self.note().await,
                _ => self.mirror(items.min(50), size).await,
            }
        };
        if gives_up {
            let _ = timeout(patience, call).await;
        } else {
            call.await;
        }
    }

    async fn enter(&self, pause: Duration) {
        let call = self.account.start(Kind::Once);
        let answer = self.ledger.enter(call.key, pause).deadline(DEADLINE).await;
        self.is_its_own(call, &answer);
    }

    async fn set(&self, pause: Duration) {
        let call = self.account.start(Kind::Repeatable);
        let answer = self.ledger.set(call.key, pause).deadline(DEADLINE).await;
        self.is_its_own(call, &answer);
    }

    /// Checks that a call that returns its key was not answered with the key of another call.
    fn is_its_own(&self, call: Started<'_>, answer: &Result<u64, Status>) {
        if let Ok(key) = answer
            && *key != call.key
        {
            self.account.complain(format!("call {} was answered with {key}", call.key));
        }
        call.ended(answer);
    }

    async fn watch(&self, items: u64, size: u32) {
        let call = self.account.start(Kind::Traceless);
        let ended = self.read(items, size).await;
        call.ended(&ended);
    }

    /// Reads a stream, and checks that one that ends well has all of its items.
    async fn read(&self, items: u64, size: u32) -> Result<(), Status> {
        let mut stream = self.ledger.watch(items, size).deadline(DEADLINE).await?;
        let mut count = 0;
        while let Some(item) = stream.next().await {
            if item?.len() != size as usize {
                self.account.complain("an item has the wrong size".to_owned());
            }
            count += 1;
        }
        if count != items {
            self.account.complain(format!("a stream of {items} items ended without an error after {count}"));
        }
        Ok(())
    }

    async fn gather(&self, items: u64, size: u32) {
        let call = self.account.start(Kind::Once);
        let item = Bytes::from(vec![7; size as usize]);
        let stream = stream::iter((0..items).map(move |_| item.clone()));
        let answer = self.ledger.gather(call.key, stream).deadline(DEADLINE).await;
        if let Ok(total) = &answer
            && *total != items * u64::from(size)
        {
            self.account.complain(format!("{items} items of {size} bytes were counted as {total} bytes"));
        }
        call.ended(&answer);
    }

    async fn note(&self) {
        let call = self.account.start(Kind::Once);
        let accepted = self.ledger.note(call.key).deadline(DEADLINE).await;
        call.accepted(&accepted);
    }

    async fn mirror(&self, items: u64, size: u32) {
        let call = self.account.start(Kind::Traceless);
        let ended = self.send_and_read(items, size).await;
        call.ended(&ended);
    }

    async fn send_and_read(&self, items: u64, size: u32) -> Result<(), Status> {
        let (sink, mut stream) = self.ledger.mirror().deadline(DEADLINE).await?;
        let item = Bytes::from(vec![7; size as usize]);
        for _ in 0..items {
            sink.send(item.clone()).await?;
            stream.next().await.unwrap_or_else(|| Err(Status::data_loss("`mirror` ended early")))?;
        }
        sink.finish();
        match stream.next().await {
            None => Ok(()),
            Some(Err(status)) => Err(status),
            Some(Ok(_)) => {
                self.account.complain("`mirror` returned more items than were sent".to_owned());
                Ok(())
            }
        }
    }
}
