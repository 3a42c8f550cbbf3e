//! [`Metrics`]: counts and durations of a program's calls, for the `metrics` facade.
//!
//! The names are documented in the project's `docs/operations.md`. What the runtime counts by itself is in
//! [`crate::telemetry`].

use metrics::{Gauge, counter, gauge, histogram};
use tokio::time::Instant;

use super::on_drop::OnDrop;
use super::{
    ClientMiddleware, ClientNext, ClientRequest, Response, ServerMiddleware, ServerNext, ServerRequest,
    Traffic,
};
use crate::method::{Method, MethodKind};

/// Counts and times the calls of a client or a server, for the recorder of the `metrics` crate that the program has
/// installed. The names are in the project's `docs/operations.md`.
///
/// As the outermost middleware it also counts the calls that other middleware refuses.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Metrics;

impl Metrics {
    /// Creates the middleware, for either end.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

/// Names of the metrics of one end.
struct Names {
    calls: &'static str,
    seconds: &'static str,
    running: &'static str,
    streams: &'static str,
    request_bytes: &'static str,
    answer_bytes: &'static str,
}

const SERVER: Names = Names {
    calls: "zsvc_server_calls_total",
    seconds: "zsvc_server_call_seconds",
    running: "zsvc_server_calls_running",
    streams: "zsvc_server_streams_open",
    request_bytes: "zsvc_server_request_bytes_total",
    answer_bytes: "zsvc_server_answer_bytes_total",
};

const CLIENT: Names = Names {
    calls: "zsvc_client_calls_total",
    seconds: "zsvc_client_call_seconds",
    running: "zsvc_client_calls_running",
    streams: "zsvc_client_streams_open",
    request_bytes: "zsvc_client_request_bytes_total",
    answer_bytes: "zsvc_client_answer_bytes_total",
};

/// A call that is being measured.
struct Call {
    names: &'static Names,
    method: &'static str,
    began: Instant,
    traffic: Traffic,
    /// Gauges that are decremented when the call ends: `running`, and `streams` if the method streams.
    gauges: [Option<Gauge>; 2],
}

impl Call {
    fn begin(names: &'static Names, method: &Method, traffic: Traffic) -> Self {
        let streams = !matches!(method.kind(), MethodKind::Unary | MethodKind::OneWay);
        let method = method.name();
        let gauges = [
            Some(gauge!(names.running, "method" => method)),
            streams.then(|| gauge!(names.streams, "method" => method)),
        ];
        gauges.iter().flatten().for_each(|gauge| gauge.increment(1.0));
        Self { names, method, began: Instant::now(), traffic, gauges }
    }

    fn end(&self, ending: &'static str, answer_bytes: u64) {
        let (names, method) = (self.names, self.method);
        self.gauges.iter().flatten().for_each(|gauge| gauge.decrement(1.0));
        counter!(names.calls, "method" => method, "ending" => ending).increment(1);
        histogram!(names.seconds, "method" => method, "ending" => ending).record(self.began.elapsed());
        counter!(names.request_bytes, "method" => method).increment(self.traffic.request_bytes());
        let answered = answer_bytes.saturating_add(self.traffic.answer_bytes());
        counter!(names.answer_bytes, "method" => method).increment(answered);
    }
}

impl ServerMiddleware for Metrics {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let call = Call::begin(&SERVER, request.method(), request.traffic());
        let queued = call.began.saturating_duration_since(request.received());
        histogram!("zsvc_server_queue_seconds", "method" => call.method).record(queued);
        let on_drop = OnDrop::new(request.deadline(), |ending| call.end(ending, 0));
        let response = next.run(request).await;
        on_drop.disarm();
        call.end(response.ending(), response.answer_bytes());
        response
    }
}

impl ClientMiddleware for Metrics {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        let call = Call::begin(&CLIENT, request.method(), request.traffic());
        let on_drop = OnDrop::new(request.deadline(), |ending| call.end(ending, 0));
        let response = next.run(request).await;
        on_drop.disarm();
        call.end(response.ending(), response.answer_bytes());
        response
    }
}
