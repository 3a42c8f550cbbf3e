//! `wakes`: the cost, with tokio and one lock alone, of tasks that wait and are woken in bursts, as callers on one
//! connection are. No measured system is involved: callers behind one lock pay this cost whatever else they do.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::usage::Process;

/// Measures tasks that wait in one queue, and a task that wakes them.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Number of tasks that wait.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    tasks: u32,
    /// Number of tasks that are woken before any of them runs.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    burst: u32,
    /// Duration of the measurement on each runtime, in seconds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// The queue in which tasks wait, behind the one lock that they share.
#[derive(Debug, Default)]
struct WaitQueue {
    waiting: VecDeque<Waker>,
    /// Waker of the task that wakes the others, set while the queue is empty.
    driver: Option<Waker>,
}

impl WaitQueue {
    /// Joins the queue. Returns the waker of the driver if the queue was empty.
    fn join(&mut self, context: &Context<'_>) -> Option<Waker> {
        self.waiting.push_back(context.waker().clone());
        self.driver.take()
    }
}

/// Measures one runtime after the other.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let workers = std::thread::available_parallelism()?.get();
    let multi = |workers| Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    measure("current-thread", &Builder::new_current_thread().enable_all().build()?, arguments)?;
    measure("multi-thread, 1 worker", &multi(1)?, arguments)?;
    measure(&format!("multi-thread, {workers} workers"), &multi(workers)?, arguments)
}

fn measure(name: &str, runtime: &Runtime, arguments: &Arguments) -> Result<(), Failure> {
    let woken = Arc::new(AtomicU64::new(0));
    let queue = Arc::new(Mutex::new(WaitQueue::default()));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..arguments.tasks)
            .map(|_| tokio::spawn(wait_again_and_again(Arc::clone(&queue), Arc::clone(&woken))))
            .chain([tokio::spawn(wake_again_and_again(Arc::clone(&queue), arguments.burst as usize))])
            .collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = (woken.load(Ordering::Relaxed), Process::this().cpu()?, Instant::now());
        tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
        let times = woken.load(Ordering::Relaxed) - before.0;
        let (cpu, passed) = (Process::this().cpu()?.saturating_sub(before.1), before.2.elapsed());
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let times = times as f64;
        println!(
            "{name}: {:.0} wakes/s, {:.3} µs of CPU each",
            times / passed.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / times
        );
        Ok(())
    })
}

async fn wait_again_and_again(queue: Arc<Mutex<WaitQueue>>, woken: Arc<AtomicU64>) {
    /// Number of wake-ups between updates of the shared counter, so that counting does not dominate the measurement.
    const WAKES_PER_UPDATE: u64 = 64;
    loop {
        for _ in 0..WAKES_PER_UPDATE {
            let mut joined = false;
            poll_fn(|context| {
                if std::mem::replace(&mut joined, true) {
                    return Poll::Ready(());
                }
                let driver = queue.lock().unwrap_or_else(PoisonError::into_inner).join(context);
                if let Some(driver) = driver {
                    driver.wake();
                }
                Poll::Pending
            })
            .await;
        }
        woken.fetch_add(WAKES_PER_UPDATE, Ordering::Relaxed);
    }
}

async fn wake_again_and_again(queue: Arc<Mutex<WaitQueue>>, burst: usize) {
    let mut waiting = VecDeque::new();
    poll_fn(|context| {
        if waiting.is_empty() {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting, &mut queue.waiting);
            if waiting.is_empty() {
                queue.driver = Some(context.waker().clone());
                return Poll::<()>::Pending;
            }
        }
        let now = waiting.len().min(burst);
        waiting.drain(..now).for_each(Waker::wake);
        // The driver runs after the woken tasks, except those that another worker thread takes over.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
