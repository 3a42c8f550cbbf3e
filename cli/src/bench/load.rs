//! Makes calls, and measures each.
//!
//! **Closed loop**: a number of callers, each of which makes its next call once the last was answered. A server that stops for a second
//! then has few calls that took a second, since hardly any were made meanwhile.
//!
//! **Open loop**: calls are due at a rate, whatever the server does, and each is measured from when it was due. So a server that stops
//! for a second has all calls that were due then, and what users would have waited is in the numbers. A call that is due while the
//! bound on calls in flight is reached is made later, and measured from when it was due all the same.
//!
//! One operation is one call, with all of its streams: it is over once it was answered, and the stream of its answers has ended. A call
//! that is not over long after the time is over is given up, so that no method goes on for ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use zsvc::dynamic::{self, RawError, RawValue};
use zsvc::{Channel, Method, MethodKind, Streaming};

use super::result::Measured;
use super::stream::Items;

/// Longest time that is told apart, in microseconds: ten minutes.
const MAX_MICROSECONDS: u64 = 600_000_000;

/// Digits to which times are told apart.
const DIGITS: u8 = 3;

/// The least time that calls have to end once the time is over; they have as much as all calls had, if that is more.
const MIN_GRACE: Duration = Duration::from_secs(5);

/// How calls are told that did not end.
const UNFINISHED: &str = "unfinished";

/// What to call, and how.
pub(crate) struct Load {
    pub(crate) channel: Channel,
    pub(crate) method: &'static Method,
    pub(crate) params: RawValue,
    /// What each call sends, of a method that takes a stream.
    pub(crate) items: Option<Items>,
    pub(crate) deadline: Option<Duration>,
    /// Number of callers, or the maximum number of calls in flight at a rate.
    pub(crate) concurrency: usize,
    /// Calls per second that are due; none for a closed loop.
    pub(crate) rate: Option<f64>,
}

/// What one caller has measured.
pub(crate) struct Tally {
    pub(crate) times: Histogram<u64>,
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) answers: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        // These bounds are constants, and good ones: the least is above zero, and the greatest twice as large at least.
        let times = Histogram::new_with_bounds(1, MAX_MICROSECONDS, DIGITS).expect("good bounds");
        Self { times, failures: BTreeMap::new(), answers: 0 }
    }

    fn count(&mut self, took: Duration, result: Result<u64, String>) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.times.saturating_record(microseconds.max(1));
        match result {
            Ok(answers) => self.answers += answers,
            Err(how) => *self.failures.entry(how).or_default() += 1,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.times.add(&other.times);
        self.answers += other.answers;
        for (code, count) in &other.failures {
            *self.failures.entry(code.clone()).or_default() += count;
        }
    }
}

fn code(error: &RawError) -> String {
    match error {
        RawError::Declared { .. } => "declared".to_owned(),
        RawError::Status(status) => status.code().name().to_owned(),
    }
}

/// Sets the deadline of a call of any kind.
macro_rules! with_deadline {
    ($load:expr, $call:expr) => {{
        let call = $call;
        match $load.deadline {
            Some(deadline) => call.deadline(deadline),
            None => call,
        }
    }};
}

impl Load {
    /// Makes calls for some time, and reports progress.
    pub(crate) async fn run(self, within: Duration, progress: impl Fn(Duration)) -> Measured {
        let (concurrency, rate) = (self.concurrency, self.rate);
        let load = Arc::new(self);
        let began = Instant::now();
        let until = began + within;
        let grace = within.max(MIN_GRACE).max(load.deadline.unwrap_or_default());
        let run = async {
            match rate {
                Some(rate) => open(&load, rate, began, until, until + grace).await,
                None => closed(&load, until, until + grace).await,
            }
        };
        let mut run = std::pin::pin!(run);
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        let tally = loop {
            tokio::select! {
                biased;
                tally = &mut run => break tally,
                _ = tick.tick() => progress(began.elapsed()),
            }
        };
        let items = load.items.as_ref().map(|items| (items.sent(), items.per_call()));
        Measured { tally, took: began.elapsed(), concurrency, rate, items, method: load.method.name() }
    }

