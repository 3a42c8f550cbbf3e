//! The load: tasks that each make one call after another, and a meter that counts the calls in a time window.
//!
//! No task reads a clock. Each task counts in its own cell, and the meter adds up the cells when the window opens and
//! when it closes, so counting costs almost nothing, and the same for every system.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use crate::Failure;
use crate::statistics::to_f64;

/// Duration of the warm-up and of the measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Warm-up time; calls in it are not counted.
    pub warm_up: Duration,
    /// Measured time after the warm-up.
    pub length: Duration,
}

/// The count of a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Number of calls or items.
    pub count: u64,
    /// Duration of the window.
    pub time: Duration,
}

impl Rate {
    /// Returns the count per second.
    pub(crate) fn per_second(self) -> f64 {
        to_f64(self.count) / self.time.as_secs_f64()
    }
}

/// A counter in its own cache lines: counters that share one would slow down each other's writers.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell(AtomicU64);

/// A task's handle to count with, and to learn that it may stop.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    cell: Arc<Cell>,
    stop: Arc<AtomicBool>,
}

impl Ticket {
    /// Returns a ticket that is stopped after the given time.
    pub(crate) fn for_time(time: Duration) -> Self {
        let ticket = Meter::default().ticket();
        let stop = Arc::clone(&ticket.stop);
        thread::spawn(move || {
            thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
        });
        ticket
    }

    /// Counts one. Only one task may count with a ticket, since this is not an atomic addition.
    pub(crate) fn count(&self) {
        self.cell.0.store(self.counted() + 1, Ordering::Relaxed);
    }

    /// Returns the count.
    pub(crate) fn counted(&self) -> u64 {
        self.cell.0.load(Ordering::Relaxed)
    }

    /// Reports whether the window is over.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns a stream that repeats the item until the window is over, and counts the items.
    pub(crate) fn repeat(self, item: Bytes) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::iter(std::iter::from_fn(move || {
            (!self.stopped()).then(|| {
                self.count();
                item.clone()
            })
        }))
    }

    /// Reads a stream and counts its items until the window is over.
    pub(crate) async fn read<T, E: Into<Failure>>(
        &self,
        stream: impl Stream<Item = Result<T, E>>,
    ) -> Result<(), Failure> {
        let mut stream = std::pin::pin!(stream);
        while !self.stopped() {
            stream.next().await.ok_or("the stream ended early")?.map_err(Into::into)?;
            self.count();
        }
        Ok(())
    }
}

/// An observer that is called when the window opens and when it closes.
pub(crate) trait Observer {
    /// Called when the window opens.
    fn begin(&mut self) -> Result<(), Failure>;
    /// Called when the window closes.
    fn end(&mut self) -> Result<(), Failure>;
}

/// Observes nothing.
impl Observer for () {
    fn begin(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Adds up the counts of all tickets.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    cells: Vec<Arc<Cell>>,
    stop: Arc<AtomicBool>,
}

impl Meter {
    /// Returns a ticket for one task.
    pub(crate) fn ticket(&mut self) -> Ticket {
        let cell = Arc::<Cell>::default();
        self.cells.push(Arc::clone(&cell));
        Ticket { cell, stop: Arc::clone(&self.stop) }
    }

    /// Counts for the duration of the window, then stops the ticket holders.
    pub(crate) async fn watch(&self, window: Window, observer: &mut impl Observer) -> Result<Rate, Failure> {
        tokio::time::sleep(window.warm_up).await;
        observer.begin()?;
        let mark = self.mark();
        tokio::time::sleep(window.length).await;
        let rate = self.since(mark);
        observer.end()?;
        self.stop.store(true, Ordering::Relaxed);
        Ok(rate)
    }

    /// Like [`Meter::watch`], for a thread that may block.
    pub(crate) fn watch_blocking(
        &self,
        window: Window,
        observer: &mut impl Observer,
    ) -> Result<Rate, Failure> {
        thread::sleep(window.warm_up);
        observer.begin()?;
        let mark = self.mark();
        thread::sleep(window.length);
        let rate = self.since(mark);
        observer.end()?;
        self.stop.store(true, Ordering::Relaxed);
        Ok(rate)
    }

    fn mark(&self) -> (u64, Instant) {
        (self.cells.iter().map(|cell| cell.0.load(Ordering::Relaxed)).sum(), Instant::now())
    }

    fn since(&self, (count, time): (u64, Instant)) -> Rate {
        let (now, at) = self.mark();
        Rate { count: now - count, time: at - time }
    }
}

/// A call that can be made repeatedly.
pub(crate) trait Call: Send + 'static {
    /// Makes the call, and checks the answer.
    fn call(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Runs each of the calls in its own task, repeatedly.
pub(crate) async fn in_flight<C: Call>(
    calls: impl IntoIterator<Item = C>,
    window: Window,
    observer: &mut impl Observer,
) -> Result<Rate, Failure> {
    let mut meter = Meter::default();
    let tasks: Vec<_> =
        calls.into_iter().map(|call| tokio::spawn(one_after_the_other(call, meter.ticket()))).collect();
    let rate = meter.watch(window, observer).await?;
    for task in tasks {
        task.await??;
    }
    Ok(rate)
}

async fn one_after_the_other(mut call: impl Call, ticket: Ticket) -> Result<(), Failure> {
    while !ticket.stopped() {
        call.call().await?;
        ticket.count();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Window = Window { warm_up: Duration::from_millis(1), length: Duration::from_millis(20) };

    struct Yield;

    impl Call for Yield {
        async fn call(&mut self) -> Result<(), Failure> {
            tokio::task::yield_now().await;
            Ok(())
        }
    }

    struct Fail;

    impl Call for Fail {
        async fn call(&mut self) -> Result<(), Failure> {
            Err("no luck".into())
        }
    }

    #[tokio::test]
    async fn all_tasks_count() -> Result<(), Failure> {
        let rate = in_flight((0..3).map(|_| Yield), SHORT, &mut ()).await?;
        assert!(rate.count > 3 && rate.time >= SHORT.length && rate.per_second() > 0.0);
        Ok(())
    }

    #[tokio::test]
    async fn a_call_that_fails_is_told() {
        let failure = in_flight([Fail], SHORT, &mut ()).await.expect_err("its call fails");
        assert_eq!(failure.to_string(), "no luck");
    }

    #[tokio::test]
    async fn items_are_repeated_until_the_window_is_over() {
        let ticket = Ticket::for_time(SHORT.length);
        let items = ticket.clone().repeat(Bytes::from_static(b"7"));
        assert_eq!(ticket.counted(), 0);
        assert_eq!(items.count().await as u64, ticket.counted());
        assert!(ticket.stopped());
    }
}
