//! Calls of the generated client, and what they are told while they run.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinHandle};
use zsvc::{Bytes, CallError, ResponseMetadata, Sink, Status, Stream, Streaming, Value};

use crate::Wrong;
use crate::conformance::v1::{Beat, Chest, ConformanceClient, Shape, Tick};
use crate::order::{Call, bytes};
use crate::told::{self, Failure};

/// A call that was made.
pub(crate) struct Calling {
    pub(crate) items: Option<mpsc::UnboundedSender<Vec<u8>>>,
    pub(crate) reads: Arc<Semaphore>,
    pub(crate) task: AbortHandle,
}

impl Calling {
    /// Sends an item.
    pub(crate) fn send(&self, item: &str) -> Result<(), Wrong> {
        let item = bytes(item).ok_or("an item is written in hexadecimal digits")?;
        if let Some(items) = &self.items {
            // A call that is over takes none any more.
            let _ = items.send(item);
        }
        Ok(())
    }

    /// Ends the stream of items.
    pub(crate) fn finish(&mut self) {
        self.items = None;
    }

    /// Reads one answer.
    pub(crate) fn read(&self) {
        self.reads.add_permits(1);
    }

    /// Gives the call up, as a program does that drops its future.
    pub(crate) fn cancel(&self) {
        self.task.abort();
    }
}

/// What a running call needs of its order.
struct Running {
    of: String,
    response: ResponseMetadata,
    reads: Arc<Semaphore>,
    items: Option<mpsc::UnboundedReceiver<Vec<u8>>>,
}

/// Returns the parameters, or an item, that bytes stand for.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Wrong> {
    Ok(rmp_serde::from_slice(bytes)?)
}

/// Returns bytes as a value that serde knows.
fn value(bytes: Bytes) -> Value {
    Value::Binary(bytes.into())
}

/// Returns the bytes of a value.
fn bytes_of(value: Value) -> Bytes {
    match value {
        Value::Binary(bytes) => bytes.into(),
        other => panic!("a case has items of their type, and not {other}"),
    }
}

/// Sets what the order says of a call.
macro_rules! with_options {
    ($call:expr, $order:expr, $response:expr) => {{
        let mut call = $call.response_metadata($response);
        if let Some(within) = $order.deadline() {
            call = call.deadline(within);
        }
        for (name, value) in $order.metadata() {
            call = call.metadata(name, value);
        }
        call
    }};
}

/// Binds the parameters of a call.
macro_rules! parameters {
    ($order:expr,) => {};
    ($order:expr, $($name:ident: $type:ty),+) => {
        let ($($name,)+): ($($type,)+) = read(&$order.parameters()?)?;
    };
}

/// Makes a call with a single answer.
macro_rules! unary {
    ($making:ident, $method:ident($($name:ident: $type:ty),*)) => {
        unary!($making, $method($($name: $type),*), |answer| answer)
    };
    ($making:ident, $method:ident($($name:ident: $type:ty),*), $shown:expr) => {{
        let Making { client, order, running } = $making;
        parameters!(order, $($name: $type),*);
        let mut call = with_options!(client.$method($($name),*), order, &running.response);
        if !order.retry {
            call = call.no_retry();
        }
        tokio::spawn(async move { running.answered(call.await.map($shown)) })
    }};
}

/// Makes a call that is answered by a stream.
macro_rules! streaming {
    ($making:ident, $method:ident($($name:ident: $type:ty),*), $shown:expr) => {{
        let Making { client, order, running } = $making;
        parameters!(order, $($name: $type),*);
        let call = with_options!(client.$method($($name),*), order, &running.response);
        tokio::spawn(async move {
            match call.await {
                Ok(items) => running.read_all(items, $shown).await,
                Err(failure) => running.failed(&failure),
            }
        })
    }};
}

/// Makes a call that takes a stream.
macro_rules! upload {
    ($making:ident, $method:ident($($name:ident: $type:ty),*), $read:expr) => {{
        let Making { client, order, mut running } = $making;
        parameters!(order, $($name: $type),*);
        let items = running.take_items().map($read);
        let call = with_options!(client.$method($($name,)* items), order, &running.response);
        tokio::spawn(async move { running.answered(call.await) })
    }};
}

/// A call that is about to be made.
struct Making<'a> {
    client: &'a ConformanceClient,
    order: &'a Call,
    running: Running,
}

/// Makes a call.
pub(crate) fn make(client: &ConformanceClient, order: &Call) -> Result<Calling, Wrong> {
    let (items, received) = mpsc::unbounded_channel();
    let reads = order.reads();
    let response = ResponseMetadata::new();
    let running = Running { of: order.of.clone(), response, reads: reads.clone(), items: Some(received) };
    let making = Making { client, order, running };
    let task = match order.method.as_str() {
        "count" | "pour" | "break_off" | "hold_stream" => answered_by_stream(making)?,
        "sum" | "sum_first" | "hold_items" | "mirror" | "note" => of_other_kind(making)?,
        _ => answered_once(making)?,
    };
    Ok(Calling { items: Some(items), reads, task: task.abort_handle() })
}