    /// Makes one call, which is given up at a time. Returns the number of answers, or how it failed.
    async fn call_until(&self, last: Instant) -> Result<u64, String> {
        match tokio::time::timeout_at(last.into(), self.call()).await {
            Ok(result) => result.map_err(|error| code(&error)),
            Err(_) => Err(UNFINISHED.to_owned()),
        }
    }

    /// Makes one call. Returns the number of answers.
    async fn call(&self) -> Result<u64, RawError> {
        let (channel, method, params) = (&self.channel, self.method, &self.params);
        match (method.kind(), &self.items) {
            (MethodKind::ServerStream, _) => {
                let call = dynamic::server_stream(channel, method, params);
                count(with_deadline!(self, call).await?).await
            }
            (MethodKind::ClientStream, Some(items)) => {
                let call = dynamic::client_stream(channel, method, params, items.stream());
                with_deadline!(self, call).await.map(|_| 1)
            }
            (MethodKind::Bidirectional, Some(items)) => {
                let call = dynamic::bidirectional(channel, method, params);
                let (sink, answers) = with_deadline!(self, call).await?;
                let feed = async {
                    // What ended the call is told by its answers.
                    if sink.send_all(items.stream()).await.is_ok() {
                        sink.finish();
                    }
                };
                let mut answers = std::pin::pin!(count(answers));
                tokio::select! {
                    biased;
                    answers = &mut answers => answers,
                    () = feed => answers.await,
                }
            }
            _ => {
                let call = dynamic::unary(channel, method, params).no_retry();
                with_deadline!(self, call).await.map(|_| 1)
            }
        }
    }
}

/// Reads answers to their end, and returns their number.
async fn count(mut answers: Streaming<RawValue, RawError>) -> Result<u64, RawError> {
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        answer?;
        count += 1;
    }
    Ok(count)
}

/// Has each caller call again once it was answered, until a time; calls are given up at a later one.
async fn closed(load: &Arc<Load>, until: Instant, last: Instant) -> Tally {
    let mut callers = JoinSet::new();
    for _ in 0..load.concurrency {
        let load = Arc::clone(load);
        callers.spawn(async move {
            let mut tally = Tally::new();
            loop {
                let began = Instant::now();
                if began >= until {
                    return tally;
                }
                let result = load.call_until(last).await;
                tally.count(began.elapsed(), result);
            }
        });
    }
    let mut all = Tally::new();
    while let Some(tally) = callers.join_next().await {
        // A caller does not panic.
        if let Ok(tally) = tally {
            all.add(&tally);
        }
    }
    all
}

/// Makes the calls that are due until a time; those that are not over at a later one are given up, or not made at all.
async fn open(load: &Arc<Load>, rate: f64, began: Instant, until: Instant, last: Instant) -> Tally {
    let places = Arc::new(Semaphore::new(load.concurrency));
    let mut calls: JoinSet<(Duration, Result<u64, String>)> = JoinSet::new();
    let mut all = Tally::new();
    for number in 0_u32.. {
        let due = began + Duration::from_secs_f64(f64::from(number) / rate);
        if due >= until {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        // The semaphore is not closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        if Instant::now() >= last {
            all.count(due.elapsed(), Err(UNFINISHED.to_owned()));
            continue;
        }
        let load = Arc::clone(load);
        calls.spawn(async move {
            let result = load.call_until(last).await;
            drop(place);
            (due.elapsed(), result)
        });
        while let Some(call) = calls.try_join_next() {
            if let Ok((took, result)) = call {
                all.count(took, result);
            }
        }
    }
    while let Some(call) = calls.join_next().await {
        if let Ok((took, result)) = call {
            all.count(took, result);
        }
    }
    all
}
