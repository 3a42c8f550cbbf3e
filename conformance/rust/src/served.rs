//! The service of the suite.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;
use zsvc::{Bytes, Code, Context, Error, MetadataValue, Publisher, Sink, Status, Streaming, Value};

use crate::conformance::v1::{
    Beat, Broken, Chest, Conformance, ConformanceRefuseError, Refused, Seen, Shape, Tick,
};
use crate::described::described;

/// What `blow_up` panics with.
pub(crate) struct Bug;

/// What has happened to handlers, and which gates are open.
#[derive(Debug, Default)]
struct Journal {
    lines: Vec<(String, &'static str)>,
    open: BTreeSet<String>,
}

impl Journal {
    fn has(&self, name: &str, what: &str) -> bool {
        self.lines.iter().any(|(known, happened)| known == name && *happened == what)
    }
}

/// The service, and the events that it publishes. Clones share what has happened.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    journal: Arc<watch::Sender<Journal>>,
    pub(crate) ticks: Publisher<Tick>,
    pub(crate) beats: Publisher<Beat>,
}

impl Default for Served {
    fn default() -> Self {
        let journal = Arc::new(watch::Sender::new(Journal::default()));
        Self { journal, ticks: Publisher::new(), beats: Publisher::new() }
    }
}

/// Writes how a handler has ended that was at a gate: it has gone on, or was dropped.
struct AtGate<'a> {
    served: &'a Served,
    name: &'a str,
    end: &'static str,
}

impl Drop for AtGate<'_> {
    fn drop(&mut self) {
        self.served.write(self.name, self.end);
    }
}

impl Served {
    fn write(&self, name: &str, what: &'static str) {
        self.journal.send_modify(|journal| journal.lines.push((name.to_owned(), what)));
    }

    async fn wait(&self, what: impl Fn(&Journal) -> bool) {
        // The sender is in `self`, so that the channel is open.
        drop(self.journal.subscribe().wait_for(|journal| what(journal)).await);
    }

    async fn gate(&self, name: &str) {
        self.write(name, "begun");
        let mut at_gate = AtGate { served: self, name, end: "cancelled" };
        self.wait(|journal| journal.open.contains(name)).await;
        at_gate.end = "ended";
    }

    async fn held(&self, name: String) -> Result<String, Status> {
        self.gate(&name).await;
        Ok(name)
    }

    fn count_or_fail(&self, name: &str, times: u32, code: u8) -> Result<u32, Status> {
        self.write(name, "begun");
        let journal = self.journal.borrow();
        let count = journal.lines.iter().filter(|(known, what)| known == name && *what == "begun").count();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count <= times { Err(Status::new(Code::from_number(code), "not yet")) } else { Ok(count) }
    }
}

impl Conformance for Served {
    async fn echo(&self, _: &Context, shape: Shape) -> Result<Shape, Status> {
        Ok(shape)
    }

    async fn describe(&self, _: &Context, shape: Shape) -> Result<String, Status> {
        Ok(described(&shape))
    }

    async fn optional(
        &self,
        _: &Context,
        number: u32,
        text: Option<String>,
        any: Value,
    ) -> Result<Vec<Value>, Status> {
        Ok(vec![number.into(), text.map_or(Value::Nil, Value::from), any])
    }

    async fn ping(&self, _: &Context) -> Result<(), Status> {
        Ok(())
    }

    async fn put(&self, _: &Context, chest: Chest) -> Result<u32, Status> {
        Ok(chest.level)
    }

    async fn bounded(&self, _: &Context, text: String, _: i8, _: Vec<u8>) -> Result<u32, Status> {
        Ok(u32::try_from(text.chars().count()).unwrap_or(u32::MAX))
    }

    async fn fail(&self, _: &Context, code: u8, message: String) -> Result<(), Status> {
        Err(Status::new(Code::from_number(code), message))
    }

    async fn refuse(&self, _: &Context, number: u32) -> Result<u32, Error<ConformanceRefuseError>> {
        match number {
            0 => Err(Refused::Flatly)?,
            1 => Err(Refused::Because { why: "so".to_owned() })?,
            part => Err(Broken::Part { part })?,
        }
    }

    async fn blow_up(&self, _: &Context) -> Result<(), Status> {
        std::panic::panic_any(Bug)
    }

