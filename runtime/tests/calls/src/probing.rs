//! [`Probe`]: the service of the tests, whose methods do what a test asks for.

use std::collections::BTreeMap;
use std::panic::panic_any;
use std::time::{Duration, Instant};

use bytes::Bytes;
use zsvc::{Code, Context, Error, MetadataValue, Sink, Status, Streaming, Value};

use crate::Journal;
use crate::bomb::Bomb;
use crate::probe::v1::{self, Chest, Clock, ProbeClient, Refused, Route, Seen};

/// Returns an array of nils, each of which is one byte on the wire.
#[must_use]
pub fn nils(count: u32) -> Value {
    (0..count).map(|_| Value::Nil).collect::<Vec<_>>().into()
}

/// Implements the service `Probe`.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// The journal to which handlers write, with the gates at which they wait.
    pub journal: Journal,
    /// Client of the next server, for methods that call it.
    pub behind: Option<ProbeClient>,
}

/// Implements the service `Clock`.
#[derive(Debug, Clone, Copy)]
pub struct Ticker;

impl Clock for Ticker {
    async fn tick(&self, _: &Context, number: u64) -> Result<u64, Status> {
        Ok(number)
    }
}

impl Probe {
    /// Waits until the gate is open.
    async fn hold_up(&self, name: String) -> String {
        let entry = self.journal.begin(&name);
        self.journal.gate(&name).await;
        entry.done();
        name
    }
}

impl Probe {
    /// Spawns a task that waits until the call is over and writes the reason to the journal.
    fn watch(&self, context: &Context, name: &str) {
        let (journal, mut cancelled, name) = (self.journal.clone(), context.cancelled(), name.to_owned());
        assert_eq!(cancelled.reason(), None, "the call has just begun");
        tokio::spawn(async move {
            let reason = cancelled.wait().await;
            assert_eq!(cancelled.reason(), Some(reason));
            journal.write(format!("{name} over: {reason}"));
        });
    }

    /// Calls the next server.
    async fn behind(&self, route: Route) -> Result<Seen, Status> {
        let behind = self.behind.as_ref().ok_or_else(|| Status::failed_precondition("nothing behind"))?;
        match route {
            Route::Unlimited => behind.look().no_deadline().await,
            // Awaited outside of a handler's poll: what the call inherits was fixed when it was created.
            Route::Spawned => {
                tokio::spawn(behind.look()).await.map_err(|e| Status::internal(e.to_string()))?
            }
            Route::Later => {
                be_suspended().await;
                behind.look().await
            }
            _ => behind.look().await,
        }
    }
}

/// Time for which a handler blocks its thread at least, if it does so in vain: longer than the server trusts a method with its thread.
const BLOCKED_IN_VAIN: Duration = Duration::from_millis(200);
/// Time after which a handler that blocks its thread gives up. A test that waits for it has failed by then, or will.
const MAX_BLOCKED: Duration = Duration::from_secs(15);