fn answered_once(making: Making<'_>) -> Result<JoinHandle<()>, Wrong> {
    Ok(match making.order.method.as_str() {
        "echo" => unary!(making, echo(shape: Shape)),
        "describe" => unary!(making, describe(shape: Shape)),
        "optional" => unary!(making, optional(number: u32, text: Option<String>, any: Value)),
        "ping" => unary!(making, ping()),
        "publish_tick" => unary!(making, publish_tick(tick: Tick)),
        "publish_beat" => unary!(making, publish_beat(beat: Beat)),
        "forget_tick" => unary!(making, forget_tick(name: String)),
        "put" => unary!(making, put(chest: Chest)),
        "bounded" => unary!(making, bounded(text: String, number: i8, list: Vec<u8>)),
        "fail" => unary!(making, fail(code: u8, message: String)),
        "refuse" => unary!(making, refuse(number: u32)),
        "blow_up" => unary!(making, blow_up()),
        "look" => unary!(making, look()),
        "tell" => unary!(making, tell(names: BTreeMap<String, String>)),
        "fill" => unary!(making, fill(size: u32), value),
        "hold" => unary!(making, hold(name: String)),
        "hold_briefly" => unary!(making, hold_briefly(name: String)),
        "hold_latest" => unary!(making, hold_latest(name: String)),
        "hold_in_turn" => unary!(making, hold_in_turn(name: String)),
        "hold_once" => unary!(making, hold_once(name: String)),
        "open" => unary!(making, open(name: String)),
        "until" => unary!(making, until(name: String, what: String)),
        "again" => unary!(making, again(name: String, times: u32, code: u8)),
        "once" => unary!(making, once(name: String, times: u32, code: u8)),
        other => return Err(format!("there is no method `{other}`").into()),
    })
}

fn answered_by_stream(making: Making<'_>) -> Result<JoinHandle<()>, Wrong> {
    Ok(match making.order.method.as_str() {
        "count" => streaming!(making, count(to: u64), |item| item),
        "pour" => streaming!(making, pour(items: u32, size: u32), value),
        "break_off" => streaming!(making, break_off(after: u32), |item| item),
        _ => streaming!(making, hold_stream(name: String), |item| item),
    })
}

fn of_other_kind(making: Making<'_>) -> Result<JoinHandle<()>, Wrong> {
    Ok(match making.order.method.as_str() {
        "sum" => upload!(making, sum(), |item: u64| item),
        "sum_first" => upload!(making, sum_first(count: u32), |item: u64| item),
        "hold_items" => upload!(making, hold_items(name: String), bytes_of),
        "note" => {
            let Making { client, order, running } = making;
            let (text,): (String,) = read(&order.parameters()?)?;
            let mut call = with_options!(client.note(text), order, &running.response);
            if order.delivered {
                call = call.delivered();
            }
            tokio::spawn(async move { running.answered(call.await) })
        }
        _ => {
            let Making { client, order, mut running } = making;
            let call = with_options!(client.mirror(), order, &running.response);
            let items = running.take_items();
            tokio::spawn(async move {
                match call.await {
                    Ok((sink, answers)) => both_ways(running, sink, items, answers).await,
                    Err(failure) => running.failed(&failure),
                }
            })
        }
    })
}

/// Sends items while the answers are read.
async fn both_ways(
    running: Running,
    sink: Sink<Shape>,
    items: impl Stream<Item = Shape>,
    answers: Streaming<Shape, Status>,
) {
    let sending = async {
        // Why nothing can be sent any more is told by the answers, too.
        if sink.send_all(items).await.is_ok() {
            sink.finish();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = running.read_all(answers, |item| item) => {}
        () = sending => {}
    }
}

impl Running {
    /// Returns the items that the order's lines will send.
    fn take_items<T: DeserializeOwned>(&mut self) -> impl Stream<Item = T> + use<T> {
        stream::unfold(self.items.take(), |items| async {
            let mut items = items?;
            let item = items.recv().await?;
            Some((read(&item).expect("a case has items of their type"), Some(items)))
        })
    }

    fn answered<R: Serialize, E: Failure>(self, answer: Result<R, E>) {
        match answer {
            Ok(answer) => {
                told::metadata(&self.of, &self.response);
                told::value(&self.of, "answer", &answer);
            }
            Err(failure) => self.failed(&failure),
        }
    }

    fn failed(&self, failure: &impl Failure) {
        told::metadata(&self.of, &self.response);
        failure.tell(&self.of);
    }

    /// Reads answers, as far as lines allow it.
    async fn read_all<T, S: Serialize, E: CallError + Failure>(
        &self,
        mut items: Streaming<T, E>,
        shown: impl Fn(T) -> S,
    ) {
        loop {
            let Ok(permit) = self.reads.acquire().await else { return };
            permit.forget();
            match items.next().await {
                Some(Ok(item)) => told::value(&self.of, "item", &shown(item)),
                Some(Err(failure)) => return self.failed(&failure),
                None => {
                    told::metadata(&self.of, &self.response);
                    return told::end(&self.of);
                }
            }
        }
    }
}
