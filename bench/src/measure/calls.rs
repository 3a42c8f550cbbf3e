//! The measures of unary calls.

use std::time::Instant;

use bytes::Bytes;

use super::observe::Allocations;
use super::{Client, Cpu, Measure, Peaks, Task, answered};
use crate::Failure;
use crate::load::{Call, Window, in_flight};
use crate::sample::Reading;
use crate::statistics::{quantile, to_f64};

/// Takes the measure that the task names.
pub(crate) async fn calls<C: Client>(task: Task) -> Result<Vec<Reading>, Failure> {
    match task.measure {
        Measure::Latency => latency::<C>(&task).await,
        Measure::InFlight8 | Measure::InFlight64 | Measure::InFlight1000 => many::<C>(&task).await,
        Measure::Trade => trade::<C>(&task).await,
        Measure::SyncClients => sync_clients::<C>(&task).await,
        Measure::Payload1k | Measure::Payload64k | Measure::Payload1m => payload::<C>(&task).await,
        Measure::ColdStart => cold_start::<C>(&task).await,
        Measure::Allocations => allocations::<C>(&task).await,
        _ => task.unknown(),
    }
}

struct Echo<C> {
    client: C,
    payload: Bytes,
}

impl<C: Client> Echo<C> {
    async fn connect(task: &Task) -> Result<Self, Failure> {
        let mut echo = Self { client: C::connect(&task.endpoint).await?, payload: task.measure.payload() };
        // The connection is established once a call was answered.
        echo.call().await?;
        Ok(echo)
    }

    /// Returns the given number of clones, which share the connection.
    fn times(&self, count: usize) -> impl Iterator<Item = Self> {
        std::iter::repeat_with(|| Self { client: self.client.clone(), payload: self.payload.clone() })
            .take(count)
    }
}

impl<C: Client> Call for Echo<C> {
    async fn call(&mut self) -> Result<(), Failure> {
        let length = self.client.echo(self.payload.clone()).await?;
        if length == self.payload.len() { Ok(()) } else { Err("the answer differs from the payload".into()) }
    }
}

struct Last<C>(C);

const SYMBOL: &str = "ACME";

impl<C: Client> Call for Last<C> {
    async fn call(&mut self) -> Result<(), Failure> {
        let length = self.0.last(SYMBOL).await?;
        if length == SYMBOL.len() { Ok(()) } else { Err("the trade is of another symbol".into()) }
    }
}

async fn latency<C: Client>(task: &Task) -> Result<Vec<Reading>, Failure> {
    let mut echo = Echo::<C>::connect(task).await?;
    times_of(&mut echo, task.window.warm_up).await?;
    let times = times_of(&mut echo, task.window.length).await?;
    Ok(latencies(&times))
}

/// Returns the durations of calls in microseconds, made one after another for the given time.
async fn times_of(call: &mut impl Call, time: std::time::Duration) -> Result<Vec<f64>, Failure> {
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let before = Instant::now();
        call.call().await?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

/// Returns the readings of `latency` from the durations of calls in microseconds.
pub(crate) fn latencies(times: &[f64]) -> Vec<Reading> {
    let at = |name, part| Reading::new(name, quantile(times, part), "µs");
    vec![at("latency p50", 0.5), at("latency p99", 0.99)]
}

async fn many<C: Client>(task: &Task) -> Result<Vec<Reading>, Failure> {
    let (measure, mut cpu) = (task.measure, Cpu::of(task));
    let echo = Echo::<C>::connect(task).await?;
    let rate = in_flight(echo.times(measure.in_flight()), task.window, &mut cpu).await?;
    let cpu = cpu.reading(format!("cpu-{}", measure.in_flight()), rate);
    Ok(vec![Reading::new(measure.name(), rate.per_second(), "calls/s"), cpu])
}

async fn trade<C: Client>(task: &Task) -> Result<Vec<Reading>, Failure> {
    let client = C::connect(&task.endpoint).await?;
    let calls = (0..task.measure.in_flight()).map(|_| Last(client.clone()));
    let rate = in_flight(calls, task.window, &mut ()).await?;
    Ok(vec![Reading::new(task.measure.name(), rate.per_second(), "calls/s")])
}

async fn sync_clients<C: Client>(task: &Task) -> Result<Vec<Reading>, Failure> {
    let mut clients = Vec::new();
    for _ in 0..task.measure.in_flight() {
        clients.push(Echo::<C>::connect(task).await?);
    }
    let rate = in_flight(clients, task.window, &mut ()).await?;
    Ok(vec![Reading::new(task.measure.name(), rate.per_second(), "calls/s")])
}

async fn payload<C: Client>(task: &Task) -> Result<Vec<Reading>, Failure> {
    let measure = task.measure;
    let mut echo = Echo { client: C::connect(&task.endpoint).await?, payload: Bytes::from_static(&[7; 64]) };
    echo.call().await?;
    echo.payload = measure.payload();
    let peaks = Peaks::begin(task)?;
    let rate = in_flight(echo.times(measure.in_flight()), task.window, &mut ()).await?;
    let bytes = rate.per_second() * to_f64(measure.size() as u64);
    let mut readings = vec![Reading::new(measure.name(), bytes, "bytes/s")];
    if measure == Measure::Payload1m {
        readings.extend(peaks.readings(task)?);
    }
    Ok(readings)
}

async fn cold_start<C: Client>(task: &Task) -> Result<Vec<Reading>, Failure> {
    let _echo = Echo::<C>::connect(task).await?;
    answered(task)
}

async fn allocations<C: Client>(task: &Task) -> Result<Vec<Reading>, Failure> {
    let mut readings = Vec::new();
    let echo = Echo::<C>::connect(task).await?;
    for count in [1, 64, 1_000] {
        let mut allocations = Allocations::of(task)?;
        let rate = in_flight(echo.times(count), third(task.window), &mut allocations).await?;
        readings.extend(allocations.readings(&format!("allocations-{count}"), rate));
    }
    Ok(readings)
}

/// Returns a third of the window. Allocation counts settle at once, and are taken in several windows.
fn third(window: Window) -> Window {
    Window { warm_up: window.warm_up, length: window.length / 3 }
}