impl Probe {
    /// Blocks the thread until a number of handlers do so, or the gate is open. Returns whether they were as many.
    fn meet_others(&self, name: &str, handlers: u8) -> bool {
        let line = format!("{name} met");
        self.journal.write(&line);
        let began = Instant::now();
        while began.elapsed() < MAX_BLOCKED {
            if self.journal.count(&line) >= usize::from(handlers) {
                return true;
            }
            if self.journal.is_open(name) && began.elapsed() > BLOCKED_IN_VAIN {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }
}

/// Yields once, so that the handler was suspended.
async fn be_suspended() {
    tokio::task::yield_now().await;
}

impl v1::Probe for Probe {
    async fn echo(&self, _: &Context, body: Bytes) -> Result<Bytes, Status> {
        Ok(body)
    }

    async fn fill(&self, _: &Context, size: u32) -> Result<Bytes, Status> {
        Ok(Bytes::from(vec![7; size as usize]))
    }

    async fn look(&self, context: &Context) -> Result<Seen, Status> {
        send_back(context, "back-")?;
        let (mut texts, mut blobs) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in context.metadata().iter() {
            match value {
                MetadataValue::Text(text) => drop(texts.insert(name.to_owned(), text.clone())),
                MetadataValue::Bytes(bytes) => drop(blobs.insert(name.to_owned(), bytes.clone())),
            }
        }
        let (method, peer) = (context.method().name().to_owned(), context.peer().to_string());
        let address = context.peer_address().map(|address| address.to_string());
        let key = context.identity().and_then(zsvc::Identity::key).map(|key| key.to_string());
        Ok(Seen { method, time_left: context.time_left(), texts, blobs, peer, address, key })
    }

    async fn hold(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(self.hold_up(name).await)
    }

    async fn hold_briefly(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(self.hold_up(name).await)
    }

    async fn meet(&self, _: &Context, name: String, handlers: u8) -> Result<bool, Status> {
        Ok(self.meet_others(&name, handlers))
    }

    async fn meet_apart(&self, _: &Context, name: String, handlers: u8) -> Result<bool, Status> {
        Ok(self.meet_others(&name, handlers))
    }

    async fn hold_apart(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(self.hold_up(name).await)
    }

    async fn sum_apart(&self, _: &Context, mut items: Streaming<u64>) -> Result<u64, Status> {
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += item?;
        }
        Ok(sum)
    }

    async fn block_on_behind(&self, _: &Context, name: String) -> Result<String, Status> {
        let behind = self.behind.clone().ok_or_else(|| Status::internal("there is no next server"))?;
        tokio::runtime::Handle::current().block_on(async { behind.hold(name).await })
    }

    async fn blow_up_apart(&self, _: &Context) -> Result<(), Status> {
        panic_any(Bomb)
    }

    async fn refuse(&self, context: &Context, why: Option<String>) -> Result<u32, Error<Refused>> {
        send_back(context, "back-")?;
        Err(why.map_or(Refused::Flatly, |why| Refused::Because { why }).into())
    }

    async fn fail(&self, _: &Context, code: u8, message: String) -> Result<(), Status> {
        Err(Status::new(Code::from_number(code), message))
    }

    async fn fail_at_first(&self, _: &Context, name: String, times: u32, code: u8) -> Result<u32, Status> {
        self.journal.write(&name);
        let calls = u32::try_from(self.journal.count(&name)).unwrap_or(u32::MAX);
        if calls <= times {
            return Err(Status::new(Code::from_number(code), "not yet"));
        }
        Ok(calls)
    }

    async fn fill_again(&self, _: &Context, name: String, size: u32) -> Result<Bytes, Status> {
        self.journal.write(name);
        Ok(Bytes::from(vec![7; size as usize]))
    }

    async fn fail_in_detail(&self, context: &Context, chest: Chest) -> Result<(), Status> {
        let status = Status::failed_precondition("the chest is full").with_detail(&chest);
        Err(status.with_detail(&self.look(context).await?))
    }

    async fn hold_again(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(self.hold_up(name).await)
    }

    async fn hold_in_turn(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(self.hold_up(name).await)
    }

    async fn hold_latest(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(self.hold_up(name).await)
    }

    async fn hold_once(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(self.hold_up(name).await)
    }

    async fn blow_up(&self, _: &Context, later: bool) -> Result<(), Status> {
        if later {
            be_suspended().await;
        }
        panic_any(Bomb)
    }

    async fn look_behind(&self, _: &Context, route: Route) -> Result<Seen, Status> {
        self.behind(route).await
    }

    async fn stream_behind(&self, _: &Context, route: Route, out: Sink<Seen>) -> Result<(), Status> {
        out.send(self.behind(route).await?).await
    }

    async fn hold_watched(&self, context: &Context, name: String) -> Result<(), Status> {
        self.watch(context, &name);
        self.hold_up(name).await;
        Ok(())
    }

    async fn compute_watched(&self, context: &Context, name: String) -> Result<(), Status> {
        be_suspended().await;
        self.watch(context, &name);
        let entry = self.journal.begin(&name);
        let cancelled = context.cancelled();
        while !cancelled.is_cancelled() {
            std::thread::yield_now();
        }
        entry.done();
        Ok(())
    }

    async fn hold_behind(&self, _: &Context, name: String) -> Result<String, Status> {
        let Some(behind) = &self.behind else { return Ok(self.hold_up(name).await) };
        let entry = self.journal.begin(&name);
        let held = behind.hold_behind(name).await?;
        entry.done();
        Ok(held)
    }

    async fn hold_until_draining(&self, context: &Context, out: Sink<u64>) -> Result<(), Status> {
        assert!(!context.draining().has_begun(), "a server that drains takes no calls");
        out.send(0).await?;
        context.draining().wait().await;
        assert!(context.draining().has_begun());
        Ok(())
    }

    async fn put(&self, _: &Context, chest: Chest) -> Result<u32, Status> {
        self.journal.write("put");
        Ok(chest.level)
    }

    async fn count(&self, context: &Context, to: u64, out: Sink<u64>) -> Result<(), Status> {
        send_back(context, "back-")?;
        for number in 0..to {
            out.send(number).await?;
        }
        send_back(context, "last-")
    }

    async fn pour(
        &self,
        _: &Context,
        name: String,
        items: u32,
        size: u32,
        out: Sink<Bytes>,
    ) -> Result<(), Status> {
        let entry = self.journal.begin(&name);
        let item = Bytes::from(vec![7; size as usize]);
        for _ in 0..items {
            out.send(item.clone()).await?;
            self.journal.write(format!("{name} accepted"));
        }
        entry.done();
        Ok(())
    }

    async fn hold_stream(&self, _: &Context, name: String, out: Sink<u64>) -> Result<(), Status> {
        out.send(0).await?;
        self.hold_up(name).await;
        out.send(1).await
    }

    async fn stream_in_turn(&self, context: &Context, name: String, out: Sink<u64>) -> Result<(), Status> {
        self.hold_stream(context, name, out).await
    }

    async fn stream_latest(&self, context: &Context, name: String, out: Sink<u64>) -> Result<(), Status> {
        self.hold_stream(context, name, out).await
    }

    async fn break_off(&self, _: &Context, after: u32, out: Sink<u64>) -> Result<(), Error<Refused>> {
        for number in 0..after {
            out.send(u64::from(number)).await?;
        }
        Err(Refused::Flatly.into())
    }

    async fn burst(&self, _: &Context, after: u32, out: Sink<u64>) -> Result<(), Status> {
        for number in 0..after {
            out.send(u64::from(number)).await?;
        }
        be_suspended().await;
        panic!("requested by the test");
    }

    async fn sum(&self, _: &Context, name: String, mut items: Streaming<u64>) -> Result<u64, Status> {
        let entry = self.journal.begin(&name);
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += item?;
            self.journal.write(format!("{name} read"));
        }
        entry.done();
        Ok(sum)
    }

