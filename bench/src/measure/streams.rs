//! The measures of streams, one stream at a time. The sender is always ready, so the measured rate is that at which
//! the system carries items with its own flow control.

use std::time::Instant;

use super::observe::Allocations;
use super::{Measure, Streams, Task, calls};
use crate::Failure;
use crate::load::{Meter, Observer, Rate, Ticket};
use crate::sample::Reading;

/// Takes the measure that the task names, including measures of calls.
pub(crate) async fn streams<C: Streams>(task: Task) -> Result<Vec<Reading>, Failure> {
    let rate = match task.measure {
        Measure::ServerStream64
        | Measure::ServerStream4k
        | Measure::Bidi64
        | Measure::Bidi4k
        | Measure::StreamTrade => read::<C>(&task, &mut ()).await?,
        Measure::ClientStream64 | Measure::ClientStream4k => send::<C>(&task).await?,
        Measure::Allocations => return allocations::<C>(task).await,
        _ => return calls::<C>(task).await,
    };
    Ok(vec![Reading::new(task.measure.name(), rate.per_second(), "items/s")])
}

/// Reads a stream while the meter counts.
async fn read<C: Streams>(task: &Task, observer: &mut impl Observer) -> Result<Rate, Failure> {
    let mut meter = Meter::default();
    let (mut client, ticket, measure) = (C::connect(&task.endpoint).await?, meter.ticket(), task.measure);
    let reader = tokio::spawn(async move {
        match measure {
            Measure::StreamTrade => client.trades(&ticket).await,
            Measure::Bidi64 | Measure::Bidi4k => client.exchange(measure.payload(), &ticket).await,
            _ => client.items(measure.size(), &ticket).await,
        }
    });
    let rate = meter.watch(task.window, observer).await?;
    reader.await??;
    Ok(rate)
}

/// Sends a stream to its end. The server returns the number of items that arrived.
async fn send<C: Streams>(task: &Task) -> Result<Rate, Failure> {
    let mut client = C::connect(&task.endpoint).await?;
    client.collect(task.measure.payload(), Ticket::for_time(task.window.warm_up)).await?;
    let start = Instant::now();
    let ticket = Ticket::for_time(task.window.length);
    let count = client.collect(task.measure.payload(), ticket.clone()).await?;
    let time = start.elapsed();
    if count != ticket.counted() {
        return Err(format!("{} items were sent, but {count} arrived", ticket.counted()).into());
    }
    Ok(Rate { count, time })
}

async fn allocations<C: Streams>(task: Task) -> Result<Vec<Reading>, Failure> {
    let mut observer = Allocations::of(&task)?;
    let rate = read::<C>(&task, &mut observer).await?;
    let mut readings = calls::<C>(task).await?;
    readings.extend(observer.readings("allocations-stream-64", rate));
    Ok(readings)
}