    async fn look(&self, context: &Context) -> Result<Seen, Status> {
        let (mut texts, mut blobs) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in context.metadata().iter() {
            match value {
                MetadataValue::Text(text) => drop(texts.insert(name.to_owned(), text.clone())),
                MetadataValue::Bytes(bytes) => drop(blobs.insert(name.to_owned(), bytes.clone())),
            }
        }
        let left = context.time_left();
        let seconds = left.map_or(0, |left| left.as_secs() + u64::from(left.subsec_nanos() > 0));
        let seconds_left = u32::try_from(seconds).unwrap_or(u32::MAX);
        Ok(Seen { has_deadline: left.is_some(), seconds_left, texts, blobs })
    }

    async fn tell(&self, context: &Context, names: BTreeMap<String, String>) -> Result<u32, Status> {
        for (name, value) in &names {
            context.send_metadata(name, value.as_str())?;
        }
        Ok(u32::try_from(names.len()).unwrap_or(u32::MAX))
    }

    async fn fill(&self, _: &Context, size: u32) -> Result<Bytes, Status> {
        Ok(vec![7; size as usize].into())
    }

    async fn hold(&self, _: &Context, name: String) -> Result<String, Status> {
        self.held(name).await
    }

    async fn hold_briefly(&self, _: &Context, name: String) -> Result<String, Status> {
        self.held(name).await
    }

    async fn hold_latest(&self, _: &Context, name: String) -> Result<String, Status> {
        self.held(name).await
    }

    async fn hold_in_turn(&self, _: &Context, name: String) -> Result<String, Status> {
        self.held(name).await
    }

    async fn hold_once(&self, _: &Context, name: String) -> Result<String, Status> {
        self.held(name).await
    }

    async fn open(&self, _: &Context, name: String) -> Result<(), Status> {
        self.journal.send_modify(|journal| {
            journal.open.insert(name);
        });
        Ok(())
    }

    async fn until(&self, _: &Context, name: String, what: String) -> Result<(), Status> {
        self.wait(|journal| journal.has(&name, &what)).await;
        Ok(())
    }

    async fn again(&self, _: &Context, name: String, times: u32, code: u8) -> Result<u32, Status> {
        self.count_or_fail(&name, times, code)
    }

    async fn once(&self, _: &Context, name: String, times: u32, code: u8) -> Result<u32, Status> {
        self.count_or_fail(&name, times, code)
    }

    async fn count(&self, _: &Context, to: u64, out: Sink<u64>) -> Result<(), Status> {
        for number in 0..to {
            out.send(number).await?;
        }
        Ok(())
    }

    async fn pour(&self, _: &Context, items: u32, size: u32, out: Sink<Bytes>) -> Result<(), Status> {
        for _ in 0..items {
            out.send(vec![7; size as usize].into()).await?;
        }
        Ok(())
    }

    async fn break_off(&self, _: &Context, after: u32, out: Sink<u64>) -> Result<(), Error<Refused>> {
        for number in 0..u64::from(after) {
            out.send(number).await?;
        }
        Err(Refused::Flatly)?
    }

    async fn hold_stream(&self, _: &Context, name: String, out: Sink<u64>) -> Result<(), Status> {
        out.send(0).await?;
        self.gate(&name).await;
        out.send(1).await
    }

    async fn sum(&self, _: &Context, mut items: Streaming<u64>) -> Result<u64, Status> {
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += item?;
        }
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
        self.gate(&name).await;
        let mut bytes = 0;
        while let Some(item) = items.next().await {
            bytes += item?.len() as u64;
        }
        Ok(bytes)
    }

    async fn mirror(&self, _: &Context, mut items: Streaming<Shape>, out: Sink<Shape>) -> Result<(), Status> {
        while let Some(item) = items.next().await {
            out.send(item?).await?;
        }
        Ok(())
    }

    async fn publish_tick(&self, _: &Context, tick: Tick) -> Result<(), Status> {
        self.ticks.send(&tick)
    }

    async fn publish_beat(&self, _: &Context, beat: Beat) -> Result<(), Status> {
        self.beats.send(&beat)
    }

    async fn forget_tick(&self, _: &Context, name: String) -> Result<u32, Status> {
        let forgotten = self.ticks.forget(&Tick { name, number: 0 })?;
        Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }

    async fn note(&self, _: &Context, text: String) {
        self.write(&text, "begun");
    }
}
