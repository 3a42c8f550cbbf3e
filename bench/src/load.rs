//! The load: so many tasks that each make one call after the other, and a meter that counts what they do in a window of time.
//!
//! No task reads a clock. Each counts in a cell of its own, and the meter adds the cells up when the window opens and when it
//! closes; so counting costs next to nothing and the same for every system.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use crate::Failure;
use crate::statistics::to_f64;

/// How long to warm up, and then to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// What is done before counts for nothing.
    pub warm_up: Duration,
    /// How long it is counted.
    pub length: Duration,
}

/// What was counted in a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// How many.
    pub count: u64,
    /// In what time.
    pub time: Duration,
}

impl Rate {
    /// How many in a second.
    pub(crate) fn per_second(self) -> f64 {
        to_f64(self.count) / self.time.as_secs_f64()
    }
}

/// One count, in cache lines of its own: cells that share one would slow each other's writers down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell(AtomicU64);

/// With what a task counts, and learns that it may end.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    cell: Arc<Cell>,
    stop: Arc<AtomicBool>,
}

impl Ticket {
    /// One that is stopped after so long.
    pub(crate) fn for_time(time: Duration) -> Self {
        let ticket = Meter::default().ticket();
        let stop = Arc::clone(&ticket.stop);
        thread::spawn(move || {
            thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
        });
        ticket
    }

    /// Counts one. Only one task may count with a ticket: this is no atomic addition.
    pub(crate) fn count(&self) {
        self.cell.0.store(self.counted() + 1, Ordering::Relaxed);
    }

    /// How many it has counted.
    pub(crate) fn counted(&self) -> u64 {
        self.cell.0.load(Ordering::Relaxed)
    }

    /// Whether the window is over.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The item, again and again, until the window is over. Counts what it gives.
    pub(crate) fn repeat(self, item: Bytes) -> impl Stream<Item = Bytes> + Send + 'static {
        stream::iter(std::iter::from_fn(move || {
            (!self.stopped()).then(|| {
                self.count();
                item.clone()
            })
        }))
    }

    /// Reads a stream and counts its items, until the window is over.
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

/// Looks at something else when the window opens and when it closes.
pub(crate) trait Observer {
    /// The window opens.
    fn begin(&mut self) -> Result<(), Failure>;
    /// It closes.
    fn end(&mut self) -> Result<(), Failure>;
}

/// Looks at nothing.
impl Observer for () {
    fn begin(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Counts what all holders of its tickets do.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    cells: Vec<Arc<Cell>>,
    stop: Arc<AtomicBool>,
}

impl Meter {
    /// A ticket for one task.
    pub(crate) fn ticket(&mut self) -> Ticket {
        let cell = Arc::<Cell>::default();
        self.cells.push(Arc::clone(&cell));
        Ticket { cell, stop: Arc::clone(&self.stop) }
    }

    /// Counts in the window, and stops the holders then.
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

    /// The same in a thread that may wait.
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

/// A call that can be made again and again.
pub(crate) trait Call: Send + 'static {
    /// Makes it, and checks the answer.
    fn call(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Has each of the calls made in a task of its own, one after the other.
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
