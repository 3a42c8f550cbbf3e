//! Metrics of calls, as a recorder of the `metrics` crate receives them.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use zsvc::generated::Plain;
use zsvc::middleware::{Metrics, RateLimit};
use zsvc::{Method, MethodKind, Status};
use zsvc_calls::Probe;

use crate::support::{ANY_PORT, Running, on_one_thread};

/// What was recorded since the last snapshot: `name{label=value,…}`, with the sum, or the number of values. The
/// debugging recorder forgets what it has returned, so the values are added up here.
struct Recorded {
    snapshotter: Snapshotter,
    seen: BTreeMap<String, f64>,
}

impl Recorded {
    fn get(&mut self, key: &str) -> f64 {
        for (metric, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let labels: Vec<_> =
                metric.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let key = format!("{}{{{}}}", metric.key().name(), labels.join(","));
            #[expect(clippy::cast_precision_loss, reason = "tests count to a few thousand")]
            let more = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(change) => change.into_inner(),
                DebugValue::Histogram(values) => {
                    assert!(values.iter().all(|value| (0.0..20.0).contains(&value.into_inner())));
                    values.len() as f64
                }
            };
            *self.seen.entry(key).or_default() += more;
        }
        self.seen.get(key).copied().unwrap_or_default()
    }

    #[track_caller]
    fn is(&mut self, key: &str, expected: f64) {
        let value = self.get(key);
        assert!((value - expected).abs() < 0.5, "{key} is {value}, not {expected}: {:#?}", self.seen);
    }
}

/// Runs a test with its own recorder, on one thread, so that the recorder applies to everything that the test starts.
fn recorded<F: Future<Output = ()>>(test: impl FnOnce(Recorded) -> F) {
    let recorder = DebuggingRecorder::new();
    let so_far = Recorded { snapshotter: recorder.snapshotter(), seen: BTreeMap::new() };
    let _local = metrics::set_default_local_recorder(&recorder);
    on_one_thread(test(so_far));
}

fn server() -> Running {
    Running::of(Probe::default(), |server| server.bind(ANY_PORT).middleware(Metrics::new()))
}

const ECHO: &str = "method=probe.v1.Probe/echo";

#[test]
fn calls_are_counted_and_timed_by_how_they_end() {
    recorded(|mut recorded| async move {
        let server = server();
        let probe = server.client_with(|channel| channel.middleware(Metrics::new())).await;
        for _ in 0..3 {
            probe.echo(Bytes::from_static(b"12345678")).await.unwrap();
        }
        probe.fail(5, "nothing there").await.unwrap_err();
        probe.refuse(None).await.unwrap_err();
        probe.note("noted").await.unwrap();
        server.journal.has("noted").await;
        probe.look().await.unwrap();
        for end in ["server", "client"] {
            recorded.is(&format!("zsvc_{end}_calls_total{{{ECHO},ending=ok}}"), 3.0);
            recorded
                .is(&format!("zsvc_{end}_calls_total{{method=probe.v1.Probe/fail,ending=not_found}}"), 1.0);
            recorded
                .is(&format!("zsvc_{end}_calls_total{{method=probe.v1.Probe/refuse,ending=declared}}"), 1.0);
            recorded.is(&format!("zsvc_{end}_calls_total{{method=probe.v1.Probe/note,ending=ok}}"), 1.0);
            recorded.is(&format!("zsvc_{end}_call_seconds{{{ECHO},ending=ok}}"), 3.0);
            recorded.is(&format!("zsvc_{end}_request_bytes_total{{{ECHO}}}"), 3.0 * 11.0);
            recorded.is(&format!("zsvc_{end}_answer_bytes_total{{{ECHO}}}"), 3.0 * 10.0);
            recorded.is(&format!("zsvc_{end}_calls_running{{{ECHO}}}"), 0.0);
        }
        recorded.is(&format!("zsvc_server_queue_seconds{{{ECHO}}}"), 3.0);
    });
}

#[test]
fn streams_are_open_until_they_end_or_are_dropped() {
    const POUR: &str = "method=probe.v1.Probe/hold_stream";
    recorded(|mut recorded| async move {
        let server = server();
        let probe = server.client_with(|channel| channel.middleware(Metrics::new())).await;
        let mut one = probe.hold_stream("a").await.unwrap();
        let mut other = probe.hold_stream("b").await.unwrap();
        assert_eq!((one.next().await, other.next().await), (Some(Ok(0)), Some(Ok(0))));
        for end in ["server", "client"] {
            recorded.is(&format!("zsvc_{end}_streams_open{{{POUR}}}"), 2.0);
            recorded.is(&format!("zsvc_{end}_calls_running{{{POUR}}}"), 2.0);
        }
        drop(other);
        server.journal.has("b dropped").await;
        server.journal.open("a");
        assert_eq!((one.next().await, one.next().await), (Some(Ok(1)), None));
        assert_eq!(probe.sum("s", stream::iter(1..=10)).await, Ok(55));
        for end in ["server", "client"] {
            recorded.is(&format!("zsvc_{end}_streams_open{{{POUR}}}"), 0.0);
            recorded.is(&format!("zsvc_{end}_calls_total{{{POUR},ending=ok}}"), 1.0);
            recorded.is(&format!("zsvc_{end}_calls_total{{{POUR},ending=cancelled}}"), 1.0);
            // An item of one stream and an item of the other, and then the second item of the first.
            recorded.is(&format!("zsvc_{end}_answer_bytes_total{{{POUR}}}"), 3.0);
            recorded.is(&format!("zsvc_{end}_request_bytes_total{{method=probe.v1.Probe/sum}}"), 13.0);
        }
        assert_eq!(probe.count(2).await.unwrap().count().await, 2);
    });
}

#[test]
fn the_runtime_counts_by_itself() {
    static PUT: Method = Method::new("probe.v1.Probe/put", MethodKind::Unary);
    recorded(|mut recorded| async move {
        let limit = RateLimit::per_method(10).burst(1);
        let server = Running::of(Probe::default(), |server| server.bind(ANY_PORT).middleware(limit));
        let probe = server.client().await;
        let twice = tokio::try_join!(probe.echo(Bytes::new()), probe.echo(Bytes::new()));
        twice.unwrap();
        // A string where a chest is expected.
        let unreadable = probe.channel().unary::<Plain, u32, Status>(&PUT, &vec!["text".to_owned()]).await;
        unreadable.unwrap_err();
        recorded.is("zsvc_client_connections{}", 1.0);
        recorded.is("zsvc_server_connections{}", 1.0);
        let retries = recorded.get("zsvc_client_retries_total{}");
        assert!(retries >= 1.0, "{retries}");
        recorded.is("zsvc_server_refused_calls_total{}", retries + 1.0);
        for (from, to) in [("client", "server"), ("server", "client")] {
            let sent = recorded.get(&format!("zsvc_{from}_sent_bytes_total{{}}"));
            assert!(sent > 0.0);
            recorded.is(&format!("zsvc_{to}_received_bytes_total{{}}"), sent);
        }
        drop(probe);
        while recorded.get("zsvc_client_connections{}") > 0.5 {
            tokio::task::yield_now().await;
        }
        server.stop().await;
        let dropped = |key: &&String| key.contains("dropped_total");
        assert_eq!(recorded.seen.keys().find(dropped), None, "nothing was dropped");
    });
}
