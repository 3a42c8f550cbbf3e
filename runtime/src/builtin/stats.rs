//! What a server has done since its start: the service `zsvc.stats.v1.Stats`, which is on by default.
//!
//! Calls of each method are counted, with their failures and bytes, and timed: how long handlers took, and how long calls waited for
//! them. It is off with [`ServerBuilder::stats`](crate::ServerBuilder::stats), and so is the counting. A server at which anything needs an
//! identity tells it to known clients alone; see [`ServerBuilder::introspection_roles`](crate::ServerBuilder::introspection_roles).
//!
//! For a program's own metrics there is [`middleware::Metrics`](crate::middleware), with the feature `metrics`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

pub use super::generated::zsvc::stats::v1::*;
use super::guard::Guard;
use crate::context::{Context, Draining};
use crate::measure::{Distribution, MethodMeasure};
use crate::peer::{Dropped, Shared};
use crate::status::Status;
use crate::stream::Sink;

/// The shortest interval of a watch: a snapshot of many methods takes some milliseconds.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The server that is told of, once it is there. Its services are created before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatsSource(Arc<OnceLock<Arc<Shared>>>);

impl StatsSource {
    /// Says which server is told of.
    pub(crate) fn by(&self, server: &Arc<Shared>) {
        // Each server has services of its own, so this is called once.
        let _ = self.0.set(Arc::clone(server));
    }
}

/// The service.
pub(super) struct Board {
    guard: Guard,
    server: StatsSource,
}

impl Board {
    pub(super) fn new(guard: Guard, server: StatsSource) -> Self {
        Self { guard, server }
    }

    fn snapshot(&self, context: &Context) -> Result<Snapshot, Status> {
        self.guard.check(context)?;
        let server = self.server.0.get();
        server
            .map(|server| snapshot(server))
            .ok_or_else(|| Status::unavailable("the server is not there yet"))
    }
}

impl Stats for Board {
    async fn read(&self, context: &Context) -> Result<Snapshot, Status> {
        self.snapshot(context)
    }

    async fn watch(&self, context: &Context, interval: Duration, sink: Sink<Snapshot>) -> Result<(), Status> {
        let mut draining = context.draining();
        while !draining.has_begun() {
            sink.send(self.snapshot(context)?).await?;
            pause(interval.max(MIN_INTERVAL), &mut draining).await;
        }
        Ok(())
    }
}

/// Waits for a time, or until the server drains.
async fn pause(time: Duration, draining: &mut Draining) {
    let (mut sleep, mut draining) = (pin!(tokio::time::sleep(time)), pin!(draining.wait()));
    poll_fn(|context| {
        let is_over = draining.as_mut().poll(context).is_ready() || sleep.as_mut().poll(context).is_ready();
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn snapshot(server: &Shared) -> Snapshot {
    let counters = &server.counters;
    let dropped = Dropped::ALL.map(|reason| (reason.name().to_owned(), counters.dropped(reason)));
    let mut methods: Vec<MethodStats> = server.measures().iter().map(of_method).collect();
    methods.sort_by(|one, other| one.name.cmp(&other.name));
    Snapshot {
        uptime: server.uptime(),
        connections: server.connections() as u64,
        in_flight: server.sessions.calls() as u64,
        refused: counters.refused_calls(),
        lost_clients: counters.lost_peers(),
        unreadable: counters.unreadable_batches(),
        dropped: dropped.into_iter().filter(|(_, number)| *number > 0).collect(),
        methods,
    }
}

fn of_method(method: &MethodMeasure) -> MethodStats {
    let amounts = method.amounts();
    MethodStats {
        name: method.name.to_owned(),
        calls: amounts.calls,
        running: method.running(),
        failures: method.failures().map(|(how, number)| (how.to_owned(), number)).collect(),
        handler: latency(method.handler.distribution()),
        queue: latency(method.queue.distribution()),
        request_bytes: amounts.request_bytes,
        answer_bytes: amounts.answer_bytes,
    }
}

fn latency(found: Distribution) -> Latency {
    let Distribution { timed, mean, p50, p90, p99, p999, max } = found;
    Latency { timed, mean, p50, p90, p99, p999, max }
}