    async fn sum_first(&self, _: &Context, count: u32, mut items: Streaming<u64>) -> Result<u64, Status> {
        let mut sum = 0;
        for _ in 0..count {
            sum += items.next().await.transpose()?.unwrap_or_default();
        }
        Ok(sum)
    }

    async fn hold_items(
        &self,
        _: &Context,
        name: String,
        mut items: Streaming<Bytes>,
    ) -> Result<u64, Status> {
        self.hold_up(name).await;
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += item?.len() as u64;
        }
        Ok(sum)
    }

    async fn weigh(&self, _: &Context, array: Value) -> Result<u32, Status> {
        Ok(array.as_array().map_or(0, Vec::len).try_into().unwrap_or(u32::MAX))
    }

    async fn weigh_all(&self, _: &Context, mut arrays: Streaming<Value>) -> Result<u32, Status> {
        let mut count = 0;
        while let Some(array) = arrays.next().await {
            array?;
            count += 1;
        }
        Ok(count)
    }

    async fn nils(&self, _: &Context, count: u32) -> Result<Value, Status> {
        Ok(nils(count))
    }

    async fn nils_in_turn(&self, _: &Context, count: u32, out: Sink<Value>) -> Result<(), Status> {
        out.send(nils(count)).await
    }

    async fn put_all(&self, _: &Context, mut chests: Streaming<Chest>) -> Result<u32, Status> {
        let mut count = 0;
        while let Some(chest) = chests.next().await {
            chest?;
            count += 1;
        }
        Ok(count)
    }

    async fn mirror(
        &self,
        _: &Context,
        name: String,
        mut items: Streaming<Bytes>,
        out: Sink<Bytes>,
    ) -> Result<(), Status> {
        let entry = self.journal.begin(&name);
        while let Some(item) = items.next().await {
            out.send(item?).await?;
        }
        entry.done();
        Ok(())
    }

    async fn mirror_first(
        &self,
        _: &Context,
        count: u32,
        name: String,
        mut items: Streaming<Bytes>,
        out: Sink<Bytes>,
    ) -> Result<(), Status> {
        let entry = self.journal.begin(name);
        for _ in 0..count {
            if let Some(item) = items.next().await {
                out.send(item?).await?;
            }
        }
        entry.done();
        Ok(())
    }

    async fn note(&self, context: &Context, text: String) {
        if let Err(why) = send_back(context, "back-") {
            self.journal.write(why.to_string());
        }
        self.journal.write(text);
    }

    async fn note_apart(&self, _: &Context, text: String) {
        self.journal.write(text);
    }

    async fn blow_up_unheard(&self, _: &Context) {
        be_suspended().await;
        panic_any(Bomb)
    }

    async fn hold_unheard(&self, _: &Context, name: String) {
        self.hold_up(name).await;
    }

    async fn hold_unheard_watched(&self, context: &Context, name: String) {
        self.watch(context, &name);
        self.hold_up(name).await;
    }
}

/// Sends the entries of the caller's metadata back whose names begin with a prefix.
fn send_back(context: &Context, prefix: &str) -> Result<(), Status> {
    let mut asked = context.metadata().iter().filter(|(name, _)| name.starts_with(prefix));
    asked.try_for_each(|(name, value)| context.send_metadata(name, value.clone()))
}
